"""Frozen: the words of what was seen, their hash, and what has changed since. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from catalogue.database import SHANGHAI

FORMAT = "frozen-1"
SEARCH, NEED, COMPARISON = "search", "need", "comparison"
KIND_NAMES = {SEARCH: "目录查找", NEED: "按需求逐项比", COMPARISON: "产品比较"}
# Crockford's letters, without those that are mistaken for figures: nobody guesses 60 bits.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 12
NUMBER = re.compile(rf"XC-[0-9]{{4}}-[{_LETTERS}]{{{_LENGTH}}}")
HASH = re.compile(r"[0-9a-f]{64}")
LABELS = {
    "name": "名称",
    "firm": "单位",
    "model": "型号",
    "state": "状态",
    "valid_until": "有效期至",
    "first_purchase": "直接首购",
}


@dataclass(frozen=True)
class Seen:
    """What was asked, in an address and in words; how many were found; those shown, in order.

    ``complete`` is False while the index is away and the database answers for it.
    """

    kind: str
    address: str
    words: tuple[str, ...]
    total: int
    results: tuple[Mapping[str, Any], ...]
    complete: bool = True


def new_number(year: int) -> str:
    """A number that cannot be guessed from another."""
    return f"XC-{year}-" + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def canonical(content: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8: what is hashed and signed."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest(content: Any) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(content)).hexdigest()


def content_of(number: str, seen: Seen, moment: datetime) -> dict[str, Any]:
    """What is kept of ``seen`` at ``moment``; it does not say who saw it."""
    return {
        "format": FORMAT,
        "number": number,
        "kind": seen.kind,
        "frozen_at": moment.isoformat(timespec="seconds"),
        "day": moment.astimezone(SHANGHAI).date().isoformat(),
        "asked": {"address": seen.address, "words": list(seen.words)},
        "total": seen.total,
        "results": [dict(result) for result in seen.results],
    }


def envelope(content: Mapping[str, Any], sha256: str, signature: str, certificate: str) -> bytes:
    """The signed file, in the shape of the portal's others: the stand-alone verifier reads it."""
    return canonical(
        {
            "frozen": content,
            "sha256": sha256,
            "signature": signature,
            "certificate": certificate,
        }
    )


@dataclass(frozen=True)
class Since:
    """What differs now: by number, the changes in words; what is no longer found; what is new.

    ``asked`` is False when the question could not be asked again.
    """

    changed: Mapping[str, Sequence[str]]
    gone: Sequence[str] = field(default_factory=tuple)
    new: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    total: int = 0
    asked: bool = True


def since(
    content: Mapping[str, Any], now: Mapping[str, Mapping[str, Any]], again: Seen | None
) -> Since:
    """Compare what was kept with the entries of ``now`` (by number) and with the same question.

    ``gone`` and ``new`` are told only while both answers were short enough to be kept whole.
    """
    changed = {}
    for result in content["results"]:
        words = differences(result, now.get(result["number"]))
        if words:
            changed[result["number"]] = words
    if again is None:
        return Since(changed, asked=False)
    before = [result["number"] for result in content["results"]]
    after = {result["number"]: result for result in again.results}
    whole = len(before) == content["total"] and len(after) == again.total
    if not whole:
        return Since(changed, total=again.total)
    gone = [number for number in before if number not in after]
    new = [result for number, result in after.items() if number not in before]
    return Since(changed, gone, new, again.total)


def differences(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> list[str]:
    """What of a product is not as it was, in words."""
    if after is None:
        return ["目录里已没有这个编号"]
    words = [
        f"{label}：{_said(before[key])} → {_said(after[key])}"
        for key, label in LABELS.items()
        if before[key] != after[key]
    ]
    old, new = (_figures(one["figures"]) for one in (before, after))
    words += [
        f"{name}：{old.get(name) or '未填'} → {new.get(name) or '未填'}"
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    ]
    return words


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "可以" if value else "不适用"
    return str(value) or "未填"


def _figures(figures: Sequence[Mapping[str, str]]) -> dict[str, str]:
    told: dict[str, str] = {}
    for figure in figures:
        text = f"{figure['value']} {figure['unit']}".strip()
        told[figure["name"]] = "；".join(filter(None, (told.get(figure["name"]), text)))
    return told
