"""Recording events in the caller's transaction, reading a trail, verifying the chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text

from catalogue.audit.models import AuditEvent
from catalogue.audit.rules import GENESIS, event_hash
from catalogue.database import db, utc_now

# One chain: writers take this advisory lock until they commit, so that sequence has no gaps.
CHAIN_LOCK = 7_201_411


def take_turn() -> None:
    """Hold the chain until the caller commits.

    Whoever numbers rows after this call commits before the next does: a number that is seen has
    none before it that is still to come.
    """
    db.session.flush()
    db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHAIN_LOCK})


def record(action: str, subject: Any, actor: Any | None, **facts: Any) -> AuditEvent:
    """Append one event about ``subject``; ``actor`` None means the system acted.

    ``facts`` must be JSON values and must never hold a secret or a full account number.
    """
    take_turn()
    last = db.session.execute(
        select(AuditEvent.sequence, AuditEvent.hash).order_by(AuditEvent.sequence.desc()).limit(1)
    ).first()
    sequence, previous = (last.sequence + 1, last.hash) if last else (1, GENESIS)
    event = AuditEvent(
        sequence=sequence,
        at=utc_now(),
        actor_id=actor.id if actor is not None else None,
        actor_name=actor.name if actor is not None else "系统",
        action=action,
        subject_type=subject.__tablename__,
        subject_id=subject.id,
        facts=facts,
        previous_hash=previous,
        hash="",
    )
    event.hash = event_hash(_content(event), previous)
    db.session.add(event)
    db.session.flush()
    return event


def _content(event: AuditEvent) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "at": _instant(event.at),
        "actor_id": event.actor_id,
        "actor_name": event.actor_name,
        "action": event.action,
        "subject": f"{event.subject_type}:{event.subject_id}",
        "facts": event.facts,
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def trail(subject: Any, limit: int = 200) -> list[AuditEvent]:
    """The newest ``limit`` events about ``subject``, oldest first."""
    rows = db.session.scalars(
        select(AuditEvent)
        .where(
            AuditEvent.subject_type == subject.__tablename__, AuditEvent.subject_id == subject.id
        )
        .order_by(AuditEvent.sequence.desc())
        .limit(limit)
    )
    return list(rows)[::-1]


def breaches() -> list[str]:
    """Every place where the chain does not hold, in words; empty when it is whole."""
    found: list[str] = []
    expected, previous = 1, GENESIS
    rows = db.session.scalars(
        select(AuditEvent).order_by(AuditEvent.sequence).execution_options(yield_per=1000)
    )
    for event in rows:
        if event.sequence != expected:
            found.append(f"audit: event {expected} is missing before {event.sequence}")
        if event.previous_hash != previous:
            found.append(f"audit: event {event.sequence} does not follow the one before")
        if event_hash(_content(event), event.previous_hash) != event.hash:
            found.append(f"audit: event {event.sequence} was altered")
        expected, previous = event.sequence + 1, event.hash
    return found
