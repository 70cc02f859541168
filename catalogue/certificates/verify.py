"""Whether a file is one that we issued: the hash ledger first, then signature, then its words."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
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
from catalogue.certificates.verifier import Fault, check_pdf_signature
from catalogue.certificates.wording import (
    ANSWER_ATTACHMENT,
    ANSWER_FORMAT,
    ATTACHMENT,
    FORMAT,
)

# pyHanko reports every flaw of a foreign file as a warning; the answer already says it.
logging.getLogger("pyhanko").setLevel(logging.ERROR)
logging.getLogger("pyhanko_certvalidator").setLevel(logging.ERROR)
logging.getLogger("pypdf").setLevel(logging.ERROR)

Ledger = Callable[[str], Any | None]


@dataclass(frozen=True)
class Answer:
    """What a file is: ``unchanged``, ``altered``, ``answer``, ``misuse`` or ``unknown``.

    ``entry`` is the ledger's entry, ``claimed`` the words that the file carries, ``fault`` why
    its signature does not hold (None when it does). ``answer``: a signed answer of the check
    page, which is no certificate. ``misuse``: our key signed words that we never issued, which
    calls for an alarm.
    """

    kind: str
    sha256: str
    entry: Any | None = None
    claimed: dict[str, Any] = field(default_factory=dict)
    fault: str | None = None


def verify(
    data: bytes, by_hash: Ledger, by_number: Ledger, roots: Sequence[x509.Certificate]
) -> Answer:
    """Judge ``data``. Only equal bytes are ``unchanged``; a valid signature alone never is.

    ``roots`` are those of every key that ever signed here, so that a file outlives its key.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    entry = by_hash(sha256)
    fault = signature_fault(data, roots)
    if entry is not None:
        return Answer("unchanged", sha256, entry, fault=fault)
    claimed = embedded_words(data)
    number = claimed.get("number")
    known = by_number(number) if isinstance(number, str) else None
    if claimed.get("format") == ANSWER_FORMAT:
        return Answer("unknown" if fault else "answer", sha256, known, claimed, fault)
    if known is not None:
        return Answer("altered", sha256, known, claimed, fault)
    return Answer("unknown" if fault else "misuse", sha256, None, claimed, fault)


def signature_fault(
    data: bytes, roots: Sequence[x509.Certificate], moment: datetime | None = None
) -> str | None:
    """Why the signature of ``data`` does not hold, in words; None if it does.

    It must be the only one, cover the whole file to its last byte, and lead to one of ``roots``
    through certificates in force at ``moment`` (default: the moment the signature states).
    """
    try:
        signatures = PdfFileReader(BytesIO(data)).embedded_signatures
        if len(signatures) != 1:
            return "没有签名" if not signatures else f"有 {len(signatures)} 处签名，应当只有一处"
        signature = signatures[0]
        # The verifier that strangers run goes first: stricter about bytes that no signature covers.
        check_pdf_signature(data, list(roots))
        stated = moment or signature.self_reported_timestamp
        context = ValidationContext(
            trust_roots=[certificate_of(root) for root in roots],
            allow_fetching=False,
            moment=stated,
        )
        status = validate_pdf_signature(signature, signer_validation_context=context)
    except Fault as fault:
        return str(fault)
    except Exception as error:  # a hostile file can fail anywhere in two parsers
        return f"签名读不出来（{type(error).__name__}）"
    if status.coverage != SignatureCoverageLevel.ENTIRE_FILE:
        return "签名没有盖住整个文件"
    if not status.intact or not status.valid:
        return "签名与内容不符，文件被改动过"
    return None if status.trusted else "签名证书不是本平台的"


def embedded_words(data: bytes) -> dict[str, Any]:
    """The words that a file carries as JSON; empty when it carries none of ours."""
    try:
        attached = PdfReader(BytesIO(data)).attachments
        name = ATTACHMENT if ATTACHMENT in attached else ANSWER_ATTACHMENT
        document = json.loads(attached[name][0])
    except Exception:  # as above: any failure means that no words can be read
        return {}
    expected = {ATTACHMENT: FORMAT, ANSWER_ATTACHMENT: ANSWER_FORMAT}[name]
    if not isinstance(document, dict) or document.get("format") != expected:
        return {}
    return document
