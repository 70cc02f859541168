"""When a notice closes, how that was counted, and the bytes that its hash is taken of."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from catalogue.working_days import is_working_day

GROUNDS = {
    "rights": "知识产权或权属有争议",
    "untrue": "申报内容与事实不符",
    "ineligible": "不符合申报条件",
    "procedure": "审查程序有问题",
    "other": "其他",
}
# An item leaves its notice in one of two ways.
OUTCOMES = {"cleared": "公示无异议或异议不成立", "struck": "异议成立，不予通过"}
MAX_FILES = 3
MAX_FILE_BYTES = 6 * 1024 * 1024
OBJECTION_STATES = {"open": "核查中", "upheld": "异议成立", "dismissed": "异议不成立"}
OBJECTION_TAGS = {"open": "waiting", "upheld": "fail", "dismissed": "plain"}

CLOSING_HOUR = time(17, 0)
# Without 0 O 1 I L, so that a code can be read out on the telephone.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_CODE_LENGTH = 20
# Characters of base64.
SENT_KEY_LENGTH = 24


@dataclass(frozen=True)
class Period:
    """A public period; ``counted`` names every day up to its end and whether it counts."""

    closes_at: datetime
    counted: list[dict[str, Any]]


def period(opens_at: datetime, working_days: int, zone: tzinfo) -> Period:
    """The period of ``working_days`` that opens at ``opens_at``, closing at 17:00 in ``zone``.

    The day of publication is not counted (民法典 201), so nobody has less than the full period.
    Raises UnknownYear beyond the published calendars.
    """
    if working_days < 1:
        raise ValueError("a public period has at least one working day")
    day = opens_at.astimezone(zone).date()
    counted: list[dict[str, Any]] = [_line(day, works=None, number=None)]
    reached = 0
    while reached < working_days:
        day += timedelta(days=1)
        works = is_working_day(day)
        reached += works
        counted.append(_line(day, works=works, number=reached if works else None))
    return Period(datetime.combine(day, CLOSING_HOUR, zone), counted)


def _line(day: date, *, works: bool | None, number: int | None) -> dict[str, Any]:
    return {"day": day.isoformat(), "why": _why(day, works=works), "number": number}


def _why(day: date, *, works: bool | None) -> str:
    weekend = day.weekday() >= 5
    if works is None:
        return "公示开始的当日，不计入"
    if works:
        return "调休上班" if weekend else "工作日"
    return "周末" if weekend else "法定节假日或调休放假"


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one byte form of a notice: sorted keys, no spaces, UTF-8."""
    text = json.dumps(
        content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return text.encode()


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical(content)).hexdigest()


def new_receipt_code() -> str:
    """An unguessable code (99 bits) in groups of five, such as YY-7K3MQ-…"""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH))
    groups = [letters[i : i + 5] for i in range(0, _CODE_LENGTH, 5)]
    return f"YY-{'-'.join(groups)}"


def is_receipt_code(text: str) -> bool:
    """Whether ``text`` has the form of a receipt code."""
    return re.fullmatch(rf"YY(-[{_LETTERS}]{{5}}){{{_CODE_LENGTH // 5}}}", text) is not None


def new_sent_key() -> str:
    """An unguessable name (144 bits) for one form, so that it counts once however often sent."""
    return secrets.token_urlsafe(SENT_KEY_LENGTH * 3 // 4)


def title_of(round_title: str, scheme: str, scheme_name: str) -> str:
    """The title of the notice of a round: who is to be listed, or to be supported."""
    what = "拟入选名单" if scheme == "catalogue" else "拟支持名单"
    named = "" if scheme_name in round_title else scheme_name
    return f"{round_title}{named}{what}公示"
