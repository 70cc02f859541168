"""From a committed change to a search that finds it, in two followers, while others search."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from catalogue.database import db
from catalogue.listings.ask import ask
from catalogue.listings.follow import Follower
from catalogue.listings.index import Replica
from catalogue.listings.operations import import_rows, shanghai_day
from catalogue.listings.search import Search

PRODUCTS = Path("seeds/products.csv")
CHANGES, APART = 1_000, 0.02
QUESTIONS = ("变压器", "bianyaqi", "大模型", "上海", "")


def test_a_change_is_found(app: Flask, session: object, tmp_path: Path) -> None:
    with PRODUCTS.open("rb") as stream:
        import_rows(stream, None, sample=True)
    db.session.commit()
    ids = list(db.session.scalars(text("SELECT id FROM listing ORDER BY id")))
    written: dict[str, float] = {}
    taken: list[list[float]] = [[], []]
    over = threading.Event()
    threads = [threading.Thread(target=_search, args=(app, over)) for _ in range(4)]
    # Each follower stands for one web process of this host: they share the folder.
    threads += [
        threading.Thread(target=_watch, args=(app, tmp_path, written, taken[n])) for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for number in range(CHANGES):
        name = f"改动{number:05d}"
        db.session.execute(
            text("UPDATE listing SET name = :name WHERE id = :id"),
            {"name": name, "id": ids[number % len(ids)]},
        )
        db.session.commit()
        written[name] = time.monotonic()
        time.sleep(APART)
    for thread in threads[4:]:
        thread.join()
    over.set()
    for thread in threads[:4]:
        thread.join()
    seconds = [each for one in taken for each in one]
    assert len(seconds) == 2 * CHANGES
    print(
        f"\n{CHANGES:,} changes, each found by two followers while four threads search:"
        f" median {statistics.median(seconds):.2f} s,"
        f" p95 {statistics.quantiles(seconds, n=20)[-1]:.2f} s,"
        f" longest {max(seconds):.2f} s (bar: p95 ≤ 2)"
    )


def _search(app: Flask, over: threading.Event) -> None:
    number = 0
    while not over.is_set():
        with app.app_context():
            ask(Search(QUESTIONS[number % len(QUESTIONS)], page=1 + number % 3), shanghai_day())
        number += 1


def _watch(app: Flask, folder: Path, written: dict[str, float], taken: list[float]) -> None:
    follower = Follower(Replica(folder))
    for number in range(CHANGES):
        name = f"改动{number:05d}"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with app.app_context():
                reader = follower.reader()
            if name in written and reader is not None and _holds(reader, name):
                taken.append(time.monotonic() - written[name])
                break
            time.sleep(0.01)


def _holds(reader: object, name: str) -> bool:
    searcher = reader.searcher  # type: ignore[attr-defined]
    return bool(searcher.doc_freq("exact", name))
