"""The outbox: a job is a row of the caller's transaction; the broker only rings the bell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import CheckConstraint, Index, event, func, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from catalogue.database import Keyed, db, utc_now

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=60)
RING_AGAIN_AFTER = timedelta(seconds=5)
MAX_ATTEMPTS = 8
# The leases of kinds that last longer.
_leases: dict[str, timedelta] = {}


class Job(Keyed, db.Model):
    """One piece of due work about one subject."""

    __tablename__ = "job"
    kind: Mapped[str]
    subject_id: Mapped[int]
    state: Mapped[str] = mapped_column(default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    not_before: Mapped[datetime] = mapped_column(default=utc_now)
    lease_until: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    last_error: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("state IN ('waiting','leased','done','dead')", name="state"),
        CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint("attempts >= 0 AND fence >= 0", name="counts"),
        Index(
            "uq_job_live",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_job_due", "not_before", postgresql_where=text("state IN ('waiting','leased')")),
        Index("ix_job_subject", "subject_id", "kind"),
    )


class Heartbeat(db.Model):
    """When each kind of process was last seen at work."""

    __tablename__ = "heartbeat"
    name: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]


class Fenced(Exception):
    """Another worker took the job over; what was done here must roll back."""


def lasts(kind: str, lease: timedelta) -> None:
    """Lease jobs of ``kind`` for longer than ``LEASE``; a killed worker's job waits as long."""
    _leases[kind] = lease


def enqueue(kind: str, subject_id: int, not_before: datetime | None = None) -> None:
    """Ask for ``kind`` to be done about ``subject_id``, within the caller's transaction.

    An equal job that still waits is reused, so asking twice means once.
    """
    db.session.flush()
    statement = text(
        "INSERT INTO job (kind, subject_id, state, attempts, fence, created_at, not_before)"
        " VALUES (:kind, :subject, 'waiting', 0, 0, :now, :due)"
        " ON CONFLICT (kind, subject_id) WHERE state = 'waiting' DO NOTHING RETURNING id"
    )
    now = utc_now()
    job_id = db.session.scalar(
        statement, {"kind": kind, "subject": subject_id, "now": now, "due": not_before or now}
    )
    if job_id is not None:
        db.session().info.setdefault("bells", []).append((kind, job_id))


@event.listens_for(Session, "after_commit")
def _ring_after_commit(session: Session) -> None:
    # after_commit also fires when a savepoint ends; its jobs are not committed yet.
    if session.in_nested_transaction():
        return
    for kind, job_id in session.info.pop("bells", []):
        ring(kind, job_id)


@event.listens_for(Session, "after_soft_rollback")
def _forget_after_rollback(session: Session, previous: object) -> None:
    if not session.in_nested_transaction():
        session.info.pop("bells", None)


def ring(kind: str, job_id: int) -> None:
    """Tell the broker; a dead broker is logged, since the row waits for the sweep anyway."""
    bell: Callable[[str, int], None] | None = current_app.extensions.get("bell")
    if bell is None:
        return
    try:
        bell(kind, job_id)
    except Exception as error:  # any broker failure: the row is the truth, the sweep rings again
        log.warning("bell_failed", kind=kind, job_id=job_id, error=type(error).__name__)


def due(limit: int = 200) -> list[tuple[str, int]]:
    """Jobs that nobody holds: waiting past their time, or leased by someone who fell silent."""
    now = utc_now()
    rows = db.session.execute(
        select(Job.kind, Job.id)
        .where(
            or_(
                (Job.state == "waiting") & (Job.not_before <= now),
                (Job.state == "leased") & (Job.lease_until < now),
            )
        )
        .order_by(Job.not_before, Job.id)
        .limit(limit)
    )
    return [(kind, job_id) for kind, job_id in rows]


def claim(job_id: int) -> Job | None:
    """Lease a job and commit the lease; None when it is done, held, not due, or dead."""
    now = utc_now()
    kind = db.session.scalar(select(Job.kind).where(Job.id == job_id))
    fence = db.session.execute(
        update(Job)
        .where(
            Job.id == job_id,
            or_(
                (Job.state == "waiting") & (Job.not_before <= now),
                (Job.state == "leased") & (Job.lease_until < now),
            ),
        )
        .values(
            state="leased",
            attempts=Job.attempts + 1,
            fence=Job.fence + 1,
            lease_until=now + _leases.get(kind or "", LEASE),
        )
        .returning(Job.fence)
    ).scalar_one_or_none()
    db.session.commit()
    return db.session.get(Job, job_id) if fence is not None else None


def perform(job_id: int, handlers: dict[str, Callable[[int], None]]) -> bool:
    """Do one job: its effect and its end in one transaction. True when it was done here."""
    job = claim(job_id)
    if job is None:
        return False
    kind, subject_id, fence = job.kind, job.subject_id, job.fence
    try:
        handlers[kind](subject_id)
        _finish(job_id, fence)
        db.session.commit()
    except Exception as error:
        db.session.rollback()
        _postpone(job_id, fence, error)
        log.exception("job_failed", kind=kind, job_id=job_id)
        return False
    return True


def _finish(job_id: int, fence: int) -> None:
    done = db.session.execute(
        update(Job)
        .where(Job.id == job_id, Job.fence == fence, Job.state == "leased")
        .values(state="done", lease_until=None, finished_at=utc_now(), last_error=None)
        .returning(Job.id)
    ).scalar_one_or_none()
    if done is None:
        raise Fenced(f"job {job_id} was taken over")


def _postpone(job_id: int, fence: int, error: Exception) -> None:
    job = db.session.execute(
        select(Job)
        .where(Job.id == job_id, Job.fence == fence, Job.state == "leased")
        .with_for_update()
    ).scalar_one_or_none()
    if job is None:
        return
    twin = db.session.scalar(
        select(Job.id).where(
            Job.kind == job.kind, Job.subject_id == job.subject_id, Job.state == "waiting"
        )
    )
    job.lease_until = None
    job.last_error = f"{type(error).__name__}: {error}"[:500]
    if job.attempts >= MAX_ATTEMPTS or twin is not None:
        job.state = "dead"
        log.error("job_dead", kind=job.kind, job_id=job.id)
    else:
        job.state = "waiting"
        job.not_before = utc_now() + timedelta(seconds=min(2**job.attempts, 300))
    db.session.commit()


def beat(name: str) -> None:
    """Note that a process of this kind is at work; /readyz reads it."""
    db.session.execute(
        text(
            "INSERT INTO heartbeat (name, seen_at) VALUES (:name, :now)"
            " ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at"
        ),
        {"name": name, "now": utc_now()},
    )


def seen_within(name: str, span: timedelta) -> bool:
    """Whether a process of this kind was at work within ``span``."""
    seen = db.session.scalar(select(Heartbeat.seen_at).where(Heartbeat.name == name))
    return seen is not None and utc_now() - seen <= span


def live_subjects(kind: str) -> list[int]:
    """Subjects that have a waiting or running job of this kind."""
    return list(
        db.session.scalars(
            select(Job.subject_id).where(Job.kind == kind, Job.state.in_(("waiting", "leased")))
        )
    )


def count_dead() -> int:
    """Jobs that gave up; each wants a person."""
    return db.session.scalar(select(func.count()).where(Job.state == "dead")) or 0
