"""Alembic's entry: migrations run on the application's own engine, all in one transaction."""

from __future__ import annotations

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db


def run() -> None:
    """Apply the revisions; PostgreSQL makes the whole step all or nothing."""
    with database.engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=database.metadata, compare_type=True
        )
        with context.begin_transaction():
            context.run_migrations()


run()
