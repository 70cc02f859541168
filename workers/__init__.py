"""The Celery side: it rings the outbox's bell and runs the rooms' jobs inside the app."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task
from flask import Flask

from workers.schedule import SCHEDULE


def attach(app: Flask) -> Celery:
    """A Celery application around ``app``, and the bell that jobs ring after commit."""

    class AppTask(Task):
        """Runs its body inside the application context."""

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery("portal", task_cls=AppTask)
    celery.conf.update(
        broker_url=app.config["REDIS_URL"] or "redis://127.0.0.1:6379/0",
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_time_limit=300,
        task_soft_time_limit=240,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A publish must never hold a web request: one short try, then the sweep takes over.
        task_publish_retry=False,
        broker_transport_options={
            "socket_timeout": 2,
            "socket_connect_timeout": 1,
            "visibility_timeout": 900,
            "max_retries": 0,
        },
        worker_hijack_root_logger=False,
        timezone="Asia/Shanghai",
        beat_schedule=SCHEDULE,
        beat_schedule_filename=str(app.config["VAR_DIR"] / "beat-schedule"),
    )
    from workers import tasks

    tasks.define(celery)

    def bell(kind: str, job_id: int) -> None:
        celery.send_task(f"portal.{kind}", args=[job_id], ignore_result=True, retry=False)

    app.extensions["bell"] = bell
    app.extensions["celery"] = celery
    return celery
