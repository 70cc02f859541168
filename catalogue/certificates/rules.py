"""Status on a day, the shape of numbers, and the words that an application leads to."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

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
    day: date, valid_from: date, valid_until: date, issued_on: date | None, revoked_on: date | None
) -> Standing:
    """The status on ``day``; the day of revocation itself no longer counts as valid."""
    if revoked_on is not None and day >= revoked_on:
        return Standing("revoked", "fail", "已撤销", f"自 {revoked_on} 起撤销，{day} 无效。")
    if issued_on is None:
        return Standing("registered", "working", "正在签发", "编号已登记，证书文件正在签发。")
    if day < valid_from:
        return Standing("early", "plain", "尚未生效", f"有效期自 {valid_from} 起，{day} 尚未生效。")
    if day > valid_until:
        return Standing("expired", "plain", "已到期", f"有效期到 {valid_until}，{day} 已到期。")
    return Standing("valid", "ok", "有效", f"{day} 有效，有效期 {valid_from} 至 {valid_until}。")


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
