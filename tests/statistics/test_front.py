"""The front page: what is open, until when, and how long that still is."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient

from catalogue.database import db, utc_now
from tests import builders


def row(client: FlaskClient, title: str) -> str:
    """The words of one round's row."""
    rows = re.findall(r"<tr>.*?</tr>", client.get("/").text, re.DOTALL)
    return next(" ".join(re.sub(r"<[^>]+>", " ", each).split()) for each in rows if title in each)


def test_a_round_says_until_when_and_how_long_that_still_is(
    client: FlaskClient, session: Any
) -> None:
    opened = builders.opened("first_version", closes_in=20)
    db.session.commit()
    assert re.search(r"\d 个工作日 20 天", row(client, opened.title))
    opened.closes_at = utc_now() + timedelta(minutes=5)
    later = opened.closes_at.astimezone().date() != utc_now().astimezone().date()
    db.session.commit()
    assert later or re.search(r"今天 \d\d:\d\d 还有 0 小时 \d 分", row(client, opened.title))


def test_a_round_to_come_says_when_it_opens(client: FlaskClient, session: Any) -> None:
    opened = builders.opened("first_version", closes_in=20)
    opened.opens_at = utc_now() + timedelta(days=3)
    db.session.commit()
    told = row(client, opened.title)
    assert "尚未开放" in told and re.search(r"\d 开放", told) and "去申报" not in told
