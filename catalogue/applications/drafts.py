"""What a page showed, what is stored and what was typed, brought together field by field.

Two people, or two tabs, may work on one draft. A page carries a short digest of every field as
it showed it; when it is saved, a field that only one side changed takes that side, and a field
that both changed differently is a conflict that the person decides. Values in, values out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalogue.errors import Refused

# Text that JSONB cannot hold: NUL and lone surrogates.
_UNSTORABLE = re.compile(r"[\u0000\ud800-\udfff]")


class Conflict(Refused):
    """The same fields were changed elsewhere since this page was opened; nothing was saved."""

    def __init__(self, fields: frozenset[str]) -> None:
        super().__init__("这一页打开以后，别处也改了同样的内容，请比对后再存")
        self.fields = fields


@dataclass(frozen=True)
class Merge:
    """Field by field: what is to be stored, and which fields both sides changed."""

    fields: dict[str, Any]
    conflicts: frozenset[str]


def storable(text: str) -> str:
    """Typed text as the database can keep it; only what cannot be stored is replaced."""
    return _UNSTORABLE.sub("\ufffd", text)


def content(kept: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, Any]:
    """Each field as a person sees it: the faulty text where there is one, else the value."""
    shown = {name: {"kept": value} for name, value in kept.items() if value not in (None, "")}
    return {**shown, **{name: {"typed": text} for name, text in typed.items()}}


def seen(fields: Mapping[str, Any]) -> str:
    """The digests of fields as a page carries them: ``name:digest`` parted by spaces."""
    return " ".join(f"{name}:{_digest(fields[name])}" for name in sorted(fields))


def seen_again(carried: str, stored: Mapping[str, Any], conflicts: frozenset[str]) -> str:
    """What a page carries when it is shown once more with a conflict told: that was seen now."""
    rest = [pair for pair in carried.split() if pair.split(":", 1)[0] not in conflicts]
    return " ".join([*rest, *(f"{name}:{_digest(stored.get(name))}" for name in sorted(conflicts))])


def merged(carried: str, stored: Mapping[str, Any], posted: Mapping[str, Any]) -> Merge:
    """Bring ``posted`` and ``stored`` together over what the page ``carried`` from seen().

    A field that a mapping lacks is empty. A page that carries nothing readable counts as one
    that showed nothing, so that it can overwrite nothing unasked.
    """
    base = dict(pair.split(":", 1) for pair in carried.split() if ":" in pair)
    fields: dict[str, Any] = {}
    conflicts = set()
    for name in {*stored, *posted}:
        theirs, mine = stored.get(name), posted.get(name)
        was = base.get(name, _digest(None))
        if _digest(mine) == was:
            chosen = theirs
        else:
            chosen = mine
            if _digest(theirs) not in (was, _digest(mine)):
                conflicts.add(name)
        if chosen is not None:
            fields[name] = chosen
    return Merge(fields, frozenset(conflicts))


def _digest(field: Any) -> str:
    if field is None:
        return "-"
    text = json.dumps(field, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
