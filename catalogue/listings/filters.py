"""Filters: declared once; they drive the reading of an address, the side panel and the chips."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from catalogue.enterprises.taxonomies import districts, taxonomy
from catalogue.listings.figures import MAX_LIMITS, Limit, limit, limits_in
from catalogue.listings.index import NONE
from catalogue.listings.models import KINDS
from catalogue.listings.search import MAX_PAGE, MAX_QUESTION, RELEVANCE, SORT_NAMES, Page, Search
from catalogue.listings.synonyms import MAX_WORD
from catalogue.products.taxonomies import advancements, domains, novelties

UNKNOWN = "未填"
MAX_VALUES = 30
# The parameter that names a word not to be put in as a synonym, and the one that holds a limit.
DROP, LIMIT = "drop", "spec"
# The four boxes in which a limit is typed; the address then holds it as one parameter.
BOXES = ("figure", "relation", "amount", "unit")
STATUS_NAMES = {
    "valid": "有效",
    "expiring": "60 天内到期",
    "expired": "已到期",
    "undated": "未注明有效期",
}
PURCHASE_NAMES = {"yes": "可直接首购", "no": "不适用首购"}
SORT_LABELS = {
    "relevance": "相关",
    "newest": "最新入选",
    "remaining": "剩余天数",
    "name": "名称",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One facet: its parameter, its title, the names of its values.

    ``always`` values stand in the panel even at zero; the others once the catalogue has one.
    ``open_ended`` accepts values that have no name of their own, such as years.
    """

    name: str
    title: str
    names: Callable[[], Mapping[str, str]]
    always: Callable[[], Iterable[str]] = tuple
    open_ended: re.Pattern[str] | None = None
    newest_first: bool = False

    def label(self, value: str) -> str:
        """The page word of a value."""
        return UNKNOWN if value == NONE else self.names().get(value, value)

    def accepts(self, value: str) -> bool:
        """Whether a value can be met at all."""
        if value in self.names():
            return True
        if value == NONE:
            # Whatever has no last day is undated; every other facet may be left open.
            return self.name != "status"
        return self.open_ended is not None and self.open_ended.fullmatch(value) is not None

    def ordered(self, values: Iterable[str]) -> list[str]:
        """Values in the order of their names' list, years newest first, the unknown last."""
        rank = {value: place for place, value in enumerate(self.names())}
        known = [value for value in values if value != NONE]
        known.sort(reverse=self.newest_first)
        known.sort(key=lambda value: rank.get(value, len(rank)))
        return [*known, *({NONE} & set(values))]


def _general_domains() -> list[str]:
    general = (group for group in taxonomy("domains") if not group["parent"])
    return [item["id"] for group in general for item in group["items"]]


FILTERS = (
    Filter("status", "状态", lambda: STATUS_NAMES, lambda: ("valid", "expiring", "expired")),
    Filter("first_purchase", "首购", lambda: PURCHASE_NAMES, lambda: ("yes",)),
    Filter("domain", "领域", domains, _general_domains),
    Filter("kind", "类别", lambda: KINDS, lambda: KINDS),
    Filter("novelty", "档次", novelties, novelties),
    Filter("advancement", "技术水平", advancements, advancements),
    Filter("district", "所在区", districts),
    Filter("year", "年度", dict, open_ended=re.compile(r"(19|20)[0-9]{2}"), newest_first=True),
)
BY_NAME = {each.name: each for each in FILTERS}


@dataclass(frozen=True, slots=True)
class Fault:
    """A part of an address that no filter understands."""

    parameter: str
    value: str
    reason: str


@dataclass(slots=True)
class Asked:
    """What an address asks, and what in it could not be understood."""

    search: Search
    faults: list[Fault] = field(default_factory=list)
    # What was typed into `BOXES` and could not be read, so that it is not lost.
    typed: Mapping[str, str] = field(default_factory=dict)

    @property
    def too_long(self) -> bool:
        """Whether the question itself was refused."""
        return any(fault.parameter == "q" for fault in self.faults)


def read(arguments: Any) -> Asked:
    """The search of an address (a werkzeug MultiDict); unknown parameters mean nothing."""
    faults: list[Fault] = []
    q = _question(arguments.get("q", ""))
    if len(q) > MAX_QUESTION:
        reason = f"查找的文字有 {len(q)} 个字，不能超过 {MAX_QUESTION} 个字"
        faults.append(Fault("q", q[:MAX_QUESTION], reason))
        q = q[:MAX_QUESTION]
    q, limits = limits_in(q)
    limits += [found for text in arguments.getlist(LIMIT) for found in _limits(text, faults)]
    typed = {box: _question(arguments.get(box, ""))[:60] for box in BOXES}
    boxed = _boxed(typed, faults)
    limits += [boxed] if boxed else []
    given = [each for each in FILTERS if each.name in arguments]
    chosen = {each.name: _values(each, arguments, faults) for each in given}
    sort = arguments.get("sort") or RELEVANCE
    if sort not in SORT_NAMES:
        faults.append(Fault("sort", sort[:40], "没有这种排序"))
        sort = RELEVANCE
    search = Search(
        q=q,
        chosen={name: values for name, values in chosen.items() if values},
        sort=sort,
        page=_page(arguments.get("page", ""), faults),
        dropped=_dropped(arguments),
        limits=tuple(dict.fromkeys(limits))[:MAX_LIMITS],
    )
    return Asked(search, faults, {} if boxed else typed)


def _question(text: str) -> str:
    plain = unicodedata.normalize("NFC", text)
    visible = (" " if unicodedata.category(sign)[0] == "C" else sign for sign in plain)
    return " ".join("".join(visible).split())


def _values(each: Filter, arguments: Any, faults: list[Fault]) -> tuple[str, ...]:
    accepted: list[str] = []
    for value in list(dict.fromkeys(arguments.getlist(each.name)))[:MAX_VALUES]:
        if not value:
            continue
        if each.accepts(value):
            accepted.append(value)
        else:
            faults.append(Fault(each.name, value[:40], f"{each.title}里没有这一项"))
    return tuple(each.ordered(accepted))


def _limits(text: str, faults: list[Fault]) -> list[Limit]:
    text = _question(text)[:100]
    left, found = limits_in(text)
    if text and (left or not found):
        faults.append(Fault(LIMIT, text[:40], "应写成“名称 ≤ 数值 单位”，例如 波长 ≤ 193 nm"))
        return []
    return found


def _boxed(typed: Mapping[str, str], faults: list[Fault]) -> Limit | None:
    if not typed["figure"] and not typed["amount"]:
        return None
    found = limit(*(typed[box] for box in BOXES))
    if found is None:
        name = "figure" if not typed["figure"] else "amount"
        reason = "请填指标的名称" if name == "figure" else "请填数字，例如 193"
        faults.append(Fault(name, typed[name][:40], reason))
    return found


def _dropped(arguments: Any) -> tuple[str, ...]:
    given = {_question(word)[:MAX_WORD] for word in arguments.getlist(DROP)[:MAX_VALUES]}
    return tuple(sorted(given - {""}))


def _page(text: str, faults: list[Fault]) -> int:
    if not text:
        return 1
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_PAGE:
        return int(text)
    faults.append(Fault("page", text[:40], f"页码应为 1 到 {MAX_PAGE}"))
    return 1


def pairs(search: Search, leave: str = "") -> list[tuple[str, str]]:
    """The search as address parameters, in one fixed order, without ``leave``."""
    found = [("q", search.q)] if search.q else []
    found += [(each.name, v) for each in FILTERS for v in search.chosen.get(each.name, ())]
    found += [(LIMIT, str(limit)) for limit in search.limits]
    found += [(DROP, word) for word in search.dropped]
    if search.sort != RELEVANCE:
        found.append(("sort", search.sort))
    if search.page > 1:
        found.append(("page", str(search.page)))
    return [(name, value) for name, value in found if name != leave]


def grouped(search: Search) -> dict[str, Any]:
    """The same for ``url_for``: each parameter with its value or values."""
    values: dict[str, list[str]] = {}
    for name, value in pairs(search):
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def without(search: Search, name: str, value: str | None = None) -> Search:
    """The search without one value of a facet, or without the whole facet or question."""
    if name == "q":
        return replace(search, q="", dropped=(), page=1)
    if name == LIMIT:
        limits = tuple(one for one in search.limits if value is not None and str(one) != value)
        return replace(search, limits=limits, page=1)
    if name == DROP:
        kept = tuple(word for word in search.dropped if value is not None and word != value)
        return replace(search, dropped=kept, page=1)
    left = tuple(v for v in search.chosen.get(name, ()) if value is not None and v != value)
    chosen = {key: values for key, values in search.chosen.items() if key != name}
    if left:
        chosen[name] = left
    return replace(search, chosen=chosen, page=1)


def options(page: Page, each: Filter) -> list[dict[str, Any]]:
    """The lines of one facet in the panel: value, label, count, selected."""
    counts = page.facets.get(each.name, {})
    chosen = page.search.chosen.get(each.name, ())
    shown = {*each.always(), *chosen, *(value for value in counts if each.name != "status")}
    if each.name == "status" and counts.get("undated"):
        shown.add("undated")
    return [
        {
            "value": value,
            "label": each.label(value),
            "count": counts.get(value, 0),
            "selected": value in chosen,
        }
        for value in each.ordered(shown)
    ]


def total_without(page: Page, name: str) -> int:
    """How many would be found if nothing were chosen in this facet."""
    counts = page.facets.get(name, {})
    # Expiring products are valid ones too and must not be counted twice.
    return sum(count for value, count in counts.items() if value != "expiring")
