"""The chain of events: append-only by trigger, and any tampering is named."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from catalogue.audit.operations import breaches, record, trail
from tests import builders


def _three(session: Any) -> Any:
    person = builders.user("finance")
    record("test.second", person, person, note="甲")
    record("test.third", person, None)
    session.commit()
    return person


def test_each_event_follows_the_one_before(session: Any) -> None:
    person = _three(session)
    events = trail(person)
    assert [event.sequence for event in events] == [1, 2, 3]
    assert events[1].previous_hash == events[0].hash
    assert events[2].actor_name == "系统"
    assert breaches() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET actor_name = 'x'",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
    ],
)
def test_events_cannot_be_changed(session: Any, statement: str) -> None:
    _three(session)
    with pytest.raises(IntegrityError, match="append-only"):
        session.execute(text(statement))
    session.rollback()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit_event SET actor_name = 'x' WHERE sequence = 2", "event 2 was altered"),
        ("UPDATE audit_event SET facts = '{}' WHERE sequence = 2", "event 2 was altered"),
        ("DELETE FROM audit_event WHERE sequence = 2", "event 2 is missing"),
    ],
)
def test_an_owner_who_lifts_the_trigger_is_found_out(
    session: Any, statement: str, said: str
) -> None:
    _three(session)
    session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(text(statement))
    session.commit()
    assert any(said in breach for breach in breaches())


def test_the_event_rolls_back_with_the_change(session: Any) -> None:
    person = _three(session)
    record("test.fourth", person, None)
    session.rollback()
    assert len(trail(person)) == 3
