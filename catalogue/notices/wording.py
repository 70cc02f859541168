"""What a notice says: its frozen content, what a correction makes of it, and its signed file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from catalogue.notices.rules import Period, canonical

TEXT = (
    "下列产品已经形式审查和审定，现予公示，接受社会监督。"
    "对其中任何一件有异议，可在公示期内提出；异议只影响所涉的一件，其他各件照常办理。"
)
CONTACT = "在本公示的网页上提出，不用注册账号，当场领取查询码，凭码查看处理结果。"
# What a correction may say anew, with its name and its longest text. Amounts follow the check and
# hours the policy, so neither is typed.
FIELDS = {"title": ("题目", 200), "text": ("正文", 2000), "contact": ("异议怎样提", 500)}
ITEM_FIELDS = {
    "product": ("产品名称", 200),
    "model": ("型号或版本", 200),
    "firm": ("申报单位", 200),
}


def said(content: Mapping[str, Any], key: str) -> str:
    """One of FIELDS; what notices from before versions do not hold is what their pages said."""
    text: str = content.get(key, {"text": TEXT, "contact": CONTACT}.get(key, ""))
    return text


def version_of(content: Mapping[str, Any]) -> int:
    """The number of the version; notices from before versions do not say it."""
    number: int = content.get("version", 1)
    return number


def hours(content: Mapping[str, Any]) -> str:
    """From when to when, and how many working days that is."""
    opens, closes = (_moment(content[key]) for key in ("opens_at", "closes_at"))
    return f"{opens} 至 {closes}，{content['working_days']} 个工作日"


def _moment(value: str) -> str:
    at = datetime.fromisoformat(value)
    return f"{at.year} 年 {at.month} 月 {at.day} 日 {at.hour}:{at.minute:02d}"


def changes_of(content: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``wanted`` differs from ``content``: FIELDS, and ``items`` by position as text."""
    changes: dict[str, Any] = {
        key: wanted[key] for key in FIELDS if key in wanted and wanted[key] != said(content, key)
    }
    items = {}
    for item in content["items"]:
        asked = wanted.get("items", {}).get(str(item["position"]), {})
        differing = {
            key: asked[key] for key in ITEM_FIELDS if asked.get(key, item[key]) != item[key]
        }
        if differing:
            items[str(item["position"])] = differing
    if items:
        changes["items"] = items
    return changes


def corrected(
    content: Mapping[str, Any],
    changes: Mapping[str, Any],
    *,
    reason: str,
    sha256: str,
    opens_at: str | None = None,
    span: Period | None = None,
) -> dict[str, Any]:
    """The content of the next version; ``sha256`` is the hash of the one that it corrects.

    With ``span`` the public period begins anew at ``opens_at`` (ISO 8601).
    """
    words = {key: changes[key] for key in FIELDS if key in changes}
    items = [
        {**item, **changes.get("items", {}).get(str(item["position"]), {})}
        for item in content["items"]
    ]
    hours = (
        {}
        if span is None
        else {
            "opens_at": opens_at,
            "closes_at": span.closes_at.isoformat(),
            "counted": span.counted,
        }
    )
    return {
        **content,
        **words,
        **hours,
        "items": items,
        "version": version_of(content) + 1,
        "corrects": sha256,
        "reason": reason,
        "restarted": span is not None,
    }


def envelope(content: str, sha256: str, signature: str, certificate: str) -> bytes:
    """The file that people get: content, hash, signature and certificate; canonical JSON too."""
    return canonical(
        {
            "notice": json.loads(content),
            "sha256": sha256,
            "signature": signature,
            "certificate": certificate,
        }
    )
