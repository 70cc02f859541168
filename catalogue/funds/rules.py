"""Amounts in words, the states of an award, and what holds a line back; values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from catalogue.enterprises.rules import same_holder

DIGITS = "零壹贰叁肆伍陆柒捌玖"
PLACES = ("", "拾", "佰", "仟")
GROUPS = ("", "万", "亿", "万亿")
# The groups above end at 10^16 yuan.
MAX_FEN = 10**18

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


def money_words(fen: int) -> str:
    """大写金额 of whole fen, such as 壹仟肆佰柒拾万零捌仟玖佰柒拾陆元整.

    Rules: 中国人民银行《正确填写票据和结算凭证的基本规定》. Zeros between digits of the yuan are
    written as one 零; 整 stands after 元 only; 元 is followed by 零 when only 角 is zero. Where the
    rules leave a choice (a zero at 万位 before a digit at 千位; a zero at 元位 before 角) 零 is
    written within the yuan and left out before 角, as in their second example,
    107,000.53 壹拾万零柒仟元伍角叁分. Raises ValueError outside 0 … 10^18 fen.
    """
    if not 0 <= fen < MAX_FEN:
        raise ValueError("the amount cannot be written in words")
    yuan, rest = divmod(fen, 100)
    jiao, odd = divmod(rest, 10)
    words = f"{_whole(yuan)}元" if yuan or not rest else ""
    if not rest:
        return f"{words}整"
    if jiao:
        words += f"{DIGITS[jiao]}角"
    elif yuan:
        words += "零"
    return words + (f"{DIGITS[odd]}分" if odd else "")


def _whole(number: int) -> str:
    if number == 0:
        return DIGITS[0]
    text, words, gap = str(number), [], False
    for index, character in enumerate(text):
        digit, place = int(character), len(text) - 1 - index
        if digit:
            if gap:
                words.append(DIGITS[0])
            words.append(DIGITS[digit] + PLACES[place % 4])
        gap = not digit
        if place % 4 == 0 and place and int(text[max(0, index - 3) : index + 1]):
            words.append(_group(place // 4, text, index))
    return "".join(words)


def _group(group: int, text: str, index: int) -> str:
    # 万亿 before a group of 亿 that is not empty is written 万, since 亿 follows.
    if group == 3 and int(text[index + 1 : index + 5]):
        return GROUPS[1]
    return GROUPS[group]


def money_text(fen: int) -> str:
    """Whole fen as yuan with separators and two decimals: 1,234.50."""
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100:,}.{fen % 100:02d}"


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
