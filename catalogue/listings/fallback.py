"""Fallback: the plain search that PostgreSQL answers while the index is being built.

It looks for the words as they stand, without pinyin or word cutting, so the page says that the
answer may be incomplete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, or_, select, true

from catalogue.database import db
from catalogue.listings import words
from catalogue.listings.figures import MEETS, judge
from catalogue.listings.follow import COLUMNS
from catalogue.listings.index import FACETS, card, facet_value
from catalogue.listings.models import Listing
from catalogue.listings.search import (
    PER_PAGE,
    RELEVANCE,
    STATUSES,
    Page,
    Search,
    hit_of,
    json_facts,
    status_of,
)
from catalogue.listings.synonyms import NOTHING, Need, Thesaurus

# Beyond so many matches the counts stop; the index is back long before anybody reads them.
MATCHES = 5_000
TEXTS = (Listing.name, Listing.firm_name, Listing.model, Listing.number, Listing.summary)

Row = RowMapping


def search(asked: Search, today: date, thesaurus: Thesaurus = NOTHING) -> Page:
    """Answer from the database, in two queries."""
    needs = thesaurus.needs(words.question(asked.q), asked.dropped)
    matches = _matches(asked.q, needs)
    shown = [row for row in matches if _meets(row, asked, today)]
    shown.sort(key=_order(asked.sort))
    start = (asked.page - 1) * PER_PAGE
    hits = _hits([row["id"] for row in shown[start : start + PER_PAGE]], needs)
    return Page(asked, len(shown), hits, _counts(matches, asked, today), complete=False)


def _matches(q: str, needs: Sequence[Need]) -> Sequence[Row]:
    columns = [
        getattr(Listing, name) for name in (*FACETS, "id", "number", "name", "specifications")
    ]
    statement = (
        select(*columns, Listing.valid_until, Listing.listed_on)
        .where(Listing.status == "listed", *_conditions(q, needs))
        .order_by(Listing.listed_on.desc(), Listing.number)
        .limit(MATCHES)
    )
    return db.session.execute(statement).mappings().all()


def _conditions(q: str, needs: Sequence[Need]) -> list[ColumnElement[bool]]:
    if q.strip() and not needs:
        return [Listing.id.is_(None)]
    return [
        or_(_all(need.terms), *(_all(variant.terms) for variant in need.variants)) for need in needs
    ]


def _all(terms: Sequence[words.Term]) -> ColumnElement[bool]:
    return and_(
        true(),
        *(or_(*(text.icontains(term.text, autoescape=True) for text in TEXTS)) for term in terms),
    )


def _meets(row: Row, asked: Search, today: date, leave: str = "") -> bool:
    return all(
        not values or name == leave or bool(_values(row, name, today) & set(values))
        for name, values in asked.chosen.items()
    ) and all(judge(row["specifications"], limit) == MEETS for limit in asked.limits)


def _values(row: Row, name: str, today: date) -> set[str]:
    if name != "status":
        return {facet_value(row[name])}
    status = status_of(row["valid_until"], today)
    return {"valid", "expiring"} if status == "expiring" else {status}


def _counts(rows: Sequence[Row], asked: Search, today: date) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for name in (*FACETS, "status"):
        known = set(STATUSES) if name == "status" else {facet_value(row[name]) for row in rows}
        found: Counter[str] = Counter()
        for row in rows:
            if _meets(row, asked, today, leave=name):
                found.update(_values(row, name, today))
        counts[name] = {value: found[value] for value in sorted(known)}
    return counts


def _order(sort: str) -> Callable[[Row], Any]:
    if sort == "name":
        return lambda row: (words.sort_key(row["name"]), row["number"])
    if sort == "remaining":
        return lambda row: (row["valid_until"] or date.max, row["number"])
    if sort in ("newest", RELEVANCE):
        return lambda row: (-row["listed_on"].toordinal(), row["number"])
    raise ValueError(sort)


def _hits(ids: Sequence[int], needs: Sequence[Need]) -> tuple[Any, ...]:
    rows = db.session.execute(select(*COLUMNS).where(Listing.id.in_(ids))).mappings()
    by_id = {row["id"]: row for row in rows}
    return tuple(hit_of(json_facts(card(dict(by_id[key]))), needs) for key in ids if key in by_id)
