"""Every search as a feed: valid Atom, escaped, bounded, silent while nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from flask.testing import FlaskClient

from catalogue.listings import feed_views, follow
from tests.listings.test_need import listing

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def shelf(app: Flask, session: Any) -> Iterator[Any]:
    """Sixty products, one with a name that XML cannot write as it stands."""
    follow.follower().look_every = 0
    rows = [listing(place, "1", "equipment", None) for place in range(1, 61)]
    rows[0].name = "坏\x0b名]]>&<x>"
    session.add_all(rows)
    session.commit()
    yield session
    follow.follower().look_every = follow.LOOK_EVERY


def test_a_feed_is_valid_bounded_and_escaped(client: FlaskClient, shelf: Any) -> None:
    told = client.get("/catalogue.atom?kind=equipment&spec=波长 ≤ 193 nm&nonsense=1")
    assert told.status_code == 200 and told.mimetype == "application/atom+xml"
    feed = ET.fromstring(told.data)
    for name in ("id", "title", "updated", "author"):
        assert feed.find(ATOM + name) is not None, name
    links = {link.get("rel"): link.get("href") or "" for link in feed.findall(f"{ATOM}link")}
    assert links["self"] == feed.findtext(f"{ATOM}id")
    assert "/catalogue?" in links["alternate"] and "kind=equipment" in links["alternate"]
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == feed_views.LENGTH
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    for entry in entries:
        assert datetime.fromisoformat(entry.findtext(f"{ATOM}updated") or "").tzinfo
    titles = [entry.findtext(f"{ATOM}title") for entry in entries]
    assert "坏�名]]>&<x>　测试公司" in titles


def test_the_same_answer_is_not_sent_twice(client: FlaskClient, shelf: Any) -> None:
    first = client.get("/catalogue.atom?kind=equipment")
    asked = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/catalogue.atom?kind=equipment", headers=asked).status_code == 304
    shelf.add(listing(0, "1", "equipment", None))
    shelf.commit()
    assert client.get("/catalogue.atom?kind=equipment", headers=asked).status_code == 200
    empty = ET.fromstring(client.get("/catalogue.atom?q=nichts").data)
    assert not empty.findall(f"{ATOM}entry")
    assert client.get("/catalogue.atom?q=" + "长" * 201).status_code == 422
    page = client.get("/catalogue?kind=equipment").text
    assert 'rel="alternate"' in page and "/catalogue.atom?kind=equipment" in page
