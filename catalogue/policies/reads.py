"""The facts by which a rule was decided, each with its value and its place in the portal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from catalogue.policies.document import PolicyDocument
from catalogue.policies.expressions import Expression
from catalogue.policies.facts import Field, Words
from catalogue.policies.report import Read
from catalogue.policies.wording import UNFILLED, shown

MOST_ITEMS = 10

PLACES = {
    "enterprise": "enterprise",
    "product": "product",
    "patents": "product",
    "contracts": "contracts",
    "materials": "materials",
    "declarations": "answers",
    "answers": "answers",
    "application": "round",
    "round": "round",
    "listing": "listing",
    "history": "history",
}


def reads(
    expressions: Iterable[Expression], facts: Mapping[str, Any], document: PolicyDocument
) -> tuple[Read, ...]:
    """What the expressions read, in their order; of a long list only the first items."""
    paths = list(dict.fromkeys(path for expression in expressions for path in expression.paths))
    return tuple(read for path in paths for read in _reads(path, paths, facts, document))


def _reads(
    path: str, paths: list[str], facts: Mapping[str, Any], document: PolicyDocument
) -> Iterator[Read]:
    base, _, name = path.partition("[].")
    root, _, key = base.partition(".")
    group = document.schema.get(root)
    if group is None:  # a worksheet line, today or the policy's own list
        return
    place, held = PLACES[root], facts.get(root)
    if isinstance(group, Words):
        told = _shown(held, "words", document)
        yield Read(path, group.label, told, group.source, place)
        return
    if group.many:
        yield from _list(path, group.label, group.fields, held, name, paths, document)
        return
    found = group.fields[key]
    value = (held or {}).get(key)
    if found.fields:
        yield from _list(path, found.label, found.fields, value, name, paths, document)
    else:
        yield Read(path, found.label, _shown(value, found.kind, document), found.source, place)


def _list(
    path: str,
    label: str,
    fields: Mapping[str, Field],
    items: list[Mapping[str, Any]] | None,
    name: str,
    paths: list[str],
    document: PolicyDocument,
) -> Iterator[Read]:
    """A field of each item, or how many there are where no field of them is read."""
    base = path.partition("[].")[0]
    place = PLACES[base.partition(".")[0]]
    source = next(iter(fields.values())).source
    if not name:
        if items is None or not items or not any(p.startswith(f"{base}[].") for p in paths):
            count = UNFILLED if items is None else f"{len(items)} 项"
            yield Read(base, label, count, source, place)
        return
    found = fields[name]
    for position, item in enumerate((items or [])[:MOST_ITEMS], 1):
        value = _shown(item.get(name), found.kind, document)
        where = f"{base}[{position}].{name}"
        yield Read(where, f"{label} {position} 的{found.label}", value, found.source, place)
    more = len(items or []) - MOST_ITEMS
    if more > 0:
        yield Read(base, label, f"另有 {more} 项", source, place)


def _shown(value: Any, kind: str, document: PolicyDocument) -> str:
    return UNFILLED if value is None else shown(value, kind, document.terms)
