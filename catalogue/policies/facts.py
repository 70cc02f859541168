"""The typed schema of every fact that a rule may read: name, kind, unit, label, source.

One schema serves the static check of a policy file, the check of the facts themselves, and the
words that name a missing fact to a reader.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

EPOCH = date(1970, 1, 1)
MAX_FEN = 10**15
MILLION = 1_000_000
MAX_ITEMS = 500
MAX_TEXT = 4_000


@dataclasses.dataclass(frozen=True)
class Field:
    """One fact. ``kind`` is text, boolean, date, money, count, rate, list or objects.

    Money is fen, a date is days, a rate is ``{"millionths": n}``; a list is of texts, and
    objects are a list of things with ``fields`` of their own.
    """

    label: str
    kind: str
    source: str
    unit: str = ""
    fields: Mapping[str, Field] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Group:
    """A root of the schema: one object, or a list of objects (``many``), with its fields."""

    label: str
    fields: Mapping[str, Field]
    many: bool = False


@dataclasses.dataclass(frozen=True)
class Words:
    """A root that is a list of plain ids, such as the materials attached."""

    label: str
    source: str


FIRM, PRODUCT, CONTRACTS = "单位资料", "产品资料", "申报的合同与到账"
SYSTEM, FORM, PORTAL = "本系统记录", "申报表", "申报批次"

# One per award of the firm, across all schemes and years; the amounts add up.
AWARD: dict[str, Field] = {
    "scheme": Field("事项", "text", SYSTEM),
    "year": Field("年度", "count", SYSTEM, "年"),
    "awarded_on": Field("核定日期", "date", SYSTEM),
    "product_id": Field("产品", "count", SYSTEM),
    "same_product": Field("是否同一产品", "boolean", SYSTEM),
    "amount": Field("核定金额", "money", SYSTEM, "元"),
    "state": Field("状态（approved concluded revoked）", "text", SYSTEM),
}
# One per contract on which an award rests; an award with three contracts stands here thrice.
AWARDED_CONTRACT: dict[str, Field] = {
    "number": Field("合同编号", "text", SYSTEM),
    "scheme": Field("事项", "text", SYSTEM),
    "year": Field("年度", "count", SYSTEM, "年"),
    "amount": Field("合同金额", "money", SYSTEM, "元"),
    "same_product": Field("是否同一产品", "boolean", SYSTEM),
}
PENDING: dict[str, Field] = {
    "scheme": Field("事项", "text", SYSTEM),
    "same_product": Field("是否同一产品", "boolean", SYSTEM),
}
EXCLUSION: dict[str, Field] = {
    "since": Field("自", "date", SYSTEM),
    "until": Field("至", "date", SYSTEM),
    "ground": Field("事由", "text", SYSTEM),
}

SCHEMA: dict[str, Group | Words] = {
    "enterprise": Group(
        "单位",
        {
            "credit_code": Field("统一社会信用代码", "text", FIRM),
            "name": Field("单位名称", "text", FIRM),
            "district": Field("所在区（GB/T 2260）", "text", FIRM),
            "founded_on": Field("成立日期", "date", FIRM),
            "size": Field("企业规模（large medium small micro）", "text", FIRM),
            "honours": Field("在有效期内的称号", "list", FIRM),
            "credit_clear": Field("信用查询结果", "boolean", "信用信息查询"),
        },
    ),
    "product": Group(
        "产品",
        {
            "name": Field("产品名称", "text", PRODUCT),
            "model": Field("型号或版本号", "text", PRODUCT),
            "kind": Field("产品类别", "text", PRODUCT),
            "domain": Field("所属领域", "text", PRODUCT),
            "novelty": Field("创新档次", "text", PRODUCT),
            "advancement": Field("先进性档次", "text", PRODUCT),
            "first_sold_on": Field("首次销售日期", "date", PRODUCT),
            "summary": Field("产品简介", "text", PRODUCT),
        },
    ),
    "patents": Group(
        "知识产权",
        {
            "number": Field("编号", "text", PRODUCT),
            "kind": Field("类型", "text", PRODUCT),
            "granted_on": Field("授权或登记日期", "date", PRODUCT),
            "holder_matches": Field("权利人是否为本单位", "boolean", PRODUCT),
            "other_products": Field("以往用过它获批的其他产品数", "count", SYSTEM, "个"),
        },
        many=True,
    ),
    "contracts": Group(
        "合同",
        {
            "number": Field("编号", "text", CONTRACTS),
            "buyer": Field("买方", "text", CONTRACTS),
            "signed_on": Field("签订日期", "date", CONTRACTS),
            "invoiced_on": Field("发票日期", "date", CONTRACTS),
            "amount": Field("金额", "money", CONTRACTS, "元"),
            "received": Field("到账金额", "money", CONTRACTS, "元"),
            "quantity": Field("数量", "count", CONTRACTS),
            "accepted_on": Field("验收日期", "date", CONTRACTS),
            "buyer_district": Field("买方所在区（GB/T 2260）", "text", CONTRACTS),
            "buyer_is_trader": Field("买方是否贸易商", "boolean", CONTRACTS),
            "buyer_related": Field("买方是否关联方", "boolean", "单位资料中的关联方"),
        },
        many=True,
    ),
    "materials": Words("已附材料", FORM),
    "application": Group("申报", {"submitted_on": Field("提交日期", "date", SYSTEM)}),
    "round": Group(
        "批次",
        {
            "year": Field("年度", "count", PORTAL, "年"),
            "opens_on": Field("开放日期", "date", PORTAL),
            "closes_on": Field("截止日期", "date", PORTAL),
        },
    ),
    # The fields of these two are the policy's own `answers`; see PolicyDocument.schema.
    "declarations": Group("申报承诺", {}),
    "answers": Group("申报填写", {}),
    "listing": Group(
        "目录条目",
        {
            "number": Field("目录编号", "text", SYSTEM),
            "listed_on": Field("列入日期", "date", SYSTEM),
            "valid_until": Field("有效期至", "date", SYSTEM),
            "first_market": Field("是否首次投放市场", "boolean", SYSTEM),
        },
    ),
    "history": Group(
        "以往支持",
        {
            "awards": Field("本单位已获的支持", "objects", SYSTEM, fields=AWARD),
            "contracts": Field("已得过支持的合同", "objects", SYSTEM, fields=AWARDED_CONTRACT),
            "pending": Field("正在办理的申报", "objects", SYSTEM, fields=PENDING),
            "exclusions": Field("不得申报的期间", "objects", SYSTEM, fields=EXCLUSION),
        },
    ),
}


def as_day(value: date) -> int:
    """Whole days from 1970-01-01 to ``value``: the form that a date has in expressions."""
    return (value - EPOCH).days


def as_date(day: int) -> date:
    """The calendar date of a day number; raises OverflowError outside years 1 to 9999."""
    return EPOCH + timedelta(days=day)


def as_fen(yuan: Decimal | int) -> int:
    """Fen of an amount in yuan; raises ValueError when it is not whole fen or out of range."""
    fen = Decimal(yuan) * 100
    if not fen.is_finite() or fen != fen.to_integral_value() or not 0 <= fen < MAX_FEN:
        raise ValueError("金额须为 0 以上、最多两位小数的元")
    return int(fen)


def _scalar_fits(value: Any, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("text", "list", "objects", "rate"):
        return _other_fits(value, kind)
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    if kind == "money":
        return 0 <= value < MAX_FEN
    if kind == "date":
        return as_day(date(1000, 1, 1)) <= value <= as_day(date(3000, 1, 1))
    return abs(value) < MAX_FEN


def _is_rate(value: Any) -> bool:
    part = value.get("millionths") if isinstance(value, Mapping) and len(value) == 1 else None
    return isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= MILLION


def _other_fits(value: Any, kind: str) -> bool:
    if kind == "rate":
        return _is_rate(value)
    if kind == "text":
        return isinstance(value, str) and len(value) <= MAX_TEXT
    if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
        return False
    if kind == "list":
        return all(isinstance(item, str) for item in value)
    return all(isinstance(item, Mapping) for item in value)


def _clean_object(
    value: Any, fields: Mapping[str, Field], path: str, problems: list[str]
) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        problems.append(f"{path}: 应为一组字段")
        return {}
    kept: dict[str, Any] = {}
    for name, item in value.items():
        if item is None:
            continue
        field = fields.get(name)
        if field is None:
            problems.append(f"{path}.{name}: 没有这个事实")
        elif not _scalar_fits(item, field.kind):
            problems.append(f"{path}.{name}: 值不合类型 {field.kind}")
        elif field.kind == "objects":
            kept[name] = [
                _clean_object(part, field.fields, f"{path}.{name}[{i}]", problems)
                for i, part in enumerate(item)
            ]
        else:
            kept[name] = item
    return kept


def _clean_root(name: str, value: Any, root: Group | Words, problems: list[str]) -> Any:
    if isinstance(root, Group) and not root.many:
        return _clean_object(value, root.fields, name, problems)
    if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
        problems.append(f"{name}: 应为至多 {MAX_ITEMS} 项的列表")
        return None
    if isinstance(root, Words):
        return [item for item in value if isinstance(item, str)]
    return [
        _clean_object(item, root.fields, f"{name}[{i}]", problems) for i, item in enumerate(value)
    ]


def cleaned(
    facts: Mapping[str, Any], schema: Mapping[str, Group | Words]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The facts that fit ``schema``, and what was wrong with the others.

    None means *not known* and is left out. A value of a wrong kind is left out too, so that a
    rule that needs it says *unknown*; the caller logs the problems. Object roots are always
    present (maybe empty), so that ``has(listing.number)`` can be asked; list roots are present
    only when they were given, so that *no contracts* and *contracts not known* stay different.
    """
    problems = [f"{name}: 没有这组事实" for name in facts if name not in schema]
    kept: dict[str, Any] = {}
    for name, root in schema.items():
        value = facts.get(name)
        single = isinstance(root, Group) and not root.many
        if value is None:
            if single:
                kept[name] = {}
            continue
        clean = _clean_root(name, value, root, problems)
        if clean is not None:
            kept[name] = clean
    return kept, tuple(problems)


def described() -> Iterator[tuple[str, Field | Words]]:
    """Every fact with its dotted name, for the page and the README that list them."""
    for name, root in SCHEMA.items():
        if isinstance(root, Words):
            yield name, root
            continue
        for field_name, field in root.fields.items():
            path = f"{name}{'[]' if root.many else ''}.{field_name}"
            yield path, field
            for part_name, part in field.fields.items():
                yield f"{path}[].{part_name}", part
