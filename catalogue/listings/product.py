"""One product as a buyer's lawyer asks: its standing today, its first-purchase right, for machines.

Values in, values out: no Flask, no database. ``certified`` is the state of the product's
certificate, None for an entry of an imported list, which has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalogue.certificates.rules import Standing
from catalogue.enterprises.taxonomies import district_name
from catalogue.listings.models import KINDS, Listing
from catalogue.listings.search import status_of
from catalogue.policies.document import PolicyDocument
from catalogue.products.taxonomies import domain_name
from catalogue.working_days import UnknownYear, add_working_days, working_days_between

# The scheme whose articles a first purchase keeps.
PURCHASE = "first_purchase"
SAMPLE = "示例数据，非官方入选名单"
UNFILLED = "未填"
TAGS = {
    "valid": ("ok", "有效"),
    "expiring": ("waiting", "即将到期"),
    "expired": ("plain", "已到期"),
    "undated": ("plain", "未注明有效期"),
    "removed": ("fail", "已移出目录"),
    "suspended": ("waiting", "暂停推荐"),
}
# The articles of the first-purchase policy that a buyer has to keep, and its parameter of days.
ARTICLES = ("首购条件", "首次投放", "期限", "执行", "一致性", "录入公开", "编号")
ENTRY_DAYS = "entry_days"


@dataclass(frozen=True)
class Right:
    """Whether a contract signed today may be a first purchase, until when, or why not.

    ``days`` are calendar days left after today; ``working_days`` None where the calendar of a
    year on the way is not published.
    """

    open: bool
    reason: str
    until: date | None = None
    days: int | None = None
    working_days: int | None = None

    @property
    def left(self) -> str:
        """The time left, in words."""
        if self.days is None:
            return ""
        if self.days == 0:
            return "今天最后一天"
        if self.working_days is None:
            return f"剩 {self.days} 天（工作日数待放假安排公布）"
        return f"剩 {self.working_days} 个工作日（{self.days} 天）"


def days_left(valid_until: date | None, today: date) -> int | None:
    """Days until the last valid day; None when it has passed or none is known."""
    if valid_until is None or valid_until < today:
        return None
    return (valid_until - today).days


def first_purchase(listing: Listing, certified: Standing | None, today: date) -> Right:
    """首购: first time on the market, and within the validity of the entry (rules.md §6)."""
    if listing.status in TAGS:
        return Right(open=False, reason=TAGS[listing.status][1])
    if listing.application_id is None:
        return Right(open=False, reason="原名单没有写是否首次投放市场")
    if not listing.first_purchase:
        return Right(open=False, reason="列入目录时已有销售，不属首次投放市场")
    if certified is not None and not certified.valid:
        return Right(open=False, reason=f"证书{certified.label}")
    left = days_left(listing.valid_until, today)
    if left is None or listing.valid_until is None:
        return Right(open=False, reason="目录有效期已过")
    try:
        working: int | None = working_days_between(today, listing.valid_until)
    except UnknownYear:
        working = None
    return Right(True, "首次投放市场，随目录有效期", listing.valid_until, left, working)


def state_of(listing: Listing, certified: Standing | None, today: date) -> tuple[str, str]:
    """The kind of the tag and the word for what the entry is worth today."""
    if listing.status in TAGS:
        return TAGS[listing.status]
    if certified is not None and not certified.valid:
        return certified.tag, certified.label
    return TAGS[status_of(listing.valid_until, today)]


def validity_words(listing: Listing, today: date) -> tuple[str, str]:
    """How long the entry still holds, and from when to when."""
    if listing.status == "removed":
        return "已移出目录", f"{listing.removed_on}　{listing.removed_reason}"
    if listing.status == "suspended":
        return "暂停推荐", "证书暂停期间不可采信，经过见证书核验页"
    if listing.valid_until is None:
        return "未注明", "原名单没有写明有效期"
    left = days_left(listing.valid_until, today)
    period = f"{listing.listed_on} 至 {listing.valid_until}"
    return ("已到期" if left is None else f"剩 {left} 天"), period


def standing(listing: Listing) -> dict[str, str]:
    """The tag of the official card: the seal's colour only for what the authority did."""
    if listing.status == "removed":
        return {"kind": "fail", "label": "已移出目录"}
    if listing.status == "suspended":
        return {"kind": "waiting", "label": "暂停推荐"}
    if listing.application_id is not None:
        return {"kind": "official", "label": "列入目录"}
    return {"kind": "plain", "label": "示例数据" if listing.sample else "公开名单所载"}


def official_rows(listing: Listing, right: Right, today: date) -> list[dict[str, Any]]:
    """The rows of the official card of an entry."""
    left, period = validity_words(listing, today)
    purchase = {"label": "直接首购", "value": "不适用", "note": right.reason}
    if right.open:
        note = f"{right.reason}到 {right.until}，{right.left}"
        purchase = {"label": "直接首购", "value": "可以", "note": note}
    place = {"label": "地区", "value": listing.region or UNFILLED}
    if listing.district:
        place = {"label": "所在区", "value": district_name(listing.district)}
    return [
        {"label": "目录编号", "value": listing.number},
        {"label": "有效期", "strong": True, "value": left, "note": period},
        {**purchase, "strong": right.open},
        {"label": "类别", "value": KINDS[listing.kind]},
        place,
    ]


def duties(document: PolicyDocument, today: date) -> list[dict[str, Any]]:
    """What a first purchase has to keep, article by article; the deadline of entry for today."""
    found = []
    for key in ARTICLES:
        article = document.articles.get(key)
        if article is None:
            continue
        note = ""
        parameter = document.parameters.get(ENTRY_DAYS)
        if parameter is not None and parameter.article == key:
            note = _entry_deadline(today, int(parameter.value))
        found.append({"key": key, "slug": article.slug, "text": article.text, "note": note})
    return found


def _entry_deadline(today: date, count: int) -> str:
    try:
        return f"今天签订的，最迟 {add_working_days(today, count)} 录入"
    except UnknownYear:
        return ""


def json_ld(
    listing: Listing, state: str, certificate: tuple[str, str] | None, url: str
) -> dict[str, Any]:
    """The page as schema.org Product; addresses are whole ones. Nothing that the page hides.

    ``certificate``: number and address of the one that is valid today; programs read no tag
    beside it.
    """
    told: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "@id": url,
        "url": url,
        "name": listing.name,
        "sku": listing.number,
        "category": KINDS[listing.kind],
        "manufacturer": {"@type": "Organization", "name": listing.firm_name},
        "additionalProperty": [_property("目录状态", state), *map(_figure, listing.specifications)],
    }
    if listing.model:
        told["model"] = listing.model
    if listing.summary:
        told["description"] = listing.summary
    if listing.domain:
        told["additionalProperty"].insert(1, _property("领域", domain_name(listing.domain)))
    if certificate and listing.valid_until:
        told["hasCertification"] = {
            "@type": "Certification",
            "name": "上海市创新产品推荐目录入选证书",
            "certificationIdentification": certificate[0],
            "url": certificate[1],
            "validFrom": listing.listed_on.isoformat(),
            "expires": listing.valid_until.isoformat(),
        }
    return told


def _property(name: str, value: str) -> dict[str, str]:
    return {"@type": "PropertyValue", "name": name, "value": value}


def _figure(figure: Mapping[str, Any]) -> dict[str, str]:
    told = _property(str(figure["name"]), str(figure["value"]))
    return {**told, "unitText": str(figure["unit"])} if figure.get("unit") else told


def need_rows(figures: Sequence[Mapping[str, Any]], most: int) -> list[dict[str, str]]:
    """The product's own figures as the rows of a need, so that another may be held against it."""
    rows = []
    for figure in figures:
        text = str(figure["value"]).strip()
        sign, number = text[:1], text.lstrip("≤≥<> ")
        if number.replace(".", "", 1).isdigit():
            relation = {"≤": "le", "<": "le", "≥": "ge", ">": "ge"}.get(sign, "eq")
            unit = str(figure.get("unit", ""))
            rows.append(
                {"figure": figure["name"], "relation": relation, "amount": number, "unit": unit}
            )
    return rows[:most]
