"""Every search as a feed: Atom, the newest first, with the parameters of the page."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, Response, abort, current_app, render_template, request, url_for

from catalogue.accounts.access import public
from catalogue.database import SHANGHAI
from catalogue.listings import filters
from catalogue.listings.ask import ask
from catalogue.listings.operations import shanghai_day
from catalogue.listings.presenting import catalogue_url, chosen_words, fact_words
from catalogue.listings.product import TAGS
from catalogue.listings.search import EXPIRING_DAYS, PER_PAGE, Hit, status_of

bp = Blueprint("feeds", __name__)

LENGTH = 50
# What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
NEVER = "1970-01-01T00:00:00+00:00"


@bp.get("/catalogue.atom")
@public
def feed() -> Any:
    """The newest products of a search; 304 while nothing in it has changed."""
    asked = filters.read(request.args)
    if asked.too_long:
        abort(422)
    day = shanghai_day()
    search = replace(asked.search, sort="newest", page=1)
    pages = (ask(replace(search, page=page), day) for page in range(1, -(-LENGTH // PER_PAGE) + 1))
    hits = [hit for page in pages for hit in page.hits][:LENGTH]
    shown = replace(asked.search, page=1)
    words = "；".join(chosen_words(shown)) or "全部产品"
    entries = [_entry(hit, day) for hit in hits]
    body = render_template(
        "listings/feed.xml",
        title=_xml(f"上海市创新产品推荐目录　{words}"),
        root=current_app.config["BASE_URL"],
        here=url_for(".feed", **filters.grouped(shown)),
        page=catalogue_url(shown),
        updated=max((entry["updated"] for entry in entries), default=NEVER),
        entries=entries,
    )
    response = Response(body, mimetype="application/atom+xml")
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:32])
    return response.make_conditional(request)


def _entry(hit: Hit, day: date) -> dict[str, str]:
    status = status_of(hit.valid_until, day)
    facts = [TAGS[status][1], *fact_words(hit.facts)]
    return {
        "title": _xml(f"{hit.facts['name']}　{hit.facts['firm_name']}"),
        "url": url_for("listings.product", number=hit.number),
        "published": _moment(hit.listed_on),
        "updated": _moment(_since(hit, status)),
        "summary": _xml("　".join(facts)),
    }


def _since(hit: Hit, status: str) -> date:
    """Since when the entry has the state that it has."""
    if hit.valid_until is None or status == "valid":
        return hit.listed_on
    ended = hit.valid_until + timedelta(days=1)
    began = hit.valid_until - timedelta(days=EXPIRING_DAYS)
    return max(hit.listed_on, ended if status == "expired" else began)


def _moment(day: date) -> str:
    return datetime.combine(day, time(), SHANGHAI).isoformat()


def _xml(text: str) -> str:
    return _UNWRITABLE.sub("�", text)
