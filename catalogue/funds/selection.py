"""What a subsidy list is asked for: one declaration that parses, links, names and hashes itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from catalogue.forms import normalised, parse_fen
from catalogue.funds.rules import ACCOUNT_CHECKS, STATES
from catalogue.money import money_text

SORTS = {
    "-amount": "核定金额，从高到低",
    "amount": "核定金额，从低到高",
    "number": "申报编号，从前到后",
    "-number": "申报编号，从后到前",
    "firm": "单位名称，顺序",
    "-firm": "单位名称，倒序",
}
DEFAULT_SORT = "-amount"
MAX_SEARCH = 60
MAX_PAGE = 1_000_000


@dataclass(frozen=True)
class Problem:
    """One argument that cannot be used: its name and why, in words."""

    name: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """Which awards, in which order. Empty means no condition; amounts in fen."""

    year: int
    scheme: str = ""
    state: str = ""
    account: str = ""
    district: str = ""
    min_fen: int = 0
    q: str = ""
    sort: str = DEFAULT_SORT
    problems: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def arguments(self) -> dict[str, str]:
        """The address's arguments, only those that say something; the order is fixed."""
        given = {
            "year": str(self.year),
            "scheme": self.scheme,
            "state": self.state,
            "account": self.account,
            "district": self.district,
            "min": money_text(self.min_fen).replace(",", "") if self.min_fen else "",
            "q": self.q,
            "sort": self.sort if self.sort != DEFAULT_SORT else "",
        }
        return {name: value for name, value in given.items() if value}

    def sorted_by(self, column: str) -> Selection:
        """The same list by ``column``; asked twice, the other way round."""
        first = f"-{column}" if column == "amount" else column
        other = column if column == "amount" else f"-{column}"
        return replace(self, sort=other if self.sort == first else first)

    def words(self, schemes: Mapping[str, str], districts: Mapping[str, str]) -> list[str]:
        """Every condition in words, for the head of a file and for print."""
        said = [
            f"年度：{self.year}",
            f"事项：{schemes.get(self.scheme, '全部')}",
            f"状态：{STATES.get(self.state, '已核定和已拨付')}",
        ]
        if self.account:
            said.append(f"账户核验：{ACCOUNT_CHECKS[self.account]}")
        if self.district:
            said.append(f"所在区：{districts.get(self.district, self.district)}")
        if self.min_fen:
            said.append(f"核定金额不低于：{money_text(self.min_fen)} 元")
        if self.q:
            said.append(f"单位、编号或产品含：{self.q}")
        return [*said, f"排序：{SORTS[self.sort]}"]


def _chosen(
    arguments: Mapping[str, str], name: str, known: Collection[str], bad: list[Problem]
) -> str:
    value = arguments.get(name, "").strip()
    if value and value not in known:
        bad.append(Problem(name, "没有这个选项，已按全部显示。请从列表里重新选"))
        return ""
    return value


def _year(arguments: Mapping[str, str], latest: int, bad: list[Problem]) -> int:
    text = arguments.get("year", "").strip()
    if not text:
        return latest
    if text.isascii() and text.isdigit() and len(text) == 4 and 2000 <= int(text) <= 2100:
        return int(text)
    bad.append(Problem("year", "请填四位年份，例如 2026"))
    return latest


def _least(arguments: Mapping[str, str], bad: list[Problem]) -> int:
    text = arguments.get("min", "").strip()
    if not text:
        return 0
    try:
        return parse_fen(text.replace(",", ""))
    except ValueError:
        bad.append(Problem("min", "请填金额，单位元，最多两位小数，例如 100000.00"))
        return 0


def _search(arguments: Mapping[str, str], bad: list[Problem]) -> str:
    text: Any = normalised(arguments.get("q", "").replace("\x00", ""))
    if len(text) > MAX_SEARCH:
        bad.append(Problem("q", f"最多 {MAX_SEARCH} 字，请缩短"))
        return ""
    return str(text)


def parse(
    arguments: Mapping[str, str],
    latest: int,
    schemes: Collection[str],
    districts: Collection[str],
) -> Selection:
    """Read the arguments of an address; what cannot be used is named in ``problems``.

    ``latest`` is the year taken when none is asked for.
    """
    bad: list[Problem] = []
    sort = arguments.get("sort", "").strip() or DEFAULT_SORT
    if sort not in SORTS:
        bad.append(Problem("sort", "没有这种排序，已按核定金额从高到低"))
        sort = DEFAULT_SORT
    return Selection(
        year=_year(arguments, latest, bad),
        scheme=_chosen(arguments, "scheme", schemes, bad),
        state=_chosen(arguments, "state", STATES, bad),
        account=_chosen(arguments, "account", ACCOUNT_CHECKS, bad),
        district=_chosen(arguments, "district", districts, bad),
        min_fen=_least(arguments, bad),
        q=_search(arguments, bad),
        sort=sort,
        problems=tuple(bad),
    )


def page_number(text: str | None) -> int:
    """The page asked for; anything that is not a page is the first."""
    text = (text or "").strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 7:
        return 1
    return min(max(1, int(text)), MAX_PAGE)
