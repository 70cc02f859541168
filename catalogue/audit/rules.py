"""How an event is hashed: canonical JSON over its content and the hash before it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

GENESIS = "0" * 64


def event_hash(content: dict[str, Any], previous_hash: str) -> str:
    """SHA-256 in hex over the canonical JSON of ``content`` and the previous hash."""
    body = json.dumps(
        {**content, "previous": previous_hash},
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
