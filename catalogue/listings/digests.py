"""The verbs of saved searches: save, end, look for changes, and the letter that tells them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import and_, func, or_, select
from sqlalchemy.exc import IntegrityError

from catalogue.accounts.models import User
from catalogue.audit.operations import record
from catalogue.database import db
from catalogue.errors import Refused
from catalogue.jobs import enqueue
from catalogue.listings.digest import FREQUENCIES, changes_between, known, period_of, told
from catalogue.listings.frozen import SEARCH, Seen
from catalogue.listings.models import Digest, SavedSearch
from catalogue.listings.seeing import address_of, see_again
from catalogue.mail import Letter

MAKE, SEND = "make_digest", "send_digest"
# One person's live ones; and the products of each, so that none goes unnoticed.
MOST_LIVE = 20
MOST_PRODUCTS = 100
MOST_DUE = 10_000


def save(owner: User, seen: Seen, frequency: str, today: date) -> SavedSearch:
    """Begin to tell ``owner`` what changes in a search; the next period is the first.

    Raises Refused when it finds too many products, is saved already, or is one too many.
    """
    if frequency not in FREQUENCIES:
        raise Refused("请选择每天或每周", field="frequency", status=422)
    if seen.total > MOST_PRODUCTS:
        raise Refused(f"找到 {seen.total} 件，请加条件到 {MOST_PRODUCTS} 件以内再订", status=422)
    live = select(func.count()).where(
        SavedSearch.owner_id == owner.id, SavedSearch.ended_at.is_(None)
    )
    if (db.session.scalar(live) or 0) >= MOST_LIVE:
        raise Refused(f"最多订 {MOST_LIVE} 个，请先停掉不用的", status=422)
    saved = SavedSearch(
        owner=owner,
        address=seen.address,
        words=list(seen.words),
        frequency=frequency,
        token=secrets.token_urlsafe(24),
        seen=known(seen),
        checked_for=period_of(frequency, today),
    )
    try:
        with db.session.begin_nested():
            db.session.add(saved)
            db.session.flush()
    except IntegrityError as error:
        raise Refused("这个查找已经订了", status=422) from error
    record("digest.save", saved, owner, frequency=frequency)
    return saved


def end(saved: SavedSearch, actor: User | None, now: datetime) -> None:
    """Send no more; twice is once. ``actor`` None used the link of a mail."""
    db.session.refresh(saved, with_for_update={"of": SavedSearch})
    if saved.ended_at is None:
        saved.ended_at = now
        record("digest.end", saved, actor)


def of_owner(owner: User) -> Sequence[SavedSearch]:
    """A person's live ones."""
    return db.session.scalars(
        select(SavedSearch)
        .where(SavedSearch.owner_id == owner.id, SavedSearch.ended_at.is_(None))
        .order_by(SavedSearch.id.desc())
        .limit(MOST_LIVE)
    ).all()


def enqueue_due(today: date) -> int:
    """Ask the worker to look at every search whose period is over; how many there are."""
    over = or_(
        *(
            and_(
                SavedSearch.frequency == frequency,
                SavedSearch.checked_for < period_of(frequency, today),
            )
            for frequency in FREQUENCIES
        )
    )
    due = db.session.scalars(
        select(SavedSearch.id).where(SavedSearch.ended_at.is_(None), over).limit(MOST_DUE)
    ).all()
    for key in due:
        enqueue(MAKE, key)
    # A mail server that was away for long gets another chance every day.
    unsent = select(Digest.id).where(Digest.state == "made").order_by(Digest.id).limit(MOST_DUE)
    for key in db.session.scalars(unsent).all():
        enqueue(SEND, key)
    return len(due)


def make(saved_id: int, today: date) -> Digest | None:
    """Look at one search for the period of ``today``; a digest only when something changed.

    Raises RuntimeError while the catalogue's index is away, so that the job tries again.
    """
    saved = db.session.get_one(SavedSearch, saved_id, with_for_update={"of": SavedSearch})
    period = period_of(saved.frequency, today)
    if saved.ended_at is not None or saved.checked_for >= period:
        return None
    now = see_again(SEARCH, saved.address, today)
    if now is None or not now.complete:
        raise RuntimeError("the index of the catalogue is away")
    saved.checked_for = period
    changes = changes_between(saved.seen, now)
    saved.seen = known(now)
    if not any(changes.values()):
        return None
    digest = Digest(saved_search=saved, period=period, changes=changes)
    db.session.add(digest)
    db.session.flush()
    enqueue(SEND, digest.id)
    return digest


def begin_sending(digest_id: int) -> Letter | None:
    """The letter of a digest that nobody has begun to send; the caller commits before sending."""
    digest = db.session.get_one(Digest, digest_id, with_for_update={"of": Digest})
    if digest.state != "made" or digest.saved_search.ended_at is not None:
        return None
    digest.state = "sending"
    db.session.flush()
    return letter_of(digest.saved_search, digest.changes, digest.period)


def give_back(digest_id: int) -> None:
    """The letter was certainly not sent: it may be tried again."""
    digest = db.session.get_one(Digest, digest_id, with_for_update={"of": Digest})
    if digest.state == "sending":
        digest.state = "made"


def note_sent(digest_id: int, now: datetime) -> None:
    """The letter is on its way; for good."""
    digest = db.session.get_one(Digest, digest_id, with_for_update={"of": Digest})
    if digest.state == "sending":
        digest.state, digest.sent_at = "sent", now


def letter_of(saved: SavedSearch, changes: Mapping[str, Any], period: date) -> Letter:
    """The mail that tells ``changes``."""
    base = current_app.config["BASE_URL"]
    stop = f"{base}{address_of('listings.digests.stop', [], token=saved.token)}"
    text = told(changes, saved.words, FREQUENCIES[saved.frequency], base)
    return Letter(
        id=f"digest-{saved.id}-{period}",
        to=saved.owner.email,
        subject=f"产品目录有变化：{'；'.join(saved.words)}"[:120],
        text=f"{text}\n\n再查一次：{base}{saved.address}\n不想再收：{stop}\n",
        headers={
            "List-Unsubscribe": f"<{stop}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )


def mail_host() -> str:
    """The host in the names of letters."""
    return urlsplit(current_app.config["BASE_URL"]).hostname or "localhost"


def first_day(frequency: str, today: date) -> date:
    """The day of the first mail that a search saved today may bring."""
    return period_of(frequency, today) + timedelta(days=1 if frequency == "daily" else 7)
