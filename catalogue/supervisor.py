"""Web, worker and beat of one machine in one terminal: started, watched, revived, stopped."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from catalogue.config import ROOT
from catalogue.embedded import EmbeddedError, Services

TICK_SECONDS = 0.3
FIRST_ANSWER_SECONDS = 120
STOP_SECONDS = 12.0
# The kernel closes the sockets of a killed process a moment after its end.
RELEASE_SECONDS = 8.0
LONGEST_PAUSE = 10.0
# A process that lived this long died of something new, so it is started again at once.
STEADY_SECONDS = 20.0


class AlreadyRuns(RuntimeError):
    """Another process serves from the same state folder; the message is its address."""


class CannotServe(RuntimeError):
    """The portal cannot start here; the message says why and what to do."""


def commands(port: int, var_dir: Path) -> dict[str, list[str]]:
    """The three processes of the portal, by name; the web process comes first."""
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--quiet", "-A", "wsgi:celery"]
    return {
        "web": [
            *(*python, "granian", "--interface", "wsgi", "wsgi:app"),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "2"),
            *("--blocking-threads", "4", "--respawn-failed-workers", "--no-ws"),
            *("--workers-kill-timeout", "3", "--log-level", "warning"),
        ],
        "worker": [
            *(*celery, "worker", "--pool", "prefork", "--concurrency", "2"),
            *("--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
        ],
        "beat": [
            *(*celery, "beat", "--loglevel", "WARNING", "--pidfile", ""),
            *("--schedule", str(var_dir / "run" / "beat-schedule")),
        ],
    }


@dataclass
class Child:
    """One process that must live; it leads a session of its own, so that its heirs die with it."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = 0.0

    def start(self) -> None:
        """Start the process and print what it says behind its name."""
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.started_at = time.monotonic()
        assert self.process.stdout is not None
        threading.Thread(target=_relay, args=(self.name, self.process.stdout), daemon=True).start()

    def tend(self) -> bool:
        """Start the process again if it died, slower each time; True when it was started."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            steady = now - self.started_at > STEADY_SECONDS
            self.pause = 0.5 if steady else min(LONGEST_PAUSE, self.pause * 2 or 0.5)
            say(f"{self.name} ended with {self.process.returncode}; starting it again")
            _signal_group(self.process.pid, signal.SIGKILL)
            self.process, self.start_at = None, now + self.pause
        if self.process is None and now >= self.start_at:
            self.start()
            return True
        return False

    def ask_to_stop(self) -> None:
        """Let it finish what it is doing."""
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until `deadline`, then end it and its heirs."""
        if self.process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
        _signal_group(self.process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(2)


class Supervisor:
    """Keeps the portal's processes, and the embedded servers under them, alive until told."""

    def __init__(
        self, *, port: int, var_dir: Path, environment: Mapping[str, str], services: Services | None
    ) -> None:
        self.port = port
        self.services = services
        self.record = var_dir / "run" / "processes.json"
        self.children = [
            Child(name, command, environment) for name, command in commands(port, var_dir).items()
        ]

    def start(self) -> None:
        """Start everything and return once the web process answers.

        Raises CannotServe when the port is taken or the web process ends instead of answering.
        """
        patience = time.monotonic() + (RELEASE_SECONDS if _end_left_overs(self.record) else 0)
        while not _port_is_free(self.port) and time.monotonic() < patience:
            time.sleep(0.1)
        if not _port_is_free(self.port):
            raise CannotServe(
                f"Port {self.port} is taken by another program. Choose another: PORT=8001 make run"
            )
        web, *others = self.children
        web.start()
        self._remember()
        # Alone at first, so that a small machine shows its pages seconds earlier.
        self._await_answer(web)
        for child in others:
            child.start()
        self._remember()

    def _await_answer(self, web: Child) -> None:
        deadline = time.monotonic() + FIRST_ANSWER_SECONDS
        while not _answers(self.port):
            if web.process is None or web.process.poll() is not None:
                raise CannotServe("The web process ended before it answered; see its lines above.")
            if time.monotonic() > deadline:
                raise CannotServe(f"The web process is silent after {FIRST_ANSWER_SECONDS} s.")
            time.sleep(0.1)

    def watch(self) -> None:
        """Revive whatever dies, for ever; a signal's exception ends it."""
        turn = 0
        while True:
            time.sleep(TICK_SECONDS)
            # Not any() at once, for it would stop looking at the first.
            started = [child.tend() for child in self.children]
            if any(started):
                self._remember()
            turn += 1
            if self.services is not None and turn % 4 == 0:
                self._revive(self.services)

    def stop(self) -> None:
        """Stop everything this object started, in good order, within seconds."""
        for child in reversed(self.children):
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.end(deadline)
        self.record.unlink(missing_ok=True)

    def _revive(self, services: Services) -> None:
        try:
            for name in services.revive():
                say(f"{name} had ended and runs again")
        except EmbeddedError as error:
            say(str(error))

    def _remember(self) -> None:
        """Write down our processes, for the next start to clear up should we be killed."""
        groups = [child.process.pid for child in self.children if child.process is not None]
        self.record.write_text(json.dumps(groups))


@contextmanager
def only_one(var_dir: Path, address: str) -> Iterator[None]:
    """Hold the state folder for this process; raises AlreadyRuns with the holder's address."""
    path = var_dir / "run" / "serving"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRuns(file.read().strip()) from None
        file.truncate(0)
        file.write(address)
        file.flush()
        yield


def stop_on_signals() -> None:
    """Let Ctrl-C, `kill` and a closed terminal all end in KeyboardInterrupt."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def ignore_signals() -> None:
    """Stopping takes a few seconds and must not be stopped itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def say(line: str) -> None:
    """One line of our own in the terminal."""
    print(f"portal | {line}", flush=True)


def _relay(name: str, stream: IO[bytes]) -> None:
    for line in iter(stream.readline, b""):
        print(f"{name:<6} | {line.decode(errors='replace').rstrip()}", flush=True)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _signal_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end_left_overs(record: Path) -> bool:
    """End what an earlier start left running when it was killed; whether there was any."""
    try:
        groups = set(json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return False
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            # The number may belong to somebody else by now; ours work in our folder.
            if os.getpgid(process.pid) in groups and Path(process.cwd()) == ROOT:
                process.kill()
    record.unlink(missing_ok=True)
    return True
