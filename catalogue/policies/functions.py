"""The functions that a policy's expressions may call: how they are written, taken and worked out.

Money is fen, a date is whole days since 1970-01-01, a rate is ``{"millionths": n}`` so that
multiplying money by it in any other way is an error and not a silent inexact number.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalogue import working_days
from catalogue.policies.facts import MILLION, as_date, as_day

MAX_MONTHS = 12 * 1000
MAX_WORKING_DAYS = 4_000


class Missing:
    """What stood in the way of a value during one evaluation.

    ``keys`` are facts that list items lack, ``empty`` tells of a list without any item to take a
    value from, and ``reason`` says in words why a function has no answer.
    """

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.empty = False
        self.reason = ""

    def __bool__(self) -> bool:
        return bool(self.keys or self.empty or self.reason)

    def clear(self) -> None:
        """Forget everything before the next evaluation."""
        self.keys.clear()
        self.empty = False
        self.reason = ""

    def values(self, items: Iterable[Mapping[str, Any]], key: str) -> list[Any]:
        """The ``key`` of each item; items without it are noted and left out."""
        found = []
        for item in items:
            if key in item:
                found.append(item[key])
            else:
                self.keys.append(key)
        return found

    def without(self, reason: str) -> int:
        """Note why there is no answer; the number returned is never used."""
        self.reason = reason
        return 0


@dataclass(frozen=True)
class Function:
    """A function: how it is written, what it means, what it takes and what it gives.

    ``takes`` names the kind of each argument: items (a list of things), sums (the same, or a
    list of amounts or counts), field (a field of the items before it), list, words, money, date,
    number, rate, text, classes, steps, step (a value where the steps begin), or first (a size,
    and then more of its kind); ``…`` repeats the last one and ``?`` makes it optional. ``gives``
    is a kind, or field, fields, element, first or items, which take it from the arguments.
    ``default`` is the field that is meant when none is written.
    """

    usage: str
    meaning: str
    takes: tuple[str, ...]
    gives: str
    build: Callable[[Missing], Callable[..., Any]]
    default: str = ""


# ------------------------------------------------------------------ money and rates


def share_of(amount: int, rate: Mapping[str, int]) -> int:
    """``amount`` fen times a rate, rounded half up to whole fen."""
    return (2 * amount * rate["millionths"] + MILLION) // (2 * MILLION)


def per_piece(missing: Missing, amount: int, pieces: int) -> int:
    """``amount`` fen over a number of pieces, rounded half up; no answer for no pieces."""
    if pieces <= 0:
        return missing.without("除以的个数不是正数")
    return (2 * amount + pieces) // (2 * pieces)


def over_at_least(part: int, whole: int, rate: Mapping[str, int]) -> int:
    """How many fen ``part`` lies above the least that is at least ``rate`` of ``whole``."""
    return part - -(-whole * rate["millionths"] // MILLION)


def over_at_most(part: int, whole: int, rate: Mapping[str, int]) -> int:
    """How many fen ``part`` lies above the most that is at most ``rate`` of ``whole``."""
    return part - whole * rate["millionths"] // MILLION


def _step_of(missing: Missing, steps: list[Mapping[str, Any]], value: int) -> Any:
    """What the last step that begins at or below ``value`` gives."""
    reached = [step["then"] for step in steps if step["from"] <= value]
    return reached[-1] if reached else missing.without("低于分档表的第一档")


def graded(steps: list[Mapping[str, Any]], amount: int) -> int:
    """Each portion of ``amount`` times the rate of its own step; rounded once, half up."""
    exact, ends = 0, [step["from"] for step in steps[1:]] + [amount]
    for step, end in zip(steps, ends, strict=True):
        portion = min(end, amount) - step["from"]
        exact += max(0, portion) * step["then"]["millionths"]
    return (2 * exact + MILLION) // (2 * MILLION)


# ------------------------------------------------------------------ days


def add_months(day: int, months: int) -> int:
    """The same day ``months`` later (or earlier), or the last day of that month."""
    start = as_date(day)
    if abs(months) > MAX_MONTHS:
        raise OverflowError("months")
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return as_day(date(year, month + 1, min(start.day, last)))


def months_between(start: int, end: int) -> int:
    """Complete months from ``start`` to ``end``; negative when ``end`` comes first."""
    if end < start:
        return -months_between(end, start)
    first, last = as_date(start), as_date(end)
    months = (last.year - first.year) * 12 + last.month - first.month
    return months - (add_months(start, months) > end)


def month_start(day: int) -> int:
    """The first day of the month of ``day``."""
    return as_day(as_date(day).replace(day=1))


def month_end(day: int) -> int:
    """The last day of the month of ``day``."""
    return add_months(month_start(day), 1) - 1


def _working(missing: Missing, count: Callable[[], int]) -> int:
    try:
        return count()
    except working_days.UnknownYear as error:
        return missing.without(str(error))


def _working_between(missing: Missing) -> Callable[..., int]:
    def working_days_between(start: int, end: int) -> int:
        if abs(end - start) > MAX_WORKING_DAYS:
            return missing.without(f"相隔超过 {MAX_WORKING_DAYS} 天，不数工作日")
        first, last = as_date(start), as_date(end)
        return _working(missing, lambda: working_days.working_days_between(first, last))

    return working_days_between


def _working_after(missing: Missing) -> Callable[..., int]:
    def add_working_days(day: int, count: int) -> int:
        if not 0 <= count <= MAX_WORKING_DAYS:
            return missing.without(f"工作日数应在 0 到 {MAX_WORKING_DAYS} 之间")
        start = as_date(day)
        return _working(missing, lambda: as_day(working_days.add_working_days(start, count)))

    return add_working_days


# ------------------------------------------------------------------ lists


def _total(missing: Missing) -> Callable[..., int]:
    def total(items: list[Any], key: str = "amount") -> int:
        things = bool(items) and isinstance(items[0], Mapping)
        return sum(missing.values(items, key) if things else items)

    return total


def _ordered(
    default: str, *, descending: bool = False
) -> Callable[[Missing], Callable[..., list[Any]]]:
    """The first ``n`` by a field; equal ones keep their order on the form."""

    def build(missing: Missing) -> Callable[..., list[Any]]:
        def first(items: list[Any], n: int, key: str = default) -> list[Any]:
            missing.values(items, key)
            ordered = sorted(items, key=lambda item: item.get(key, 0), reverse=descending)
            return ordered[: max(0, n)]

        return first

    return build


def _edge(pick: Callable[..., int]) -> Callable[[Missing], Callable[..., int]]:
    def build(missing: Missing) -> Callable[..., int]:
        def edge(items: list[Any], key: str) -> int:
            if not items:
                missing.keys.append(key)
            return pick(missing.values(items, key), default=0)

        return edge

    return build


def _span(missing: Missing) -> Callable[..., int]:
    def span_days(items: list[Any], key: str = "signed_on") -> int:
        days = missing.values(items, key)
        return max(days) - min(days) if days else 0

    return span_days


def _flat(pick: Callable[..., Any]) -> Callable[[Missing], Callable[..., Any]]:
    def build(missing: Missing) -> Callable[..., Any]:
        def among(*values: Any) -> Any:
            found = values[0] if isinstance(values[0], list) else values
            missing.empty = missing.empty or not found
            return pick(found, default=0)

        return among

    return build


def _nth(missing: Missing) -> Callable[..., Any]:
    def nth(values: list[Any], n: int) -> Any:
        if not 1 <= n <= len(values):
            return missing.without(f"没有第 {n} 个，一共 {len(values)} 个")
        return values[n - 1]

    return nth


def _by_class(missing: Missing) -> Callable[..., Any]:
    def by_class(table: Mapping[str, Any], key: str) -> Any:
        if key in table:
            return table[key]
        return table["other"] if "other" in table else missing.without(f"表里没有“{key}”这一类")

    return by_class


def _absent(wanted: list[str], present: list[str]) -> list[str]:
    return [item for item in wanted if item not in present]


def _plain(function: Callable[..., Any]) -> Callable[[Missing], Callable[..., Any]]:
    return lambda _: function


def _bound(function: Callable[..., Any]) -> Callable[[Missing], Callable[..., Any]]:
    return lambda missing: lambda *values: function(missing, *values)


# For the engine alone: how far a case lies from a threshold.
MEASURES = {"over_at_least": over_at_least, "over_at_most": over_at_most}

FUNCTIONS: dict[str, Function] = {
    # ---- lists
    "count": Function("count(contracts)", "个数", ("list",), "count", _plain(len)),
    "total": Function(
        'total(contracts) 或 total(contracts, "received")',
        "各项之和；不写字段就是 amount；也可以是一列金额",
        ("sums", "field?"),
        "field",
        _total,
        "amount",
    ),
    "each": Function(
        'each(contracts, "amount")',
        "逐项取出一个字段",
        ("items", "field"),
        "fields",
        lambda missing: missing.values,
    ),
    "distinct": Function(
        'distinct(history.awards, "product_id")',
        "某个字段有几种不同的值",
        ("items", "field"),
        "count",
        lambda missing: lambda items, key: len(set(missing.values(items, key))),
    ),
    "earliest": Function(
        'earliest(contracts, "signed_on")',
        "最早的日期；空列表为缺",
        ("items", "field"),
        "date",
        _edge(min),
    ),
    "latest": Function(
        'latest(contracts, "signed_on")',
        "最晚的日期；空列表为缺",
        ("items", "field"),
        "date",
        _edge(max),
    ),
    "span_days": Function(
        'span_days(contracts, "invoiced_on")',
        "最早与最晚日期相隔的天数",
        ("items", "field?"),
        "days",
        _span,
        "signed_on",
    ),
    "first_n": Function(
        "first_n(contracts, 3)",
        "日期最早的几个；末尾可写别的日期字段，不写是 signed_on",
        ("items", "number", "field?"),
        "items",
        _ordered("signed_on"),
        "signed_on",
    ),
    "last_n": Function(
        "last_n(contracts, 3)",
        "日期最晚的几个；写法同上",
        ("items", "number", "field?"),
        "items",
        _ordered("signed_on", descending=True),
        "signed_on",
    ),
    "largest_n": Function(
        "largest_n(contracts, 3)",
        "金额最大的几个；末尾可写别的字段，不写是 amount",
        ("items", "number", "field?"),
        "items",
        _ordered("amount", descending=True),
        "amount",
    ),
    "smallest_n": Function(
        "smallest_n(contracts, 3)",
        "金额最小的几个；写法同上",
        ("items", "number", "field?"),
        "items",
        _ordered("amount"),
        "amount",
    ),
    "min": Function(
        "min(a, b) 或 min(列表)", "较小者；空列表为缺", ("first", "first…"), "first", _flat(min)
    ),
    "max": Function(
        "max(a, b) 或 max(列表)", "较大者；空列表为缺", ("first", "first…"), "first", _flat(max)
    ),
    "nth": Function(
        "nth(p.rates, 2)",
        "列表参数的第几个，从 1 数；没有第几个为无法判定",
        ("list", "number"),
        "element",
        _nth,
    ),
    "absent": Function(
        "absent(required_materials, materials)",
        "前者有而后者没有的",
        ("words", "words"),
        "words",
        _plain(_absent),
    ),
    "has_all": Function(
        "has_all(materials, required_materials)",
        "前者是否包含后者的全部",
        ("words", "words"),
        "boolean",
        _plain(lambda present, wanted: not _absent(wanted, present)),
    ),
    # ---- money
    "share": Function(
        "share(金额, p.rate)",
        "金额乘比例，四舍五入到分",
        ("money", "rate"),
        "money",
        _plain(share_of),
    ),
    "per": Function(
        "per(金额, 个数)",
        "金额除以个数，四舍五入到分",
        ("money", "number"),
        "money",
        _bound(per_piece),
    ),
    "at_least": Function(
        "at_least(部分, 全部, p.rate)",
        "部分是否达到全部的这个比例；不舍入",
        ("money", "money", "rate"),
        "boolean",
        _plain(lambda part, whole, rate: over_at_least(part, whole, rate) >= 0),
    ),
    "at_most": Function(
        "at_most(部分, 全部, p.rate)",
        "部分是否不超过全部的这个比例；不舍入",
        ("money", "money", "rate"),
        "boolean",
        _plain(lambda part, whole, rate: over_at_most(part, whole, rate) <= 0),
    ),
    "by_class": Function(
        "by_class(p.table, product.domain)",
        "分类表里这一类的值；没有就取 other",
        ("classes", "text"),
        "element",
        _by_class,
    ),
    "tier": Function(
        "tier(p.table, 数)",
        "分档表：落在哪一档，整个数用那一档的值",
        ("steps", "step"),
        "element",
        _bound(_step_of),
    ),
    "graded": Function(
        "graded(p.table, 金额)",
        "分档表：各段分别乘各段比例再相加，最后一次四舍五入到分",
        ("steps", "money"),
        "money",
        _plain(graded),
    ),
    # ---- days
    "day": Function(
        "day(2025, 4, 1)",
        "一个日期",
        ("number", "number", "number"),
        "date",
        _plain(lambda y, m, d: as_day(date(y, m, d))),
    ),
    "year_of": Function(
        "year_of(日期)", "日期所在的年", ("date",), "count", _plain(lambda d: as_date(d).year)
    ),
    "year_start": Function(
        "year_start(2025)",
        "某年 1 月 1 日",
        ("number",),
        "date",
        _plain(lambda y: as_day(date(y, 1, 1))),
    ),
    "year_end": Function(
        "year_end(2025)",
        "某年 12 月 31 日",
        ("number",),
        "date",
        _plain(lambda y: as_day(date(y, 12, 31))),
    ),
    "month_start": Function(
        "month_start(日期)", "当月 1 日", ("date",), "date", _plain(month_start)
    ),
    "month_end": Function("month_end(日期)", "当月最后一天", ("date",), "date", _plain(month_end)),
    "add_months": Function(
        "add_months(日期, -18)",
        "往后（负数往前）若干个月的同一天；没有这一天取月末",
        ("date", "number"),
        "date",
        _plain(add_months),
    ),
    "add_years": Function(
        "add_years(日期, 2)",
        "往后（负数往前）若干年的同一天",
        ("date", "number"),
        "date",
        _plain(lambda day, years: add_months(day, 12 * years)),
    ),
    "months_between": Function(
        "months_between(早, 晚)",
        "相隔的整月数，不满一个月的不算",
        ("date", "date"),
        "count",
        _plain(months_between),
    ),
    "working_days_between": Function(
        "working_days_between(早, 晚)",
        "相隔的工作日（早的一天不算）；放假安排没公布的年份为无法判定",
        ("date", "date"),
        "days",
        _working_between,
    ),
    "add_working_days": Function(
        "add_working_days(日期, 5)",
        "之后第几个工作日",
        ("date", "number"),
        "date",
        _working_after,
    ),
}
