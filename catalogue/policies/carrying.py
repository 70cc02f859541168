"""Answers of a self-check on their way into an application: sealed, short-lived, stored nowhere."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app

LASTS_SECONDS = 3600
MOST_TOKEN = 6_000
MOST_PLAIN = 40_000

Pairs = list[tuple[str, str]]


class NotCarried(ValueError):
    """The token is altered, too old, or none of ours."""


def _box() -> Fernet:
    # Sealed, not only signed: the token stands in an address, and addresses are logged.
    secret = f"carried-answers:{current_app.config['SECRET_KEY']}".encode()
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret).digest()))


def sealed(scheme: str, pairs: Sequence[tuple[str, str]]) -> str | None:
    """Answers as a token for an address; None when they are too many for one."""
    text = json.dumps([scheme, list(pairs)], ensure_ascii=False, separators=(",", ":"))
    token = _box().encrypt(zlib.compress(text.encode(), 9)).decode()
    return token if len(token) <= MOST_TOKEN else None


def opened(token: str) -> tuple[str, Pairs]:
    """Scheme and answers of a token; raises NotCarried."""
    if not 0 < len(token) <= MOST_TOKEN:
        raise NotCarried
    try:
        packed = _box().decrypt(token.encode(), ttl=LASTS_SECONDS)
        text = zlib.decompressobj().decompress(packed, MOST_PLAIN)
        scheme, pairs = json.loads(text)
    except (InvalidToken, UnicodeError, ValueError, zlib.error) as error:
        raise NotCarried from error
    return scheme, [(str(name), str(value)) for name, value in pairs]
