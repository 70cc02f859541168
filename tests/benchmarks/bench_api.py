"""The open API against a bare Flask view, and the daily files against the bare writing."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from catalogue.database import db
from catalogue.listings.operations import import_rows, shanghai_day
from catalogue.statistics import open_data_files
from tests import builders

PRODUCTS = Path("seeds/products.csv")
ROUNDS = 200
COPIES = 260  # of the 146 seeded products: 38,106 entries


def test_answers_a_second(app: Flask, client: FlaskClient) -> None:
    with PRODUCTS.open("rb") as stream:
        import_rows(stream, None, sample=True)
    builders.concluded("catalogue")
    builders.concluded("first_version")
    db.session.commit()
    certificate = db.session.scalar(db.text("SELECT min(number) FROM certificate"))
    db.session.commit()
    number = json.loads(client.get("/api/v1/listings?kind=equipment").data)["items"][0]["number"]
    print()
    for address in (
        "/api/v1/listings?q=变压器",
        f"/api/v1/listings/{number}",
        f"/api/v1/certificates/{certificate}",
        "/api/v1/notices",
        "/api/v1/awards",
        "/api/v1/openapi.json",
    ):
        body = client.get(address).data
        tag = client.get(address).headers["ETag"]
        bare = Flask("bare")
        bare.add_url_rule("/", "view", _view(body))
        ours, kept, limit = _in_turns(
            partial(client.get, address),
            partial(client.get, address, headers={"If-None-Match": tag}),
            partial(bare.test_client().get, "/"),
        )
        print(
            f"{address}: {1 / ours:,.0f} answers a second, unchanged {1 / kept:,.0f}, a bare view"
            f" of the same {len(body):,} bytes {1 / limit:,.0f} ({ours / limit:.1f} × its time)"
        )


def test_daily_files_of_a_large_catalogue(session: Any) -> None:
    with PRODUCTS.open("rb") as stream:
        import_rows(stream, None, sample=True)
    session.execute(db.text("SET LOCAL statement_timeout = 0"))
    columns = "name, firm_name, model, kind, domain, region, year, summary, specifications"
    rest = "listed_on, valid_until, first_purchase, source, sample, status, created_at"
    session.execute(
        db.text(
            f"INSERT INTO listing (number, source_list, {columns}, {rest})"
            " SELECT 'SL-2019-' || (1000 + row_number() OVER ()), source_list || ' ' || n,"
            f" {columns}, {rest} FROM listing, generate_series(2, :copies) n"
        ),
        {"copies": COPIES},
    )
    session.commit()
    day = shanghai_day().toordinal()
    records = list(open_data_files.BY_NAME["listings"].records())
    began = time.perf_counter()
    for record in records:
        json.dumps(record, ensure_ascii=False)
    bare = time.perf_counter() - began
    for ordinal, what in ((day - 1, "first day"), (day, "next day with its changes")):
        began = time.perf_counter()
        open_data_files.make(ordinal * 100)
        session.commit()
        took = time.perf_counter() - began
        print(
            f"\n{what}: {len(records):,} entries as JSON Lines and CSV in {took:.1f} s;"
            f" bare json.dumps {bare:.1f} s; the job's lease is 60 s"
        )


def _view(body: bytes) -> Callable[[], Any]:
    return lambda: (body, 200, {"Content-Type": "application/json"})


def _in_turns(*calls: Callable[[], Any]) -> list[float]:
    """Seconds of each call, the median of rounds that take turns."""
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for place, call in enumerate(calls):
            began = time.perf_counter()
            assert call().status_code in (200, 304)
            taken[place].append(time.perf_counter() - began)
    return [statistics.median(times) for times in taken]
