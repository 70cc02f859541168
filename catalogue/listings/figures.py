"""Figures and limits: what a product states, what a buyer asks, and whether one meets the other.

A figure is a span: 193 nm is one point, ≥ 100 has no upper end, 10–20 has both. A limit is met
only when the whole span meets it; what is not stated is unknown, never a miss. Pure.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from catalogue.listings.units import known, plain, unit_of
from catalogue.listings.words import compact, fold

MEETS, MISSES, UNKNOWN = "meets", "misses", "unknown"
SIGNS = {"le": "≤", "lt": "<", "ge": "≥", "gt": ">", "eq": "="}
_WORDS = {
    "le": (
        *("≤", "≦", "<=", "=<", "小于等于", "小于或等于", "低于等于"),
        *("不超过", "不大于", "不高于", "不多于", "至多"),
    ),
    "ge": (
        *("≥", "≧", ">=", "=>", "大于等于", "大于或等于", "高于等于"),
        *("不小于", "不低于", "不少于", "至少"),
    ),
    "lt": ("<", "小于", "低于", "少于"),
    "gt": (">", "大于", "高于", "超过", "多于"),
    "eq": ("=",),
}
_RELATIONS = {word: relation for relation, each in _WORDS.items() for word in each}
_SIGN = "|".join(re.escape(word) for word in sorted(_RELATIONS, key=len, reverse=True))
_NUMBER = r"[-+−]?[0-9]{1,12}(?:,[0-9]{3})*(?:\.[0-9]{1,9})?"
_ONE = re.compile(rf"({_SIGN})?\s*({_NUMBER})")
_SPAN = re.compile(rf"({_NUMBER})\s*(?:~|～|–|—|-|至|到|\.\.)\s*({_NUMBER})")
_NAME = r"[^\s<>=≤≥,;，；]{1,30}?"
_LIMIT = re.compile(rf"(?:({_NAME})\s*)?({_SIGN})\s*({_NUMBER})(\s*)([^\s,;，；]{{0,20}})")
# As people say it, the relation last: 压力 20 bar 以上.
_SAID = {"以上": "ge", "及以上": "ge", "以下": "le", "及以下": "le", "以内": "le", "之内": "le"}
_SAID_LIMIT = re.compile(
    rf"(?:([^\W\d_]{{1,30}})\s*)?(?<![A-Za-z0-9.-])({_NUMBER})\s*([^\s\d,;，；]{{1,12}}?)\s*"
    rf"({'|'.join(sorted(_SAID, key=len, reverse=True))})的?"
)
MAX_LIMITS = 8

Span = tuple[Decimal | None, Decimal | None]


@dataclass(frozen=True, slots=True)
class Limit:
    """What a buyer asks of one figure (波长 ≤ 193 nm), or of any in the unit when unnamed."""

    name: str
    relation: str
    value: Decimal
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name} {SIGNS[self.relation]} {plain(self.value)} {self.unit}".strip()

    @property
    def amount(self) -> Decimal:
        """The value in the first unit of its family."""
        return self.value * unit_of(self.unit).size if self.unit else self.value


def limit(name: str, relation: str, value: str, unit: str) -> Limit | None:
    """The limit of four typed parts; None when the value is no number or the name is empty."""
    number = _number(fold(value).strip())
    if number is None or relation not in SIGNS or not compact(name):
        return None
    return Limit(name.strip()[:60], relation, number, unit.strip()[:20])


def limits_in(text: str) -> tuple[str, list[Limit]]:
    """The limits that stand in a question, and the question without them.

    A word after the number is its unit when it follows at once, or when it is a known unit.
    A limit without a name needs a known unit.
    """
    found: list[Limit] = []
    typed, text = text, unicodedata.normalize("NFKC", text)
    text = _taken(text, _LIMIT, _signed, found)
    text = _taken(text, _SAID_LIMIT, _said, found)
    return (" ".join(text.split()), found) if found else (typed, found)


def _taken(
    text: str,
    pattern: re.Pattern[str],
    reading: Callable[[re.Match[str]], tuple[Limit, int] | None],
    found: list[Limit],
) -> str:
    """The text without the limits that were read; they are added to ``found``."""
    left: list[str] = []
    done = 0
    for match in pattern.finditer(text):
        read = reading(match) if len(found) < MAX_LIMITS else None
        if read is not None:
            found.append(read[0])
            left.append(text[done : match.start()])
            done = read[1]
    return " ".join([*left, text[done:]])


def _signed(match: re.Match[str]) -> tuple[Limit, int] | None:
    """The limit of a match of `_LIMIT`, and where it ends."""
    name, sign, value, space, unit = match.groups()
    kept = _unit_in(unit, apart=bool(space))
    number = _number(value)
    if number is None or not (compact(name or "") or known(kept)):
        return None
    rest = unit[len(kept) :]
    # 300 度的塑料: the particle belongs to neither.
    end = match.end() - len(rest) + rest.startswith("的")
    return Limit(name or "", _RELATIONS[sign], number, kept), end


def _said(match: re.Match[str]) -> tuple[Limit, int] | None:
    """The limit of a match of `_SAID_LIMIT`, and where it ends."""
    name, value, unit, said = match.groups()
    number = _number(value)
    if number is None or not known(unit):
        return None
    return Limit(name or "", _SAID[said], number, unit), match.end()


def _unit_in(text: str, *, apart: bool) -> str:
    """How much of what follows a number is its unit."""
    if "/" in text:
        return text
    lengths = [len(text)] if apart else range(len(text), 0, -1)
    known_part = next((text[:length] for length in lengths if known(text[:length])), "")
    return known_part or ("" if apart else text)


def span_of(figure: Mapping[str, Any]) -> Span | None:
    """From where to where a stated figure goes, in its own unit; None for words."""
    text = fold(str(figure.get("value", ""))).strip()
    if match := _ONE.fullmatch(text):
        number = _number(match[2])
        relation = _RELATIONS.get(match[1] or "=", "eq")
        if number is None:
            return None
        if relation in ("le", "lt"):
            return None, number
        return (number, None) if relation in ("ge", "gt") else (number, number)
    if match := _SPAN.fullmatch(text):
        low, high = _number(match[1]), _number(match[2])
        if low is not None and high is not None and low <= high:
            return low, high
    return None


def base_span(figure: Mapping[str, Any]) -> Span | None:
    """The same in the first unit of the family."""
    span = span_of(figure)
    if span is None:
        return None
    size = unit_of(str(figure.get("unit", ""))).size
    low, high = span
    return (None if low is None else low * size, None if high is None else high * size)


def path(name: str, unit: str | None) -> str:
    """Where the index keeps figures of one name and one family of units; None is any unit."""
    family = "" if unit is None else unit_of(unit).family
    return "k" + hashlib.sha256(f"{compact(name)}|{family}".encode()).hexdigest()[:16]


def ends(figures: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Lower and upper ends by `path`: in the family's first unit, as stated for any unit, and of
    all figures of a family whatever they are called.
    """
    low: dict[str, list[float]] = {}
    high: dict[str, list[float]] = {}
    for figure in figures:
        name, unit = str(figure.get("name", "")), str(figure.get("unit", ""))
        in_base = base_span(figure)
        for where, span in (
            (path(name, unit), in_base),
            (path(name, None), span_of(figure)),
            (path("", unit), in_base if unit else None),
        ):
            if span is None:
                continue
            for place, end in zip((low, high), span, strict=True):
                if end is not None:
                    place.setdefault(where, []).append(float(end))
    return low, high


def judge(figures: Sequence[Mapping[str, Any]], asked: Limit) -> str:
    """Whether a product meets a limit, misses it, or does not state the figure (as comparable)."""
    wanted = compact(asked.name)
    verdicts = []
    for figure in figures:
        name = compact(str(figure.get("name", "")))
        if wanted not in name and not (len(name) > 1 and wanted.endswith(name)):
            continue
        unit = str(figure.get("unit", ""))
        if asked.unit and unit_of(unit).family != unit_of(asked.unit).family:
            continue
        span = base_span(figure) if asked.unit else span_of(figure)
        if span is not None:
            verdicts.append(_verdict(span, asked))
    if MEETS in verdicts:
        return MEETS
    return MISSES if MISSES in verdicts else UNKNOWN


def _verdict(span: Span, asked: Limit) -> str:
    low, high = (None if end is None else float(end) for end in span)
    amount = float(asked.amount)
    if asked.relation == "eq":
        if low is None or high is None:
            return UNKNOWN
        return MEETS if low == high == amount else MISSES
    end = high if asked.relation in ("le", "lt") else low
    if end is None:
        return UNKNOWN
    met = {
        "le": end <= amount,
        "lt": end < amount,
        "ge": end >= amount,
        "gt": end > amount,
    }[asked.relation]
    return MEETS if met else MISSES


def _number(text: str) -> Decimal | None:
    plain_text = text.replace(",", "").replace("−", "-")
    return Decimal(plain_text) if re.fullmatch(_NUMBER, plain_text) else None
