"""Going from one text to another runs only what differs, and gives what running all gives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from catalogue.policies import record
from catalogue.policies.document import PolicyDocument
from catalogue.policies.rules import decide, evaluate, load, with_parameters
from catalogue.policies.varying import Variation, recorded
from tests.policies.small import changed

DOCUMENTS = [
    load(path.read_text("utf-8"), run_examples=False)
    for path in sorted(Path("seeds/policies").glob("*.yaml"))
]


def stands(document: PolicyDocument, facts: Any, day: Any) -> tuple[Any, ...]:
    """What the full evaluation says, in the form of a Standing without its steps."""
    decision = decide(document, facts, day)
    letters = "".join(decision.results[rule.id][0] for rule in document.rules)
    return decision.verdict, letters, decision.amount_fen


def agrees(old: PolicyDocument, new: PolicyDocument, way: Variation, examples: Any) -> int:
    """Check every example both ways; how many there were."""
    count = 0
    anew = Variation(None, old)
    for example in examples:
        facts, day = example.facts, example.today
        before = anew.applied(None, facts, day)
        # Only the facts that the way asks for are handed over.
        wanted = {root: facts.get(root) for root in way.roots}
        after = way.applied(before, wanted, day)
        full = stands(new, facts, day)
        told = (after.verdict, after.results, after.amount_fen)
        assert told == full, f"{new.scheme} {new.version} {example.name}"
        count += 1
    return count


def turned(document: PolicyDocument) -> Iterator[tuple[str, PolicyDocument]]:
    """The document with each single number halved and doubled."""
    for name, parameter in document.parameters.items():
        if parameter.shape != "one" or parameter.formula or parameter.kind in ("text", "boolean"):
            continue
        kind, value = parameter.kind, parameter.value
        if kind == "rate":
            rate = Decimal(value["millionths"]) / 1_000_000
            others = [rate / 2, min(rate * 2, Decimal(1))]
            others = [other.quantize(Decimal("0.000001")) for other in others]
        elif kind == "money":
            others = [Decimal(value // 2) / 100, Decimal(value * 2) / 100]
        elif kind in ("count", "days"):
            others = [value // 2, value * 2]
        else:
            continue
        for other in others:
            yield f"{name}={other}", with_parameters(document, {name: other})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: f"{d.scheme}-{d.version}")
def test_a_turned_number_gives_what_the_whole_evaluation_gives(document: PolicyDocument) -> None:
    for _, other in turned(document):
        assert agrees(document, other, Variation(document, other), document.examples)


def test_another_version_gives_what_the_whole_evaluation_gives() -> None:
    pairs = [
        (old, new) for old, new in itertools.permutations(DOCUMENTS, 2) if old.scheme == new.scheme
    ]
    ways = [(old, new, Variation(old, new)) for old, new in pairs]
    assert any(0 < len(way.part.rules) < len(new.rules) for _, new, way in ways)
    for old, new, way in ways:
        agrees(old, new, way, (*old.examples, *new.examples))


def test_only_what_reads_a_turned_number_is_run() -> None:
    document = next(d for d in DOCUMENTS if (d.scheme, d.version) == ("first_version", "2020-1"))
    rate = Variation(document, with_parameters(document, {"rate": Decimal("0.10")}))
    assert not rate.part.rules
    assert [line.id for line in rate.part.worksheet] == ["by_rate", "amount"]
    assert rate.roots == frozenset({"round"}) or rate.roots == frozenset()
    sales = with_parameters(document, {"min_total_sales": Decimal("1.00")})
    assert [rule.id for rule in Variation(document, sales).part.rules] == ["total-sales"]
    assert Variation(document, document).same and not rate.same


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: f"{d.scheme}-{d.version}")
def test_a_record_tells_how_its_case_stood(document: PolicyDocument) -> None:
    anew = Variation(None, document)
    for example in document.examples:
        report = evaluate(document, example.facts, example.today)
        text = record.build("SB-1", example.facts, report).decode()
        full = anew.applied(None, example.facts, example.today)
        assert recorded(document, report.verdict, text) == full, example.name
        if report.verdict == "eligible":
            end = "{" + text[text.index('"worksheet":[') :]
            assert recorded(document, "eligible", end) == full
    assert recorded(document, "ineligible", '{"findings": [], "worksheet": []}') is None


HAS = """\
  - {id: told, title: 填了, article: 第一条, require: has(answers.told), words: 要填, read: 填报,
    otherwise: ineligible}
stages:"""
ANSWERS = "answers: [{id: told, label: 填报, type: text, article: 第一条}]\nbase_facts:"


def test_the_same_words_over_another_kind_of_answer_are_run_again() -> None:
    text = changed("stages:", HAS).replace("base_facts:", ANSWERS)
    old = load(text, run_examples=False)
    new = load(text.replace("type: text", "type: count"), run_examples=False)
    facts = {"answers": {"told": "许多"}, "contracts": [{"amount": 100_000}]}
    way, day = Variation(old, new), date(2020, 6, 1)
    before = Variation(None, old).applied(None, facts, day)
    assert (before.verdict, way.applied(before, facts, day).verdict) == ("eligible", "ineligible")
