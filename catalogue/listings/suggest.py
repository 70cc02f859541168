"""Suggestions while somebody types, and products that are like one product."""

from __future__ import annotations

from datetime import date

import tantivy

from catalogue.listings import words
from catalogue.listings.index import SCHEMA, Reader
from catalogue.listings.search import MUST, SHOULD, Hit, Near, Search, answer, hits_at, need_query
from catalogue.listings.synonyms import Need, Thesaurus

SUGGESTED = 8
ALIKE = 4
# So many continuations of what was typed are looked at.
CONTINUED = 20

Query = tantivy.Query


def suggestions(reader: Reader, q: str, today: date, thesaurus: Thesaurus) -> tuple[Hit, ...]:
    """Products whose name, firm or number goes on as typed; the last word may be unfinished."""
    needs = thesaurus.needs(words.question(q))
    if not needs:
        return ()
    clauses = [(MUST, need_query(need)) for need in needs[:-1]]
    clauses.append((MUST, _begun(reader, needs[-1])))
    query = Query.boolean_query(clauses)
    # Near, because what is not finished is marked as far as it goes.
    page = answer(reader, Search(q), today, query, needs, Near("slip"))
    one_each = {hit.facts["name"]: hit for hit in reversed(page.hits)}
    kept = [hit for hit in page.hits if one_each[hit.facts["name"]] is hit]
    return tuple(kept[:SUGGESTED])


def _begun(reader: Reader, need: Need) -> Query:
    """The last word of a question, finished or not."""
    options = [(SHOULD, need_query(need))]
    key = need.terms[-1].key
    for name in ("spoken", "firm_spoken", "name_words"):
        found = reader.searcher.terms_with_prefix(name, key, limit=CONTINUED)
        if found:
            tokens = [token for token, _ in found]
            options.append((SHOULD, Query.term_set_query(SCHEMA, name, tokens)))
    return Query.boolean_query(options)


def alike(reader: Reader, number: str, name: str) -> tuple[Hit, ...]:
    """Other products whose names share the rarest words with this one."""
    tokens = [token for token in words.word_tokens(name) if len(token) > 1]
    if not tokens:
        return ()
    like = Query.more_like_this_document_fields_query(
        SCHEMA,
        {"name_words": " ".join(tokens)},
        min_term_frequency=1,
        # A word of every tenth product says nothing of likeness; one of this product alone, too.
        min_doc_frequency=2,
        max_doc_frequency=max(2, reader.searcher.num_docs // 10),
    )
    itself = Query.term_query(SCHEMA, "number", words.compact(number))
    query = Query.boolean_query([(MUST, like), (tantivy.Occur.MustNot, itself)])
    found = reader.searcher.search(query, ALIKE)
    return hits_at(reader, [address for _, address in found.hits])
