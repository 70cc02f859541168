"""Freshness: what one process commits, every web process of the host finds within two seconds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import select

from catalogue import embedded
from catalogue.config import ROOT
from catalogue.database import db
from catalogue.listings.models import Listing, Synonym
from catalogue.listings.operations import import_rows, remove
from tests.listings.test_catalogue import SEED

PROMISE_SECONDS = 2.0
PATIENCE_SECONDS = 20.0


@pytest.fixture
def addresses(
    services: embedded.Services, app: Flask, session: Any, tmp_path: Path
) -> Iterator[list[str]]:
    """Two web processes over one database and one folder, as on a production host."""
    environment = {
        **os.environ,
        "PORTAL_MODE": "test",
        "PORTAL_VAR": str(tmp_path),
        "FONTS_DIR": str(app.config["FONTS_DIR"]),
        "DATABASE_URL": services.database_url,
        "REDIS_URL": services.redis_url,
    }
    with ExitStack() as stack:
        ports = []
        for _ in range(2):
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
        stack.close()
        for port in ports:
            command = [sys.executable, "-m", "granian", "--interface", "wsgi", "wsgi:app"]
            command += ["--host", "127.0.0.1", "--port", str(port), "--no-ws"]
            command += ["--log-level", "warning"]
            web = subprocess.Popen(command, cwd=ROOT, env=environment)
            stack.callback(web.wait, 15)
            stack.callback(web.terminate)
        found = [f"http://127.0.0.1:{port}" for port in ports]
        for address in found:
            _until(lambda address=address: _answers(address), 60)
        yield found


def _answers(address: str) -> bool:
    try:
        return bool(_page(address, ""))
    except (urllib.error.URLError, ConnectionError):
        return False


def _page(address: str, q: str) -> str:
    with urllib.request.urlopen(f"{address}/catalogue?q={quote(q)}", timeout=30) as answer:
        found: bytes = answer.read()
        return found.decode()


def _until(came: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> float:
    """Seconds until it came."""
    began = time.monotonic()
    while not came():
        assert time.monotonic() - began < patience
        time.sleep(0.02)
    return time.monotonic() - began


def _everywhere(addresses: list[str], q: str, *, shown: bool) -> float:
    """Seconds until every process shows products that meet ``q``, or none does."""
    return sum(
        _until(lambda address=address: shown == (">找到 " in _page(address, q)))
        for address in addresses
    )


def test_a_change_is_found_by_every_web_process_within_two_seconds(addresses: list[str]) -> None:
    with SEED.open("rb") as stream:
        import_rows(stream, None, sample=True)
    db.session.commit()
    for address in addresses:
        _until(lambda address=address: "找到 4 件产品" in _page(address, "bianyaqi"))
    waits = []
    for listing in db.session.scalars(select(Listing).order_by(Listing.id).limit(4)).all():
        listing.name = word = f"改名{listing.id}号"
        db.session.commit()
        waits.append(_everywhere(addresses, word, shown=True))
        remove(listing, None, "试移出")
        db.session.commit()
        waits.append(_everywhere(addresses, word, shown=False))
    db.session.add(Synonym(words=["变压器", "voltage changer"]))
    db.session.commit()
    waits.append(_everywhere(addresses, "voltage changer", shown=True))
    # The middle one: a busy machine may hold one of them up.
    assert median(waits) < PROMISE_SECONDS, waits
