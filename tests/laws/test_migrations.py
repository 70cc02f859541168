"""Migrations build exactly what the models say, go down again, and carry every guard."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, text

from catalogue import create_app, embedded
from catalogue.config import Config
from catalogue.database import GUARDS, db


def test_migrated_database_equals_the_models(session: Any) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, db.metadata)
    assert not differences, differences


def test_every_guard_stands_in_the_database(session: Any) -> None:
    triggers = set(session.scalars(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")))
    functions = {
        row.proname: row.prosrc
        for row in session.execute(
            text(
                "SELECT proname, prosrc FROM pg_proc p JOIN pg_namespace n"
                " ON n.oid = p.pronamespace WHERE nspname = 'public'"
            )
        )
    }
    for name, (_, up, _) in GUARDS.items():
        if "CREATE TRIGGER" in up:
            assert any(trigger in up for trigger in triggers), name
        if "FUNCTION" in up:
            assert any(source in up for source in functions.values()), f"{name} differs"


def test_down_and_up_again(services: embedded.Services, tmp_path: Any) -> None:
    admin = create_engine(
        services.database_url.replace("postgresql://", "postgresql+psycopg://"),
        isolation_level="AUTOCOMMIT",
    )
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE down_and_up"))
    url = admin.url.set(database="down_and_up").render_as_string(hide_password=False)
    config = Config.from_env(
        {
            "PORTAL_MODE": "test",
            "PORTAL_VAR": str(tmp_path),
            "DATABASE_URL": url,
            "REDIS_URL": services.redis_url,
        }
    )
    app = create_app(config)
    with app.app_context():
        upgrade()
        downgrade(revision="base")
        with db.engine.connect() as connection:
            left = connection.scalar(
                text(
                    "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
                    " AND tablename <> 'alembic_version'"
                )
            )
        assert left == 0
        upgrade()
        db.engine.dispose()
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE down_and_up"))
    admin.dispose()
