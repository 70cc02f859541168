"""Changing single values of a policy file: comments, order and every other line stay as written.

The form of the policy desk shows each number, date, yes/no, text and list of a file as a place;
a changed place is written back into the text exactly where it stands, and the result is read
again to see that nothing else has changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any

import yaml

from catalogue.policies.source import LOADER, PolicyRefused, Source, read

Path = tuple[Any, ...]
# What stands beside a value and is not one.
META = frozenset(
    ("label", "unit", "article", "confidence", "placeholder", "note", "words", "formula")
)
UNSET = object()

_PLAIN = re.compile(r"[A-Za-z\u4e00-\u9fff][\w\u4e00-\u9fff-]*")
_RESERVED = frozenset({"true", "false", "null", "nan", "inf", "infinity"})


class CannotWrite(ValueError):
    """A value cannot be put into the text where it stands; the whole text has to be edited."""


@dataclass(frozen=True)
class Place:
    """One value that the form can change.

    ``kind`` is money (yuan), rate (a fraction), number, date, boolean, text or list; ``value``
    is the plain value of the file, ``unit`` the author's.
    """

    path: Path
    label: str
    kind: str
    unit: str
    value: Any
    article: str
    placeholder: bool
    note: str

    @property
    def key(self) -> str:
        """A name for the form's field."""
        return ".".join(str(part) for part in self.path)


# ------------------------------------------------------------------ what can be changed


def places(source: Source) -> list[Place]:
    """Every place of a file, in its order: version and dates first, then the parameters."""
    data = source.data
    found = [
        Place(("version",), "版本号", "text", "", data.get("version"), "", False, ""),
        Place(("effective", "from"), "施行日期", "date", "", _in(data, "effective", "from"), "",
              False, "可以是将来的日子"),
        Place(("effective", "to"), "截止日期", "date", "", _in(data, "effective", "to"), "",
              False, "没有截止日期的留空"),
    ]  # fmt: skip
    found += _parameters(data.get("parameters"), ("parameters",), "")
    continued = data.get("continued")
    if isinstance(continued, dict):
        found += _parameters(
            continued.get("parameters"), ("continued", "parameters"), "（示范沿用时）"
        )
    for path, label, unit in (
        (("notice", "working_days"), "公示", "个工作日"),
        (("validity_years", "years"), "有效期", "年"),
    ):
        entry = data.get(path[0])
        if isinstance(entry, dict) and isinstance(entry.get(path[1]), int):
            found.append(_place(path, label, unit, entry[path[1]], entry))
        elif isinstance(entry, int) and not isinstance(entry, bool):
            found.append(_place(path[:1], label, unit, entry, {}))
    return found


def fixed_parameters(source: Source) -> list[tuple[str, str]]:
    """Label and words of parameters that are computed; only the whole text changes them."""
    sections = [source.data.get("parameters")]
    continued = source.data.get("continued")
    if isinstance(continued, dict):
        sections.append(continued.get("parameters"))
    return [
        (str(entry.get("label", name)), str(entry.get("words", entry["formula"])))
        for section in sections
        if isinstance(section, dict)
        for name, entry in section.items()
        if isinstance(entry, dict) and "formula" in entry
    ]


def _in(data: Mapping[str, Any], *path: str) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None  # type: ignore[assignment]
    return data


def _parameters(section: Any, path: Path, suffix: str) -> Iterator[Place]:
    if not isinstance(section, dict):
        return
    for name, entry in section.items():
        if not isinstance(entry, dict):
            continue
        label = f"{entry.get('label', name)}{suffix}"
        for key, value in entry.items():
            if key not in META:
                yield from _leaves(value, (*path, name, key), label, entry)


def _leaves(value: Any, path: Path, label: str, entry: Mapping[str, Any]) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key), f"{label}　{key}", entry)
    elif isinstance(value, list) and not (value and all(isinstance(item, str) for item in value)):
        for position, item in enumerate(value):
            yield from _leaves(item, (*path, position), f"{label}　第 {position + 1} 项", entry)
    elif value is not None:
        yield _place(path, label, str(entry.get("unit") or ""), value, entry)


def _place(path: Path, label: str, unit: str, value: Any, entry: Mapping[str, Any]) -> Place:
    return Place(
        path=path,
        label=label,
        kind=_kind(value, unit),
        unit=unit,
        value=value,
        article=str(entry.get("article") or ""),
        placeholder=entry.get("placeholder") is True,
        note=str(entry.get("note") or ""),
    )


def _kind(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, list):
        return "list"
    if isinstance(value, date):
        return "date"
    if isinstance(value, int | Decimal):
        return {"元": "money", "比例": "rate"}.get(unit, "number")
    return "text"


# ------------------------------------------------------------------ writing


def rewritten(text: str, changes: Mapping[Path, Any]) -> str:
    """``text`` with the value of each path replaced, and nothing else touched.

    Raises CannotWrite when a value has no place in the text, or when the result would read
    differently in any other place.
    """
    source = read(text)
    nodes = _nodes(text)
    cuts: list[tuple[int, int, str]] = []
    expected: dict[str, Any] = deepcopy(source.data)
    for path, value in changes.items():
        if _put(expected, path, value) == value and path in nodes:
            continue
        cuts += _cuts(text, nodes, path, value)
    made = text
    for start, end, piece in sorted(cuts, key=lambda cut: cut[0], reverse=True):
        made = made[:start] + piece + made[end:]
    try:
        same = _same(read(made).data, expected)
    except PolicyRefused:
        same = False
    if not same:
        raise CannotWrite("这一处写法特殊，请在全文里改")
    return made


def _same(one: Any, other: Any) -> bool:
    """Equality that tells 1 from true and from 1.00 apart where types differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _put(data: Any, path: Path, value: Any) -> Any:
    """Set ``path`` in ``data`` and return what stood there."""
    for part in path[:-1]:
        data = data[part]
    if isinstance(data, dict):
        before = data.get(path[-1], UNSET)
    else:
        before = data[path[-1]]
    data[path[-1]] = value
    if isinstance(before, bool) != isinstance(value, bool):
        return UNSET
    return before


def _nodes(text: str) -> dict[Path, yaml.Node]:
    found: dict[Path, yaml.Node] = {}

    def walk(node: yaml.Node, path: Path) -> None:
        found[path] = node
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                walk(value, (*path, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                walk(item, (*path, position))

    top = yaml.compose(text, Loader=LOADER)
    if top is not None:
        walk(top, ())
    return found


def _cuts(
    text: str, nodes: Mapping[Path, yaml.Node], path: Path, value: Any
) -> Iterator[tuple[int, int, str]]:
    node = nodes.get(path)
    if node is None:
        yield _insertion(text, nodes, path, value)
    elif isinstance(node, yaml.ScalarNode):
        if node.style in ("|", ">"):
            raise CannotWrite("这一处是多行文字，请在全文里改")
        empty = node.start_mark.index == node.end_mark.index
        yield (
            node.start_mark.index,
            node.end_mark.index,
            (" " if empty else "") + literal(value, node.value),
        )
    elif isinstance(node, yaml.SequenceNode) and isinstance(value, list):
        yield _list_cut(node, value)
    else:
        raise CannotWrite("这一处请在全文里改")


def _list_cut(node: yaml.SequenceNode, value: list[str]) -> tuple[int, int, str]:
    items = [literal(item, "") for item in value]
    if node.flow_style:
        return node.start_mark.index, node.end_mark.index, f"[{', '.join(items)}]"
    lead = "\n" + " " * node.start_mark.column + "- "
    return (
        node.start_mark.index,
        node.value[-1].end_mark.index,
        "- " + lead.join(items),
    )


def _insertion(
    text: str, nodes: Mapping[Path, yaml.Node], path: Path, value: Any
) -> tuple[int, int, str]:
    """A key that its mapping lacks, written after the mapping's last value."""
    parent = nodes.get(path[:-1])
    if not isinstance(parent, yaml.MappingNode) or not parent.value:
        raise CannotWrite("这一处请在全文里改")
    key, last = parent.value[-1]
    if not isinstance(last, yaml.ScalarNode) or last.style in ("|", ">"):
        raise CannotWrite("这一处请在全文里改")
    piece = f"{path[-1]}: {literal(value, '')}"
    lead = ", " if parent.flow_style else "\n" + " " * key.start_mark.column
    return last.end_mark.index, last.end_mark.index, lead + piece


def literal(value: Any, before: str) -> str:  # noqa: PLR0911  one return per kind
    """How a value is written in YAML; a number keeps the two decimals that stood there."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}.00" if re.fullmatch(r"\d+\.\d\d", before) else str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return str(value)
    return json.dumps(value, ensure_ascii=False)


# ------------------------------------------------------------------ telling


def shown(place: Place, terms: Mapping[str, str]) -> str:
    """A place's value as a person reads it."""
    value = place.value
    if value is None:
        return "没有"
    if isinstance(value, bool):
        return "是" if value else "否"
    if place.kind == "money":
        return f"{Decimal(value):,.2f} 元"
    if place.kind == "rate":
        return f"{percent(value)}%"
    if isinstance(value, list):
        return "、".join(terms.get(item, item) for item in value)
    return f"{value} {place.unit}".strip() if place.kind == "number" else str(value)


def percent(fraction: int | Decimal) -> str:
    """A fraction as a percentage without needless zeros: 0.125 is 12.5."""
    text = f"{Decimal(fraction) * 100:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class ChangedPlace:
    """A place that differs between two texts, both values in words; empty where there is none."""

    label: str
    old: str
    new: str
    article: str
    placeholder: bool


def changed_places(old: str, new: str) -> list[ChangedPlace]:
    """The places that differ; none when either text cannot be read."""
    try:
        before, after = read(old), read(new)
    except PolicyRefused:
        return []
    terms = {**_terms(before), **_terms(after)}
    olds = {place.path: place for place in places(before)}
    news = {place.path: place for place in places(after)}
    found = []
    for path in dict.fromkeys((*news, *olds)):
        one, two = olds.get(path), news.get(path)
        was, now = (shown(place, terms) if place else "" for place in (one, two))
        told = two or one
        if was != now and told is not None:
            found.append(ChangedPlace(told.label, was, now, told.article, told.placeholder))
    return found


def _terms(source: Source) -> dict[str, str]:
    terms = source.data.get("terms")
    if not isinstance(terms, dict):
        return {}
    return {str(key): name for key, name in terms.items() if isinstance(name, str)}


@dataclass(frozen=True)
class Pair:
    """One row of a comparison: line number and text at either side; None where there is none."""

    kind: str
    old_line: int | None
    old: str
    new_line: int | None
    new: str


CONTEXT = 2


def side_by_side(old: str, new: str) -> list[list[Pair]]:
    """The places where two texts differ, each with the lines around it."""
    olds, news = old.splitlines(), new.splitlines()
    matcher = SequenceMatcher(None, olds, news, autojunk=len(olds) + len(news) > 2000)
    return [
        [pair for code in group for pair in _pairs(code, olds, news)]
        for group in matcher.get_grouped_opcodes(CONTEXT)
    ]


def _pairs(
    code: tuple[str, int, int, int, int], olds: list[str], news: list[str]
) -> Iterator[Pair]:
    kind, old_from, old_to, new_from, new_to = code
    for i in range(max(old_to - old_from, new_to - new_from)):
        a, b = old_from + i, new_from + i
        has_old, has_new = a < old_to, b < new_to
        yield Pair(
            "same" if kind == "equal" else "changed",
            a + 1 if has_old else None,
            olds[a] if has_old else "",
            b + 1 if has_new else None,
            news[b] if has_new else "",
        )
