"""The index against what kills it: a writer killed in the act, damaged files, an older version."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from catalogue.database import db
from catalogue.listings import follow
from catalogue.listings.ask import ask
from catalogue.listings.index import Replica
from catalogue.listings.operations import import_rows, shanghai_day
from catalogue.listings.search import Search
from tests.listings.test_index import entry

SEED = Path("seeds/products.csv")
HELD = 40
# A writer that never rests: each round gives every product the same new name.
WRITER = """
import sys
from pathlib import Path
from catalogue.listings.index import Replica
from tests.listings.test_index import entry
replica, number = Replica(Path(sys.argv[1])), 1
while True:
    with replica.writing():
        changed = [entry(key, f"轮次{number}") for key in range(1, int(sys.argv[2]) + 1)]
        replica.apply(changed, replica.state())
    print(number, flush=True)
    number += 1
"""


def test_a_killed_writer_leaves_one_whole_state_and_no_lock(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    with replica.writing():
        replica.rebuild([entry(key, "轮次0") for key in range(1, HELD + 1)], "here", 1)
    chance = random.Random(7)
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(HELD)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(3):
                assert writer.stdout.readline()
            time.sleep(chance.random() / 20)
            writer.send_signal(signal.SIGKILL)
        reader = Replica(tmp_path).reader()
        assert reader is not None
        assert reader.searcher.num_docs == HELD
        names = {name for name, _ in reader.searcher.terms_with_prefix("exact", "轮次")}
        alive = [name for name in names if _holders(reader, name)]
        assert len(alive) == 1 and _holders(reader, alive[0]) == HELD, "not half a commit"
    with replica.writing():
        state = replica.state()
        assert state is not None
        replica.apply([entry(1, "之后还能写")], state)
    after = replica.reader()
    assert after is not None and _holders(after, "之后还能写") == 1


def _holders(reader: Any, name: str) -> int:
    query = reader.index.parse_query(f'"{name}"', ["exact"])
    return int(reader.searcher.search(query, 1).count)


@pytest.fixture
def catalogue(app: Flask, session: Any) -> Iterator[follow.Follower]:
    """The 146 products of the list, indexed, on a follower that looks at every search."""
    following = follow.follower()
    following.look_every = 0
    with SEED.open("rb") as stream:
        import_rows(stream, None, sample=True)
    db.session.commit()
    assert ask(Search("bianyaqi"), shanghai_day()).total == 4
    yield following
    following.look_every = follow.LOOK_EVERY


def _current(following: follow.Follower) -> Path:
    state = following.replica.state()
    assert state is not None
    return following.replica.root / state.folder


@pytest.mark.parametrize("length", ["half", "nothing", "zeros"])
def test_every_half_written_file_is_noticed_when_it_is_opened(
    tmp_path: Path, catalogue: follow.Follower, length: str
) -> None:
    whole = _current(catalogue)
    for file in sorted(whole.iterdir()):
        if file.suffix in ("", ".lock") or file.name.startswith(".tantivy"):
            continue
        shutil.copytree(catalogue.replica.root, tmp_path / file.name)
        damaged = tmp_path / file.name / whole.name / file.name
        content = damaged.read_bytes()
        damaged.write_bytes(
            {"half": content[: len(content) // 2], "nothing": b"", "zeros": bytes(len(content))}[
                length
            ]
        )
        if file.name != ".managed.json":
            assert Replica(tmp_path / file.name).reader() is None, file.name


def test_an_older_version_is_built_again_beside_and_still_serves_its_own(
    catalogue: follow.Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = catalogue.replica
    monkeypatch.setattr("catalogue.listings.index.SCHEMA_VERSION", 10_000)
    newer = follow.Follower(Replica(old.root), look_every=0)
    reader = newer.reader()
    assert reader is not None and reader.searcher.num_docs == 146
    assert newer.replica.pointer != old.pointer
    kept = Replica(old.root)
    kept.pointer = old.pointer
    assert kept.reader() is not None, "the version that is being replaced still answers"


def test_the_index_is_killed_while_fifty_search(
    app: Flask, catalogue: follow.Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The list counts as a large one, so that it is built beside the searches.
    monkeypatch.setattr(follow, "AT_ONCE", 20)
    over = threading.Event()
    answers: list[tuple[int, bool]] = []
    failures: list[BaseException] = []

    def visit() -> None:
        client = app.test_client()
        try:
            while not over.is_set():
                found = client.get("/catalogue?q=bianyaqi")
                answers.append((found.status_code, "ODFS-400000" in found.text))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=visit) for _ in range(50)]
    for thread in threads:
        thread.start()
    harms = 0
    deadline = time.monotonic() + 60
    while harms < 3 and time.monotonic() < deadline:
        time.sleep(0.3)
        try:
            shutil.rmtree(_current(catalogue) if harms else catalogue.replica.root)
            if harms:
                catalogue.replica.pointer.write_text("{half a poin")
        except (OSError, AssertionError):
            continue
        harms += 1
    time.sleep(0.3)
    over.set()
    for thread in threads:
        thread.join()
    assert failures == [] and harms == 3
    assert set(answers) == {(200, True)}, "neither an error nor a wrong empty answer"
    db.session.execute(text("UPDATE listing SET name = '改名产品' WHERE id = 1"))
    db.session.commit()
    page = ask(Search("改名产品"), shanghai_day())
    while catalogue.replica.reader() is None or page.near or page.total != 1:
        assert time.monotonic() < deadline + 60, "it is built again by itself"
        time.sleep(0.05)
        page = ask(Search("改名产品"), shanghai_day())
    assert page.complete
