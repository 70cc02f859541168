"""Back-tests: a tally adds up wherever it is cut, and chunks give what one process gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from catalogue import jobs
from catalogue.database import db, utc_now
from catalogue.errors import Refused
from catalogue.policies import backtest_runs, desk, operations
from catalogue.policies.backtest import SAMPLE, Cell, Tally, merged, tally
from catalogue.policies.models import BackTest, BackTestChunk, DecisionRecord
from catalogue.policies.rules import decide, load
from catalogue.policies.source import PolicyRefused, Problem
from tests import builders
from tests.policies.small import TEXT, TODAY, changed

SECOND = (
    "INSERT INTO back_test (draft_id, text, text_sha256, state, until_id, total, done,"
    " started_by_id, started_at) SELECT draft_id, text, text_sha256, state, until_id, total,"
    " done, started_by_id, started_at FROM back_test"
)
OLD = load(TEXT)
NEW = load(changed("value: 1000.00", "value: 2000.00"), run_examples=False)


@dataclass(frozen=True)
class Past:
    """A case as the records keep it."""

    id: int
    amount: int
    district: str | None = "310115"
    firm_size: str | None = None
    policy_id: int = 1
    scheme: str = "first_version"
    decided_on: date = TODAY
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        facts = {"contracts": [{"amount": self.amount}], "answers": {"not_asked_here": "x"}}
        object.__setattr__(self, "facts", facts)

    @property
    def application_number(self) -> str:
        return f"SB-2026-{self.id:04d}"

    @property
    def verdict(self) -> str:
        return decide(OLD, {"contracts": [{"amount": self.amount}]}, TODAY).verdict

    @property
    def amount_fen(self) -> int | None:
        return decide(OLD, {"contracts": [{"amount": self.amount}]}, TODAY).amount_fen


def before(case: Any) -> dict[str, str]:
    """What the old version says of a case."""
    return decide(OLD, {"contracts": case.facts["contracts"]}, TODAY).results


def test_a_raised_threshold_flips_what_stands_between() -> None:
    cases = [Past(1, 99_999), Past(2, 100_000), Past(3, 199_999, None), Past(4, 200_000)]
    found = tally(NEW, cases, before)
    assert found.flips == {("eligible", "ineligible"): 2}
    assert found.rules == {"total": 2}
    assert [flip.number for flip in found.sample] == ["SB-2026-0002", "SB-2026-0003"]
    paid = [33_333, 66_666, 66_667]
    assert found.total == Cell(4, 3, 1, sum(paid), 66_667)
    assert found.groups["district"]["310115"].moved_fen == -33_333
    assert found.groups["district"][""].moved_fen == -66_666
    assert found.groups["year"].keys() == {"2026"}


def test_the_same_rules_change_nothing() -> None:
    found = tally(OLD, [Past(n, n * 40_000) for n in range(1, 9)], before)
    assert found.flipped == found.amounts_changed == found.total.moved_fen == 0
    assert found.total.old_eligible == found.total.new_eligible == 6


CASES = st.lists(
    st.builds(
        Past,
        st.integers(1, 10_000),
        st.integers(1, 300_000),
        st.sampled_from([None, "310115", "310101"]),
        st.sampled_from([None, "small", "large"]),
    ),
    unique_by=lambda case: case.id,
    max_size=12,
)


@given(CASES, st.integers(0, 12), st.integers(0, 12))
def test_a_tally_adds_up_wherever_it_is_cut(cases: list[Past], one: int, two: int) -> None:
    first, second = sorted((one, two))
    parts = [cases[:first], cases[first:second], cases[second:]]
    whole = tally(NEW, cases, before).as_json()
    assert merged(tally(NEW, part, before) for part in parts).as_json() == whole
    assert merged(tally(NEW, part, before) for part in reversed(parts)).as_json() == whole
    assert Tally.from_json(whole).as_json() == whole


def test_a_tally_names_no_more_than_the_first_flips() -> None:
    cases = [Past(n, 150_000) for n in range(3 * SAMPLE, 0, -1)]
    found = tally(NEW, cases)
    assert found.flipped == 3 * SAMPLE
    assert [flip.id for flip in found.sample] == list(range(1, SAMPLE + 1))


# ------------------------------------------------------------------ through the outbox


def copies(count: int) -> None:
    """So many past cases, with contracts from a few fen to beyond every threshold."""
    kept = builders.submitted("first_version")
    db.session.commit()
    with db.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO decision_record (application_number, policy_id, scheme, verdict,"
                " amount_fen, district, firm_size, decided_on, facts, record, sha256, signature,"
                " certificate, created_at)"
                " SELECT 'X-' || n, policy_id, scheme, verdict, amount_fen,"
                " CASE n % 2 WHEN 0 THEN '310101' ELSE district END, firm_size, decided_on,"
                " jsonb_set(facts, '{contracts,0,amount}', to_jsonb(n * 3000000)),"
                " record, sha256, signature, certificate, created_at"
                " FROM decision_record, generate_series(1, :count) AS n"
                " WHERE application_number = :number"
            ),
            {"count": count, "number": kept.number},
        )


def a_test(monkeypatch: pytest.MonkeyPatch, count: int = 25) -> tuple[BackTest, Any]:
    """A started back-test of a draft that asks twice as much, in chunks of ten."""
    monkeypatch.setattr(backtest_runs, "CHUNK", 10)
    copies(count)
    policy = db.session.get_one(DecisionRecord, 1).policy_id
    author = builders.user("administrator")
    base = db.session.get_one(operations.Policy, policy)
    draft = desk.new_draft(author, title="提高门槛", base=base)
    path = ("parameters", "min_total_sales", "value")
    desk.save_values(draft, {path: 1_000_000}, author, 1, move=True)
    positions = [e.position for e in desk.standing(draft.text).examples if not e.agrees]
    desk.accept_examples(draft, positions, author, draft.version)
    test = backtest_runs.start(draft, author)
    db.session.commit()
    return test, author


def work(limit: int = 99) -> int:
    """Do the waiting chunks, as a worker does; how many were done."""
    done = 0
    while done < limit:
        due = [job_id for kind, job_id in jobs.due() if kind == backtest_runs.KIND]
        if not due:
            break
        done += jobs.perform(due[0], {backtest_runs.KIND: backtest_runs.run_chunk})
    return done


def in_one_process(test: BackTest) -> dict[str, Any]:
    """The result that a single pass over all cases gives."""
    document = load(test.text, run_examples=False)
    return backtest_runs.tried(document, operations.past_cases("first_version")).as_json()


def test_chunks_give_what_one_process_gives(session: Any, monkeypatch: Any) -> None:
    test, _ = a_test(monkeypatch)
    assert (test.state, test.total) == ("waiting", 26)
    assert len(jobs.live_subjects(backtest_runs.KIND)) == backtest_runs.LANES
    assert work() == 3
    session.refresh(test)
    assert (test.state, test.done) == ("done", 26)
    assert test.result == in_one_process(test)
    assert Tally.from_json(test.result).flipped > 0


def test_a_record_that_came_later_takes_no_part(session: Any, monkeypatch: Any) -> None:
    test, _ = a_test(monkeypatch)
    expected = in_one_process(test)
    session.execute(
        text(
            "INSERT INTO decision_record (application_number, policy_id, scheme, verdict,"
            " decided_on, facts, record, sha256, signature, certificate, created_at)"
            " SELECT application_number, policy_id, scheme, 'ineligible', decided_on, '{}', record,"
            " sha256, signature, certificate, created_at FROM decision_record"
        )
    )
    session.commit()
    work()
    session.refresh(test)
    assert test.result == expected


def test_a_killed_worker_loses_no_chunk_and_counts_none_twice(
    session: Any, monkeypatch: Any
) -> None:
    test, _ = a_test(monkeypatch)
    _, job_id = next(job for job in jobs.due() if job[0] == backtest_runs.KIND)
    held = jobs.claim(job_id)
    assert held is not None
    # Killed here: the lease runs out, and whoever comes next takes the chunk.
    session.execute(
        update(jobs.Job)
        .where(jobs.Job.id == held.id)
        .values(lease_until=utc_now() - timedelta(seconds=1))
    )
    session.commit()
    assert work() == 3
    # The old worker wakes up and tries once more.
    backtest_runs.run_chunk(held.subject_id)
    session.refresh(test)
    assert (test.state, test.done) == ("done", test.total)
    assert test.result == in_one_process(test)


def test_a_back_test_is_cancelled_and_one_that_stopped_goes_on(
    session: Any, monkeypatch: Any
) -> None:
    test, author = a_test(monkeypatch)
    work(1)
    session.execute(update(jobs.Job).values(state="dead", lease_until=None))
    session.commit()
    assert backtest_runs.stopped(test)
    backtest_runs.resume(test, author)
    session.commit()
    assert work() == 2
    assert test.result == in_one_process(test)
    with pytest.raises(Refused, match="已经结束"):
        backtest_runs.cancel(test, author)
    again = backtest_runs.start(test.draft, author)
    backtest_runs.cancel(again, author)
    session.commit()
    work()
    session.refresh(again)
    assert (again.state, again.done, again.result) == ("cancelled", 0, None)


def test_a_text_that_cannot_be_read_any_more_ends_its_test(session: Any, monkeypatch: Any) -> None:
    test, _ = a_test(monkeypatch)

    def refuse(*_: Any) -> Any:
        raise PolicyRefused([Problem(1, "没有函数 x")])

    monkeypatch.setattr(backtest_runs, "_drafted", refuse)
    work()
    session.refresh(test)
    assert (test.state, test.result) == ("failed", None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE back_test SET state = 'done'",
        "UPDATE back_test SET total = total + 1",
        "UPDATE back_test SET done = total + 1",
        "UPDATE back_test SET text = text || ' '",
        "UPDATE back_test_chunk SET tally = '{}'",
        "UPDATE back_test_chunk SET to_id = to_id + 1",
        "DELETE FROM back_test_chunk",
        SECOND,
    ],
)
def test_the_database_keeps_a_back_test_honest(session: Any, statement: str) -> None:
    author = builders.user("administrator")
    policy = operations.publish(TEXT, None)
    draft = desk.new_draft(author, title="同一份", base=policy)
    digest = backtest_runs.sha256_of(TEXT)
    test = BackTest(
        draft=draft, text=TEXT, text_sha256=digest, until_id=9, total=9, started_by=author
    )
    session.add(test)
    session.flush()
    session.add(BackTestChunk(back_test_id=test.id, from_id=1, to_id=9))
    session.flush()
    with pytest.raises(DBAPIError):
        session.execute(text(statement))
