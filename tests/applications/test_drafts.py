"""Bringing two versions of one draft together: the pure part."""

from __future__ import annotations

from catalogue.applications.drafts import content, merged, seen, storable

OPENED = content({"a": "old", "b": "old"}, {})


def _texts(fields: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: value["kept"] for name, value in fields.items()}


def test_a_field_that_one_side_changed_takes_that_side() -> None:
    stored = content({"a": "theirs", "b": "old"}, {})
    posted = content({"a": "old", "b": "mine"}, {})
    result = merged(seen(OPENED), stored, posted)
    assert (_texts(result.fields), result.conflicts) == ({"a": "theirs", "b": "mine"}, frozenset())


def test_a_field_that_both_changed_differently_is_a_conflict() -> None:
    stored = content({"a": "theirs", "b": "same"}, {})
    posted = content({"a": "mine", "b": "same"}, {})
    assert merged(seen(OPENED), stored, posted).conflicts == {"a"}


def test_emptying_a_field_is_a_change_too() -> None:
    assert _texts(merged(seen(OPENED), OPENED, content({"a": "", "b": "old"}, {})).fields) == {
        "b": "old"
    }
    stored = content({"b": "old"}, {})
    assert merged(seen(OPENED), stored, content({"a": "mine", "b": "old"}, {})).conflicts == {"a"}


def test_faulty_text_is_a_value_of_its_own() -> None:
    posted = content({"b": "old"}, {"a": "2026-13-40"})
    assert merged(seen(OPENED), OPENED, posted).fields["a"] == {"typed": "2026-13-40"}


def test_a_page_that_carries_nothing_overwrites_nothing() -> None:
    for carried in ("", "rubbish", "a:0 b:0"):
        assert merged(carried, OPENED, content({"a": "mine"}, {})).conflicts >= {"a"}


def test_text_that_the_database_cannot_hold_is_replaced_and_no_other() -> None:
    assert storable("a\u0000b\ud800c\u200b") == "a\ufffdb\ufffdc\u200b"
