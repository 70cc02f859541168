"""The outbox: nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from catalogue import jobs
from catalogue.database import db, utc_now
from catalogue.jobs import Job
from catalogue.statistics import open_data_files


def _only() -> Job:
    return db.session.scalars(select(Job).execution_options(populate_existing=True)).one()


def test_asking_twice_means_once(session: Any) -> None:
    jobs.enqueue("check_application", 7)
    jobs.enqueue("check_application", 7)
    session.commit()
    assert _only().state == "waiting"


def test_a_job_rolls_back_with_its_transaction_and_rings_no_bell(app: Any, session: Any) -> None:
    rung: list[int] = []
    app.extensions["bell"] = lambda kind, job_id: rung.append(job_id)
    try:
        jobs.enqueue("check_application", 7)
        session.rollback()
        jobs.enqueue("check_application", 8)
        with session.begin_nested():
            jobs.enqueue("check_application", 9)
        assert rung == []
        session.commit()
    finally:
        app.extensions.pop("bell")
    assert len(rung) == 2


def test_a_dead_broker_is_not_an_error(app: Any, session: Any) -> None:
    def broken(kind: str, job_id: int) -> None:
        raise ConnectionError("no broker")

    app.extensions["bell"] = broken
    try:
        jobs.enqueue("check_application", 7)
        session.commit()
    finally:
        app.extensions.pop("bell")
    assert [kind for kind, _ in jobs.due()] == ["check_application"]


def test_done_once_even_when_delivered_twice(session: Any) -> None:
    seen: list[int] = []
    jobs.enqueue("check_application", 7)
    session.commit()
    job_id = _only().id
    assert jobs.perform(job_id, {"check_application": seen.append})
    assert not jobs.perform(job_id, {"check_application": seen.append})
    assert seen == [7]
    assert _only().state == "done"


def test_a_held_lease_keeps_others_out_until_it_runs_out(session: Any) -> None:
    jobs.enqueue("check_application", 7)
    session.commit()
    job = jobs.claim(_only().id)
    assert job is not None
    assert jobs.claim(job.id) is None
    job.lease_until = utc_now() - timedelta(seconds=1)
    session.commit()
    assert jobs.claim(job.id) is not None


def test_a_kind_that_lasts_longer_is_left_to_its_worker_for_longer(session: Any) -> None:
    for kind in ("check_application", open_data_files.KIND):
        jobs.enqueue(kind, 7)
    session.commit()
    before = utc_now()
    leases = {
        job.kind: (job.lease_until - before).total_seconds()
        for key in session.scalars(select(Job.id)).all()
        if (job := jobs.claim(key)) and job.lease_until
    }
    assert 60 <= leases["check_application"] < 65
    # The worker ends a task after 300 s: until then nobody else may begin it.
    assert 300 <= leases[open_data_files.KIND] < 305


def test_a_worker_that_was_taken_over_leaves_no_effect(session: Any) -> None:
    jobs.enqueue("check_application", 7)
    session.commit()
    job_id = _only().id

    def slow(subject_id: int) -> None:
        # Another worker takes the job over while this one sleeps.
        with db.engine.begin() as other:
            other.execute(db.update(Job).where(Job.id == job_id).values(fence=Job.fence + 1))

    assert not jobs.perform(job_id, {"check_application": slow})
    assert _only().state == "leased"


def test_a_failing_job_waits_longer_each_time_and_then_gives_up(session: Any) -> None:
    jobs.enqueue("check_application", 7)
    session.commit()
    job_id = _only().id

    def fails(subject_id: int) -> None:
        raise RuntimeError("poison")

    for _ in range(jobs.MAX_ATTEMPTS):
        row = _only()
        row.not_before = utc_now()
        session.commit()
        assert not jobs.perform(job_id, {"check_application": fails})
    assert _only().state == "dead"
    assert "poison" in (_only().last_error or "")
    assert jobs.count_dead() == 1


@pytest.mark.parametrize(
    "changes",
    [{"state": "elsewhere"}, {"state": "leased"}, {"attempts": -1}, {"lease_until": utc_now()}],
)
def test_the_database_refuses_impossible_jobs(session: Any, changes: dict[str, Any]) -> None:
    row = {"kind": "k", "subject_id": 1} | changes
    session.add(Job(**row))
    with pytest.raises(IntegrityError):
        session.commit()
    session.rollback()
