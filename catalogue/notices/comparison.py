"""Two versions of a notice side by side, word by word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import rjieba

from catalogue.notices.wording import FIELDS, ITEM_FIELDS, hours, said

# A piece of text, and whether only this version says it.
Piece = tuple[str, bool]


@dataclass(frozen=True)
class Difference:
    """One place that reads differently: its name, and both texts in pieces."""

    label: str
    old: tuple[Piece, ...]
    new: tuple[Piece, ...]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    """Every place where the content of a version differs from the one before it."""
    pairs = [(label, said(old, key), said(new, key)) for key, (label, _) in FIELDS.items()]
    pairs.append(("公示期", hours(old), hours(new)))
    for before, after in zip(old["items"], new["items"], strict=True):
        pairs += [
            (f"第 {after['position']} 件　{label}", before[key], after[key])
            for key, (label, _) in ITEM_FIELDS.items()
        ]
    for label, one, other in pairs:
        if one != other:
            yield Difference(label, *pieces(one, other))


def pieces(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts cut into what they share and what only one of them says, at the words' ends."""
    before, after = rjieba.cut(old), rjieba.cut(new)
    left: list[Piece] = []
    right: list[Piece] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if b > a:
            left.append(("".join(before[a:b]), kind != "equal"))
        if d > c:
            right.append(("".join(after[c:d]), kind != "equal"))
    return tuple(left), tuple(right)
