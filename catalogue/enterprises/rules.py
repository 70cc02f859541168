"""What a firm's facts must satisfy, how they are shown, and the words of its trail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date

ACCOUNT_DIGITS = range(12, 33)
MIN_REASON = 5

# What every application asks for, in the order of the profile page.
NEEDED = {
    "district": "所在区",
    "founded_on": "成立日期",
    "address": "地址",
    "contact_name": "联系人",
    "contact_phone": "联系电话",
}

ACTIONS = {
    "enterprise.register": "登记单位",
    "enterprise.request_to_join": "申请加入",
    "enterprise.withdraw_request": "撤回加入申请",
    "enterprise.admit": "同意加入",
    "enterprise.refuse_request": "不同意加入",
    "enterprise.update_profile": "更改单位资料",
    "enterprise.add_honour": "添加称号",
    "enterprise.remove_honour": "删去称号",
    "enterprise.add_related_party": "添加关联方",
    "enterprise.remove_related_party": "删去关联方",
    "enterprise.exclude": "禁止申报",
    "enterprise.lift_exclusion": "解除禁止申报",
    "enterprise.set_account": "更换收款账户",
    "enterprise.retire_account": "停用收款账户",
    "enterprise.reveal_account": "查看完整账号",
}

FIELDS = {**NEEDED, "name": "单位名称", "english_name": "英文名称", "size": "企业规模"}


def masked_name(name: str) -> str:
    """A person's name as strangers may see it: the first character, the rest as asterisks."""
    return name[:1] + "*" * max(1, len(name) - 1)


def account_digits(text: str) -> str:
    """An account number without the spaces and hyphens that people group it by."""
    return re.sub(r"[\s\-]", "", text)


def account_problem(digits: str) -> str | None:
    """What is wrong with an account number, in words; None when it may be one."""
    if not (digits.isascii() and digits.isdigit()):
        return "账号只含数字，可用空格分组。请对照开户许可证"
    if len(digits) not in ACCOUNT_DIGITS:
        low, high = ACCOUNT_DIGITS[0], ACCOUNT_DIGITS[-1]
        return f"账号应为 {low} 到 {high} 位数字，现在是 {len(digits)} 位。请对照开户许可证"
    return None


def same_holder(holder: str, firm: str) -> bool:
    """Whether the account holder is the firm; width of brackets and spaces do not matter."""
    return _plain(holder) == _plain(firm)


def _plain(name: str) -> str:
    return re.sub(r"\s", "", name).replace("(", "（").replace(")", "）")


def honour_state(expires_on: date | None, today: date) -> tuple[str, str]:
    """Kind and words of the tag beside an honour on ``today``; the last day still counts."""
    if expires_on is None:
        return "ok", "长期有效"
    left = (expires_on - today).days
    if left < 0:
        return "fail", "已过期"
    if left <= 90:
        return "waiting", f"剩 {left} 天"
    return "ok", "有效"


def missing_facts(facts: Mapping[str, object]) -> list[str]:
    """Names of the needed facts that are still empty, in page words."""
    return [label for key, label in NEEDED.items() if not facts.get(key)]


def event_text(action: str, facts: Mapping[str, object]) -> str:
    """What happened, in one line, from an event's facts; never holds an account number."""
    if action == "enterprise.update_profile":
        changed = facts.get("changed")
        keys: Iterable[object] = changed if isinstance(changed, list) else ()
        return "、".join(FIELDS.get(str(key), str(key)) for key in keys)
    keys_shown = ("person", "role", "honour", "party", "ban", "bank", "account", "reason")
    shown = [facts.get(key) for key in keys_shown]
    return "\u3000".join(str(value) for value in shown if value)
