"""The page that teaches the format: its example loads, and it names all that there is."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema

from catalogue.policies.document import ANSWER_KINDS, SCHEMES, STAGES, schema_with
from catalogue.policies.expressions import compiled
from catalogue.policies.facts import Field, Group, described
from catalogue.policies.functions import FUNCTIONS
from catalogue.policies.kinds import Kind, Names
from catalogue.policies.reader import SECTIONS, keys_of
from catalogue.policies.rules import evaluate, load
from catalogue.policies.schema import as_text
from catalogue.policies.source import read

FOLDER = Path("seeds/policies")
PAGE = (FOLDER / "README.md").read_text("utf-8")


def example() -> str:
    """The worked example of the page."""
    return re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL).group(1)  # type: ignore[union-attr]


def test_the_worked_example_loads_and_tells_all_it_teaches() -> None:
    document = load(example())
    first = document.examples[0]
    report = evaluate(document, first.facts, first.today)
    assert [s.amount_fen for s in report.shares] == [30_000_00, 120_000_00]
    assert "未填" not in str(report)


def test_the_page_names_every_function_fact_and_key() -> None:
    words = set(re.findall(r"[A-Za-z_]\w*", PAGE))
    keys = {key for section in SECTIONS for key in sum(keys_of(section), ())}
    facts = {part for path, _ in described() for part in re.split(r"[.\[\]]+", path) if part}
    wanted = {*FUNCTIONS, *SECTIONS, *keys, *facts, *SCHEMES, *STAGES, *ANSWER_KINDS}
    assert wanted - words == set()


def test_every_recipe_of_the_page_compiles() -> None:
    """What stands in the table of common articles is checked against the kinds of its numbers."""
    rows = PAGE.split("## 常见条文怎样写")[1].split("## 表达式")[0]
    recipes = [r.replace("\\|", "|") for r in re.findall(r"`([^`]+)`", rows)]
    recipes = [r for r in recipes if "(" in r and "第几年" not in r and "…" not in r]
    kinds = {
        **dict.fromkeys(("cap", "least", "each"), Kind("money")),
        **dict.fromkeys(("most", "years", "months"), Kind("count")),
        "rate": Kind("rate"),
        "rates": Kind("rate", many=True),
        "rivals": Kind("text", many=True),
        "area": Kind("text"),
        "table": Kind("steps", of="money", by="count"),
    }
    asked = Group("申报承诺", {"credit_good": Field("信用", "boolean", "申报表")})
    schema = {**schema_with(()), "declarations": asked}
    for recipe in recipes:
        table = {"years": Kind("classes", of="count")} if "by_class" in recipe else {}
        compiled(recipe, Names(schema, kinds | table, frozenset({"wanted", "had", "base"})))
    assert len(recipes) > 15


def test_the_kept_schema_is_the_one_of_the_reader() -> None:
    assert (FOLDER / "policy.schema.json").read_text("utf-8") == as_text()


def test_the_schema_takes_every_seeded_file_and_not_a_misspelt_key() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(as_text()))
    for text in [example(), *(path.read_text("utf-8") for path in sorted(FOLDER.glob("*.yaml")))]:
        assert list(validator.iter_errors(plain(read(text).data))) == []
    misspelt = example().replace("otherwise: ineligible", "otherwize: ineligible", 1)
    assert list(validator.iter_errors(plain(read(misspelt).data)))


def plain(value: Any) -> Any:
    """The data as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
