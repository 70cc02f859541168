"""Search: what a buyer asks, what the catalogue answers, and why each product is in the answer.

Pure of the web and of the database: it reads an opened index (`index.Reader`) or, through
`Answer`-shaped rows, the fallback of `fallback.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple

import tantivy

from catalogue.listings import words
from catalogue.listings.figures import Limit, path
from catalogue.listings.index import FACETS, SCHEMA, SORTS, Reader
from catalogue.listings.synonyms import NOTHING, Need, Thesaurus
from catalogue.listings.units import plain

PER_PAGE = 20
# Nobody reads the 51st page; a search that goes deeper costs everybody else.
MAX_PAGE = 50
MAX_HITS = PER_PAGE * MAX_PAGE
# The longest name of a product, with room for spaces; the address of a kept search holds it.
MAX_QUESTION = 200
EXPIRING_DAYS = 60
STATUSES = ("valid", "expiring", "expired", "undated")
RELEVANCE = "relevance"
SORT_NAMES = (RELEVANCE, *SORTS)

# Weights of the fields: a product is first its name and its model number.
_NAME, _FIRM, _BODY = 4.0, 2.0, 1.0
_WEIGHTS = {"name": _NAME, "firm": _FIRM, "body": _BODY}
_PHRASE, _KEY, _SPOKEN = 1.5, 8.0, 3.0
# What a name ends in is what the product is; an amount says less than a word.
_HEAD, _AMOUNT = 8.0, 2.0
# Two signs that stand for a longer word (电镜) leave out no more than so many.
_LEFT_OUT = 4
# A product that is called exactly so stands before all others; a synonym, behind what was typed.
_EXACT, _TYPED = 1000.0, 50.0
# A key shorter than this is one slip away from too much.
SLIP_LENGTH = 4
# A limit on so many figures whose names hold the typed one is no limit any more.
MAX_NAMES = 50
# How much of a long text stands around what was found in it.
_AROUND = 14
# Parsed facts kept per process, about 2 kB each.
CARDS = 4_000
_SAME_SCORE = 4

Query = tantivy.Query
MUST, SHOULD = tantivy.Occur.Must, tantivy.Occur.Should
Piece = tuple[str, bool]
Texts = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Search:
    """One question. ``chosen`` maps a facet (or ``status``) to the values that may be met.

    ``limits`` are asked of stated figures. ``dropped`` are words that must not stand in for
    others as synonyms.
    """

    q: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sort: str = RELEVANCE
    page: int = 1
    dropped: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for searches that ask the same."""
        chosen = tuple(sorted(self.chosen.items()))
        return self.q, chosen, self.sort, self.page, self.dropped, self.limits


class Reason(NamedTuple):
    """Why a product is here: in which field, which words, and by which reading of them.

    ``how`` is ``word`` (the signs themselves, or a number without case and hyphens), ``spoken``
    (pinyin or initials), ``amount`` (``of`` in another unit), ``synonym`` (``by`` was put in for
    ``of``, as typed) or ``slip`` (it comes near ``of``). ``excerpt`` is what stands around it in
    a long text.
    """

    field: str
    words: tuple[str, ...]
    how: str
    of: str = ""
    by: str = ""
    excerpt: tuple[Piece, ...] = ()


class Hit(NamedTuple):
    """One product of the answer; ``name`` is cut into (piece, marked)."""

    number: str
    name: tuple[Piece, ...]
    facts: Mapping[str, Any]
    reasons: tuple[Reason, ...]
    listed_on: date
    valid_until: date | None


class Near(NamedTuple):
    """What was asked instead, because nothing meets the question itself.

    ``how`` is ``slip`` (a sign differs) or ``fewer`` (not all words). The first product meets
    ``kept`` and lacks ``dropped``; every product meets ``least`` of the words.
    """

    how: str
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    least: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the answer.

    ``facets`` maps each facet to the count of every known value, as if nothing were chosen in
    that facet itself. ``near`` is set when the hits only come near the question. ``complete`` is
    False when the index could not be asked.
    """

    search: Search
    total: int
    hits: tuple[Hit, ...]
    facets: Mapping[str, Mapping[str, int]]
    complete: bool = True
    near: Near | None = None

    @property
    def reachable(self) -> int:
        """How many hits can be paged to."""
        return min(self.total, MAX_HITS)


def search(reader: Reader, asked: Search, today: date, thesaurus: Thesaurus = NOTHING) -> Page:
    """Answer from the index; raises what tantivy raises when the folder is damaged."""
    asked = _resolved(reader, asked)
    needs = thesaurus.needs(words.question(asked.q), asked.dropped)
    exact = words.compact(asked.q)
    if not (needs and reader.searcher.doc_freq("exact", exact)):
        exact = ""
    return answer(reader, asked, today, text_query(asked.q, needs, exact), needs)


def answer(
    reader: Reader,
    asked: Search,
    today: date,
    text: Query | None,
    needs: Sequence[Need],
    near: Near | None = None,
) -> Page:
    """One page of what meets ``text`` and every chosen condition, explained by ``needs``."""
    if asked.limits:
        text = _limited(reader, text, asked.limits)
    query = filtered(text, asked, today)
    total, addresses = _ranked(reader, asked, query, has_words=bool(needs))
    hits = hits_at(reader, addresses, needs, loose=near is not None)
    return Page(asked, total, hits, facet_counts(reader, text, asked, today), near=near)


def hits_at(
    reader: Reader,
    addresses: Sequence[tantivy.DocAddress],
    needs: Sequence[Need] = (),
    *,
    loose: bool = False,
) -> tuple[Hit, ...]:
    """The products at these places of the index, explained by ``needs``."""
    return tuple(hit_of(facts, needs, loose=loose) for facts in _cards(reader, addresses))


# ---------------------------------------------------------------- the question as a query


def text_query(
    q: str, needs: Sequence[Need], exact: str = "", *, loose: bool = False
) -> Query | None:
    """The words of the question; None when there are none to look for.

    Every need must be met; a question that is one number or pinyin typed with spaces may be met
    as a whole instead. What is called ``exact`` comes first. ``loose`` forgives one typing slip.
    A question of punctuation only meets nothing.
    """
    if not needs:
        return Query.empty_query() if q.strip() else None
    parts = Query.boolean_query([(MUST, need_query(need, loose=loose)) for need in needs])
    options = [parts]
    if whole := words.whole_key([term for need in needs for term in need.terms]):
        options += _keyed(whole)
        if loose:
            options += _slips(whole)
    if exact:
        same = Query.term_query(SCHEMA, "exact", exact)
        options.append(Query.const_score_query(same, _EXACT))
    return _any(options)


def _limited(reader: Reader, text: Query | None, limits: Sequence[Limit]) -> Query:
    """The words and every limit; figures are named as products name them, or in part."""
    clauses = [(MUST, Query.const_score_query(limit_query(reader, each), 0.0)) for each in limits]
    return Query.boolean_query(clauses if text is None else [(MUST, text), *clauses])


def _resolved(reader: Reader, asked: Search) -> Search:
    """A limit on what no product states as a figure names the product: 逆变器 300 kW 以上."""
    limits, found = [], [asked.q]
    for limit in asked.limits:
        if limit.unit and limit.name and not _figures_named(reader, limit.name):
            found.append(limit.name)
            limit = replace(limit, name="")
        limits.append(limit)
    if len(found) == 1:
        return asked
    return replace(asked, q=" ".join(found).strip()[:MAX_QUESTION], limits=tuple(limits))


def _figures_named(reader: Reader, typed: str) -> list[str]:
    """Known figures whose name holds what was typed, or ends it; all of a unit when it is empty."""
    wanted = words.compact(typed)
    if not wanted:
        return [""]
    known = reader.figure_names()
    inside = [name for name in known if wanted in name][:MAX_NAMES]
    return inside or [name for name in known if len(name) > 1 and wanted.endswith(name)][:MAX_NAMES]


def limit_query(reader: Reader, limit: Limit) -> Query:
    """What states a figure of this name that meets the limit."""
    known = _figures_named(reader, limit.name)
    amount = plain(limit.amount)
    options = []
    for name in known:
        where = path(name, limit.unit or None)
        # By the query language: only it reaches into a field of many figures.
        ranges = {
            "le": f"high.{where}:[* TO {amount}]",
            "lt": f"high.{where}:[* TO {amount}}}",
            "ge": f"low.{where}:[{amount} TO *]",
            "gt": f"low.{where}:{{{amount} TO *]",
            "eq": f"+low.{where}:[{amount} TO {amount}] +high.{where}:[{amount} TO {amount}]",
        }
        options.append(reader.index.parse_query(ranges[limit.relation], ["name_words"]))
    return _any(options) if options else Query.empty_query()


def need_query(need: Need, *, loose: bool = False) -> Query:
    """All terms as typed, or all terms of another word that means the same."""
    if not need.variants:
        return _all(_term(term, loose=loose) for term in need.terms)
    # A longer word weighs more than a short one; still what was typed comes first, and many
    # words for one thing in one text are no better than one. What only sounds like a known word
    # (磁体 like CT) does not come before what means it.
    typed = _all(_term(term, loose=loose, sounds=False) for term in need.terms)
    first = Query.const_score_query(Query.all_query(), _TYPED)
    options = [Query.boolean_query([(MUST, typed), (MUST, first)])]
    if any(term.latin for term in need.terms):
        options.append(_all(_term(term) for term in need.terms))
    options += [_all(_term(term) for term in variant.terms) for variant in need.variants]
    return Query.disjunction_max_query(options)


def _any(options: Sequence[Query]) -> Query:
    if len(options) == 1:
        return options[0]
    return Query.boolean_query([(SHOULD, option) for option in options])


def _all(parts: Iterable[Query]) -> Query:
    clauses = [(MUST, part) for part in parts]
    return clauses[0][1] if len(clauses) == 1 else Query.boolean_query(clauses)


def _term(term: words.Term, *, loose: bool = False, sounds: bool = True) -> Query:
    readings = list(_phrases(term) if term.han else _keyed(term.key, sounds=sounds))
    if loose:
        readings += _homophones(term) if term.han else _slips(term.key)
    readings += [_boosted("amounts", amount, _AMOUNT) for amount in term.amounts]
    options = [_all_words(term.words), *readings]
    return Query.boolean_query([(SHOULD, option) for option in options])


def _slips(key: str) -> Iterable[Query]:
    """One sign more, less or other, or two swapped: in numbers, pinyin and foreign words."""
    key = key[: words.MODEL_LENGTH]
    if len(key) < SLIP_LENGTH:
        return
    fields = {"model": _NAME, "name_words": _NAME}
    if words.sounds_like_pinyin(key):
        fields |= {"spoken": _NAME, "firm_spoken": _FIRM}
    for name, weight in fields.items():
        fuzzy = Query.fuzzy_term_query(SCHEMA, name, key, 1)
        yield Query.const_score_query(fuzzy, weight)
    if any(sign.isdigit() for sign in key):
        yield _boosted("alike", words.unmistaken(key), _NAME)


def _homophones(term: words.Term) -> Iterable[Query]:
    """Other signs that sound the same, as a careless input method writes them, or a short form."""
    if len(term.text) >= 2:
        yield from _sounding(words.spell_run(term.text))
    if len(term.text) == 2:
        yield Query.phrase_query(SCHEMA, "name_signs", [*term.text], _LEFT_OUT)


def _all_words(parts: Sequence[str]) -> Query:
    return Query.boolean_query([(MUST, _word(part)) for part in parts])


def _word(word: str) -> Query:
    # A single sign may stand inside a longer word (机 in 一体机): look among the signs.
    kind = "signs" if len(word) == 1 and words.is_han(word) else "words"
    return Query.disjunction_max_query(
        [_boosted(f"{name}_{kind}", word, weight) for name, weight in _WEIGHTS.items()]
    )


def _phrases(term: words.Term) -> Iterable[Query]:
    """The run as it stands: finds it however the words were cut, and ranks it first."""
    if len(term.text) <= words.HEAD_LENGTH:
        yield _boosted("heads", term.text, _HEAD)
    if len(term.text) < 2:
        return
    for name, weight in _WEIGHTS.items():
        phrase = Query.phrase_query(SCHEMA, f"{name}_signs", list(term.text))
        yield Query.boost_query(phrase, weight * _PHRASE)


def _keyed(key: str, *, sounds: bool = True) -> Iterable[Query]:
    key = key[: words.MODEL_LENGTH]
    yield _boosted("model", key, _KEY)
    yield _boosted("number", key, _KEY)
    if sounds and words.sounds_like_pinyin(key):
        yield from _sounding(key)


def _sounding(key: str) -> Iterable[Query]:
    yield _boosted("spoken", key, _SPOKEN)
    yield _boosted("firm_spoken", key, _SPOKEN * _FIRM / _NAME)


def _boosted(name: str, value: str, weight: float) -> Query:
    return Query.boost_query(Query.term_query(SCHEMA, name, value), weight)


def filtered(text: Query | None, asked: Search, today: date, leave: str = "") -> Query:
    """The words and every chosen condition, but for those of the facet ``leave``."""
    clauses = []
    for name, values in asked.chosen.items():
        if not values or name == leave:
            continue
        condition = (
            _in_status(values, today)
            if name == "status"
            else Query.term_set_query(SCHEMA, name, list(values))
        )
        clauses.append((MUST, Query.const_score_query(condition, 0.0)))
    if not clauses:
        return Query.all_query() if text is None else text
    return Query.boolean_query(clauses if text is None else [(MUST, text), *clauses])


def _in_status(values: Sequence[str], today: date) -> Query:
    bounds = status_bounds(today)
    return Query.boolean_query(
        [
            (
                SHOULD,
                Query.range_query(
                    SCHEMA, "until", tantivy.FieldType.Integer, *bounds[value], include_upper=False
                ),
            )
            for value in values
        ]
    )


def status_bounds(today: date) -> dict[str, tuple[int, int]]:
    """Half-open ranges of the last valid day: *expiring* is a part of *valid*."""
    now = today.toordinal()
    last = date.max.toordinal() + 1
    return {
        "valid": (now, last),
        "expiring": (now, (today + timedelta(days=EXPIRING_DAYS)).toordinal() + 1),
        "expired": (1, now),
        "undated": (0, 1),
    }


def status_of(valid_until: date | None, today: date) -> str:
    """valid, expiring (within 60 days), expired or undated on the day."""
    if valid_until is None:
        return "undated"
    if valid_until < today:
        return "expired"
    return "expiring" if (valid_until - today).days <= EXPIRING_DAYS else "valid"


# ---------------------------------------------------------------- order and counts


def _ranked(
    reader: Reader, asked: Search, query: Query, *, has_words: bool
) -> tuple[int, list[tantivy.DocAddress]]:
    offset = (min(asked.page, MAX_PAGE) - 1) * PER_PAGE
    if asked.sort == RELEVANCE and has_words:
        return _by_score(reader, query, offset)
    sort = "newest" if asked.sort == RELEVANCE else asked.sort
    found = reader.searcher.search(
        query, PER_PAGE, offset=offset, order_by_field=f"by_{sort}", order=tantivy.Order.Asc
    )
    return _count(found), [address for _, address in found.hits]


def _by_score(reader: Reader, query: Query, offset: int) -> tuple[int, list[tantivy.DocAddress]]:
    """Best first; equal scores by number, so that no page repeats what another showed."""
    end = offset + PER_PAGE
    # All that can be paged to at once: more hits cost less than asking again when many are equal.
    found = reader.searcher.search(query, MAX_HITS)
    hits = found.hits
    if len(hits) > end:
        # What is clearly worse than the page's last hit cannot stand on it.
        least = hits[end - 1][0] - 10**-_SAME_SCORE
        hits = list(takewhile(lambda hit: hit[0] >= least, hits))
    addresses = [address for _, address in hits]
    ranks = reader.searcher.fast_field_values("rank", addresses)
    scores = [score for score, _ in hits]
    rounded = {score: -round(score, _SAME_SCORE) for score in set(scores)}
    order = sorted(zip(map(rounded.__getitem__, scores), ranks, range(len(hits)), strict=True))
    return _count(found), [addresses[place] for _, _, place in order[offset:end]]


def _count(found: tantivy.SearchResult) -> int:
    # The binding has it; its type stub forgot it.
    return int(getattr(found, "count", 0) or 0)


def facet_counts(
    reader: Reader, text: Query | None, asked: Search, today: date
) -> dict[str, dict[str, int]]:
    """Counts of every known value; a facet's own choice does not empty its siblings."""
    groups: dict[str, list[str]] = {}
    for name in (*FACETS, "status"):
        groups.setdefault(name if asked.chosen.get(name) else "", []).append(name)
    counts: dict[str, dict[str, int]] = {}
    for leave, names in groups.items():
        query = filtered(text, asked, today, leave)
        found = _aggregate(reader, query, names, today)
        for name in names:
            counts[name] = _counted(reader, name, found.get(name, {}).get("buckets", []))
    return counts


def _aggregate(reader: Reader, query: Query, names: Sequence[str], today: date) -> Any:
    if not reader.searcher.num_docs:
        return {}
    wanted: dict[str, Any] = {}
    for name in names:
        wanted[name] = (
            {"range": {"field": "until", "ranges": _status_ranges(today)}}
            if name == "status"
            else {"terms": {"field": name, "size": 1000}}
        )
    return reader.searcher.aggregate(query, wanted)


@lru_cache(maxsize=4)
def _status_ranges(today: date) -> list[dict[str, Any]]:
    bounds = status_bounds(today)
    later = (bounds["expiring"][1], bounds["valid"][1])
    ranges = {"undated": bounds["undated"], "expired": bounds["expired"]}
    ranges |= {"expiring": bounds["expiring"], "later": later}
    return [{"key": key, "from": low, "to": high} for key, (low, high) in ranges.items()]


def _counted(reader: Reader, name: str, buckets: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found = {bucket["key"]: bucket["doc_count"] for bucket in buckets}
    if name == "status":
        found["valid"] = found.get("expiring", 0) + found.pop("later", 0)
        return {status: found.get(status, 0) for status in STATUSES}
    return {**dict.fromkeys(reader.known[name], 0), **found}


# ---------------------------------------------------------------- one product and its reasons


def _cards(reader: Reader, addresses: Sequence[tantivy.DocAddress]) -> Iterable[Mapping[str, Any]]:
    """The stored facts of each hit; those read before come from memory."""
    keys = reader.searcher.fast_field_values("id", list(addresses))
    for key, address in zip(keys, addresses, strict=True):
        facts = reader.cards.get(key)
        if facts is None:
            raw = reader.searcher.doc(address).get_first("card")
            facts = json.loads(bytes(raw or b"{}"))
            if len(reader.cards) >= CARDS:
                reader.cards.clear()
            reader.cards[key] = facts
        yield facts


def json_facts(card: Mapping[str, Any]) -> dict[str, Any]:
    """The facts as the index stores them: days as ISO text."""
    facts: dict[str, Any] = json.loads(json.dumps(card, ensure_ascii=False, default=str))
    return facts


def hit_of(card: Mapping[str, Any], needs: Sequence[Need], *, loose: bool = False) -> Hit:
    """A result item of the public facts of a listing, with marks and reasons."""
    marks, reasons = explain(card, needs, loose=loose)
    until = card["valid_until"]
    return Hit(
        number=card["number"],
        name=tuple(words.pieces(card["name"], marks)),
        facts=card,
        reasons=reasons,
        listed_on=date.fromisoformat(card["listed_on"]),
        valid_until=date.fromisoformat(until) if until else None,
    )


def explain(
    card: Mapping[str, Any], needs: Sequence[Need], *, loose: bool = False
) -> tuple[list[tuple[int, int]], tuple[Reason, ...]]:
    """Marks in the name, and for each need the first field that meets it."""
    marks: list[tuple[int, int]] = []
    if not needs:
        return marks, ()
    whole = words.whole_key([term for need in needs for term in need.terms])
    if whole:
        joined = words.Term(text=whole, words=(whole,), key=whole, han=False)
        reason = _reason(card, joined, marks, loose=loose)
        if reason is not None:
            return marks, (reason,)
    reasons = [reason for need in needs for reason in reasons_of(card, need, marks, loose=loose)]
    return marks, tuple(reasons) if len(reasons) < 2 else _joined(reasons)


def reasons_of(
    card: Mapping[str, Any], need: Need, marks: list[tuple[int, int]], *, loose: bool
) -> Iterable[Reason]:
    """How the product meets one need; places in its name are added to ``marks``."""
    if need.variants and not all(_meets(card, term) for term in need.terms):
        for variant in need.variants:
            if all(_meets(card, term) for term in variant.terms):
                for term in variant.terms:
                    if reason := _reason(card, term, marks):
                        yield reason._replace(how="synonym", of=variant.of, by=variant.word)
                return
    for term in need.terms:
        if reason := _reason(card, term, marks, loose=loose):
            yield reason


def _meets(card: Mapping[str, Any], term: words.Term) -> bool:
    """Whether every word of the term stands somewhere in the product's texts."""
    if not term.han or len(term.words) == 1:
        return _reason(card, term, []) is not None
    texts = [text for _, text in _texts(card) if text]
    if any(term.text in words.folded(text).text for text in texts):
        return True
    # As the index has them: 引导 stands in 指引导管 as signs, but not as a word.
    known = {token for text in texts for token in words.word_tokens(text)}
    signs = {sign for text in texts for sign in words.sign_tokens(text)}
    return all(word in (known if len(word) > 1 else signs) for word in term.words)


def _joined(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """One reason per field and reading, with the words of all."""
    found: dict[tuple[str, str, str, str], list[Reason]] = {}
    for reason in reasons:
        key = (reason.field, reason.how, reason.of, reason.by)
        found.setdefault(key, []).append(reason)
    return tuple(
        same[0]._replace(words=tuple(dict.fromkeys(word for one in same for word in one.words)))
        for same in found.values()
    )


def _reason(
    card: Mapping[str, Any],
    term: words.Term,
    marks: list[tuple[int, int]],
    *,
    loose: bool = False,
) -> Reason | None:
    name = card["name"]
    if spans := words.spans(name, term):
        marks.extend(spans)
        return _literal("name", name, spans, term)
    for label, text in _other_texts(card):
        if text and (spans := words.spans(text, term)):
            return _literal(label, text, spans, term)._replace(excerpt=_excerpt(text, spans))
    if term.latin and (reason := _spoken(card, term.key, marks)):
        return reason
    return _slipped(card, term, marks) if loose else None


def _literal(label: str, text: str, spans: Sequence[tuple[int, int]], term: words.Term) -> Reason:
    said = _said(text, spans)
    if term.amounts and all(words.compact(word) != term.key for word in said):
        return Reason(label, said, "amount", of=term.text)
    return Reason(label, said, "word")


def _spoken(card: Mapping[str, Any], key: str, marks: list[tuple[int, int]]) -> Reason | None:
    for label in ("name", "firm_name"):
        if spans := words.spoken_spans(card[label], key):
            if label == "name":
                marks.extend(spans)
            return Reason(label, _said(card[label], spans), "spoken")
    return None


def _slipped(
    card: Mapping[str, Any], term: words.Term, marks: list[tuple[int, int]]
) -> Reason | None:
    if term.han:
        reason = _spoken(card, words.spell_run(term.text), marks) or _short(card, term, marks)
        return reason._replace(how="slip", of=term.text) if reason else None
    if len(term.key) < SLIP_LENGTH:
        return None
    for label, text in (("name", card["name"]), ("model", card["model"] or "")):
        if spans := words.slip_spans(text, term.key):
            if label == "name":
                marks.extend(spans)
            return Reason(label, _said(text, spans), "slip", of=term.text)
    return None


def _short(
    card: Mapping[str, Any], term: words.Term, marks: list[tuple[int, int]]
) -> Reason | None:
    name = card["name"]
    if len(term.text) != 2 or not (spans := words.short_spans(name, term.text, _LEFT_OUT)):
        return None
    marks.extend(spans)
    return Reason("name", _said(name, spans), "slip")


def _excerpt(text: str, spans: Sequence[tuple[int, int]]) -> tuple[Piece, ...]:
    """The first place in a long text with a little around it; nothing of a short one."""
    if len(text) <= 4 * _AROUND:
        return ()
    start, end = max(0, spans[0][0] - _AROUND), min(len(text), spans[0][1] + _AROUND)
    inside = [(a - start, b - start) for a, b in spans if start <= a and b <= end]
    before = [("…", False)] if start else []
    after = [("…", False)] if end < len(text) else []
    return (*before, *words.pieces(text[start:end], inside), *after)


def _texts(card: Mapping[str, Any]) -> Texts:
    yield "name", card["name"]
    yield from _other_texts(card)


def _other_texts(card: Mapping[str, Any]) -> Texts:
    yield "model", card["model"] or ""
    yield "number", card["number"]
    yield "firm_name", card["firm_name"]
    yield "summary", card["summary"] or ""
    for item in card["specifications"] or ():
        yield "specifications", words.figure_text(item)
    yield "region", card["region"] or ""


def _said(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    if len(spans) == 1:
        return (text[spans[0][0] : spans[0][1]],)
    return tuple(dict.fromkeys(text[start:end] for start, end in spans))
