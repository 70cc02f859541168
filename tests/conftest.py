"""The suite's own PostgreSQL and Redis, one database per worker, emptied before each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from sqlalchemy import text

from catalogue import create_app, embedded
from catalogue.config import Config
from catalogue.database import db
from catalogue.documents import fonts
from tests import builders
from tests.browser import Browser

KEPT = {"lifecycle_move", "alembic_version"}

# Timings never decide a test, and a busy machine is no counterexample.
settings.register_profile("portal", deadline=None)
settings.load_profile("portal")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """All journeys go to one worker, so that the portal starts once; the rest where there is room.

    By hand, because xdist's own groups write into test names, which pytest 9 no longer lets them.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Apart(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "journeys" if nodeid.startswith("tests/journeys/") else nodeid

    return Apart(config, log) if config.getvalue("dist") == "load" else None


@pytest.fixture(scope="session")
def services() -> Iterator[embedded.Services]:
    """A throw-away PostgreSQL and Redis per test process."""
    # Not below pytest's own folder: as root, another pytest would lock the postgres account out.
    folder = Path(tempfile.mkdtemp(prefix="portal-"))
    running = embedded.start(folder, durable=False)
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def app(services: embedded.Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application on a migrated database of its own."""
    var = tmp_path_factory.mktemp("var")
    folder = Path(os.environ.get("PORTAL_TEST_FONTS", Path.cwd() / "var" / "fonts"))
    # Cut before the first test: no transaction of a test should wait for it.
    fonts.prepare(folder)
    config = Config.from_env(
        {
            "PORTAL_MODE": "test",
            "PORTAL_VAR": str(var),
            "FONTS_DIR": str(folder),
            "DATABASE_URL": services.database_url,
            "REDIS_URL": services.redis_url,
        }
    )
    application = create_app(config)
    application.test_client_class = Browser
    with application.app_context():
        _build_schema()
    yield application
    with application.app_context():
        db.engine.dispose()


def _build_schema() -> None:
    from flask_migrate import upgrade

    versions = Path("catalogue/migrations/versions")
    if versions.is_dir() and any(versions.glob("*.py")):
        upgrade()
    else:
        db.create_all()


@pytest.fixture
def session(app: Flask) -> Iterator[Any]:
    """An app context on an empty database; what is committed is really committed."""
    with app.app_context():
        tables = ", ".join(t.name for t in db.metadata.sorted_tables if t.name not in KEPT)
        # Superuser of a throw-away cluster: the append-only guards step aside for emptying.
        with db.engine.begin() as connection:
            connection.execute(text("SET session_replication_role = replica"))
            connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
            connection.execute(text("SET session_replication_role = origin"))
        yield db.session
        db.session.rollback()
        db.session.remove()


@pytest.fixture
def client(app: Flask, session: Any) -> FlaskClient:
    """A browser without a screen; forms need their token as in real life."""
    return app.test_client()


@pytest.fixture(autouse=True)
def _fresh_policy_rows(request: pytest.FixtureRequest) -> None:
    if "session" in request.fixturenames:
        builders.forget()
