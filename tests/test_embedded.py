"""The embedded servers: shared, survived by nobody, and recovered from every kind of kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from catalogue import embedded
from catalogue.config import ROOT, Config

HOLDER = """
import sys, time
from pathlib import Path
from catalogue import embedded
services = embedded.start(Path(sys.argv[1]), durable=False)
print("attached", flush=True)
sys.stdin.read()
services.stop()
"""


def reachable(services: embedded.Services) -> bool:
    """Whether both addresses answer to a plain client."""
    try:
        with psycopg.connect(services.database_url, connect_timeout=3) as connection:
            connection.execute("SELECT 1")
        return bool(redis.Redis.from_url(services.redis_url, socket_timeout=3).ping())
    except (psycopg.OperationalError, redis.RedisError):
        return False


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder outside pytest's own, which every pytest that starts closes to other accounts."""
    with tempfile.TemporaryDirectory(prefix="portal-") as name:
        yield Path(name)


@pytest.fixture
def state(folder: Path) -> Iterator[Path]:
    """A state folder whose servers are gone afterwards, whatever the test did."""
    yield folder / "var"
    embedded.start(folder / "var", durable=False).stop()


def hold(state: Path) -> subprocess.Popen[bytes]:
    """Another process that is attached to `state` until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(state)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"attached\n"
    return process


def test_start_answers_and_stop_ends(state: Path) -> None:
    services = embedded.start(state, durable=False)
    assert reachable(services)
    services.stop()
    services.stop()
    assert not reachable(services)


def test_data_outlive_a_stop(state: Path) -> None:
    services = embedded.start(state)
    with psycopg.connect(services.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    services.stop()
    again = embedded.start(state)
    with psycopg.connect(again.database_url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    again.stop()


def test_the_last_one_out_stops_them(state: Path) -> None:
    first = embedded.start(state, durable=False)
    other = hold(state)
    first.stop()
    assert reachable(first)
    other.communicate(timeout=30)
    assert not reachable(first)


def test_a_killed_holder_leaves_no_wrong_count(state: Path) -> None:
    other = hold(state)
    other.kill()
    other.communicate(timeout=30)
    services = embedded.start(state, durable=False)
    assert reachable(services)
    services.stop()
    assert not reachable(services)


def test_killed_servers_return_at_their_old_address(state: Path) -> None:
    services = embedded.start(state)
    with psycopg.connect(services.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    assert services.postgres is not None
    assert services.redis is not None
    services.postgres.kill()
    services.redis.kill()
    assert not reachable(services)
    assert services.revive() == ["PostgreSQL", "Redis"]
    assert reachable(services)
    with psycopg.connect(services.database_url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
    assert services.revive() == []
    services.stop()


def test_a_postmaster_killed_alone_leaves_no_writer_behind(state: Path) -> None:
    services = embedded.start(state)
    pid = int((state / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while services.postgres is not None and services.postgres.running():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "PostgreSQL" in services.revive()
    assert reachable(services)
    services.stop()


def test_a_half_made_folder_is_made_anew(state: Path) -> None:
    (state / "postgres" / "base").mkdir(parents=True)
    (state / "postgres" / "PG_VERSION").write_text("18\n")
    services = embedded.start(state, durable=False)
    assert reachable(services)
    services.stop()


def test_a_foreign_process_number_does_not_block_us(state: Path) -> None:
    embedded.start(state).stop()
    lines = [str(os.getpid()), str(state / "postgres"), "0", "5432", "", "", "", "ready"]
    (state / "postgres" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    (state / "run" / "redis.pid").write_text(f"{os.getpid()}\n")
    services = embedded.start(state)
    assert reachable(services)
    services.stop()


@pytest.mark.parametrize("name", ["with space and 'quote'", "x" * 120])
def test_awkward_folder_names(folder: Path, name: str) -> None:
    services = embedded.start(folder / name, durable=False)
    assert reachable(services)
    services.stop()


def test_given_addresses_start_nothing(tmp_path: Path) -> None:
    config = Config.from_env(
        {
            "PORTAL_VAR": str(tmp_path),
            "DATABASE_URL": "postgresql://somewhere/else",
            "REDIS_URL": "redis://somewhere",
        }
    )
    with embedded.attach(config) as filled:
        assert filled == config
    assert not (tmp_path / "run").exists()


def test_attach_fills_both_addresses(state: Path) -> None:
    config = Config.from_env({"PORTAL_VAR": str(state), "PORTAL_MODE": "test"})
    with embedded.attach(config) as filled:
        assert filled.database_url.startswith("postgresql://")
        with psycopg.connect(filled.database_url) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(filled.database_url, connect_timeout=2)


def test_redis_wants_its_password(state: Path) -> None:
    services = embedded.start(state, durable=False)
    assert services.redis is not None
    stranger = redis.Redis(port=services.redis.port, socket_timeout=2)
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()
    services.stop()


def test_without_any_redis_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(embedded.EmbeddedError, match="REDIS_URL"):
        embedded.start(tmp_path / "var", postgres=False)
    with pytest.raises(embedded.EmbeddedError, match="DATABASE_URL"):
        embedded.start(tmp_path / "var", redis=False)
