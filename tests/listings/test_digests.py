"""Searches by mail: only real changes, at most once, and an end at any time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from werkzeug.datastructures import MultiDict

from catalogue import mail
from catalogue.config import Config, ConfigError
from catalogue.database import db
from catalogue.errors import Refused
from catalogue.jobs import Job
from catalogue.listings import digests, follow
from catalogue.listings.digest import changes_between, known, period_of
from catalogue.listings.frozen import SEARCH, Seen
from catalogue.listings.models import Digest, SavedSearch
from catalogue.listings.operations import remove, shanghai_day
from catalogue.listings.seeing import entries, see
from tests import builders
from tests.listings.test_frozen import FACT, seen
from tests.listings.test_need import listing
from workers import tasks

MONDAY = date(2026, 11, 23)


def test_only_new_gone_and_another_state_are_news() -> None:
    before = known(seen(FACT, {**FACT, "number": "SL-2026-0002"}))
    same = seen({**FACT, "name": "改了名", "figures": []}, {**FACT, "number": "SL-2026-0002"})
    assert not any(changes_between(before, same).values())
    moved = seen({**FACT, "state": "已到期"}, {**FACT, "number": "SL-2026-0003"})
    told = changes_between(before, moved)
    assert [row[0] for row in told["new"]] == ["SL-2026-0003"]
    assert [row[0] for row in told["gone"]] == ["SL-2026-0002"]
    assert told["changed"] == [["SL-2026-0001", "甲", "乙", "已到期", "有效"]]
    cut = Seen(SEARCH, "/catalogue", (), 500, moved.results)
    assert not changes_between(before, cut)["gone"]


def test_a_week_begins_on_its_monday() -> None:
    assert [period_of("weekly", MONDAY + timedelta(days=n)) for n in (-1, 0, 6)] == [
        MONDAY - timedelta(days=7), MONDAY, MONDAY,
    ]  # fmt: skip
    assert period_of("daily", MONDAY) == MONDAY


@pytest.fixture
def shelf(app: Flask, session: Any, tmp_path: Path) -> Iterator[Path]:
    """Two products on the shelf; the folder into which mails go."""
    follow.follower().look_every = 0
    session.add_all([listing(1, "1", "equipment", None), listing(2, "1", "equipment", None)])
    session.commit()
    kept, app.config["MAIL_URL"] = app.config["MAIL_URL"], tmp_path.as_uri()
    yield tmp_path
    app.config["MAIL_URL"] = kept
    follow.follower().look_every = follow.LOOK_EVERY


def saved(frequency: str = "daily", day: date | None = None) -> SavedSearch:
    """A search of all equipment, saved on ``day``."""
    day = day or shanghai_day()
    found = see(SEARCH, MultiDict([("kind", "equipment")]), day)
    assert found is not None
    made = digests.save(builders.user("buyer"), found, frequency, day)
    db.session.commit()
    return made


def test_a_mail_comes_once_for_a_period_and_only_when_something_changed(shelf: Path) -> None:
    today = shanghai_day()
    search = saved(day=today - timedelta(days=2))
    assert digests.enqueue_due(today) == 1 and digests.enqueue_due(today) == 1
    assert db.session.scalar(select(db.func.count(Job.id))) == 1
    assert digests.make(search.id, today) is None and digests.enqueue_due(today) == 0
    db.session.add(listing(3, "1", "equipment", None))
    remove(entries(["SL-2026-0001"])["SL-2026-0001"], None, "示例")
    db.session.commit()
    made = digests.make(search.id, today + timedelta(days=1))
    assert made is not None and digests.make(search.id, today + timedelta(days=1)) is None
    db.session.commit()
    for _ in range(3):
        tasks.send_digest(made.id)
    (path,) = shelf.glob("*.eml")
    letter = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert letter["To"] == search.owner.email and "List-Unsubscribe=One-Click" in str(letter)
    body = letter.get_content()
    assert "SL-2026-0003" in body and "不再列出 1 件" in body and "SL-2026-0002" not in body
    assert search.token in letter["List-Unsubscribe"] and search.token in body
    assert (made.state, made.sent_at is None) == ("sent", False)


def test_a_worker_that_dies_while_sending_never_sends_twice(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = shanghai_day()
    search = saved(day=today - timedelta(days=1))
    db.session.add(listing(3, "1", "equipment", None))
    db.session.commit()
    made = digests.make(search.id, today)
    assert made is not None
    db.session.commit()
    sent = []

    def dies(url: str, letter: mail.Letter, host: str) -> None:
        sent.append(letter.id)
        raise RuntimeError("killed after the server took it")

    monkeypatch.setattr(mail, "send", dies)
    with pytest.raises(RuntimeError):
        tasks.send_digest(made.id)
    db.session.rollback()
    tasks.send_digest(made.id)
    assert len(sent) == 1 and made.state == "sending"


def test_a_refused_letter_is_tried_again(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today = shanghai_day()
    search = saved(day=today - timedelta(days=1))
    db.session.add(listing(3, "1", "equipment", None))
    db.session.commit()
    made = digests.make(search.id, today)
    assert made is not None
    db.session.commit()
    monkeypatch.setitem(current_app.config, "MAIL_URL", "smtp://127.0.0.1:9")
    with pytest.raises(mail.NotSent):
        tasks.send_digest(made.id)
    assert made.state == "made" and digests.enqueue_due(today) == 0
    assert db.session.scalar(select(Job.id).where(Job.kind == digests.SEND)) is not None
    db.session.commit()
    monkeypatch.setitem(current_app.config, "MAIL_URL", shelf.as_uri())
    tasks.send_digest(made.id)
    assert made.state == "sent"


def test_the_database_keeps_one_digest_a_period_and_never_unsends(shelf: Path) -> None:
    search = saved()
    row = {"saved_search_id": search.id, "period": MONDAY, "changes": {}}
    db.session.add(Digest(**row, state="sent", sent_at=search.created_at))
    db.session.commit()
    db.session.add(Digest(**row))
    with pytest.raises(IntegrityError):
        db.session.flush()
    db.session.rollback()
    for attack in (
        "UPDATE digest SET state = 'made', sent_at = NULL",
        "UPDATE digest SET changes = '{}', period = period + 1",
        "DELETE FROM digest",
        "UPDATE saved_search SET token = repeat('x', 30)",
    ):
        with pytest.raises(DBAPIError):
            db.session.execute(text(attack))
        db.session.rollback()


def test_agreeing_after_a_sample_and_ending_from_the_mail(client: FlaskClient, shelf: Path) -> None:
    person = builders.user("buyer")
    db.session.commit()
    builders.sign_in(client, person)
    address = "/digests/new?kind=equipment"
    page = client.get(address)
    assert "样例" in page.text and person.email in page.text and "2 件" in page.text
    assert builders.post(client, address, {"frequency": "hourly"}).status_code == 422
    assert builders.post(client, address, {"frequency": "weekly"}).status_code == 303
    again = builders.post(client, address, {"frequency": "daily"})
    assert again.status_code == 422 and "已经订了" in again.text
    search = db.session.query(SavedSearch).one()
    stranger = current_app.test_client()
    assert stranger.get("/digests/stop/nothing").status_code == 404
    link = f"/digests/stop/{search.token}"
    assert "停发这次查找的信" in stranger.get(link).text
    db.session.refresh(search)
    assert search.ended_at is None
    # What a mail program posts by itself: no cookie, no form token (RFC 8058).
    told = stranger.post(link, data={"List-Unsubscribe": "One-Click"})
    assert told.status_code == 200 and "已停发" in told.text
    db.session.refresh(search)
    assert search.ended_at is not None
    assert digests.make(search.id, shanghai_day() + timedelta(days=8)) is None
    other = builders.user("buyer")
    db.session.commit()
    builders.sign_in(stranger, other)
    gone = builders.post(stranger, f"/digests/{search.id}/end", {}, form_at=address)
    assert gone.status_code == 404


def test_too_many_products_are_refused(shelf: Path) -> None:
    with pytest.raises(Refused):
        digests.save(builders.user("buyer"), seen(FACT, total=101), "daily", MONDAY)


def test_the_address_of_the_mail_server_is_checked_at_start(tmp_path: Path) -> None:
    base = {"PORTAL_MODE": "demo", "PORTAL_VAR": str(tmp_path)}
    assert Config.from_env(base).mail_url == (tmp_path / "mail").as_uri()
    with pytest.raises(ConfigError, match="MAIL_URL"):
        Config.from_env({**base, "MAIL_URL": "http://example.com"})
