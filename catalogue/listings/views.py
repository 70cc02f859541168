"""The public catalogue: results, suggestions, a comparison, one product."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import select

from catalogue.accounts.access import public
from catalogue.audit.operations import trail
from catalogue.certificates.models import Certificate
from catalogue.database import db
from catalogue.listings import (
    api_views,
    digest_views,
    feed_views,
    filters,
    frozen_views,
    need_views,
    presenting,
    synonym_views,
)
from catalogue.listings import product as one
from catalogue.listings.ask import alike, ask
from catalogue.listings.ask import suggest as suggest_for
from catalogue.listings.behind import behind, may_call
from catalogue.listings.compare import MAX_COMPARED
from catalogue.listings.figures import MAX_LIMITS, SIGNS
from catalogue.listings.kept import kept
from catalogue.listings.models import NUMBER, Listing
from catalogue.listings.operations import shanghai_day
from catalogue.listings.search import MAX_HITS, PER_PAGE, Page, Search
from catalogue.policies.operations import document_of, version_for
from catalogue.products.models import PATENT_KINDS

# What the side panel carries along, for it sets only the rest.
KEPT = ("q", "sort", filters.LIMIT, filters.DROP)

bp = Blueprint("listings", __name__)
bp.register_blueprint(synonym_views.bp)
bp.register_blueprint(api_views.bp)
bp.register_blueprint(need_views.bp)
bp.register_blueprint(frozen_views.bp)
bp.register_blueprint(feed_views.bp)
bp.register_blueprint(digest_views.bp)

EVENTS = {"listing.publish": "列入目录", "listing.remove": "移出目录"}


@bp.get("/catalogue")
@public
def catalogue() -> Any:
    """The results of a search, or everything; every state of the page is its address."""
    asked = filters.read(request.args)
    if asked.too_long:
        return render_template("listings/refused.html", asked=asked), 422
    return kept(asked, lambda: _results(asked))


def _results(asked: filters.Asked) -> str:
    day = shanghai_day()
    page = ask(asked.search, day)
    if page.total and not page.hits:
        last = -(-page.reachable // PER_PAGE)
        page = ask(replace(asked.search, page=last), day)
    return render_template(
        "listings/catalogue.html",
        # One spelling of the address, so that the page is the same for all who ask the same.
        address=presenting.catalogue_url(asked.search),
        asked=asked,
        page=page,
        results=[presenting.result(hit, day, page.search) for hit in page.hits],
        near=presenting.near_words(page),
        groups=presenting.panel(page),
        chips=presenting.chips(page.search),
        sorts=presenting.sorts(page.search),
        ways=[] if page.total else _ways_out(page, day),
        keep=_kept(page.search),
        signs=SIGNS,
        per_page=PER_PAGE,
        deepest=MAX_HITS,
        feed_url=url_for("listings.feeds.feed", **filters.grouped(replace(page.search, page=1))),
        digest_url=url_for("listings.digests.new", **filters.grouped(replace(page.search, page=1))),
        freeze_url=url_for(
            "listings.frozen.new", of="search", **filters.grouped(replace(page.search, page=1))
        ),
        page_url=lambda number: presenting.catalogue_url(
            page.search, page=number if number > 1 else None
        ),
    )


@bp.get("/catalogue/suggest")
@public
def suggest() -> Any:
    """Products that go on as typed: lines for the page that asks, or a page of its own."""
    q = filters.read(request.args).search.q
    found = [presenting.suggestion(hit) for hit in suggest_for(q, shanghai_day())]
    template = "suggestions" if "HX-Request" in request.headers else "suggest"
    return render_template(f"listings/{template}.html", q=q, found=found)


def _ways_out(page: Page, day: date) -> list[dict[str, Any]]:
    """Only an empty answer asks twice more: without the words, and for nothing but them."""
    asked = page.search
    without_limits = {
        str(limit): ask(filters.without(asked, filters.LIMIT, str(limit)), day).total
        for limit in asked.limits
    }
    if not (asked.q and (asked.chosen or asked.limits)):
        return presenting.ways_out(page, 0, 0, without_limits)
    without_words = ask(filters.without(asked, "q"), day).total
    words_only = ask(replace(asked, chosen={}, limits=(), page=1), day).total
    return presenting.ways_out(page, without_words, words_only, without_limits)


def _kept(search: Search) -> dict[str, list[tuple[str, str]]]:
    """What the search box and the panel carry along, each without what it sets itself."""
    pairs = filters.pairs(search, leave="page")
    return {
        "panel": [pair for pair in pairs if pair[0] in KEPT],
        # Another question brings other synonyms.
        "box": [pair for pair in pairs if pair[0] not in ("q", filters.DROP)],
    }


@bp.get("/catalogue/compare")
@public
def compare() -> Any:
    """Up to four products side by side; a number that is not there is named, with a 404."""
    asked = [n.strip().upper() for n in request.args.getlist("listing") if n.strip()]
    numbers = list(dict.fromkeys(asked))[: MAX_COMPARED + 1]
    found = {
        listing.number: listing
        for listing in db.session.scalars(
            select(Listing).where(Listing.number.in_([n for n in numbers if NUMBER.fullmatch(n)]))
        )
    }
    chosen = [number for number in numbers if number in found][:MAX_COMPARED]
    unknown = [number for number in numbers if number not in found]
    page = render_template(
        "listings/compare.html",
        products=[
            {
                "name": found[number].name,
                "number": number,
                "url": url_for(".product", number=number),
                "drop_url": url_for(".compare", listing=[n for n in chosen if n != number]),
            }
            for number in chosen
        ],
        rows=presenting.compared([found[number] for number in chosen], shanghai_day()),
        most=MAX_COMPARED,
        unknown=[number[:20] for number in unknown],
        left_out=len(found) > MAX_COMPARED,
        freeze_url=url_for("listings.frozen.new", of="comparison", listing=chosen),
    )
    return page, 404 if unknown else 200


@bp.get("/catalogue/<number>")
@public
def product(number: str) -> Any:
    """One product: what the authority says of it, its figures, its source and its changes."""
    if NUMBER.fullmatch(number) is None:
        abort(404)
    listing = db.session.scalar(select(Listing).where(Listing.number == number))
    if listing is None:
        abort(404)
    day = shanghai_day()
    held = behind(listing)
    certified = held.certificate.standing(day) if held.certificate else None
    right = one.first_purchase(listing, certified, day)
    policy = version_for(one.PURCHASE, day) if right.open else None
    state = one.state_of(listing, certified, day)
    return render_template(
        "listings/product.html",
        listing=listing,
        standing=one.standing(listing),
        state=state,
        left=one.validity_words(listing, day),
        right=right,
        certified=certified,
        rows=one.official_rows(listing, right, day),
        behind=held,
        patent_kinds=PATENT_KINDS,
        may_call=may_call(current_user),
        policy=policy,
        duties=one.duties(document_of(policy), day) if policy else [],
        need=_need_url(listing),
        machine=one.json_ld(
            listing,
            state[1],
            (held.certificate.number, _check_url(held.certificate))
            if held.certificate and certified and certified.valid
            else None,
            url_for(".product", number=listing.number, _external=True),
        ),
        changes=[
            {"label": EVENTS[event.action], "value": shanghai_day(event.at).isoformat()}
            for event in trail(listing)
            if event.action in EVENTS
        ],
        alike=[presenting.suggestion(hit) for hit in alike(listing.number, listing.name)],
        sample=one.SAMPLE,
        unknown=filters.UNKNOWN,
        day_today=day,
    )


def _check_url(certificate: Certificate) -> str:
    return url_for("certificates.show", number=certificate.number, _external=True)


def _need_url(listing: Listing) -> str | None:
    """The need that this product's own figures make; None when it states none in numbers."""
    rows = one.need_rows(listing.specifications, MAX_LIMITS)
    if not rows:
        return None
    columns: dict[str, Any] = {box: [row[box] for row in rows] for box in rows[0]}
    return url_for("listings.need.page", kind=listing.kind, **columns)
