"""The policy language as a JSON Schema, with which an editor completes and checks a file.

``python -m catalogue.policies.schema`` prints it; ``seeds/policies/policy.schema.json`` keeps it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from catalogue.policies.document import ANSWER_KINDS, COLUMN_TYPES, CONFIDENCE, SCHEMES, STAGES
from catalogue.policies.reader import INNER, REQUIRED, SECTIONS, keys_of
from catalogue.policies.reading import RESULTS, VERDICTS

TEXT = {"type": "string"}
FLAG = {"type": "boolean"}
WHOLE = {"type": "integer", "minimum": 0}
# An editor reads a bare date as text.
DAY = {"type": "string", "pattern": r"^\d{4}-\d{1,2}-\d{1,2}$"}
YUAN = {"type": "number", "minimum": 0}
ANYTHING: dict[str, Any] = {}

# What a key holds, where it is not a text; those of one section only as ``section.key``.
KEYS: dict[str, dict[str, Any]] = {
    "scheme": {"enum": list(SCHEMES)},
    "confidence": {"enum": list(CONFIDENCE)},
    "placeholder": FLAG,
    "required": FLAG,
    "pays": FLAG,
    "restart_on_correction": FLAG,
    "from": DAY,
    "to": DAY,
    "today": DAY,
    "years": {"type": "integer", "minimum": 1, "maximum": 1000},
    "working_days": {"type": "integer", "minimum": 1, "maximum": 1000},
    "min": {"type": "integer", "minimum": 0, "maximum": 100},
    "max": {"type": "integer", "minimum": 0, "maximum": 100},
    "max_length": {"type": "integer", "minimum": 1, "maximum": 4000},
    "otherwise": {"enum": ["ineligible", "needs_person"]},
    "unknown": {"enum": ["ask", "needs_person"]},
    "options": {"type": "object", "additionalProperties": TEXT},
    "facts": {"type": "object"},
    "expect": {"type": "object", "additionalProperties": {"enum": sorted(RESULTS)}},
    "verdict": {"enum": sorted(VERDICTS)},
    "amount": YUAN,
    "shares": {"type": "object", "additionalProperties": YUAN},
    "summary": {"type": "array", "items": TEXT},
    "gaps": {"type": "array", "items": TEXT},
    "stages": {"type": "array", "items": {"enum": list(STAGES)}, "uniqueItems": True},
    "terms": {"type": "object", "additionalProperties": TEXT},
    "base_facts": {"type": "object"},
    "parameters.value": ANYTHING,
    "answers.type": {"enum": list(ANSWER_KINDS)},
    "columns.type": {"enum": sorted(COLUMN_TYPES)},
}
DESCRIBED = {
    "require": "成立即符合的条件（CEL）",
    "applies": "这一条何时适用（CEL）；不成立时显示“不适用”",
    "applies_words": "何时适用，用白话；只能用 {p.参数}",
    "words": "用白话怎么说；只能用 {p.参数}",
    "read": "读到什么",
    "threshold": "门槛；不写就用 words",
    "gap": "差多少，只在不符时显示",
    "remedy": "怎样能过",
    "otherwise": "不符时：ineligible 不符合，needs_person 转人工",
    "unknown": "缺事实时：ask 请申请人补，needs_person 由审查人员核实",
    "formula": "由 round 算出的参数（CEL）",
    "unit": "元、比例、天，或计数的单位",
    "from_unit": "分档表起点的单位；不写是元",
    "restart_on_correction": "更正公示后是否重新计算公示期；不写就重新计算，标示范参数",
    "confidence": "可信度：见 转 二手 推 缺",
    "placeholder": "没有公开文字的示范参数",
}
LISTS = ("rules", "people", "documents", "answers", "materials", "worksheet", "split", "examples")
MAPS = ("articles", "parameters", "promised_days")
NUMBERS = ("notice", "validity_years")
ALONE = ("effective", "continued", "contracts")


def _key(section: str, key: str) -> dict[str, Any]:
    if key == "parameters":
        return {"$ref": "#/properties/parameters"}
    if key == "columns":
        return {"type": "array", "items": _entry("columns")}
    found = KEYS.get(f"{section}.{key}", KEYS.get(key, TEXT))
    return {**found, "description": DESCRIBED[key]} if key in DESCRIBED else found


def _entry(section: str) -> dict[str, Any]:
    """An entry of a section: its keys, those it must have, and no others."""
    must, may = keys_of(section)
    return {
        "type": "object",
        "properties": {key: _key(section, key) for key in (*must, *may)},
        "required": list(must),
        "additionalProperties": False,
    }


def _section(name: str) -> dict[str, Any]:
    if name in LISTS:
        return {"type": "array", "items": _entry(name)}
    if name in MAPS:
        return {"type": "object", "additionalProperties": _entry(name)}
    if name in NUMBERS:
        # A bare number may stand for the whole.
        return {"oneOf": [_entry(name), KEYS["working_days"]]}
    return _entry(name) if name in ALONE else KEYS.get(name, TEXT)


def json_schema() -> dict[str, Any]:
    """The whole schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "政策文件",
        "type": "object",
        "properties": {name: _section(name) for name in SECTIONS if name not in INNER},
        "required": list(REQUIRED),
        "additionalProperties": False,
    }


def as_text() -> str:
    """The schema as it is kept in the seeds."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_text())
