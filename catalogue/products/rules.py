"""What a product's specification and patent lines must satisfy; values in, values out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

MAX_LINES = 30
# Numeric(18, 6) in the table: twelve digits before the point, six after it.
NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class SpecificationLine:
    """One figure as a person writes it: ``value`` is a number unless the relation is text."""

    name: str
    relation: str
    value: str
    unit: str = ""


@dataclass(frozen=True)
class PatentLine:
    """One intellectual-property right."""

    kind: str
    number: str
    title: str
    holder: str
    granted_on: date


def plain_number(text: str) -> Decimal | None:
    """The number that ``text`` writes, thousands separated or not; None when it is none."""
    compact = text.replace(",", "").replace("，", "").strip()
    return Decimal(compact) if NUMBER.fullmatch(compact) else None


def value_problem(relation: str, value: str) -> str | None:
    """Why a value does not fit its relation, in words; None when it does."""
    if relation == "text":
        return None if value else "请填写内容"
    if plain_number(value) is None:
        return "请填数字，最多六位小数；不是数字的，关系选“文字”"
    return None


def repeated(keys: Sequence[object]) -> int | None:
    """The index of the first key that stood before; None when all differ."""
    seen: set[object] = set()
    for index, key in enumerate(keys):
        if key in seen:
            return index
        seen.add(key)
    return None
