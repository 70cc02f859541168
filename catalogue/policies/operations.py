"""Publishing policy versions and opening rounds; the only writer of this room's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from flask import current_app
from sqlalchemy import Date, cast, column, exists, func, or_, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from catalogue import keys
from catalogue.accounts.models import User
from catalogue.audit.operations import record, take_turn
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused
from catalogue.jobs import enqueue
from catalogue.policies import record as decision
from catalogue.policies import rules
from catalogue.policies.comparison import Comparison, compare
from catalogue.policies.document import SCHEMES, PolicyDocument
from catalogue.policies.models import DecisionRecord, Policy, ReplayRun, Round
from catalogue.policies.reader import VERSION
from catalogue.policies.source import PolicyRefused, read

log = structlog.get_logger(__name__)

MAX_TITLE = 80
CASES_A_PAGE = 1_000
REPLAY = "replay_records"
# A chunk must be done well within the lease of a job (60 s), on a busy machine too.
REPLAYED_A_CHUNK = 1_000
NAMED_DIFFERENT = 20
RECENT_RECORDS = 500


def publish(text: str, actor: User | None) -> Policy:
    """Store one policy version after every check and every example of its file.

    For seeds, the command line and the desk, which asks for two persons before; no view calls it.
    The same text again gives the version that is there. Raises Refused when the file has
    problems, when the version number is taken by another text, or when its effective range
    overlaps another version of the scheme.
    """
    try:
        document, data = _checked(text)
    except PolicyRefused as error:
        raise Refused(f"政策文件不能发布：{error}", field="text", status=422) from error
    stored = db.session.scalar(select(Policy).where(Policy.sha256 == document.sha256))
    if stored is not None:
        return stored
    require_new_version(document)
    policy = Policy(
        scheme=document.scheme,
        version=document.version,
        title=document.title,
        effective_from=document.effective_from,
        effective_to=document.effective_to,
        source=text,
        sha256=document.sha256,
        document=data,
    )
    db.session.add(policy)
    db.session.flush()
    record(
        "policy.publish",
        policy,
        actor,
        scheme=policy.scheme,
        version=policy.version,
        sha256=policy.sha256,
    )
    return policy


@lru_cache(maxsize=64)
def _checked(text: str) -> tuple[PolicyDocument, Any]:
    """The document and its plain JSON after every check: equal bytes are checked once."""
    return rules.load(text), _as_json(read(text).data)


def require_new_version(document: PolicyDocument) -> None:
    """Raise Refused when version number or dates collide with a version of the scheme.

    A version without an end holds until the next one begins, so it may be followed.
    """
    same = select(Policy.id).where(
        Policy.scheme == document.scheme, Policy.version == document.version
    )
    if db.session.scalar(same) is not None:
        raise Refused(f"{document.version} 版已经发布，发布后不能改；请换一个版本号", "text")
    endless = date.max
    overlapping = select(Policy.version).where(
        Policy.scheme == document.scheme,
        Policy.effective_from <= (document.effective_to or endless),
        func.coalesce(Policy.effective_to, cast(endless, Date)) >= document.effective_from,
        or_(Policy.effective_to.is_not(None), Policy.effective_from >= document.effective_from),
    )
    version = db.session.scalar(overlapping.limit(1))
    if version is not None:
        raise Refused(f"施行日期与 {version} 版重叠，请先核对 effective", "text")


def _as_json(value: Any) -> Any:
    """Plain JSON of a policy file's data; decimals and dates become text, so nothing is rounded."""
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value if isinstance(value, bool | int | str | None) else str(value)


def load_policies(folder: Path | str, actor: User | None) -> list[Policy]:
    """Publish every ``*.yaml`` of a folder, by name; a second run changes nothing."""
    return [
        publish(path.read_text(encoding="utf-8"), actor)
        for path in sorted(Path(folder).glob("*.yaml"))
    ]


@lru_cache(maxsize=128)
def _loaded(sha256: str) -> PolicyDocument:
    text = db.session.scalars(select(Policy.source).where(Policy.sha256 == sha256)).one()
    return rules.load(text, run_examples=False)


def document_of(policy: Policy) -> PolicyDocument:
    """The engine's form of a stored version, cached by its hash."""
    return _loaded(policy.sha256)


@lru_cache(maxsize=64)
def _compared(old: str, new: str) -> Comparison:
    return compare(_loaded(old), _loaded(new))


def comparison_of(old: Policy, new: Policy) -> Comparison:
    """What differs between two stored versions; they never change, so it is found once."""
    return _compared(old.sha256, new.sha256)


def open_round(
    policy: Policy,
    title: str,
    year: int,
    batch: int,
    opens_at: datetime,
    closes_at: datetime,
    actor: User | None,
) -> Round:
    """Open a window for applications under ``policy``; the moments are aware.

    Raises Refused when the window is empty, when the policy does not cover its first day, or
    when the scheme already has this batch in this year.
    """
    if not 1 <= len(title) <= MAX_TITLE:
        raise Refused(f"名称 1 至 {MAX_TITLE} 个字", "title", 422)
    if closes_at <= opens_at:
        raise Refused("截止时间要晚于开放时间", "closes_at", 422)
    document = document_of(policy)
    first_day = opens_at.astimezone(SHANGHAI).date()
    if not document.covers(first_day):
        raise Refused(
            f"{policy.version} 版不管 {first_day.isoformat()}，请换版本或改开放时间",
            "opens_at",
            422,
        )
    newer = version_for(policy.scheme, first_day)
    in_force = newer is not None and (newer.effective_to or first_day) >= first_day
    if newer is not None and in_force and newer.effective_from > policy.effective_from:
        raise Refused(
            f"{first_day.isoformat()} 已由 {newer.version} 版施行，请换版本", "policy_id", 422
        )
    opened = Round(
        policy=policy,
        scheme=policy.scheme,
        title=title,
        year=year,
        batch=batch,
        opens_at=opens_at,
        closes_at=closes_at,
    )
    try:
        with db.session.begin_nested():
            db.session.add(opened)
            db.session.flush()
    except IntegrityError as error:
        raise Refused(f"{year} 年第 {batch} 批已经有了，请换批次号", "batch") from error
    record(
        "round.open",
        opened,
        actor,
        policy=policy.id,
        year=year,
        batch=batch,
        opens_at=opens_at.isoformat(),
        closes_at=closes_at.isoformat(),
    )
    return opened


def open_rounds(now: datetime | None = None) -> list[Round]:
    """Rounds that take applications at ``now``, the nearest deadline first."""
    moment = now or utc_now()
    return list(
        db.session.scalars(
            select(Round)
            .where(Round.opens_at <= moment, Round.closes_at >= moment)
            .order_by(Round.closes_at, Round.id)
        )
    )


def current_rounds(now: datetime, recent: datetime) -> list[Round]:
    """Rounds that are open, still to come, or closed since ``recent``, by deadline."""
    return list(
        db.session.scalars(
            select(Round)
            .where(or_(Round.closes_at >= now, Round.closes_at >= recent))
            .order_by(Round.closes_at < now, Round.closes_at, Round.id)
        )
    )


def all_versions() -> dict[str, list[Policy]]:
    """Scheme → its versions, the newest first; their texts stay in the database."""
    found: dict[str, list[Policy]] = {}
    order = (Policy.effective_from.desc(), Policy.id.desc())
    for policy in db.session.scalars(select(Policy).order_by(*order)):
        found.setdefault(policy.scheme, []).append(policy)
    return found


def governing(versions: list[Policy], day: date) -> Policy | None:
    """Of the versions of one scheme the one under which a round opens on that day.

    A version whose own range holds the day goes before one that is only continued (示范沿用).
    """
    begun = [policy for policy in versions if policy.effective_from <= day]
    own = (p for p in begun if p.effective_to is None or p.effective_to >= day)
    continued = (p for p in begun if document_of(p).covers(day))
    return next(own, None) or next(continued, None)


def newest_versions() -> dict[str, Policy]:
    """Scheme → the version that governs today; the newest where none does."""
    today = utc_now().astimezone(SHANGHAI).date()
    return {
        scheme: governing(versions, today) or versions[0]
        for scheme, versions in all_versions().items()
    }


def version_for(scheme: str, day: date) -> Policy | None:
    """The version under which a round of the scheme opens on that day."""
    return governing(versions_of(scheme), day)


def version_named(scheme: str, version: str) -> Policy | None:
    """The version that an address names, whatever stands there."""
    if scheme not in SCHEMES or VERSION.fullmatch(version) is None:
        return None
    return db.session.scalar(
        select(Policy).where(Policy.scheme == scheme, Policy.version == version)
    )


def versions_of(scheme: str) -> list[Policy]:
    """Every version of a scheme, the newest first."""
    return list(
        db.session.scalars(
            select(Policy)
            .where(Policy.scheme == scheme)
            .order_by(Policy.effective_from.desc(), Policy.id.desc())
        )
    )


def decided_by(policy: Policy, rules: list[str]) -> dict[str, dict[str, int]]:
    """Rule → result → how many of the newest records of a version came out so.

    Only the newest ``RECENT_RECORDS`` are looked at, so a page that asks stays quick.
    """
    newest = (
        select(DecisionRecord.record)
        .where(DecisionRecord.policy_id == policy.id)
        .order_by(DecisionRecord.id.desc())
        .limit(RECENT_RECORDS)
        .subquery()
    )
    findings = func.jsonb_array_elements(cast(newest.c.record, JSONB)["findings"])
    finding = findings.table_valued(column("value", JSONB)).lateral()
    rule, result = finding.c.value["rule"].astext, finding.c.value["result"].astext
    counts: dict[str, dict[str, int]] = {name: {} for name in rules}
    for name, came_out, count in db.session.execute(
        select(rule, result, func.count())
        .select_from(newest.join(finding, true()))
        .group_by(rule, result)
    ):
        if name in counts:
            counts[name][came_out] = count
    return counts


# ------------------------------------------------------------------ decision records


def keep_record(
    application_number: str, policy: Policy, facts: Mapping[str, Any], report: rules.Report
) -> DecisionRecord:
    """Sign and store one check; the newest record of the application, if it says the same.

    Raises KeyUnusable when the signing key cannot serve: a decision without proof is none.
    """
    content = decision.build(application_number, facts, report)
    # In turn, because simulations, back-tests and the replay take every record up to a number:
    # none before it may be written later.
    take_turn()
    newest = newest_record(application_number)
    if newest is not None and newest.sha256 == decision.hash_of(content):
        return newest
    signer, firm = keys.of(current_app.config), facts.get("enterprise") or {}
    kept = DecisionRecord(
        application_number=application_number,
        policy_id=policy.id,
        scheme=report.scheme,
        verdict=report.verdict,
        amount_fen=report.amount_fen,
        district=firm.get("district"),
        firm_size=firm.get("size"),
        decided_on=date.fromisoformat(report.today),
        facts=facts,
        record=content.decode(),
        sha256=decision.hash_of(content),
        signature=signer.sign(content),
        certificate=signer.pem,
    )
    db.session.add(kept)
    db.session.flush()
    return kept


def newest_record(application_number: str) -> DecisionRecord | None:
    """The record of the newest check of an application."""
    return db.session.scalar(
        select(DecisionRecord)
        .where(DecisionRecord.application_number == application_number)
        .order_by(DecisionRecord.id.desc())
        .limit(1)
    )


class PastCase(NamedTuple):
    """What re-checking a past case needs: its facts, and how it came out on its day."""

    id: int
    application_number: str
    policy_id: int
    scheme: str
    verdict: str
    amount_fen: int | None
    district: str | None
    firm_size: str | None
    decided_on: date
    facts: dict[str, Any]


def past_cases(
    scheme: str | None = None, after_id: int = 0, limit: int | None = None
) -> Iterator[PastCase]:
    """The newest record of every application beyond ``after_id``, in the order of ids.

    Read page by page, so memory does not grow with their number; ``limit`` ends it early, and the
    id of the last case is where the next call goes on.
    """
    later = aliased(DecisionRecord)
    newest = ~exists().where(
        later.application_number == DecisionRecord.application_number,
        later.id > DecisionRecord.id,
    )
    columns = [getattr(DecisionRecord, name) for name in PastCase._fields]
    statement = select(*columns).where(newest).order_by(DecisionRecord.id)
    if scheme is not None:
        statement = statement.where(DecisionRecord.scheme == scheme)
    left = limit
    while left is None or left > 0:
        size = CASES_A_PAGE if left is None else min(left, CASES_A_PAGE)
        rows = db.session.execute(statement.where(DecisionRecord.id > after_id).limit(size)).all()
        yield from (PastCase(*row) for row in rows)
        if len(rows) < size:
            return
        after_id, left = rows[-1].id, None if left is None else left - size


def start_replay() -> ReplayRun:
    """Begin to re-run every decision record, or go on with the pass that was cut short."""
    run = _open_run()
    if run is None:
        run = ReplayRun()
        db.session.add(run)
        db.session.flush()
    enqueue(REPLAY, run.id)
    return run


def _open_run() -> ReplayRun | None:
    return db.session.scalar(select(ReplayRun).where(ReplayRun.finished_at.is_(None)))


def replay_chunk(run_id: int) -> None:
    """The job: re-run the next records of a pass, note what differs, and ask for the rest.

    The count and the place move with the job's own end, so a killed worker repeats one chunk.
    """
    run = db.session.get(ReplayRun, run_id, with_for_update=True)
    if run is None or run.finished_at is not None:
        return
    rows = db.session.execute(
        select(
            DecisionRecord.id,
            DecisionRecord.application_number,
            DecisionRecord.record,
            DecisionRecord.sha256,
            DecisionRecord.signature,
            DecisionRecord.certificate,
            Policy,
        )
        .join(Policy, Policy.id == DecisionRecord.policy_id)
        .where(DecisionRecord.id > run.last_id)
        .order_by(DecisionRecord.id)
        .limit(REPLAYED_A_CHUNK)
    ).all()
    for kept in rows:
        differences = _differences(kept, kept.Policy)
        if differences:
            _note_different(run, kept, differences)
        run.last_id, run.checked = kept.id, run.checked + 1
    if len(rows) < REPLAYED_A_CHUNK:
        run.finished_at = utc_now()
        log.info("records_replayed", run=run.id, checked=run.checked, different=run.different)
    else:
        enqueue(REPLAY, run.id)
    db.session.flush()


def _differences(kept: Any, policy: Policy) -> list[decision.Difference]:
    content = kept.record.encode()
    parts = {"sha256": kept.sha256, "signature": kept.signature, "certificate": kept.certificate}
    found = decision.seal_differences(parts, content)
    try:
        return found + list(decision.rerun(content, document_of(policy)).differences)
    except (decision.Unreadable, PolicyRefused) as error:
        return [*found, decision.Difference("record", "有", str(error))]


def _note_different(run: ReplayRun, kept: Any, differences: list[decision.Difference]) -> None:
    log.error(
        "decision_record_differs",
        run=run.id,
        record=kept.id,
        application=kept.application_number,
        differences=[str(difference) for difference in differences[:5]],
    )
    run.different += 1
    if len(run.first_different) < NAMED_DIFFERENT:
        run.first_different = [*run.first_different, kept.application_number]


def last_replay() -> ReplayRun | None:
    """The newest pass over the records, finished or not."""
    return db.session.scalar(select(ReplayRun).order_by(ReplayRun.id.desc()).limit(1))


def unfaithful_records() -> list[str]:
    """What the newest pass over the decision records found; each line is a breach."""
    run = last_replay()
    if run is None or not run.different:
        return []
    named = "、".join(run.first_different)
    return [f"policies: {run.different} of {run.checked} records come out otherwise: {named}"]
