"""Whether a file is one that we issued: the hash ledger first, then signature, then its words."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any

from cryptography import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader

from catalogue.certificates.signing import certificate_of
from catalogue.certificates.wording import ATTACHMENT, FORMAT

# pyHanko reports every flaw of a foreign file as a warning; the answer already says it.
logging.getLogger("pyhanko").setLevel(logging.ERROR)
logging.getLogger("pyhanko_certvalidator").setLevel(logging.ERROR)
logging.getLogger("pypdf").setLevel(logging.ERROR)

Ledger = Callable[[str], Any | None]


@dataclass(frozen=True)
class Answer:
    """What a file is: ``unchanged``, ``altered``, ``misuse`` or ``unknown``.

    ``entry`` is the ledger's entry, ``claimed`` the words that the file carries. ``misuse``: our
    key signed words that we never issued, which calls for an alarm.
    """

    kind: str
    sha256: str
    entry: Any | None = None
    claimed: dict[str, Any] = field(default_factory=dict)


def verify(data: bytes, by_hash: Ledger, by_number: Ledger, root: x509.Certificate) -> Answer:
    """Judge ``data``. Only equal bytes are ``unchanged``; a valid signature alone never is."""
    sha256 = hashlib.sha256(data).hexdigest()
    entry = by_hash(sha256)
    if entry is not None:
        return Answer("unchanged", sha256, entry)
    claimed = embedded_words(data)
    number = claimed.get("number")
    known = by_number(number) if isinstance(number, str) else None
    if known is not None:
        return Answer("altered", sha256, known, claimed)
    if signature_fault(data, root) is None:
        return Answer("misuse", sha256, None, claimed)
    return Answer("unknown", sha256, None, claimed)


def signature_fault(
    data: bytes, root: x509.Certificate, moment: datetime | None = None
) -> str | None:
    """Why the signature of ``data`` does not hold at ``moment`` (default now); None if it does.

    It must be the only one, cover the whole file to its last byte, and lead to ``root``.
    """
    try:
        signatures = PdfFileReader(BytesIO(data)).embedded_signatures
        if len(signatures) != 1:
            return f"{len(signatures)} signatures"
        signature = signatures[0]
        start, _, second, length = (int(number) for number in signature.byte_range)
        if start != 0 or second + length != len(data):
            return "bytes outside the signature"
        context = ValidationContext(
            trust_roots=[certificate_of(root)], allow_fetching=False, moment=moment
        )
        status = validate_pdf_signature(signature, signer_validation_context=context)
    except Exception as error:  # a hostile file can fail anywhere in two parsers
        return type(error).__name__
    if status.coverage != SignatureCoverageLevel.ENTIRE_FILE:
        return "partial coverage"
    if not (status.intact and status.valid and status.trusted):
        return status.summary()
    return None


def embedded_words(data: bytes) -> dict[str, Any]:
    """The words that a file carries as JSON; empty when it carries none of ours."""
    try:
        content = PdfReader(BytesIO(data)).attachments[ATTACHMENT][0]
        document = json.loads(content)
    except Exception:  # as above: any failure means that no words can be read
        return {}
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return {}
    return document
