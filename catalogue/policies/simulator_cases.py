"""The cases that a simulation counts, read from the database with no more of them than it needs.

A set of cases is named by its last record, so that the same name gives the same cases later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Integer, cast, extract, func, select
from sqlalchemy import case as either

from catalogue.database import db
from catalogue.policies.backtest_runs import newest_up_to
from catalogue.policies.document import PolicyDocument
from catalogue.policies.models import DecisionRecord
from catalogue.policies.operations import document_of, versions_of
from catalogue.policies.report import ENGINE
from catalogue.policies.simulator import Simulated, simulate
from catalogue.policies.varying import Standing, Variation, recorded

# The newest applications that one answer counts; the desk's back-test takes all of them.
MAX_CASES = 12_000
A_PAGE = 1_000
# Results are small, but each holds the days and amounts of a year's cases.
MOST_RESULTS = 16
# Standings of one text: some 300 bytes each.
MOST_KEPT = 50_000

_results: dict[tuple[Any, ...], Simulated] = {}


class Claim(NamedTuple):
    """One past case without its facts; ``engine`` is 0 where the record does not say."""

    id: int
    application_number: str
    policy_id: int
    verdict: str
    amount_fen: int | None
    district: str | None
    firm_size: str | None
    decided_on: date
    year: int
    firm_code: str
    firm_name: str
    sha256: str
    engine: int


@dataclass(frozen=True)
class CaseSet:
    """The newest record of every application of a scheme up to ``until_id``, ``whole`` in number.

    ``ends`` is the hash of the last record: equal sets are the same cases.
    """

    scheme: str
    until_id: int
    ends: str
    whole: int


def case_set(scheme: str, until_id: int | None = None) -> CaseSet | None:
    """The cases up to a record of the scheme, or all of today's; None when it is no such record.

    A scheme without cases has an empty set.
    """
    ends = select(DecisionRecord.id, DecisionRecord.sha256).filter_by(scheme=scheme)
    if until_id is None or until_id > 0:
        if until_id is not None:
            ends = ends.filter_by(id=until_id)
        last = db.session.execute(ends.order_by(DecisionRecord.id.desc()).limit(1)).one_or_none()
        if last is not None:
            counted = select(func.count()).where(newest_up_to(scheme, last.id))
            return CaseSet(scheme, last.id, last.sha256, db.session.scalar(counted) or 0)
        if until_id is not None:
            return None
    return CaseSet(scheme, 0, "", 0)


def _pages(cases: CaseSet) -> Iterator[list[Claim]]:
    """The newest record of each of the newest MAX_CASES applications, page by page."""
    record = DecisionRecord
    firm, year = record.facts["enterprise"], record.facts["round"]["year"].astext
    # The record is canonical JSON, in which the engine stands before the facts.
    engine = func.substring(func.substr(record.record, 1, 200), '"engine":([0-9]{1,4}),"facts"')
    statement = (
        select(
            record.id,
            record.application_number,
            record.policy_id,
            record.verdict,
            record.amount_fen,
            record.district,
            record.firm_size,
            record.decided_on,
            func.coalesce(cast(year, Integer), cast(extract("year", record.decided_on), Integer)),
            func.coalesce(firm["credit_code"].astext, ""),
            func.coalesce(firm["name"].astext, ""),
            record.sha256,
            func.coalesce(cast(engine, Integer), 0),
        )
        .where(newest_up_to(cases.scheme, cases.until_id))
        .order_by(record.id.desc())
        .limit(MAX_CASES)
    )
    rows = db.session.execute(statement, execution_options={"yield_per": A_PAGE})
    for page in rows.partitions():
        yield [Claim(*row) for row in page]


def _facts(ids: Iterable[int], roots: Iterable[str]) -> dict[int, dict[str, Any]]:
    """The named parts of the facts of some records; a part that they lack is None."""
    record = DecisionRecord
    parts = [part for root in sorted(roots) for part in (root, record.facts[root])]
    rows = db.session.execute(
        select(record.id, func.jsonb_build_object(*parts)).where(record.id.in_(ids))
    )
    return {row[0]: row[1] for row in rows}


def _records(claims: list[Claim]) -> dict[int, str]:
    """The text of some records; of eligible cases only its end, the worksheet."""
    record = DecisionRecord
    end = func.substr(record.record, func.strpos(record.record, '"worksheet":['))
    told = either((record.verdict == "eligible", func.concat("{", end)), else_=record.record)
    rows = db.session.execute(
        select(record.id, told).where(record.id.in_([claim.id for claim in claims]))
    )
    return {row[0]: row[1] for row in rows} if claims else {}


class _Decider:
    """Decides cases under a text and under a scenario of it, with as little work as is exact.

    What this engine recorded under any version is taken from the record; only rules and steps
    that differ there, or read a turned number, are run.
    """

    def __init__(self, base: PolicyDocument, turned: PolicyDocument, scheme: str) -> None:
        self.base = base
        self.turn = Variation(base, turned)
        self.versions = {policy.id: document_of(policy) for policy in versions_of(scheme)}
        self.ways = {number: self._way(own) for number, own in self.versions.items()}
        self.anew: Variation = self._kept("anew", lambda: Variation(None, base))
        # A record never changes, nor does a text: equal bytes have equal results.
        self.known: dict[str, Standing] = base.kept.setdefault("standings", {})
        if len(self.known) > MOST_KEPT:
            self.known.clear()

    def _kept(self, name: str, make: Callable[[], Variation]) -> Variation:
        ways: dict[str, Variation] = self.base.kept.setdefault("variations", {})
        if name not in ways:
            ways[name] = make()
        return ways[name]

    def _way(self, own: PolicyDocument) -> Variation:
        return self._kept(own.sha256, lambda: Variation(own, self.base))

    def trusts(self, case: Claim) -> bool:
        """Whether the record of a case says what this engine would find again."""
        return case.engine == ENGINE and case.policy_id in self.versions

    def stands_as_recorded(self, case: Claim) -> bool:
        """Whether nothing at all is asked that the claim itself does not say."""
        return self.turn.same and self.trusts(case) and self.ways[case.policy_id].same

    def known_or_recorded(
        self, case: Claim, records: Mapping[int, str]
    ) -> tuple[Standing | None, Variation | None]:
        """From where a case goes on, and by which way to the text; None: it stands there."""
        if case.sha256 in self.known:
            return self.known[case.sha256], None
        held = records.get(case.id)
        if held is not None:
            found = recorded(self.versions[case.policy_id], case.verdict, held)
            if found is not None:
                return found, self.ways[case.policy_id]
        return None, self.anew

    def page(self, page: list[Claim]) -> Iterator[tuple[Claim, Standing, Standing]]:
        """Each case of a page, how it stands under the text, and under the scenario."""
        asked = [case for case in page if not self.stands_as_recorded(case)]
        records = _records([c for c in asked if c.sha256 not in self.known and self.trusts(c)])
        starts = {case.id: self.known_or_recorded(case, records) for case in asked}
        wanted: dict[frozenset[str], list[int]] = {}
        for number, (_, way) in starts.items():
            roots = self.turn.roots | (way.roots if way else frozenset())
            wanted.setdefault(roots, []).append(number)
        facts: dict[int, dict[str, Any]] = {}
        for roots, ids in wanted.items():
            facts |= _facts(ids, roots) if roots else {}
        for case in page:
            if case.id not in starts:
                as_recorded = Standing(case.verdict, "", (case.amount_fen,), unshared=False)
                yield case, as_recorded, as_recorded
                continue
            before, way = starts[case.id]
            mine = facts.get(case.id, {})
            if before is None or way is not None:
                assert way is not None
                before = way.applied(before, mine, case.decided_on)
                self.known[case.sha256] = before
            after = before if self.turn.same else self.turn.applied(before, mine, case.decided_on)
            yield case, before, after


def decided(
    base: PolicyDocument, turned: PolicyDocument, cases: CaseSet
) -> Iterator[tuple[Claim, Standing, Standing]]:
    """Every case of a set with how it stands under a text and under a scenario of it."""
    decider = _Decider(base, turned, cases.scheme)
    for page in _pages(cases):
        yield from decider.page(page)


def simulated(
    base: PolicyDocument, turned: PolicyDocument, policy_id: int | None, cases: CaseSet
) -> Simulated:
    """The figures of a scenario; asked again for the same cases, it answers from memory.

    ``policy_id`` is that of ``base``, None for a draft.
    """
    key = (base.sha256, turned.sha256, policy_id, cases)
    found = _results.get(key)
    if found is None:
        found = simulate(decided(base, turned, cases), policy_id)
        if len(_results) >= MOST_RESULTS:
            _results.clear()
        _results[key] = found
    return found
