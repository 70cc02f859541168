"""The states of an award and what holds a line back; values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from catalogue.enterprises.rules import same_holder
from catalogue.money import money_text

STATES = {
    "reserved": "公示中，已预留",
    "committed": "已核定",
    "paid": "已拨付",
    "released": "已释放",
}
# What a subsidy list shows when no state is chosen: money that is due or has gone.
LISTED = ("committed", "paid")

ACCOUNT_CHECKS = {"matches": "一致", "mismatch": "户名不符", "missing": "未登记账户"}

KINDS = {
    "adjust": "调整预算",
    "reserve": "预留",
    "commit": "核定",
    "release": "释放",
}

ACTIONS = {
    "award.reserve": "审定通过，预留资金",
    "award.commit": "公示期满办结，核定资金",
    "award.release": "释放资金",
    "award.take_account": "改用现登记账户",
    "award.reveal_account": "查看完整账号",
    "budget.set": "设定预算",
}

MIN_REASON = 5


def account_check(holder: str | None, firm: str) -> str:
    """Whether the account on record may be paid: matches, mismatch, or missing (no account)."""
    if holder is None:
        return "missing"
    return "matches" if same_holder(holder, firm) else "mismatch"


def held_because(state: str, check: str) -> str | None:
    """Why a line is not in the sums, in words; None when it counts.

    Paid money counts whatever became of the account since; released money never does.
    """
    if state == "released":
        return STATES["released"]
    if state == "paid" or check == "matches":
        return None
    return ACCOUNT_CHECKS[check]


def articles_of(lines: Iterable[Mapping[str, Any]]) -> str:
    """The articles that a worksheet rests on, each once, in the order of its steps."""
    named = (str(line["article"]) for line in lines if line.get("article"))
    return "、".join(dict.fromkeys(named))


def free_fen(total: int, reserved: int, committed: int, paid: int) -> int:
    """What a budget can still reserve, in fen."""
    return total - reserved - committed - paid


def shortfall_words(scheme_name: str, year: int, free: int, needed: int) -> str:
    """Why an award does not fit, with both amounts."""
    return (
        f"{year} 年度{scheme_name}预算只剩 {money_text(free)} 元未占用，"
        f"本件核定金额 {money_text(needed)} 元，还差 {money_text(needed - free)} 元。"
        "请先由财务调整预算，再审定"
    )
