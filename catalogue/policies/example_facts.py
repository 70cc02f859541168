"""Facts as an author writes them in examples: yuan and calendar dates, over a common base."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from catalogue.policies.facts import Field, Group, Words, as_day, as_fen


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``changes`` over ``base``: groups merge, lists and values are replaced, null removes."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def _unit(value: Any, field: Field, path: str) -> Any:
    if field.kind == "money" and isinstance(value, int | Decimal) and not isinstance(value, bool):
        return as_fen(value)
    if field.kind == "date" and isinstance(value, date):
        return as_day(value)
    if field.kind == "objects" and isinstance(value, list):
        return [_object(item, field.fields, path) for item in value]
    expected = {"text": str, "boolean": bool, "count": int, "list": list}.get(field.kind)
    if expected is None or not isinstance(value, expected):
        raise ValueError(f"例子里 {path} 的值与类型 {field.kind} 不合")
    return value


def _object(value: Any, fields: Mapping[str, Field], path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"例子里 {path} 应是一组“键: 值”")  # noqa: TRY004  words for an author
    made = {}
    for key, item in value.items():
        if key not in fields:
            raise ValueError(f"例子里没有事实 {path}.{key}")
        if item is not None:
            made[key] = _unit(item, fields[key], f"{path}.{key}")
    return made


def with_units(facts: Mapping[str, Any], schema: Mapping[str, Group | Words]) -> dict[str, Any]:
    """Facts with yuan as fen and dates as days; raises ValueError naming what does not fit."""
    made: dict[str, Any] = {}
    for name, value in facts.items():
        root = schema.get(name)
        if root is None:
            raise ValueError(f"例子里没有事实 {name}")
        if isinstance(root, Group) and not root.many:
            made[name] = _object(value, root.fields, name)
        elif not isinstance(value, list):
            raise ValueError(f"例子里 {name} 应是列表")
        elif isinstance(root, Words):
            made[name] = value
        else:
            made[name] = [_object(item, root.fields, name) for item in value]
    return made
