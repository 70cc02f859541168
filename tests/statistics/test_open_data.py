"""The daily files and their page: whole or not at all, what changed, safe cells, OCDS."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from catalogue.database import db
from catalogue.documents.models import Document
from catalogue.listings.api_schema import SCHEMAS
from catalogue.listings.models import Listing
from catalogue.listings.operations import import_rows, remove, shanghai_day
from catalogue.statistics import open_data_files
from catalogue.statistics.models import DataFile
from seeds import stories
from tests import builders
from tests.statistics.test_api import validator

SEED = Path("seeds/products.csv")
# The official schemas, word for word as the Open Contracting Partnership publishes them
# (release 1.1.4 and release package 1.1.5, Apache License 2.0).
OCDS = Path(__file__).parent / "ocds"


def made(day: date) -> None:
    open_data_files.ask_for(day)
    db.session.commit()
    stories.run_jobs()


def lines(client: FlaskClient, name: str) -> list[dict[str, Any]]:
    answer = client.get(f"/open-data/{name}")
    assert answer.status_code == 200, name
    return [json.loads(line) for line in answer.data.decode().splitlines() if line]


def imported() -> None:
    with SEED.open("rb") as stream:
        assert import_rows(stream, None, sample=True).sound
    db.session.commit()


def test_a_day_is_whole_and_the_next_tells_what_changed(client: FlaskClient, session: Any) -> None:
    imported()
    today = shanghai_day()
    before = today - timedelta(days=1)
    made(before)
    whole = lines(client, f"listings-{before}.jsonl")
    assert len(whole) == 146 and len({each["number"] for each in whole}) == 146
    for record in whole:
        validator(SCHEMAS["Listing"]).validate(record)
    assert not open_data_files.named(f"listings-{before}-changes.jsonl")

    first, second = db.session.scalars(select(Listing).order_by(Listing.id).limit(2))
    remove(first, None, "名单更正")
    second.summary = '=HYPERLINK("http://example.org")'
    builders.concluded("catalogue")
    db.session.commit()
    made(today)
    changed = lines(client, f"listings-{today}-changes.jsonl")
    assert {each["number"]: each["change"] for each in changed} == {
        first.number: "changed",
        second.number: "changed",
        "SHCP-" + str(today.year) + "-0001": "added",
    }
    assert [each["change"] for each in lines(client, f"notices-{today}-changes.jsonl")] == ["added"]
    answer = client.get(f"/open-data/listings-{today}.csv")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert len(rows) == 147
    assert rows[1]["summary"] == '\'=HYPERLINK("http://example.org")'
    assert rows[0]["state"] == "removed" and rows[0]["removed_reason"] == "名单更正"
    # Twice is once, and a file that stands is never remade.
    count = db.session.scalar(select(db.func.count(DataFile.id)))
    made(today)
    assert db.session.scalar(select(db.func.count(DataFile.id))) == count


def test_what_is_public_no_longer_is_named_as_removed(client: FlaskClient, session: Any) -> None:
    today = shanghai_day()
    made(today - timedelta(days=3))
    claim = builders.concluded("first_version")
    db.session.commit()
    made(today - timedelta(days=2))
    award = lines(client, f"awards-{today - timedelta(days=2)}.jsonl")[0]
    assert award["firm"] == claim.enterprise.name and award["placeholder"] is True
    db.session.execute(text("UPDATE award SET state = 'released', released_at = now()"))
    db.session.commit()
    made(today)
    file = open_data_files.named(f"awards-{today}-changes.jsonl")
    assert file is not None and file.since == today - timedelta(days=2)
    assert lines(client, file.name) == [{"change": "removed", "id": award["id"]}]
    assert lines(client, "awards-" + today.isoformat() + ".jsonl") == []


def test_a_broken_job_leaves_no_file_and_the_next_try_makes_it(
    client: FlaskClient, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported()
    today = shanghai_day()
    kept = open_data_files._Pair.keep
    calls: list[int] = []

    def breaks(pair: Any, file: DataFile) -> None:
        kept(pair, file)
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the disk is full")

    monkeypatch.setattr(open_data_files._Pair, "keep", breaks)
    made(today)
    assert open_data_files.named("listings.csv") is None
    assert open_data_files.named("rounds.csv") is not None
    db.session.execute(text("UPDATE job SET not_before = now() WHERE state = 'waiting'"))
    db.session.commit()
    stories.run_jobs()
    assert open_data_files.named("listings.csv") is not None


def test_files_are_fetched_by_name_and_never_change(client: FlaskClient, session: Any) -> None:
    today = shanghai_day()
    made(today)
    newest = client.get("/open-data/rounds.csv")
    assert newest.status_code == 302
    assert newest.headers["Location"] == f"/open-data/rounds-{today}.csv"
    answer = client.get(newest.headers["Location"])
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert client.get(newest.headers["Location"], headers=tag).status_code == 304
    for wrong in ("rounds.xlsx", "toys.csv", "rounds-2026-13-40.csv", "..%2fsecret", "%00", "x"):
        assert client.get(f"/open-data/{wrong}").status_code == 404, wrong
    listed = json.loads(client.get("/api/v1/files?dataset=rounds").data)["items"]
    assert {each["name"] for each in listed} == {f"rounds-{today}.csv", f"rounds-{today}.jsonl"}
    page = client.get("/open-data").text
    assert f"rounds-{today}.csv" in page and "不再公开" in page and "公示文号" in page
    assert 'href="/open-data"' in client.get("/").text
    builders.concluded("catalogue")
    made(today + timedelta(days=1))
    commands = re.findall(r'curl [^"]*"(http[^"]+)"', html.unescape(client.get("/open-data").text))
    assert len(commands) == 4
    for address in commands:
        assert client.get(address, follow_redirects=True).status_code == 200, address


def test_awards_are_ocds_releases_by_the_official_schema(client: FlaskClient, session: Any) -> None:
    builders.concluded("first_version")
    db.session.commit()
    made(shanghai_day())
    release, package = (
        json.loads((OCDS / f"{name}.json").read_text("utf-8"))
        for name in ("release-schema", "release-package-schema")
    )
    url = package["properties"]["releases"]["items"]["$ref"]
    registry: Any = Registry().with_resource(url, Resource(release, DRAFT4))
    official = Draft4Validator(package, registry=registry, format_checker=None)
    for address in ("/open-data/awards-" + shanghai_day().isoformat() + ".ocds.json",
                    "/api/v1/releases"):  # fmt: skip
        body = json.loads(client.get(address).data)
        assert len(body["releases"]) == 1
        official.validate(body)
        award = body["releases"][0]["awards"][0]
        assert award["value"]["amount"] * 100 == db.session.scalar(
            text("SELECT amount_fen FROM award")
        )
        del body["releases"][0]["ocid"]
        assert not official.is_valid(body)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE data_file SET records = 7",
        "DELETE FROM data_file",
        "UPDATE data_file SET document_id = document_id + 1",
    ],
)
def test_a_published_file_cannot_be_altered(session: Any, change: str) -> None:
    made(shanghai_day())
    with pytest.raises(IntegrityError):
        db.session.execute(text(change))


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "changes"}, {"since": date(2026, 1, 1)}, {"format": "xlsx"}, {"records": -1}, {}],
)
def test_the_database_refuses_an_untrue_row(session: Any, wrong: dict[str, Any]) -> None:
    made(shanghai_day())
    document = Document(sha256="0" * 64, filename="x", media_type="text/csv", size=1)
    whole = {"dataset": "rounds", "day": shanghai_day(), "kind": "whole", "format": "csv"}
    if wrong:
        whole["day"] = date(2026, 1, 2)
    db.session.add(DataFile(**{**whole, "records": 1, "document": document, **wrong}))
    with pytest.raises(IntegrityError):
        db.session.flush()
