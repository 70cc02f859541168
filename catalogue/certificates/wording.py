"""What a certificate says: frozen words, their canonical form and their hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any, Self

FORMAT = "certificate-wording/1"
# The name under which the words ride along in the PDF.
ATTACHMENT = "certificate.json"
# The same for a signed answer of the check page, which is no certificate.
ANSWER_FORMAT = "certificate-answer/1"
ANSWER_ATTACHMENT = "answer.json"
# Fixed words of each scheme: serif title in two lines, English line, letters of the formal number.
TITLES = {
    "catalogue": (
        "上海市创新产品推荐目录",
        "入选证书",
        "CERTIFICATE OF LISTING ・ SHANGHAI CATALOGUE OF RECOMMENDED INNOVATIVE PRODUCTS",
        "沪创荐",
    ),
    "first_set": (
        "上海市首台套装备",
        "认定证书",
        "CERTIFICATE OF RECOGNITION ・ FIRST SET OF MAJOR EQUIPMENT, SHANGHAI",
        "沪首套",
    ),
    "first_version": (
        "上海市首版次软件",
        "认定证书",
        "CERTIFICATE OF RECOGNITION ・ FIRST VERSION OF SOFTWARE, SHANGHAI",
        "沪首版",
    ),
    "first_batch": (
        "上海市首批次新材料",
        "认定证书",
        "CERTIFICATE OF RECOGNITION ・ FIRST BATCH OF NEW MATERIALS, SHANGHAI",
        "沪首材",
    ),
    "insurance_equipment": (
        "上海市首台套装备",
        "保险补偿证书",
        "CERTIFICATE OF INSURANCE SUBSIDY ・ FIRST SET OF MAJOR EQUIPMENT, SHANGHAI",
        "沪首保",
    ),
    "insurance_material": (
        "上海市首批次新材料",
        "保险补偿证书",
        "CERTIFICATE OF INSURANCE SUBSIDY ・ FIRST BATCH OF NEW MATERIALS, SHANGHAI",
        "沪首险",
    ),
    "first_purchase": (
        "上海市创新产品",
        "首购资格证书",
        "CERTIFICATE OF FIRST PURCHASE ・ INNOVATIVE PRODUCTS, SHANGHAI",
        "沪首购",
    ),
    "first_use_risk": (
        "上海市创新产品首购首用",
        "风险补偿证书",
        "CERTIFICATE OF RISK COMPENSATION ・ FIRST USE OF INNOVATIVE PRODUCTS, SHANGHAI",
        "沪首用",
    ),
}
ISSUER = "示范发证机关"
ISSUER_ENGLISH = "Demonstration Issuing Authority"
SEAL = "示范发证机关专用章"
# Left out of the JSON where they are None, so that the hash of older words stays what it was.
LATER = ("replaces", "issuer", "status_url", "codes")
YEARS = {1: ("一年", "one year"), 2: ("两年", "two years"), 3: ("三年", "three years")}


@dataclass(frozen=True)
class Wording:
    """Every word of one certificate; dates are ISO days, ``signed_at`` an ISO moment (+08:00).

    ``None`` means that the line is not printed. ``validity_placeholder`` marks a term that no
    public text gives (示范参数). The last four came later: files without them stay as they were.
    ``replaces`` is the number of the certificate before this one, ``codes`` the values that stand
    behind the words (kind, domain, novelty, advancement, district, year, batch).
    """

    number: str
    formal_number: str
    scheme: str
    specimen: bool
    statement: str
    statement_english: str
    product: str
    product_english: str | None
    enterprise: str
    enterprise_english: str | None
    credit_code: str
    model: str
    batch: str
    batch_english: str
    tier: str
    tier_english: str
    valid_from: str
    valid_until: str
    validity_placeholder: bool
    first_purchase_until: str | None
    signed_at: str
    signer: str
    check_url: str
    replaces: str | None = None
    issuer: str | None = None
    status_url: str | None = None
    codes: dict[str, Any] | None = None

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """The wording that ``as_json`` gave; raises ValueError for another format."""
        if document.get("format") != FORMAT:
            raise ValueError(f"not a {FORMAT}")
        names = [field.name for field in fields(cls)]
        values: dict[str, Any] = {n: document[n] for n in names if n not in LATER}
        later: dict[str, Any] = {name: document.get(name) for name in LATER}
        return cls(**values, **later)

    def as_json(self) -> dict[str, Any]:
        """A JSON document that any portal can read."""
        words = asdict(self)
        absent = [name for name in LATER if words[name] is None]
        return {"format": FORMAT, **{n: value for n, value in words.items() if n not in absent}}

    def canonical(self) -> bytes:
        """The one byte form that is hashed and embedded: sorted keys, UTF-8, no blanks."""
        return canonical(self.as_json())

    @property
    def sha256(self) -> str:
        """Hash of the canonical form."""
        return hashlib.sha256(self.canonical()).hexdigest()

    @property
    def check_code(self) -> str:
        """核验码: twelve digits of the hash, for comparing paper and page by eye."""
        return check_code(self.sha256)

    @property
    def validity(self) -> tuple[str, str]:
        """The length of the term in both languages; a term of odd length is given in days."""
        first, last = date.fromisoformat(self.valid_from), date.fromisoformat(self.valid_until)
        for count, words in YEARS.items():
            if last_day(first, count) == last:
                return words
        days = (last - first).days + 1
        return f"{days} 日", f"{days} days"


def canonical(document: dict[str, Any]) -> bytes:
    """``document`` in the one byte form that is hashed."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def check_code(wording_sha256: str) -> str:
    """核验码 as printed: 9F3C-71A4-1E08."""
    digits = wording_sha256[:12].upper()
    return "-".join((digits[:4], digits[4:8], digits[8:]))


def last_day(first: date, years: int) -> date:
    """The last day of a term of whole years; one that starts on 29 February ends on 28."""
    year = first.year + years
    try:
        return date.fromordinal(first.replace(year=year).toordinal() - 1)
    except ValueError:
        return date(year, 2, 28)


def number_of(year: int, sequence: int) -> str:
    """The number that addresses and people use: SHCP-2026-0147."""
    return f"SHCP-{year}-{sequence:04d}"


def formal_number(scheme: str, year: int, sequence: int, *, specimen: bool) -> str:
    """The number as an office writes it: 沪创荐（示）〔2026〕0147 号."""
    letters = TITLES[scheme][3]
    return f"{letters}{'（示）' if specimen else ''}〔{year}〕{sequence:04d} 号"
