"""Every task: one call each into a room."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery
from flask import current_app

from catalogue import jobs, keys, mail
from catalogue.applications import operations as applications
from catalogue.applications.states import CHECK, CONCLUDE
from catalogue.audit import log
from catalogue.certificates import operations as certificates
from catalogue.certificates import status_files
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.listings import digests
from catalogue.notices import operations as notices
from catalogue.policies import backtest_runs
from catalogue.policies import operations as policies
from catalogue.statistics import open_data_files


def _look_for_changes(saved_id: int) -> None:
    digests.make(saved_id, utc_now().astimezone(SHANGHAI).date())


def send_digest(digest_id: int) -> None:
    """Commits twice, so that what has begun to be sent is never sent again."""
    letter = digests.begin_sending(digest_id)
    db.session.commit()
    if letter is None:
        return
    try:
        mail.send(current_app.config["MAIL_URL"], letter, digests.mail_host())
    except mail.NotSent:
        digests.give_back(digest_id)
        db.session.commit()
        raise
    digests.note_sent(digest_id, utc_now())
    db.session.commit()


HANDLERS: dict[str, Callable[[int], None]] = {
    CHECK: applications.check,
    CONCLUDE: applications.conclude,
    "draw_certificate": certificates.draw,
    digests.MAKE: _look_for_changes,
    digests.SEND: send_digest,
    backtest_runs.KIND: backtest_runs.run_chunk,
    "sign_notice": notices.sign,
    policies.REPLAY: policies.replay_chunk,
    open_data_files.KIND: open_data_files.make,
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
    """Close the notices whose time has come; sign the statuses and ask for the files of the day."""
    now = utc_now()
    today = now.astimezone(SHANGHAI).date()
    closed = notices.close_due(now)
    status_files.make(today, keys.of(current_app.config))
    open_data_files.ask_for(today)
    db.session.commit()
    return closed


def records_replay() -> None:
    """Begin to re-run every decision record; the outbox does it chunk by chunk."""
    policies.start_replay()
    db.session.commit()


def sign_log() -> None:
    """Sign the root of the public log when something was entered; and a new day's statuses."""
    key = keys.of(current_app.config)
    log.sign_checkpoint(key)
    status_files.make_missing(utc_now().astimezone(SHANGHAI).date(), key)
    db.session.commit()


def look_for_digests() -> int:
    """Ask for a look at every saved search whose period is over."""
    due = digests.enqueue_due(utc_now().astimezone(SHANGHAI).date())
    db.session.commit()
    return due


def define(celery: Celery) -> None:
    """Register one task per job kind, and those that the clock rings."""
    for kind in HANDLERS:
        _define_job(celery, kind)

    def ring_again() -> None:
        sweep(celery)

    celery.task(name="portal.sweep")(ring_again)
    celery.task(name="portal.daily")(daily)
    celery.task(name="portal.records_replay")(records_replay)
    celery.task(name="portal.sign_log")(sign_log)
    celery.task(name="portal.look_for_digests")(look_for_digests)


def _define_job(celery: Celery, kind: str) -> None:
    def run(job_id: int) -> None:
        jobs.perform(job_id, HANDLERS)

    celery.task(name=f"portal.{kind}")(run)
