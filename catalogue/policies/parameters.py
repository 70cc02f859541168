"""Reading the articles and the numbers of a policy file: values, lists, tables and formulas."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from catalogue.policies.document import Article, Continuation, Parameter, schema_with
from catalogue.policies.expressions import compiled
from catalogue.policies.facts import MILLION, as_day, as_fen
from catalogue.policies.kinds import Names
from catalogue.policies.reader import NAME, Path, Reader, keys_of

# A unit that says what kind of value stands before it; any other one is of a count.
UNIT_KINDS = {"元": "money", "比例": "rate", "天": "days"}
MAX_LIST = 200
MAX_COUNT = 10**9


def articles_of(reader: Reader) -> dict[str, Article]:
    """The articles by their key, numbered for their anchors."""
    section = reader.typed(reader.source.data.get("articles"), dict, "articles", {}, ("articles",))
    made = {}
    for position, (key, entry) in enumerate(section.items(), 1):
        path = ("articles", key)
        if not reader.keys_fit(entry, "articles", path):
            continue
        made[key] = Article(
            key,
            f"article-{position}",
            reader.text(entry, "text", path),
            reader.text(entry, "source", path),
            reader.confidence(entry, path),
        )
    return made


# ------------------------------------------------------------------ values


def _rate(value: Any) -> dict[str, int]:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("比例的值应是数字")  # noqa: TRY004  words for an author
    if not Decimal(value).is_finite() or not 0 <= value <= 1:
        raise ValueError("比例写成 0 到 1 的小数，例如 0.20")
    millionths = Decimal(value) * MILLION
    if millionths != millionths.to_integral_value():
        raise ValueError("比例最多六位小数")
    return {"millionths": int(millionths)}


def _one(value: Any, unit: str) -> tuple[Any, str]:
    """A single value as expressions read it, and its kind; raises ValueError in words."""
    if unit == "元":
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError("元的值应是数字")
        return as_fen(value), "money"
    if unit == "比例":
        return _rate(value), "rate"
    if isinstance(value, bool):
        return value, "boolean"
    if isinstance(value, int):
        if not 0 <= value <= MAX_COUNT:
            raise ValueError(f"应在 0 到 {MAX_COUNT} 之间，不能是负数")
        return value, UNIT_KINDS.get(unit, "count")
    if isinstance(value, date):
        return as_day(value), "date"
    if isinstance(value, str):
        return value, "text"
    raise ValueError(
        "value 应是整数、金额（unit: 元）、比例（unit: 比例）、日期、是否、文字，"
        "或它们的列表、分类表、分档表"
    )


def _many(values: list[Any], unit: str) -> tuple[list[Any], str]:
    made = [_one(value, unit) for value in values]
    kinds = {kind for _, kind in made}
    if len(kinds) != 1:
        raise ValueError("列表里各项的类型应一样")
    kind = kinds.pop()
    return [value for value, _ in made], "words" if kind == "text" else kind


def _classes(table: Mapping[str, Any], unit: str) -> tuple[dict[str, Any], str]:
    values, kind = _many(list(table.values()), unit)
    return dict(zip(table, values, strict=True)), "text" if kind == "words" else kind


def _steps(entries: list[Any], unit: str, from_unit: str) -> tuple[list[Any], str, str]:
    if not all(isinstance(entry, dict) and set(entry) == {"from", "then"} for entry in entries):
        raise ValueError("分档表的每一档写成 {from: 起点, then: 值}")
    starts, by = _many([entry["from"] for entry in entries], from_unit)
    values, kind = _many([entry["then"] for entry in entries], unit)
    if by not in ("money", "count", "days", "date"):
        raise ValueError("分档表的起点应是金额、个数、天数或日期；金额以外写明 from_unit")
    if any(later <= earlier for earlier, later in itertools.pairwise(starts)):
        raise ValueError("分档表的起点应从小到大")
    pairs = zip(starts, values, strict=True)
    return [{"from": start, "then": value} for start, value in pairs], kind, by


def parameter_value(value: Any, unit: str, from_unit: str = "元") -> dict[str, Any]:
    """Fields ``value kind shape by`` of a Parameter; raises ValueError in words."""
    if isinstance(value, list | dict) and not 1 <= len(value) <= MAX_LIST:
        raise ValueError(f"列表和表应有 1 到 {MAX_LIST} 项")
    if isinstance(value, dict):
        table, kind = _classes(value, unit)
        return {"value": table, "kind": kind, "shape": "classes", "by": ""}
    if isinstance(value, list) and isinstance(value[0], dict):
        steps, kind, by = _steps(value, unit, from_unit)
        return {"value": steps, "kind": kind, "shape": "steps", "by": by}
    if isinstance(value, list):
        values, kind = _many(value, unit)
        return {"value": values, "kind": kind, "shape": "list", "by": ""}
    one, kind = _one(value, unit)
    return {"value": one, "kind": kind, "shape": "one", "by": ""}


# ------------------------------------------------------------------ parameters


def _formula(reader: Reader, entry: Mapping[str, Any], unit: str, path: Path) -> dict[str, Any]:
    """The fields of a parameter that is computed from the round."""
    kind = UNIT_KINDS.get(unit, "date" if unit in ("", "日期") else "count")
    names = Names({"round": schema_with(())["round"]}, {})
    text = reader.text(entry, "formula", path)
    formula = reader.compile(compiled, text, names, (*path, "formula"))
    if formula is not None and formula.gives.name not in (kind, "number"):
        reader.fault(f"算出来的是{formula.gives}，与 unit 不合", *path, "formula")
    reader.text(entry, "words", path)
    return {"value": None, "kind": kind, "shape": "one", "by": "", "formula": formula}


def _value(
    reader: Reader, name: str, entry: Mapping[str, Any], unit: str, path: Path
) -> dict[str, Any]:
    from_unit = reader.text(entry, "from_unit", path, "元")
    try:
        return {"formula": None, **parameter_value(entry["value"], unit, from_unit)}
    except (ValueError, ArithmeticError) as error:
        reader.fault(f"{name}：{error}", *path, "value")
        kind = UNIT_KINDS.get(unit, "plain")
        return {"value": None, "kind": kind, "shape": "one", "by": "", "formula": None}


def _parameter(
    reader: Reader,
    name: str,
    path: Path,
    entry: Mapping[str, Any],
    articles: Mapping[str, Article],
) -> Parameter | None:
    if not NAME.fullmatch(name):
        reader.fault("参数名用小写字母、数字和下划线", *path)
        return None
    unit = reader.text(entry, "unit", path, "")
    if ("value" in entry) == ("formula" in entry):
        reader.fault("value 与 formula 写且只写一个", *path)
        return None
    made = _formula(reader, entry, unit, path) if "formula" in entry else None
    return Parameter(
        name=name,
        label=reader.text(entry, "label", path),
        unit=unit,
        words=reader.text(entry, "words", path, ""),
        article=reader.article(entry, articles, path),
        confidence=reader.confidence(entry, path),
        placeholder=reader.flag(entry, "placeholder", path),
        note=reader.text(entry, "note", path, ""),
        **(made or _value(reader, name, entry, unit, path)),
    )


def parameters_of(
    reader: Reader, articles: Mapping[str, Article], *parents: str
) -> dict[str, Parameter]:
    """The parameters of the file, or of a section within it, by name."""
    made = {
        name: _parameter(reader, name, path, entry, articles)
        for name, path, entry in reader.named("parameters", *parents)
    }
    return {name: parameter for name, parameter in made.items() if parameter is not None}


def continuation_of(
    reader: Reader, articles: Mapping[str, Article], parameters: Mapping[str, Parameter]
) -> Continuation | None:
    """From when an expired text goes on being used, and with which parameters."""
    path = ("continued",)
    entry = reader.typed(reader.source.data.get("continued"), dict, "continued", {}, path)
    if not entry:
        return None
    for key in entry.keys() - set(sum(keys_of("continued"), ())):
        reader.fault(f"continued 里没有 {key} 这个键", *path, key)
    if entry.get("placeholder") is not True:
        reader.fault("沿用已到期的政策没有公开依据，须写 placeholder: true", *path)
    if "from" not in entry:
        reader.fault("continued 要写 from", *path)
    since = reader.typed(entry.get("from"), date, "from", date.max, (*path, "from"))
    changed = parameters_of(reader, articles, "continued")
    for name, parameter in changed.items():
        known = parameters.get(name)
        if known is None or known.gives != parameter.gives:
            reader.fault(
                f"参数 {name} 在 parameters 里没有，或类型不同", "continued", "parameters", name
            )
        if not parameter.placeholder:
            reader.fault(f"沿用参数 {name} 须写 placeholder: true", "continued", "parameters", name)
    return Continuation(since, reader.text(entry, "note", path), changed)
