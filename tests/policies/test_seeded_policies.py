"""The real policies: their own examples, boundaries on both sides, sources and honesty."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from catalogue.policies.document import SCHEMES, PolicyDocument
from catalogue.policies.rules import canonical, evaluate, load
from catalogue.policies.wording import UNFILLED

FILES = sorted(Path("seeds/policies").glob("*.yaml"))
DOCUMENTS = {path.stem: load(path.read_text("utf-8"), run_examples=False) for path in FILES}
TAXONOMIES = yaml.safe_load(Path("seeds/taxonomies.yaml").read_text("utf-8"))


def test_each_scheme_has_versions_whose_ranges_do_not_overlap() -> None:
    for scheme in SCHEMES:
        versions = sorted(
            (d for d in DOCUMENTS.values() if d.scheme == scheme), key=lambda d: d.effective_from
        )
        for earlier, later in pairwise(versions):
            assert earlier.effective_to is not None
            assert earlier.effective_to < later.effective_from


@pytest.mark.parametrize("stem", DOCUMENTS)
def test_each_file_passes_every_check_and_example_of_its_own(stem: str) -> None:
    document = load(DOCUMENTS[stem].text)
    for example in document.examples:
        once = canonical(evaluate(document, example.facts, example.today))
        assert canonical(evaluate(DOCUMENTS[stem], example.facts, example.today)) == once


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_article_names_its_source(document: PolicyDocument) -> None:
    for article in document.articles.values():
        assert re.fullmatch(r"—|[A-Z]\d+(、[A-Z]\d+)*", article.source), article.key
        assert article.source != "—" or article.confidence == "缺", article.key


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_the_first_example_is_eligible_and_leaves_nothing_unfilled(
    document: PolicyDocument,
) -> None:
    report = evaluate(document, document.examples[0].facts, document.examples[0].today)
    assert report.verdict == "eligible"
    told = [(f.says, f.read, f.threshold) for f in report.findings]
    assert UNFILLED not in str([told, report.worksheet])


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_what_no_public_text_gives_is_a_placeholder(document: PolicyDocument) -> None:
    for parameter in document.parameters.values():
        assert parameter.placeholder or parameter.confidence != "缺", parameter.name
    assert document.notice_working_days.placeholder


def test_one_version_of_each_scheme_takes_the_rounds_of_2026() -> None:
    taking = [d.scheme for d in DOCUMENTS.values() if d.covers(date(2026, 9, 1))]
    assert sorted(taking) == sorted({document.scheme for document in DOCUMENTS.values()})


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_materials_are_known_to_the_taxonomies(document: PolicyDocument) -> None:
    known = {
        item["id"]
        for group in ("common", document.scheme)
        for item in TAXONOMIES["materials"][group]["items"]
    }
    assert {material.id for material in document.materials} <= known


def test_an_invoice_span_two_days_too_long_reads_as_on_the_picture() -> None:
    document = DOCUMENTS["first_version-2020"]
    example = next(e for e in document.examples if e.name == "跨度多两天")
    report = evaluate(document, example.facts, example.today)
    finding = next(f for f in report.findings if f.rule == "contract-span")
    assert finding.read == "367 天（2025-11-18 至 2026-11-20）"
    assert finding.gap == "多 2 天"
    assert [line.amount_fen for line in report.worksheet] == [92_650_000, 18_530_000, 18_530_000]
    assert report.worksheet[0].operands == "186,000.00 ＋ 328,500.00 ＋ 412,000.00"
