"""Records as bytes: equal checks, equal bytes; one changed fact, others; what replay says."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue import keys
from catalogue.policies import record, replay
from catalogue.policies.rules import evaluate, load
from tests.policies import small

SEEDED = [
    load(path.read_text("utf-8"), run_examples=False)
    for path in sorted(Path("seeds/policies").glob("*.yaml"))
]
POLICY = load(small.TEXT, run_examples=False)
FACTS = {
    "enterprise": {"credit_code": "91310115MA00000001", "name": "示例"},
    "contracts": [{"number": "A-1", "amount": 100_001}, {"number": "A-2", "amount": 7}],
}
NUMBER = "SB-2026-0001"


def built(facts: dict[str, Any], policy: Any = POLICY) -> bytes:
    """The record of facts under a policy."""
    return record.build(NUMBER, facts, evaluate(policy, facts, small.TODAY))


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> keys.SigningKey:
    """A demonstration key."""
    return keys.load(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def policies(tmp_path: Path) -> replay.Policies:
    """The small policy, found by its hash."""
    (tmp_path / "small.yaml").write_text(small.TEXT, "utf-8")
    return replay.Policies([tmp_path])


def sealed(content: bytes, key: keys.SigningKey) -> bytes:
    """The file of a record."""
    return record.envelope(content, key.sign(content), key.pem)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every single value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in inner:
        if isinstance(item, dict | list):
            yield from leaves(item, (*path, name))
        else:
            yield (*path, name)


def changed(facts: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """The facts with one value another."""
    other = copy.deepcopy(facts)
    place = other
    for name in path[:-1]:
        place = place[name]
    value = place[path[-1]]
    place[path[-1]] = (
        (not value) if isinstance(value, bool) else value + (1 if isinstance(value, int) else "改")
    )
    return other


@pytest.mark.parametrize("policy", SEEDED, ids=lambda p: f"{p.scheme}-{p.version}")
def test_every_seeded_case_is_small_and_runs_again_to_the_byte(policy: Any) -> None:
    for example in policy.examples:
        facts = json.loads(json.dumps(example.facts))
        content = record.build(NUMBER, facts, evaluate(policy, facts, example.today))
        assert len(content) < 20_000, example.name
        assert record.rerun(content, policy).same_bytes, example.name


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"amount": st.integers(0, 10**15), "number": st.text()})),
    st.data(),
)
def test_equal_facts_equal_bytes_and_one_changed_fact_another_hash(
    contracts: list[dict[str, Any]], data: st.DataObject
) -> None:
    facts = {**FACTS, "contracts": [*FACTS["contracts"], *contracts]}
    content = built(facts)
    assert built(json.loads(json.dumps(facts))) == content
    assert record.rerun(content, POLICY).same_bytes
    path = data.draw(st.sampled_from(list(leaves(facts))))
    assert record.hash_of(built(changed(facts, path))) != record.hash_of(content)


def test_the_order_of_keys_does_not_matter() -> None:
    turned = dict(reversed(FACTS.items()))
    assert built(turned) == built(FACTS)


@pytest.mark.parametrize("bad", [float("nan"), date(2026, 1, 1), 1 + 2j])
def test_facts_that_are_not_plain_json_make_no_record(bad: Any) -> None:
    report = evaluate(POLICY, FACTS, small.TODAY)
    with pytest.raises((TypeError, ValueError)):
        record.build(NUMBER, {**FACTS, "answers": {"x": bad}}, report)


def test_an_honest_record_is_the_same_bytes(
    key: keys.SigningKey, policies: replay.Policies
) -> None:
    judged = replay.judge(sealed(built(FACTS), key), policies, key.root_pem)
    assert judged.code == replay.SAME
    assert "逐字节一致 same bytes" in judged.lines[0]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("facts", "contracts", 0, "amount"), 100_002),
        (("worksheet", 1, "amount_fen"), 5),
        (("verdict",), "needs_person"),
        (("findings", 0, "says"), "改"),
        (("today",), "2026-06-02"),
        (("added",), 1),
    ],
)
def test_a_record_changed_and_signed_again_says_where_it_differs(
    key: keys.SigningKey, policies: replay.Policies, path: tuple[Any, ...], value: Any
) -> None:
    held = json.loads(built(FACTS))
    place = held
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    judged = replay.judge(sealed(record.canonical(held), key), policies, key.root_pem)
    if path == ("today",):
        assert judged.code == replay.SAME, "another day of the same facts is another true record"
        return
    assert judged.code == replay.DIFFERENT
    if path[0] == "facts":
        assert any("findings[0].read" in line for line in judged.lines), judged.lines
    else:
        spelled = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
        assert any(f"{spelled}: " in line for line in judged.lines), judged.lines


def test_a_touched_file_fails_hash_and_signature(
    key: keys.SigningKey, policies: replay.Policies
) -> None:
    text = sealed(built(FACTS), key).replace(b"A-1", b"A-9")
    judged = replay.judge(text, policies)
    assert judged.code == replay.DIFFERENT
    assert [line.split(":")[0].strip() for line in judged.lines[1:]] == ["sha256", "signature"]


def test_a_look_alike_signer_does_not_lead_to_the_root(
    key: keys.SigningKey, policies: replay.Policies, tmp_path: Path
) -> None:
    other = keys.load(tmp_path / "others")
    judged = replay.judge(sealed(built(FACTS), other), policies, key.root_pem)
    assert judged.code == replay.DIFFERENT
    assert "certificate" in judged.lines[1]
    assert keys.issued_under(key.pem, key.root_pem, datetime.now(UTC))
    assert not keys.issued_under(key.pem, key.root_pem, datetime.now(UTC) + timedelta(days=9999))


def test_an_older_engine_may_know_less_but_nothing_else(
    key: keys.SigningKey, policies: replay.Policies
) -> None:
    held = json.loads(built(FACTS))
    held["engine"] -= 1
    del held["continued"], held["findings"][0]["gap"]
    judged = replay.judge(sealed(record.canonical(held), key), policies)
    assert judged.code == replay.SAME
    assert "same content" in judged.lines[0]
    held["findings"][0]["result"] = "unknown"
    judged = replay.judge(sealed(record.canonical(held), key), policies)
    assert judged.code == replay.DIFFERENT


HOSTILE = [
    b"",
    b"[]",
    b"nonsense",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"record": {"format": "portal-decision-1"}}',
    b'{"sha256": "", "sha256": "", "record": {}, "signature": "", "certificate": ""}',
    b'{"sha256":"","record":{"format":"portal-decision-1","a":NaN},"signature":"","certificate":""}',
    b'{"sha256":"","record":{"format":"portal-decision-1"},"signature":"","certificate":"x"}',
    b'{"sha256":"","record":{"format":"portal-decision-1","a":"\\ud800"},"signature":"","certificate":""}',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_record_is_answered_in_words(text: bytes, policies: replay.Policies) -> None:
    judged = replay.judge(text, policies)
    assert judged.code == replay.UNJUDGED
    assert judged.lines[0].startswith("无法重算 cannot replay: ")


@pytest.mark.parametrize(
    "facts", [None, 7, "x", [], {"contracts": 7}, {"round": {"opens_on": 1e99}}]
)
def test_hostile_facts_in_a_record_are_bounded(
    key: keys.SigningKey, policies: replay.Policies, facts: Any
) -> None:
    held = {**json.loads(built(FACTS)), "facts": facts}
    judged = replay.judge(sealed(record.canonical(held), key), policies)
    assert judged.code in (replay.DIFFERENT, replay.UNJUDGED)
