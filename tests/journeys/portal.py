"""The running portal of the journeys: `flask serve` with a database and a Redis of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import select

from catalogue import create_app, embedded
from catalogue.applications.models import Application
from catalogue.config import ROOT, Config
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents import fonts
from catalogue.enterprises.models import Enterprise
from catalogue.funds import operations as funds
from catalogue.policies import operations as policies
from catalogue.policies.models import Policy, Round
from seeds import firms, people, stories
from tests.builders import KINDS, POLICIES

PASSWORD = "correct horse battery"
DATABASE = "journeys"
START_SECONDS = 120
BUDGET_FEN = 100_000_000_00


@dataclass
class Portal:
    """What the journeys hold: the address, the rooms behind it, and the Redis to be killed."""

    address: str
    app: Flask
    redis: embedded.Redis
    environment: dict[str, str]
    server: subprocess.Popen[bytes]
    log: Path

    @contextmanager
    def rooms(self) -> Iterator[None]:
        """The rooms' own verbs, on the database that the running portal uses."""
        with self.app.app_context():
            yield
            db.session.rollback()

    def command(self, *words: str) -> str:
        """What `flask --app wsgi <words>` prints; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def stop(self) -> None:
        """End everything that `serve` started."""
        self.server.send_signal(signal.SIGTERM)
        try:
            self.server.wait(30)
        except subprocess.TimeoutExpired:
            self.server.kill()
        self.redis.stop()
        with self.app.app_context():
            db.engine.dispose()


def start(services: embedded.Services, folder: Path) -> Portal:
    """Schema, fonts, accounts, policies and rounds; then web, worker and beat as `serve` does."""
    broker = embedded.Redis(folder)
    broker.start()
    port = _free_port()
    prepared = Path(os.environ.get("PORTAL_TEST_FONTS", ROOT / "var" / "fonts"))
    environment = {
        **os.environ,
        # As the Makefile does: without byte code every process compiles thousands of modules.
        "PYTHONDONTWRITEBYTECODE": "",
        "PORTAL_MODE": "demo",
        "PORTAL_VAR": str(folder / "var"),
        "FONTS_DIR": str(prepared),
        "DATABASE_URL": _own_database(services.database_url),
        "REDIS_URL": broker.url,
        "PORT": str(port),
        "BASE_URL": f"http://127.0.0.1:{port}",
    }
    fonts.prepare(prepared)
    app = create_app(Config.from_env(environment))
    with app.app_context():
        _furnish()
    log = folder / "serve.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "serve"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    portal = Portal(environment["BASE_URL"], app, broker, environment, server, log)
    try:
        wait(lambda: _answers(portal), START_SECONDS, lambda: log.read_text()[-4000:])
    except BaseException:
        portal.stop()
        raise
    return portal


def wait(holds: Callable[[], Any], seconds: float, complaint: Callable[[], str]) -> Any:
    """What ``holds`` returns once it is true; AssertionError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.2)
    return found


def _answers(portal: Portal) -> bool:
    assert portal.server.poll() is None, portal.log.read_text()[-4000:]
    try:
        with urllib.request.urlopen(f"{portal.address}/healthz", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _own_database(url: str) -> str:
    """A fresh database in the session's cluster; its address."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    place, _, options = url.partition("?")
    return f"{place.rpartition('/')[0]}/{DATABASE}?{options}"


def _furnish() -> None:
    from flask_migrate import upgrade

    upgrade(directory=str(ROOT / "catalogue" / "migrations"))
    people.seed(PASSWORD)
    db.session.commit()
    administrator = people.staff("administrator")
    policies.load_policies(POLICIES, administrator)
    today = utc_now().astimezone(SHANGHAI).date()
    opens_on = today - timedelta(days=30)
    for scheme in KINDS:
        policy = policies.version_for(scheme, opens_on)
        assert policy is not None, scheme
        policies.open_round(
            policy,
            f"{today.year} 年度第一批",
            today.year,
            1,
            datetime.combine(opens_on, clock(9), SHANGHAI),
            datetime.combine(today + timedelta(days=20), clock(17), SHANGHAI),
            administrator,
        )
        if policy.scheme != "catalogue":
            funds.set_budget(
                policy.scheme, today.year, BUDGET_FEN, None, "旅程用的预算", placeholder=True
            )
    firms.seed(PASSWORD)
    db.session.commit()


def round_of(scheme: str) -> Round:
    """The open round of a scheme; within ``rooms``."""
    return db.session.scalars(select(Round).join(Policy).where(Policy.scheme == scheme)).one()


def year_and_close(scheme: str) -> tuple[int, date]:
    """The scheme's round: its year, and the day (Shanghai) on which it closes; within ``rooms``."""
    opened = round_of(scheme)
    return opened.year, opened.closes_at.astimezone(SHANGHAI).date()


def application(number: str) -> Application:
    """The application with this number; within ``rooms``."""
    return db.session.scalars(select(Application).where(Application.number == number)).one()


def firm(place: int) -> Enterprise:
    """The demo firm at this place of ``seeds.firms.FIRMS``; within ``rooms``."""
    code = firms.code_of(firms.FIRMS[place])
    return db.session.scalars(select(Enterprise).where(Enterprise.credit_code == code)).one()


def draft(scheme: str, place: int, kind: str, position: int, **filling: Any) -> str:
    """A complete draft of a demo firm's product; its number. Within ``rooms``."""
    enterprise = firm(place)
    opened = round_of(scheme)
    product = firms.product(enterprise, kind, position, opened.year)
    started = stories.start(opened, product, firms.clerk_of(enterprise), **filling)
    db.session.commit()
    return started.number


def submitted(number: str) -> Application:
    """Hand the draft in and wait until the real worker has checked it. Within ``rooms``."""
    found = application(number)
    stories.submit(found, firms.clerk_of(found.enterprise))
    return checked(number)


def checked(number: str) -> Application:
    """The application once the worker has checked it. Within ``rooms``."""

    def look() -> Application | None:
        db.session.rollback()
        found = application(number)
        return found if found.state != "submitted" else None

    found: Application = wait(look, 40, lambda: f"{number} was not checked")
    return found


def passed(number: str) -> Application:
    """A checked application, passed up to the second person's decision. Within ``rooms``."""
    found = application(number)
    stories.check_formally(found, people.staff("reviewer"))
    stories.conclude_review(found, people.staff(people.SECRETARY))
    return found


def on_notice(number: str) -> int:
    """Pass and approve a checked application; the id of its notice. Within ``rooms``."""
    found = passed(number)
    return stories.approve([found], people.staff("approver")).id
