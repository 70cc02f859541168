"""The certificate of look/08, as words; and signers' certificates of any age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from catalogue import keys
from catalogue.certificates.rules import statement
from catalogue.certificates.wording import Wording

STATEMENT, STATEMENT_ENGLISH = statement("catalogue", 2026, 3, objected=False)
WORDS: dict[str, Any] = {
    "number": "SHCP-2026-0147",
    "formal_number": "沪创荐（示）〔2026〕0147 号",
    "scheme": "catalogue",
    "specimen": True,
    "statement": STATEMENT,
    "statement_english": STATEMENT_ENGLISH,
    "product": "12 英寸介质刻蚀机",
    "product_english": "300 mm Dielectric Etcher",
    "enterprise": "示例（上海）微纳装备有限公司",
    "enterprise_english": "Example (Shanghai) Micro-Nano Equipment Co., Ltd.",
    "credit_code": "91310115MA0DEM1K7G",
    "model": "SL-E300",
    "batch": "2026 年第三批",
    "batch_english": "2026, third batch",
    "tier": "首创，国内领先",
    "tier_english": "Original, leading in China",
    "valid_from": "2026-08-31",
    "valid_until": "2028-08-30",
    "validity_placeholder": True,
    "first_purchase_until": "2028-08-30",
    "signed_at": "2026-08-31T10:00:07+08:00",
    "signer": "示 01 ・ ECDSA P-256",
    "check_url": "https://example.test/certificates/SHCP-2026-0147?t=0123456789abcdefghijkl",
}


def words(**changes: Any) -> Wording:
    """The certificate of look/08, with changes."""
    return Wording(**{**WORDS, **changes})


NOW = datetime.now(UTC)
Span = tuple[datetime, datetime]
SPAN: Span = (NOW - timedelta(days=1), NOW + timedelta(days=90))


def issued(
    name: str,
    public: Any,
    by: str,
    by_key: Any,
    *,
    ca: bool,
    span: Span = SPAN,
) -> x509.Certificate:
    """The certificate of ``public`` in the name of ``name``, by the authority ``by``."""
    return (
        x509.CertificateBuilder()
        .subject_name(keys._name(name))
        .issuer_name(keys._name(by))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(span[0])
        .not_valid_after(span[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(keys._usage(certify=ca), critical=True)
        .sign(by_key, hashes.SHA256())
    )


def signer(began: datetime, ended: datetime) -> keys.SigningKey:
    """A signer whose certificate was in force from ``began`` to ``ended``."""
    root_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    long = (began - timedelta(days=1), NOW + timedelta(days=9000))
    root = issued("根", root_key.public_key(), "根", root_key, ca=True, span=long)
    own = issued("签发", own_key.public_key(), "根", root_key, ca=False, span=(began, ended))
    return keys.SigningKey(
        lambda data: own_key.sign(data, ec.ECDSA(hashes.SHA256())), own, (), root, "旧"
    )
