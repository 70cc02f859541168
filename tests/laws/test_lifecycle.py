"""The table of states, the database's copy of it, and the jobs that it names agree."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from catalogue.applications.models import Application, LifecycleMove
from catalogue.applications.states import AWAITS_JOB, MOVES, STATES, find
from catalogue.database import db
from tests import builders
from workers.schedule import SCHEDULE
from workers.tasks import HANDLERS


def test_the_database_repeats_the_table(session: Any) -> None:
    rows = {(m.source, m.action, m.target) for m in session.scalars(select(LifecycleMove))}
    assert rows == {(m.source, m.action, m.target) for m in MOVES}


def test_every_state_is_reached_and_every_move_is_unique() -> None:
    triples = [(m.source, m.action, m.stage) for m in MOVES]
    assert len(set(triples)) == len(triples)
    reachable, frontier = {"draft"}, ["draft"]
    while frontier:
        source = frontier.pop()
        for move in MOVES:
            if move.source == source and move.target not in reachable:
                reachable.add(move.target)
                frontier.append(move.target)
    assert reachable == STATES.keys()


@pytest.mark.parametrize(
    ("stages", "target"),
    [(("formal_check", "committee"), "committee"), (("expert_review",), "expert_review")],
)
def test_a_stage_that_the_policy_does_not_name_is_passed_through(
    stages: tuple[str, ...], target: str
) -> None:
    assert find("formal_check", "pass_formal", stages).target == target


def test_ended_states_lead_nowhere_but_to_revocation() -> None:
    for move in MOVES:
        if STATES[move.source].ended:
            assert move.action == "revoke"


def test_every_job_of_the_table_has_a_handler_and_every_task_a_name(app: Any) -> None:
    named = {move.job for move in MOVES if move.job} | set(AWAITS_JOB.values())
    assert named <= HANDLERS.keys()
    import workers

    celery = workers.attach(app)
    tasks = {name for name in celery.tasks if name.startswith("portal.")}
    # A task is either a kind of job or stands in the schedule; there is no third way to start one.
    scheduled = {entry["task"] for entry in SCHEDULE.values()}
    assert tasks == {f"portal.{kind}" for kind in HANDLERS} | scheduled
    app.extensions.pop("bell")


@pytest.mark.parametrize(
    ("state", "action"),
    [("concluded", "clear"), ("committee", "approve"), ("eligible", "find_eligible")],
)
def test_the_database_refuses_a_move_that_is_not_in_the_table(
    session: Any, state: str, action: str
) -> None:
    application = builders.draft()
    session.commit()
    with pytest.raises(IntegrityError, match="no move"):
        session.execute(
            text(
                "UPDATE application SET state = :s, last_action = :a, version = version + 1,"
                " submitted_at = now(), receipt_number = 'HZ-2026-999999' WHERE id = :i"
            ),
            {"s": state, "a": action, "i": application.id},
        )
    session.rollback()


def test_the_database_refuses_an_application_that_starts_elsewhere(session: Any) -> None:
    application = builders.draft()
    session.commit()
    columns = [c.name for c in Application.__table__.columns if c.name != "id"]
    with pytest.raises(IntegrityError, match="starts as draft"):
        session.execute(
            text(
                f"INSERT INTO application ({', '.join(columns)}) SELECT "
                + ", ".join(
                    {"state": "'withdrawn'", "number": "'SB-2026-9999'"}.get(c, c) for c in columns
                )
                + " FROM application WHERE id = :i"
            ),
            {"i": application.id},
        )
    session.rollback()


def test_a_move_must_bump_the_version(session: Any) -> None:
    application = builders.draft()
    session.commit()
    with pytest.raises(IntegrityError, match="version"):
        session.execute(
            text(
                "UPDATE application SET state = 'withdrawn', last_action = 'withdraw' WHERE id = :i"
            ),
            {"i": application.id},
        )
    session.rollback()


def test_every_move_writes_its_history(session: Any) -> None:
    application = builders.draft()
    session.commit()
    db.session.refresh(application)
    assert [change.target for change in application.history] == ["draft"]
