"""Status on a day, the shape of numbers, and the words that an application leads to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

DIGITS = "零一二三四五六七八九"
ORDINALS = (
    "", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
    "tenth", "eleventh", "twelfth",
)  # fmt: skip
NUMBER = re.compile(r"SHCP-?([0-9]{4})-?([0-9]{4,9})")
FORMAL_NUMBER = re.compile(r"沪[创首].{1,2}(?:\(示\))?[〔\[(]([0-9]{4})[〕\])]([0-9]{4,9})号?")
NOVELTY_ENGLISH = {"original": "Original", "major": "Major innovation", "improved": "Innovation"}
ADVANCEMENT_ENGLISH = {
    "intl_lead": "internationally leading",
    "intl_adv": "internationally advanced",
    "dom_lead": "leading in China",
    "dom_adv": "advanced in China",
}
RECOGNISED = {
    "catalogue": ("列入《上海市创新产品推荐目录》", "is listed in the Catalogue"),
    "first_set": ("认定为首台套装备", "is recognised as a first set of major equipment"),
    "first_version": ("认定为首版次软件", "is recognised as a first version of software"),
    "first_batch": ("认定为首批次新材料", "is recognised as a first batch of new material"),
    "insurance_equipment": (
        "获首台套保险补偿",
        "receives the insurance subsidy for a first set of major equipment",
    ),
    "insurance_material": (
        "获首批次保险补偿",
        "receives the insurance subsidy for a first batch of new material",
    ),
    "first_purchase": ("具有首购资格", "qualifies for first purchase"),
    "first_use_risk": ("获首购首用风险补偿", "receives the compensation for the risk of first use"),
}


# From the status that a certificate has to those that two people may give it (features.md, G4).
# 到期 needs nobody: it follows from the last day. Revoked and replaced are for good.
NEXT: dict[str, tuple[str, ...]] = {
    "valid": ("suspended", "revoked", "replaced"),
    "suspended": ("valid", "revoked"),
    "revoked": (),
    "replaced": (),
}
ENDS = tuple(status for status, following in NEXT.items() if not following)
# The page's words for each act.
ACTS = {"suspended": "暂停", "valid": "恢复", "revoked": "撤销", "replaced": "换发"}
# What a replacement may change: word → its label, most characters, whether it must be there.
NAMES = {
    "enterprise": ("申报单位", 100, True),
    "enterprise_english": ("申报单位英文名", 200, False),
    "product": ("产品", 120, True),
    "product_english": ("产品英文名", 200, False),
    "model": ("型号", 60, True),
}


def why_not(status: str, now: str, standing: Standing) -> str | None:
    """Why a certificate that is ``now`` may not become ``status``, in words; None when it may."""
    if status not in NEXT[now]:
        return f"这张证书{standing.label}，不能{ACTS.get(status, '这样变更')}"
    if standing.id == "registered" and status != "revoked":
        return "证书文件正在签发，签发以后再办"
    if standing.id == "expired" and status != "revoked":
        return f"这张证书已到期，不能{ACTS[status]}"
    return None


@dataclass(frozen=True)
class Change:
    """A confirmed change: the status, since when (Shanghai time), and the number that follows."""

    status: str
    at: datetime
    follower: str | None = None

    @property
    def day(self) -> date:
        """The day on which it took effect."""
        return self.at.date()


@dataclass(frozen=True)
class Standing:
    """What a certificate is worth on a day: an id, the tag's kind, its words, and a sentence."""

    id: str
    tag: str
    label: str
    sentence: str

    @property
    def valid(self) -> bool:
        """Whether one may rely on it that day."""
        return self.id == "valid"


def standing_on(
    day: date,
    validity: tuple[date, date],
    issued_on: date | None,
    changes: Sequence[Change] = (),
) -> Standing:
    """The status on ``day``, by the last of the ``changes`` (oldest first) up to its end.

    The day of a change already counts as the new status; when one day saw several, the sentence
    tells them all.
    """
    valid_from, valid_until = validity
    past = [change for change in changes if change.day <= day]
    last = past[-1] if past else None
    if last is not None and last.status in ENDS:
        return _ended(day, last)
    if issued_on is None:
        return Standing("registered", "working", "正在签发", "编号已登记，证书文件正在签发。")
    if day < valid_from:
        return Standing("early", "plain", "尚未生效", f"有效期自 {valid_from} 起，{day} 尚未生效。")
    if day > valid_until:
        return Standing("expired", "plain", "已到期", f"有效期到 {valid_until}，{day} 已到期。")
    note = _same_day(day, past)
    if last is not None and last.status == "suspended":
        sentence = f"自 {last.day} 起暂停，{day} 不可采信。{note}"
        return Standing("suspended", "waiting", "已暂停", sentence)
    sentence = f"{day} 有效，有效期 {valid_from} 至 {valid_until}。{note}"
    return Standing("valid", "ok", "有效", sentence)


def _ended(day: date, last: Change) -> Standing:
    if last.status == "revoked":
        return Standing("revoked", "fail", "已撤销", f"自 {last.day} 起撤销，{day} 无效。")
    sentence = f"自 {last.day} 起由 {last.follower} 代替，{day} 请看新证书。"
    return Standing("replaced", "plain", "已换发", sentence)


def _same_day(day: date, past: Sequence[Change]) -> str:
    """What happened on ``day`` itself, when it began otherwise than it ended."""
    today = [change for change in past if change.day == day]
    before = next((c.status for c in reversed(past) if c.day < day), "valid")
    if not today or (len(today) == 1 and (before, today[0].status) == ("valid", "suspended")):
        return ""
    told = "、".join(f"{change.at:%H:%M} {ACTS[change.status]}" for change in today)
    return f"当天有变动：{told}。"


def normal_number(text: str) -> str | None:
    """The number in what a person typed or pasted, in either spelling; None if there is none."""
    plain = "".join(unicodedata.normalize("NFKC", text).upper().split())
    found = NUMBER.fullmatch(plain) or FORMAL_NUMBER.fullmatch(plain)
    return f"SHCP-{found[1]}-{found[2]}" if found else None


def ordinal_chinese(number: int) -> str:
    """一 to 九十九; figures beyond."""
    if not 0 < number < 100:
        return f" {number} "
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else f"{DIGITS[tens]}十"
    return head + (DIGITS[ones] if ones or not tens else "")


def batch_words(year: int, batch: int) -> tuple[str, str]:
    """2026 年第三批 and its English."""
    english = ORDINALS[batch] if 0 < batch < len(ORDINALS) else f"{batch}th"
    return f"{year} 年第{ordinal_chinese(batch)}批", f"{year}, {english} batch"


def statement(scheme: str, year: int, batch: int, *, objected: bool) -> tuple[str, str]:
    """The sentence that certifies; it says so when objections were raised and dismissed."""
    chinese, english = batch_words(year, batch)
    act, act_english = RECOGNISED[scheme]
    quiet = "公示，所提异议经核查不成立" if objected else "公示无异议"
    quiet_english = "with objections examined and dismissed" if objected else "without objection"
    sentence = (
        f"Following application, review and public notice {quiet_english}, the product below "
        f"{act_english} ({english})."
    )
    return f"经申报、审查、{quiet}，下列产品{act}（{chinese}）。", sentence


def tier_words(
    novelty: str, novelty_name: str, advancement: str | None, advancement_name: str
) -> tuple[str, str]:
    """The tier line in both languages, such as 首创，国内领先."""
    # A list may note in brackets where a name comes from; that is no part of the name.
    names = [re.sub(r"（.*）$", "", name) for name in (novelty_name, advancement_name) if name]
    english = [NOVELTY_ENGLISH.get(novelty, ""), ADVANCEMENT_ENGLISH.get(advancement or "", "")]
    return "，".join(names), ", ".join(part for part in english if part)
