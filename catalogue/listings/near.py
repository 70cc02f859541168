"""Near: when no product meets the question, the products that come nearest, and what they lack.

First one typing slip is forgiven; then not all words are asked for, but as many as any product
has. The answer says which, so that nobody takes it for what was asked.
"""

from __future__ import annotations

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
    return _fewer(reader, asked, today, parts[:MAX_PARTS], left) or page


def _fewer(
    reader: Reader, asked: Search, today: date, parts: Sequence[Need], left: list[str]
) -> Page | None:
    """What meets as many of the words as any product does, one slip forgiven in each."""
    queries = [need_query(part, loose=True) for part in parts]
    alive = [query for query in queries if _count(reader, query)]
    for least in range(len(alive), 0, -1):
        query = Query.boolean_query(
            [(tantivy.Occur.Should, each) for each in alive], minimum_number_should_match=least
        )
        if _count(reader, query):
            break
    else:
        return None
    page = answer(reader, asked, today, query, parts, Near("fewer", least=least))
    if not page.hits:
        return page
    met = [bool(list(reasons_of(page.hits[0].facts, part, [], loose=True))) for part in parts]
    kept = tuple(part.text for part, is_met in zip(parts, met, strict=True) if is_met)
    lacking = [part.text for part, is_met in zip(parts, met, strict=True) if not is_met]
    return replace(page, near=Near("fewer", kept, tuple(dict.fromkeys(lacking + left)), least))


def _count(reader: Reader, query: Query | None) -> int:
    if query is None:
        return 0
    return int(getattr(reader.searcher.search(query, 1), "count", 0) or 0)
