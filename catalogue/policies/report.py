"""What the engine hands back: findings, worksheet, shares, verdict, canonical bytes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

ENGINE = 2


@dataclass(frozen=True)
class Read:
    """One fact that a rule read: where it stands, what it is called, its value as shown.

    ``path`` counts from one as the form does (``contracts[2].amount``); ``source`` says where
    the fact comes from; ``place`` is the part of the portal that holds it: enterprise, product,
    contracts, materials, answers, round, history or listing.
    """

    path: str
    label: str
    value: str
    source: str
    place: str


@dataclass(frozen=True)
class Finding:
    """The result of one rule: ``result`` is pass, fail or unknown.

    ``missing`` labels the facts that an unknown result lacks; it is empty when the rule itself
    failed to run. ``otherwise`` is what a failure leads to: ineligible or needs_person.
    ``unknown_asks`` says whether a missing fact is asked for; else a person looks at it.
    ``facts`` are the values that it was decided by. ``applies`` is false when the rule does not
    concern this case; its result is then pass.
    """

    rule: str
    title: str
    result: str
    says: str
    read: str
    threshold: str
    article: str
    article_url: str
    gap: str
    remedy: str
    missing: tuple[str, ...]
    placeholder: bool
    otherwise: str
    unknown_asks: bool = True
    applies: bool = True
    facts: tuple[Read, ...] = ()


@dataclass(frozen=True)
class WorksheetLine:
    """One step of the amount, in fen; None when a fact is missing (``note`` says which)."""

    id: str
    label: str
    operands: str
    article: str
    article_url: str
    amount_fen: int | None
    placeholder: bool
    note: str


@dataclass(frozen=True)
class Share:
    """Whom a part of the amount goes to, in fen; the parts add up to the amount."""

    id: str
    label: str
    amount_fen: int | None
    article: str
    article_url: str
    placeholder: bool


@dataclass(frozen=True)
class Decision:
    """The verdict, the amount in fen and each rule's result, without any words."""

    verdict: str
    amount_fen: int | None
    results: dict[str, str]
    shares: dict[str, int | None]


@dataclass(frozen=True)
class Report:
    """The machine's verdict with everything it rests on.

    ``verdict`` is eligible, ineligible or needs_person; ``amount_fen`` is the last worksheet
    line, or None when the scheme has no money or the amount cannot be worked out.
    """

    verdict: str
    findings: tuple[Finding, ...]
    worksheet: tuple[WorksheetLine, ...]
    amount_fen: int | None
    scheme: str
    version: str
    policy_sha256: str
    today: str
    continued: bool
    placeholder: bool
    shares: tuple[Share, ...] = ()
    engine: int = ENGINE


def canonical(report: Report) -> bytes:
    """The report as JSON bytes: sorted keys, no spaces, UTF-8; equal reports, equal bytes."""
    return json.dumps(
        asdict(report), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()
