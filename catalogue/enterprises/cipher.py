"""Sealing a bank account number: AES-256-GCM, bound to the firm that owns it."""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
VERSION = "v1"


class Unreadable(ValueError):
    """The sealed text was altered, belongs to another firm, or was sealed with another key."""


def seal(number: str, key: bytes, owner: str) -> str:
    """``number`` encrypted for ``owner`` (the firm's credit code); never the same text twice."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, number.encode(), _context(owner))
    return f"{VERSION}:{b64encode(nonce + sealed).decode()}"


def unseal(text: str, key: bytes, owner: str) -> str:
    """The number back; raises Unreadable when key, owner or text do not match."""
    version, _, body = text.partition(":")
    if version != VERSION:
        raise Unreadable("unknown version of sealed text")
    try:
        raw = b64decode(body, validate=True)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _context(owner)).decode()
    except (InvalidTag, ValueError) as error:
        raise Unreadable("sealed text does not open") from error


def _context(owner: str) -> bytes:
    # Authenticated with the number, so that a row copied to another firm does not open.
    return f"bank-account:{owner}".encode()
