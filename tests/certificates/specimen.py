"""The certificate of look/08, as words."""

from __future__ import annotations

from typing import Any

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
