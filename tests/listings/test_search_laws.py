"""Laws of the search: over every product of the list, every choice, every page of every order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from catalogue.listings import words
from catalogue.listings.filters import read
from catalogue.listings.index import FACETS, Reader, Replica, facet_value
from catalogue.listings.near import near
from catalogue.listings.search import (
    MAX_HITS,
    MAX_PAGE,
    PER_PAGE,
    STATUSES,
    Hit,
    Page,
    Search,
    search,
    status_of,
)
from catalogue.listings.synonyms import Thesaurus
from tests.listings.judging import EXAMINED, TODAY, ready
from tests.listings.test_index import entry

Ready = tuple[Reader, Thesaurus]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    """The whole product list and forty products with models and figures, with all synonyms."""
    return ready(tmp_path_factory.mktemp("listed"), EXAMINED)


def every_hit(reader: Reader, asked: Search, thesaurus: Thesaurus | None = None) -> list[Hit]:
    """What a reader sees who pages to the end."""
    hits: list[Hit] = []
    for page in range(1, MAX_PAGE + 1):
        q, chosen, sort = asked.q, asked.chosen, asked.sort
        found = search(
            reader, Search(q, chosen, sort, page, asked.dropped), TODAY, thesaurus or Thesaurus()
        )
        hits += found.hits
        if page * PER_PAGE >= found.reachable:
            assert len(hits) == found.reachable
            break
    return hits


# ---------------------------------------------------------------- the exact name


def wide(sign: str) -> str:
    """The full-width form of a sign that has one."""
    return chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign


WAYS: tuple[Callable[[str], str], ...] = (
    lambda sign: sign,
    str.upper,
    str.lower,
    wide,
    lambda sign: wide(sign.upper()),
    lambda sign: f"{sign} ",
    lambda sign: f"\u3000{sign}",
    lambda sign: "" if sign in "-－—·（）()/ " else sign,
)


@settings(max_examples=200)
@given(data=st.data())
def test_an_exact_name_or_model_comes_first_in_any_case_width_and_spacing(
    listed: Ready, data: st.DataObject
) -> None:
    reader, thesaurus = listed
    facts = data.draw(st.sampled_from(_all_facts(reader)))
    said = data.draw(st.sampled_from([s for s in (facts["name"], facts["model"]) if s]))
    ways = data.draw(st.lists(st.sampled_from(WAYS), min_size=len(said), max_size=len(said)))
    typed = "".join(way(sign) for way, sign in zip(ways, said, strict=True))
    asked = read(MultiDict({"q": typed})).search
    page = near(reader, search(reader, asked, TODAY, thesaurus), TODAY, thesaurus)
    assert page.hits, typed
    first = page.hits[0].facts
    called = {words.compact(first["name"]), words.compact(first["model"] or "")}
    assert words.compact(said) in called, (typed, first["name"])
    assert page.near is None


_FACTS: dict[int, list[Any]] = {}


def _all_facts(reader: Reader) -> list[Any]:
    if id(reader) not in _FACTS:
        _FACTS[id(reader)] = [hit.facts for hit in every_hit(reader, Search(sort="name"))]
    assert len(_FACTS[id(reader)]) == 186
    return _FACTS[id(reader)]


# ---------------------------------------------------------------- synonyms


def test_dropping_a_synonym_takes_away_what_it_alone_brought_and_nothing_else(
    listed: Ready,
) -> None:
    reader, thesaurus = listed
    tried = 0
    for word in sorted(thesaurus._others):
        hits = every_hit(reader, Search(word), thesaurus)
        brought = {r.by for hit in hits for r in hit.reasons if r.how == "synonym"}
        for synonym in brought:
            tried += 1
            left = every_hit(reader, Search(word, dropped=(synonym,)), thesaurus)
            gone = {hit.number for hit in hits} - {hit.number for hit in left}
            assert {hit.number for hit in left} <= {hit.number for hit in hits}, word
            for hit in hits:
                ways = {r.by for r in hit.reasons if r.how == "synonym"}
                assert hit.number not in gone or synonym in ways, (word, synonym)
            for hit in left:
                assert all(r.by != synonym for r in hit.reasons), (word, synonym)
    assert tried > 50


# ---------------------------------------------------------------- facets

CHOICES: dict[str, list[Any]] = {
    "domain": ["ic", "digital", None],
    "kind": ["equipment", "software", "other"],
    "novelty": ["a", None],
    "advancement": ["b", None],
    "district": ["310115", None],
    "year": [2024, 2026, None],
    "first_purchase": [True, False],
}
DAYS = [None, *(TODAY + timedelta(days=days) for days in (-400, -1, 0, 60, 61, 900))]


def _shelf(count: int) -> list[dict[str, Any]]:
    chance = random.Random(5)
    return [
        entry(
            number,
            chance.choice(["刻蚀机", "刻蚀工艺软件", "风机", "Etcher A1"]),
            valid_until=chance.choice(DAYS),
            listed_on=TODAY - timedelta(days=chance.randrange(9)),
            **{name: chance.choice(values) for name, values in CHOICES.items()},
        )
        for number in chance.sample(range(1, 9999), count)
    ]


SHELF = _shelf(90)
MANY = _shelf(MAX_HITS + 30)


def _indexed(folder: Path, entries: list[dict[str, Any]]) -> Reader:
    """In several pieces, as an index is that has followed for a while."""
    replica = Replica(folder)
    third = len(entries) // 3
    with replica.writing():
        replica.rebuild(entries[:third], "here", 1)
        for part in (entries[third : 2 * third], entries[2 * third :]):
            state = replica.state()
            assert state is not None
            replica.apply(part, state)
    reader = replica.reader()
    assert reader is not None
    return reader


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return _indexed(tmp_path_factory.mktemp("shelf"), SHELF)


def _values(each: dict[str, Any], name: str) -> set[str]:
    if name != "status":
        return {facet_value(each[name])}
    status = status_of(each["valid_until"], TODAY)
    return {status, "valid"} if status == "expiring" else {status}


VALUES = {name: [facet_value(value) for value in values] for name, values in CHOICES.items()}
VALUES["status"] = list(STATUSES)
CHOSEN = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)
        for name, values in VALUES.items()
    },
)


@given(chosen=CHOSEN, q=st.sampled_from(["", "刻蚀", "keshi", "a1"]))
def test_counts_are_those_of_counting_by_hand_and_a_choice_empties_no_sibling(
    shelf: Reader, chosen: dict[str, tuple[str, ...]], q: str
) -> None:
    sign = {"": "", "刻蚀": "刻蚀", "keshi": "刻蚀", "a1": "A1"}[q]
    found = [each for each in SHELF if sign in each["name"]]

    def meets(each: dict[str, Any], leave: str = "") -> bool:
        return all(
            name == leave or _values(each, name) & set(values) for name, values in chosen.items()
        )

    page = search(shelf, Search(q, chosen), TODAY)
    assert page.total == sum(map(meets, found))
    for name in (*FACETS, "status"):
        rest = [each for each in found if meets(each, leave=name)]
        counted = Counter(value for each in rest for value in _values(each, name))
        assert {v: n for v, n in page.facets[name].items() if n} == counted, name
        known = {value for each in SHELF for value in _values(each, name)}
        assert known <= set(page.facets[name]), "a value stays in sight at zero"


# ---------------------------------------------------------------- order


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return _indexed(tmp_path_factory.mktemp("many"), MANY)


ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "newest": lambda each: (-each["listed_on"].toordinal(), each["number"]),
    "remaining": lambda each: (each["valid_until"] or date.max, each["number"]),
    "name": lambda each: (words.sort_key(each["name"]), each["number"]),
}


@pytest.mark.parametrize("q", ["", "刻蚀", "etcher"])
@pytest.mark.parametrize("sort", [*ORDERS, "relevance"])
def test_pages_repeat_no_product_and_leave_none_out(many: Reader, sort: str, q: str) -> None:
    numbers = [hit.number for hit in every_hit(many, Search(q, sort=sort))]
    meant = [each for each in MANY if q.lower() in each["name"].lower()]
    assert len(numbers) == len(set(numbers)) == min(len(meant), MAX_HITS)
    assert set(numbers) <= {each["number"] for each in meant}
    order = ORDERS["newest"] if sort == "relevance" and not q else ORDERS.get(sort)
    if order:
        assert numbers == [each["number"] for each in sorted(meant, key=order)][:MAX_HITS]


def test_no_page_lies_deeper_than_the_last(many: Reader) -> None:
    last = search(many, Search(page=MAX_PAGE), TODAY)
    assert (last.total, last.reachable, len(last.hits)) == (len(MANY), MAX_HITS, PER_PAGE)
    for typed in (str(MAX_PAGE + 1), "99999", "10" * 30, "-1", "１"):
        asked = read(MultiDict({"page": typed}))
        assert asked.search.page == 1 and asked.faults, typed
    beyond: Page = search(many, Search(page=10**9), TODAY)
    assert beyond.hits == last.hits, "an address that goes round the check costs no more"
