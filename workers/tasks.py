"""Every task: one call each into a room."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery

from catalogue import jobs
from catalogue.applications import operations as applications
from catalogue.applications.states import CHECK, CONCLUDE
from catalogue.certificates import operations as certificates
from catalogue.database import db, utc_now
from catalogue.notices import operations as notices

HANDLERS: dict[str, Callable[[int], None]] = {
    CHECK: applications.check,
    CONCLUDE: applications.conclude,
    "draw_certificate": certificates.draw,
}


def sweep(celery: Celery) -> int:
    """Ring again for whatever waits, and note that the worker lives."""
    jobs.beat("worker")
    db.session.commit()
    waiting = jobs.due()
    for kind, job_id in waiting:
        celery.send_task(f"portal.{kind}", args=[job_id], ignore_result=True)
    return len(waiting)


def daily() -> int:
    """Close the notices whose time has come."""
    closed = notices.close_due(utc_now())
    db.session.commit()
    return closed


def define(celery: Celery) -> None:
    """Register one task per job kind, and the two that the clock rings."""
    for kind in HANDLERS:
        _define_job(celery, kind)

    def ring_again() -> None:
        sweep(celery)

    celery.task(name="portal.sweep")(ring_again)
    celery.task(name="portal.daily")(daily)


def _define_job(celery: Celery, kind: str) -> None:
    def run(job_id: int) -> None:
        jobs.perform(job_id, HANDLERS)

    celery.task(name=f"portal.{kind}")(run)
