"""Seeing: what a search, a need or a comparison shows on a day, as plain facts to be kept.

Only texts and whole numbers, so that the same facts always make the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import current_app
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from catalogue.database import db
from catalogue.listings import filters, need
from catalogue.listings.ask import ask, nearest
from catalogue.listings.compare import MAX_COMPARED
from catalogue.listings.frozen import COMPARISON, NEED, SEARCH, Seen
from catalogue.listings.models import KINDS, NUMBER, Listing
from catalogue.listings.presenting import chosen_words
from catalogue.listings.product import TAGS, first_purchase, state_of
from catalogue.listings.search import PER_PAGE, Hit, Search, status_of
from catalogue.products.taxonomies import domain_name

# Nobody argues with the hundred-and-first product of a search; the total says how many there were.
MOST = 100


def see(kind: str, arguments: Any, day: date) -> Seen | None:
    """What the address parameters show on ``day``; None when they ask nothing or badly."""
    return {SEARCH: _search, NEED: _need, COMPARISON: _comparison}[kind](arguments, day)


def see_again(kind: str, address: str, day: date) -> Seen | None:
    """The same for an address that was kept."""
    _, _, query = address.partition("?")
    return see(kind, MultiDict(parse_qsl(query, keep_blank_values=True)), day)


def address_of(endpoint: str, pairs: Sequence[tuple[str, str]], **parts: str) -> str:
    """A page's address on this host, for a worker too, which answers no request."""
    path = current_app.url_map.bind("").build(endpoint, parts)
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _search(arguments: Any, day: date) -> Seen | None:
    asked = filters.read(arguments)
    if asked.too_long:
        return None
    return search_seen(replace(asked.search, page=1), day, MOST)


def search_seen(asked: Search, day: date, most: int) -> Seen:
    """The first ``most`` products of a search."""
    first = ask(asked, day)
    pages = -(-min(first.total, most) // PER_PAGE)
    rest = [ask(replace(asked, page=page), day) for page in range(2, pages + 1)]
    hits = [hit for page in (first, *rest) for hit in page.hits][:most]
    results = tuple(_hit(hit, day) for hit in hits)
    words = tuple(chosen_words(asked)) or ("全部产品",)
    return Seen(
        SEARCH, address_of("listings.catalogue", filters.pairs(asked)), words, first.total, results
    )


def _need(arguments: Any, day: date) -> Seen | None:
    asked = need.read(arguments, KINDS).need
    if not asked.wishes:
        return None
    found = nearest(asked, day)
    results = tuple(
        {
            **_hit(one.product, day),
            "answers": [
                {
                    "asked": str(wish),
                    "verdict": answer.verdict,
                    "stated": answer.stated,
                    "gap": answer.gap,
                }
                for wish, answer in zip(asked.wishes, one.answers, strict=True)
            ],
        }
        for one in found.shown
    )
    narrowed = [KINDS[asked.kind]] if asked.kind else []
    narrowed += [domain_name(asked.domain)] if asked.domain else []
    words = (*narrowed, *map(str, asked.wishes))
    address = address_of("listings.need.page", asked.pairs)
    return Seen(NEED, address, words, found.stating, results, found.complete)


def _comparison(arguments: Any, day: date) -> Seen | None:
    typed = [text.strip().upper() for text in arguments.getlist("listing")[: 2 * MAX_COMPARED]]
    numbers = [number for number in dict.fromkeys(typed) if NUMBER.fullmatch(number)]
    found = entries(numbers)
    chosen = [found[number] for number in numbers if number in found][:MAX_COMPARED]
    if not chosen:
        return None
    results = tuple(fact_of(listing, day) for listing in chosen)
    numbers = [listing.number for listing in chosen]
    address = address_of("listings.compare", [("listing", number) for number in numbers])
    return Seen(COMPARISON, address, tuple(numbers), len(numbers), results)


def entries(numbers: Sequence[str]) -> dict[str, Listing]:
    """The entries of these numbers as they stand now, by number."""
    rows = db.session.scalars(select(Listing).where(Listing.number.in_(numbers)))
    return {listing.number: listing for listing in rows}


def fact_of(listing: Listing, day: date) -> dict[str, Any]:
    """The facts of an entry as a result shows them."""
    until = listing.valid_until
    facts = {name: getattr(listing, name) for name in _TOLD}
    facts["valid_until"] = until and until.isoformat()
    return _fact(facts, state_of(listing, None, day)[1], first_purchase(listing, None, day).open)


_TOLD = ("number", "name", "firm_name", "model", "kind", "specifications")


def _hit(hit: Hit, day: date) -> dict[str, Any]:
    status = status_of(hit.valid_until, day)
    open_now = bool(hit.facts["first_purchase"]) and status in ("valid", "expiring")
    return _fact(hit.facts, TAGS[status][1], open_now)


def _fact(facts: Mapping[str, Any], state: str, purchase: bool) -> dict[str, Any]:  # noqa: FBT001
    return {
        "number": facts["number"],
        "name": facts["name"],
        "firm": facts["firm_name"],
        "model": facts["model"] or "",
        "kind": KINDS[facts["kind"]],
        "state": state,
        "valid_until": facts["valid_until"] or "",
        "first_purchase": purchase,
        "figures": [
            {key: str(figure.get(key, "")) for key in ("name", "value", "unit")}
            for figure in facts["specifications"] or ()
        ],
    }
