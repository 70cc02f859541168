"""Search with facets against raw tantivy, and the catalogue page against a bare Flask view."""

from __future__ import annotations

import csv
import itertools
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import tantivy
from flask import Flask
from flask.testing import FlaskClient

from catalogue.database import db
from catalogue.listings import follow, words
from catalogue.listings.building import built
from catalogue.listings.index import FACETS, Reader, Replica
from catalogue.listings.operations import import_rows
from catalogue.listings.search import PER_PAGE, Search, search, text_query
from catalogue.listings.synonyms import NOTHING

SIZES = [int(size) for size in os.environ.get("BENCH_LISTINGS", "384,38400").split(",")]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
PRODUCTS = Path("seeds/products.csv")
QUESTIONS = ("变压器", "一次性使用导管", "bianyaqi", "odfs-400000", "大模型", "上海", "")
TODAY = date(2026, 11, 24)


@pytest.mark.parametrize("size", SIZES)
def test_search_with_facets(size: int, tmp_path: Path) -> None:
    reader = _built(tmp_path, size)
    ours, raw = [], []
    for q in QUESTIONS:
        taken = _in_turns(partial(search, reader, Search(q), TODAY), partial(_raw, reader, q))
        ours += taken[0]
        raw += taken[1]
    chosen = {"kind": ("equipment",), "status": ("valid",)}
    (filtered,) = _in_turns(partial(search, reader, Search("变压器", chosen), TODAY))
    print(
        f"\nsearch + facets at {size:,} listings: p95 {_p95(ours):.2f} ms,"
        f" raw tantivy {_p95(raw):.2f} ms, {_p95(ours) / _p95(raw):.2f} × the limit (bar: ≤ 2);"
        f" medians {statistics.median(ours):.2f} / {statistics.median(raw):.2f} ms;"
        f" with two facets chosen p95 {_p95(filtered):.2f} ms; {_resident():.0f} MB resident,"
        f" index {sum(file.stat().st_size for file in tmp_path.rglob('*')) / 1e6:.0f} MB on disk"
    )


def test_catalogue_pages_a_second(app: Flask, client: FlaskClient) -> None:
    with PRODUCTS.open("rb") as stream:
        import_rows(stream, None, sample=True)
    db.session.commit()
    address = "/catalogue?q=变压器"
    page = client.get(address)
    assert page.status_code == 200
    bare = Flask("bare")
    bare.test_client_class = app.test_client_class
    body = page.data
    bare.add_url_rule("/catalogue", view_func=lambda: (body, {"Content-Type": page.content_type}))
    bare_client = bare.test_client()
    rates = _rates(
        lambda: client.get(address),
        lambda: bare_client.get(address),
        lambda: _forgotten(app) or client.get(address),
    )
    print(
        f"\ncatalogue page: {rates[0]:.0f}/s, bare view of the same {len(body):,} bytes"
        f" {rates[1]:.0f}/s, {rates[0] / rates[1]:.2f} of the limit (bar: ≥ 0.5);"
        f" {rates[2]:.0f}/s of pages that nobody asked for before;"
        f" looks at the database every {follow.LOOK_EVERY} s"
    )


def _forgotten(app: Flask) -> None:
    """Nothing is remembered of what others asked."""
    reader = app.extensions["listings_follower"].replica.reader()
    reader.pages.clear()
    reader.answers.clear()


def _built(folder: Path, size: int) -> Reader:
    replica = Replica(folder)
    began, used = time.perf_counter(), _processor_seconds()
    with replica.writing():
        replica.rebuild(_entries(size), "bench", 1, built)
    took, used = time.perf_counter() - began, _processor_seconds() - used
    reader = replica.reader()
    assert reader is not None
    print(f"\nindex of {size:,} listings built in {took:.1f} s, {used:.1f} s of processors", end="")
    return reader


def _processor_seconds() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def _resident() -> float:
    """Megabytes of this process in memory, the read parts of the index among them."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def _entries(size: int) -> Iterator[dict[str, Any]]:
    with PRODUCTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    domains, kinds = ("ic", "biomed", "ai", None), ("equipment", "software", "material", "other")
    for number, row in zip(range(1, size + 1), itertools.cycle(rows), strict=False):
        yield {
            "id": number,
            "number": f"SL-2026-{number:05d}",
            "name": row["product_name"],
            "firm_name": row["firm_name"],
            "model": None,
            "kind": kinds[number % 4],
            "domain": domains[number % 3],
            "novelty": None,
            "advancement": None,
            "district": None,
            "region": row["region"],
            "year": 2012 + number % 14,
            "summary": row["list"],
            "specifications": [],
            "listed_on": TODAY - timedelta(days=number % 700),
            "valid_until": TODAY + timedelta(days=number % 900 - 100),
            "first_purchase": number % 2 == 0,
            "sample": True,
            "source_list": row["list"],
            "status": "listed",
        }


def _raw(reader: Reader, q: str) -> Any:
    """The limit: the same query, top 20 with their documents, counts of the same facets."""
    query = text_query(q, NOTHING.needs(words.question(q))) or tantivy.Query.all_query()
    found = reader.searcher.search(query, PER_PAGE)
    documents = [reader.searcher.doc(address) for _, address in found.hits]
    counts = {name: {"terms": {"field": name, "size": 1000}} for name in FACETS}
    return documents, reader.searcher.aggregate(query, counts)


def _in_turns(*acts: Callable[[], Any]) -> list[list[float]]:
    """Milliseconds of the processor for each act in each round, after a warm one.

    On an idle machine they are the milliseconds that pass; on a busy one they stay the same.
    """
    taken: list[list[float]] = [[] for _ in acts]
    for number in range(ROUNDS + 1):
        for act, times in zip(acts, taken, strict=True):
            began = time.thread_time()
            act()
            if number:
                times.append((time.thread_time() - began) * 1000)
    return taken


def _rates(*acts: Callable[[], Any], turns: int = 10, seconds: float = 0.3) -> list[float]:
    """How often each act is done in a second, measured in turns."""
    done = [0] * len(acts)
    spent = [0.0] * len(acts)
    for _ in range(turns):
        for place, act in enumerate(acts):
            began = time.perf_counter()
            while (now := time.perf_counter()) - began < seconds:
                act()
                done[place] += 1
            spent[place] += now - began
    return [count / time_ for count, time_ in zip(done, spent, strict=True)]


def _p95(taken: list[float]) -> float:
    return statistics.quantiles(taken, n=20)[-1]
