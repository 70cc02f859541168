"""Two addresses for machines: alive, and ready to do the work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import redis
from flask import Flask, jsonify
from sqlalchemy import text

from catalogue.accounts.access import public
from catalogue.database import db
from catalogue.documents.operations import storage_works
from catalogue.jobs import seen_within

WORKER_SEEN = timedelta(seconds=60)


def register(app: Flask) -> None:
    """Add /healthz and /readyz."""

    @app.get("/healthz", endpoint="alive")
    @public
    def alive() -> Any:
        return jsonify(status="alive")

    @app.get("/readyz", endpoint="ready")
    @public
    def ready() -> Any:
        parts = {
            "database": _works(lambda: db.session.execute(text("SELECT 1")).scalar() == 1),
            "broker": _works(lambda: _broker_answers(app)),
            "worker": _works(lambda: seen_within("worker", WORKER_SEEN)),
            "storage": _works(storage_works),
        }
        whole = all(parts.values())
        return jsonify(status="ready" if whole else "not ready", parts=parts), 200 if whole else 503


def _works(probe: Any) -> bool:
    try:
        return bool(probe())
    except Exception:  # any failure of a probe means that this part is not ready
        db.session.rollback()
        return False


def _broker_answers(app: Flask) -> bool:
    client = redis.Redis.from_url(
        app.config["REDIS_URL"], socket_connect_timeout=1, socket_timeout=1
    )
    try:
        return bool(client.ping())
    finally:
        client.close()
