"""Decision records in the database: kept with the check, never changed, re-run in passes."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from catalogue import jobs, keys
from catalogue.applications import operations as applications
from catalogue.applications.models import Application
from catalogue.database import db
from catalogue.policies import operations, record
from catalogue.policies.models import DecisionRecord, ReplayRun
from catalogue.policies.rules import evaluate
from tests import builders

BY_HAND = {
    "verdict": "'perhaps'",
    "amount_fen": "-1",
    "application_number": "''",
    "sha256": "repeat('0', 64)",
    "record": "record || ' '",
    "signature": "''",
}


def keep(number: str, scheme: str = "first_version", **facts: Any) -> DecisionRecord:
    """The record of a check of almost empty facts; ``facts`` replace roots."""
    policy = builders.opened(scheme).policy
    held = {"enterprise": {"district": "310115"}, **facts}
    document = operations.document_of(policy)
    day = policy.effective_from
    kept = operations.keep_record(number, policy, held, evaluate(document, held, day))
    db.session.commit()
    return kept


def replay() -> ReplayRun:
    """A whole pass, chunk by chunk, as the worker does it."""
    run = operations.start_replay()
    db.session.commit()
    for _ in range(9):
        for _, job_id in jobs.due():
            assert jobs.perform(job_id, {operations.REPLAY: operations.replay_chunk})
    db.session.refresh(run)
    return run


def force(statement: str) -> None:
    """What only a superuser with the guards off can do."""
    with db.engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(statement))
        connection.execute(text("SET session_replication_role = origin"))


def test_a_check_leaves_a_signed_record_that_runs_again(session: Any) -> None:
    application = builders.submitted("first_version")
    session.commit()
    kept = operations.newest_record(application.number)
    assert kept is not None
    assert application.report is not None
    assert (kept.verdict, kept.amount_fen) == (
        application.report.verdict,
        application.report.amount_fen,
    )
    assert kept.district == application.enterprise.district
    content = kept.record.encode()
    assert len(content) < 20_000
    assert keys.verify(content, kept.signature, kept.certificate)
    assert record.rerun(content, operations.document_of(application.policy)).same_bytes


def test_checking_again_keeps_one_record_and_a_change_makes_another(session: Any) -> None:
    application = builders.submitted("first_version")
    application = session.get(Application, application.id)
    officer = builders.user("reviewer")
    applications.advance(application, "take", officer)
    for _ in range(2):
        applications.check(application.id)
    assert len(session.scalars(select(DecisionRecord)).all()) == 1
    application.contracts[0].amount_fen += 1
    applications.check(application.id)
    kept = session.scalars(select(DecisionRecord)).all()
    assert len({each.sha256 for each in kept}) == 2
    assert [case.id for case in operations.past_cases()] == [kept[-1].id]


@pytest.mark.parametrize("column", sorted(BY_HAND))
def test_the_database_refuses_a_record_that_cannot_be(session: Any, column: str) -> None:
    keep("SB-2026-0001")
    names = [c.name for c in DecisionRecord.__table__.columns if c.name != "id"]
    values = [BY_HAND[name] if name == column else name for name in names]
    with pytest.raises(IntegrityError, match=f"ck_decision_record_|{column}"):
        session.execute(
            text(
                f"INSERT INTO decision_record ({', '.join(names)})"
                f" SELECT {', '.join(values)} FROM decision_record"
            )
        )


@pytest.mark.parametrize(
    "statement", ["UPDATE decision_record SET verdict = 'eligible'", "DELETE FROM decision_record"]
)
def test_a_record_is_never_changed_or_deleted(session: Any, statement: str) -> None:
    assert keep("SB-2026-0001").verdict != "eligible"
    with pytest.raises(IntegrityError, match="decision_record"):
        session.execute(text(statement))


def test_past_cases_are_the_newest_of_each_application_page_by_page(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "CASES_A_PAGE", 2)
    for number in range(1, 6):
        keep(f"SB-2026-000{number}")
    keep("SB-2026-0002", materials=["contracts"])
    keep("SB-2026-0009", "first_batch")
    found = list(operations.past_cases("first_version"))
    assert [case.application_number[-1] for case in found] == list("13452")
    assert [case.id for case in found] == sorted(case.id for case in found)
    assert found[-1].facts["materials"] == ["contracts"]
    first = list(operations.past_cases("first_version", limit=3))
    rest = list(operations.past_cases("first_version", after_id=first[-1].id))
    assert first + rest == found
    assert len(list(operations.past_cases())) == 6


def test_a_pass_over_honest_records_finds_nothing_however_it_is_cut(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "REPLAYED_A_CHUNK", 2)
    for number in range(1, 6):
        keep(f"SB-2026-000{number}")
    run = replay()
    assert run.finished_at is not None
    assert (run.checked, run.different) == (5, 0)
    assert operations.unfaithful_records() == []


def test_a_pass_names_the_records_that_come_out_otherwise(session: Any) -> None:
    keep("SB-2026-0001")
    changed = keep("SB-2026-0002")
    force("ALTER TABLE decision_record DROP CONSTRAINT ck_decision_record_sha256")
    try:
        force(
            "UPDATE decision_record SET record = replace(record, '310115', '310101')"
            f" WHERE id = {changed.id}"
        )
        run = replay()
        (breach,) = operations.unfaithful_records()
    finally:
        force("UPDATE decision_record SET record = replace(record, '310101', '310115')")
        force(
            "ALTER TABLE decision_record ADD CONSTRAINT ck_decision_record_sha256"
            " CHECK (sha256 = encode(sha256(convert_to(record, 'UTF8')), 'hex'))"
        )
    assert (run.checked, run.different) == (2, 1)
    assert run.first_different == ["SB-2026-0002"]
    assert "SB-2026-0002" in breach
    last = operations.last_replay()
    assert last is not None
    assert last.id == run.id


def test_the_command_replays_all_at_once(app: Flask, session: Any) -> None:
    keep("SB-2026-0001")
    result = app.test_cli_runner().invoke(args=["replay-records"])
    assert (result.exit_code, result.output) == (0, "1 records re-run, 0 come out otherwise.\n")


def test_a_pass_that_was_cut_short_is_gone_on_with(session: Any) -> None:
    keep("SB-2026-0001")
    first = operations.start_replay()
    assert operations.start_replay().id == first.id
    operations.replay_chunk(first.id)
    assert operations.start_replay().id != first.id


def test_two_open_passes_cannot_be(session: Any) -> None:
    session.add(ReplayRun())
    session.flush()
    session.add(ReplayRun())
    with pytest.raises(IntegrityError, match="uq_replay_run_open"):
        session.flush()


@pytest.mark.parametrize(
    "broken",
    [{"checked": 0, "different": 1}, {"checked": 1, "different": 1}, {"last_id": -1}],
)
def test_the_counts_of_a_pass_agree(session: Any, broken: dict[str, int]) -> None:
    session.add(ReplayRun(**broken))
    with pytest.raises(IntegrityError, match="ck_replay_run"):
        session.flush()
