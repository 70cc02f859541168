"""The verbs of frozen searches: freeze, find again, prove, compare with today."""

from __future__ import annotations

from datetime import UTC, date, datetime

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from catalogue import keys
from catalogue.accounts.models import User
from catalogue.audit.operations import record
from catalogue.certificates.operations import roots, signatory
from catalogue.database import SHANGHAI, db
from catalogue.errors import Refused
from catalogue.listings.frozen import (
    HASH,
    NUMBER,
    Seen,
    Since,
    canonical,
    content_of,
    digest,
    new_number,
    since,
)
from catalogue.listings.models import Frozen
from catalogue.listings.seeing import entries, fact_of, see_again

PER_PAGE = 20


def freeze(owner: User, seen: Seen, purpose: str, now: datetime) -> Frozen:
    """Keep what ``owner`` saw at ``now``, hashed and signed; it never changes again.

    Raises Refused while the index is away: half an answer is no evidence.
    """
    if not seen.complete:
        raise Refused("检索库正在更新，现在看到的可能不全，请过一分钟再冻结", status=503)
    moment = now.astimezone(UTC).replace(microsecond=0)
    number = new_number(moment.astimezone(SHANGHAI).year)
    content = content_of(number, seen, moment)
    key = signatory()
    frozen = Frozen(
        number=number,
        owner=owner,
        kind=seen.kind,
        purpose=purpose,
        content=content,
        sha256=digest(content),
        signature=key.sign(canonical(content)),
        certificate=key.pem,
        frozen_at=moment,
    )
    db.session.add(frozen)
    db.session.flush()
    record("frozen.make", frozen, owner, number=number, kind=seen.kind, sha256=frozen.sha256)
    return frozen


def of_owner(owner: User, page: int) -> tuple[list[Frozen], bool]:
    """One page of a person's own, the newest first, and whether there are more."""
    statement = (
        select(Frozen)
        .where(Frozen.owner_id == owner.id)
        .order_by(Frozen.id.desc())
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE + 1)
    )
    rows = list(db.session.scalars(statement))
    return rows[:PER_PAGE], len(rows) > PER_PAGE


def found(text: str) -> Frozen | None:
    """The one of this number or of this hash, as typed or pasted."""
    plain = "".join(text.split())
    if HASH.fullmatch(plain.lower()):
        return db.session.scalar(select(Frozen).where(Frozen.sha256 == plain.lower()))
    if NUMBER.fullmatch(plain.upper()):
        return db.session.scalar(select(Frozen).where(Frozen.number == plain.upper()))
    return None


def holds(frozen: Frozen) -> bool:
    """Whether content, hash and signature belong together, under any root the portal has had."""
    data = canonical(frozen.content)
    return (
        digest(frozen.content) == frozen.sha256
        and keys.verify(data, frozen.signature, frozen.certificate)
        and any(
            keys.issued_under(
                frozen.certificate, root.public_bytes(Encoding.PEM).decode(), frozen.frozen_at
            )
            for root in roots()
        )
    )


def since_then(frozen: Frozen, day: date) -> Since:
    """What of it is no longer so on ``day``: the products themselves, and the same question."""
    numbers = [result["number"] for result in frozen.content["results"]]
    now = {number: fact_of(listing, day) for number, listing in entries(numbers).items()}
    again = see_again(frozen.kind, frozen.content["asked"]["address"], day)
    return since(frozen.content, now, again)
