"""Candidates of a need: of all products the few that come nearest, found without reading all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

import tantivy
from sqlalchemy import func, or_, select

from catalogue.database import db
from catalogue.listings import words
from catalogue.listings.follow import COLUMNS
from catalogue.listings.index import SCHEMA, Reader, card
from catalogue.listings.models import Listing
from catalogue.listings.need import Candidate, Need, Wish, judged
from catalogue.listings.search import (
    MAX_NAMES,
    MUST,
    SHOULD,
    Hit,
    Search,
    filtered,
    hit_of,
    hits_at,
    json_facts,
    limit_query,
)

# So many are compared figure by figure, and so many of them shown.
COMPARED = 300
SHOWN = 50
# Steps of how far a row may be missed, as parts of what was asked. What misses by no more than
# a step earns the way to the next one: the sum falls as the distance of `need.Candidate` grows.
_STEPS = tuple(Decimal(step) / 100 for step in (0, 1, 2, 5, *range(10, 101, 10)))
_STATED = 0.001

Query = tantivy.Query


@dataclass(frozen=True)
class Candidates:
    """The nearest products; how many meet everything, and how many state any of the figures.

    ``complete`` is False when the index could not be asked and only some were looked at.
    """

    shown: tuple[Candidate, ...]
    meeting: int
    stating: int
    complete: bool = True


def from_index(reader: Reader, need: Need, today: date) -> Candidates:
    """The nearest by the index; raises what tantivy raises when the folder is damaged."""
    asked = Search(chosen=need.chosen)
    near = Query.boolean_query(
        [(SHOULD, each) for wish in need.wishes for each in _ranks(reader, wish)]
    )
    found = reader.searcher.search(filtered(near, asked, today), COMPARED)
    products = hits_at(reader, [address for _, address in found.hits])
    meeting = Query.boolean_query([(MUST, _met(reader, wish)) for wish in need.wishes])
    met = reader.searcher.search(filtered(meeting, asked, today), 1)
    return Candidates(
        tuple(judged(products, need)[:SHOWN]),
        int(getattr(met, "count", 0) or 0),
        int(getattr(found, "count", 0) or 0),
    )


def _ranks(reader: Reader, wish: Wish) -> list[Query]:
    """One minus how far the row is missed, in steps; next to nothing for what is only stated."""
    ranks = [
        Query.const_score_query(_met(reader, wish.relaxed(step)), float(following - step))
        for step, following in pairwise(_STEPS)
    ]
    wanted = words.compact(wish.figure)
    names = [name for name in reader.figure_names() if wanted in name][:MAX_NAMES]
    if names:
        stated = Query.term_set_query(SCHEMA, "figures", names)
        ranks.append(Query.const_score_query(stated, _STATED))
    return ranks


def _met(reader: Reader, wish: Wish) -> Query:
    return Query.boolean_query([(MUST, limit_query(reader, each)) for each in wish.limits])


def from_database(need: Need, today: date) -> Candidates:
    """The same while the index is away, among the newest entries that state figures."""
    narrowed = [
        getattr(Listing, name) == value
        for name, value in (("kind", need.kind), ("domain", need.domain))
        if value
    ]
    statement = (
        select(*COLUMNS)
        .where(
            Listing.status == "listed",
            or_(Listing.valid_until.is_(None), Listing.valid_until >= today),
            func.jsonb_array_length(Listing.specifications) > 0,
            *narrowed,
        )
        .order_by(Listing.id.desc())
        .limit(COMPARED)
    )
    rows = db.session.execute(statement).mappings()
    products: list[Hit] = [hit_of(json_facts(card(dict(row))), ()) for row in rows]
    found = [c for c in judged(products, need) if any(each.stated for each in c.answers)]
    meeting = sum(not c.order[0] for c in found)
    return Candidates(tuple(found[:SHOWN]), meeting, len(found), complete=False)
