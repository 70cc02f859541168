"""Near: when no product meets the question, the products that come nearest, and what they lack.

First one typing slip is forgiven; then not all words are asked for, but as many as any product
has. The answer says which, so that nobody takes it for what was asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import tantivy

from catalogue.listings import words
from catalogue.listings.index import Reader
from catalogue.listings.search import (
    Near,
    Page,
    Search,
    answer,
    need_query,
    reasons_of,
    text_query,
)
from catalogue.listings.synonyms import Need, Thesaurus

# Nobody types more words of weight, and each costs a count.
MAX_PARTS = 8
# How much the place of a word counts beside its weight.
_DETAIL = 0.02

Query = tantivy.Query


def near(reader: Reader, page: Page, today: date, thesaurus: Thesaurus) -> Page:
    """The page itself when its words are met, or when nothing comes near; else what does."""
    asked = page.search
    terms = words.question(asked.q)
    needs = thesaurus.needs(terms, asked.dropped)
    if page.total or not needs or _count(reader, text_query(asked.q, needs)):
        return page
    forgiving = text_query(asked.q, needs, loose=True)
    if _count(reader, forgiving):
        return answer(reader, asked, today, forgiving, needs, Near("slip"))
    parts, left = thesaurus.parts(terms, asked.dropped)
    left += [part.text for part in parts[MAX_PARTS:]]
    found = _fewer(reader, asked, today, parts[:MAX_PARTS], left)
    if found is None:
        # Not one of the words is anywhere: the words inside them (充电 of 充电桩).
        inner = [need for part in parts for need in _inner(part, thesaurus, asked)]
        left = [*(part.text for part in parts[:MAX_PARTS]), *left]
        found = _fewer(reader, asked, today, inner[:MAX_PARTS], left)
    return found or page


def _inner(part: Need, thesaurus: Thesaurus, asked: Search) -> list[Need]:
    tokens = [word for word in words.word_tokens(part.text) if len(word) > 1 and words.is_han(word)]
    inner = dict.fromkeys(word for word in tokens if word != part.text)
    return [need for word in inner for need in thesaurus.needs(words.question(word), asked.dropped)]


def _fewer(
    reader: Reader, asked: Search, today: date, parts: Sequence[Need], left: list[str]
) -> Page | None:
    """What meets at least half as many of the words as any product does, those with most first.

    One slip is forgiven in each word.
    """
    alive = []
    for part in parts:
        query = need_query(part, loose=True)
        if count := _count(reader, query):
            # A rare word says more of what is wanted than a common one, wherever it stands.
            weight = math.log1p(reader.searcher.num_docs / count)
            alive += [Query.const_score_query(query, weight), Query.boost_query(query, _DETAIL)]
    best = next(
        (n for n in range(len(alive) // 2, 0, -1) if _count(reader, _at_least(alive, n))), 0
    )
    if not best:
        return None
    least = math.ceil(best / 2)
    query = _at_least(alive, least)
    page = answer(reader, asked, today, query, parts, Near("fewer", least=least))
    if not page.hits:
        return page
    met = [bool(list(reasons_of(page.hits[0].facts, part, [], loose=True))) for part in parts]
    kept = tuple(part.text for part, is_met in zip(parts, met, strict=True) if is_met)
    lacking = [part.text for part, is_met in zip(parts, met, strict=True) if not is_met]
    return replace(page, near=Near("fewer", kept, tuple(dict.fromkeys(lacking + left)), least))


def _at_least(alive: Sequence[Query], count: int) -> Query:
    """What meets so many words; each word stands twice, by its weight and by its place."""
    return Query.boolean_query(
        [(tantivy.Occur.Should, query) for query in alive], minimum_number_should_match=2 * count
    )


def _count(reader: Reader, query: Query | None) -> int:
    if query is None:
        return 0
    return int(getattr(reader.searcher.search(query, 1), "count", 0) or 0)
