"""The facts of one application, assembled once per check in the shape that policies read.

Every lookup of earlier support is one query, however long a firm's past is; the higher rooms
that know awards and listings answer through a reader that they register here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import and_, func, select, tuple_, union_all

from catalogue.applications.models import Application, Contract
from catalogue.applications.states import STATES
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.models import Enterprise
from catalogue.policies.document import Column, PolicyDocument
from catalogue.policies.facts import MAX_ITEMS
from catalogue.policies.facts import as_day as day_number
from catalogue.policies.functions import add_months
from catalogue.policies.models import Policy, Round
from catalogue.policies.operations import document_of
from catalogue.products.models import Patent, Product

log = logging.getLogger(__name__)

APPROVED = ("on_notice", "objected", "cleared", "concluded")
PENDING = tuple(
    state.id
    for state in STATES.values()
    if not state.ended and state.id not in (*APPROVED, "draft", "signing", "ineligible")
)


@dataclass(frozen=True)
class KnownAward:
    """One award of a firm: ``amount_fen`` as it stands, 0 once ``state`` is revoked.

    ``state`` is approved (reserved), concluded (owed or paid) or revoked.
    """

    scheme: str
    year: int
    awarded_on: date
    product_id: int
    amount_fen: int
    state: str


@dataclass(frozen=True)
class KnownListing:
    """A product's entry in the published catalogue."""

    number: str
    listed_on: date
    valid_until: date | None


# Awards of a firm on other applications than this one, oldest first, at most so many.
AwardsReader = Callable[[int, int, int], Sequence[KnownAward]]
ListingReader = Callable[[int], KnownListing | None]
_awards_reader: list[AwardsReader] = []
_listing_reader: list[ListingReader] = []


def awards_known_by(reader: AwardsReader) -> AwardsReader:
    """Decorate the function of a higher room that knows every award of a firm, in one query."""
    _awards_reader[:] = [reader]
    return reader


def listing_known_by(reader: ListingReader) -> ListingReader:
    """Decorate the function of a higher room that knows a product's entry, in one query."""
    _listing_reader[:] = [reader]
    return reader


def facts_of(application: Application) -> dict[str, Any]:
    """Everything that a rule may read; a fact that nobody has stated is left out."""
    enterprise, product, opened = (
        application.enterprise,
        application.product,
        application.round,
    )
    document = document_of(application.policy)
    submitted_on = (application.submitted_at or utc_now()).astimezone(SHANGHAI).date()
    closes_on = opened.closes_at.astimezone(SHANGHAI).date()
    return {
        "enterprise": firm_facts(enterprise, submitted_on),
        "product": product_facts(product),
        "patents": _patents(product, enterprise),
        "contracts": _contracts(application, enterprise, document),
        "materials": sorted({e.material for e in application.evidence}),
        "application": {"submitted_on": day_number(submitted_on)},
        "round": round_facts(opened),
        **_answers(application, document),
        "listing": _listing(product, closes_on),
        "history": _history(application),
    }


def _answers(application: Application, document: PolicyDocument) -> dict[str, dict[str, Any]]:
    """Yes/no questions are declarations, all others answers."""
    given = {
        answer.id: fact_of(answer.type, application.answers.get(answer.id))
        for answer in document.answers
    }
    stated = {name: value for name, value in given.items() if value is not None}
    return {
        "declarations": {name: v for name, v in stated.items() if isinstance(v, bool)},
        "answers": {name: v for name, v in stated.items() if not isinstance(v, bool)},
    }


def fact_of(kind: str, kept: Any) -> Any:
    """A kept answer as a fact: dates become days, nothing becomes None, the rest is as kept."""
    if kept in (None, ""):
        return None
    return day_number(date.fromisoformat(kept)) if kind == "date" else kept


def _patents(product: Product, enterprise: Enterprise) -> list[dict[str, Any]]:
    """The product's rights, each with how many other products it served before, of any firm."""
    numbers = [patent.number for patent in product.patents]
    used = select(Patent.number, func.count(Patent.product_id.distinct()).label("products"))
    used = used.join(Application, Application.product_id == Patent.product_id)
    used = used.where(
        Patent.number.in_(numbers),
        Patent.product_id != product.id,
        Application.state.in_(APPROVED),
    ).group_by(Patent.number)
    others = {row.number: row.products for row in db.session.execute(used)}
    return [
        right_facts(patent, enterprise, others.get(patent.number, 0)) for patent in product.patents
    ]


def _contracts(
    application: Application, enterprise: Enterprise, document: PolicyDocument
) -> list[dict[str, Any]]:
    related = {enterprise.credit_code, *(party.credit_code for party in enterprise.related)}
    added = {column.id: column.type for column in columns_of(document)}
    return [
        stated(
            number=contract.number,
            buyer=contract.buyer_name,
            signed_on=day_number(contract.signed_on),
            invoiced_on=_day(contract.invoiced_on),
            amount=contract.amount_fen,
            received=contract.received_fen,
            quantity=contract.quantity,
            accepted_on=_day(contract.accepted_on),
            buyer_district=contract.buyer_district,
            buyer_is_trader=contract.buyer_is_trader,
            buyer_related=(
                contract.buyer_credit_code in related if contract.buyer_credit_code else None
            ),
        )
        | stated(
            **{name: fact_of(kind, contract.details.get(name)) for name, kind in added.items()}
        )
        for contract in application.contracts
    ]


def columns_of(document: PolicyDocument) -> tuple[Column, ...]:
    """The columns that a policy adds to its contracts, each like a question of the form."""
    return document.contracts.columns if document.contracts else ()


def _listing(product: Product, closes_on: date) -> dict[str, Any]:
    """The product's entry, and whether it comes to market for the first time."""
    listing = _listing_reader[0](product.id) if _listing_reader else None
    return {**listing_facts(listing), "first_market": first_to_market(product, closes_on)}


# ------------------------------------------------------------------ what one thing says of itself


def firm_facts(enterprise: Enterprise, on: date) -> dict[str, Any]:
    """What a profile says, with the honours in force on that day."""
    return stated(
        credit_code=enterprise.credit_code,
        name=enterprise.name,
        district=enterprise.district,
        founded_on=_day(enterprise.founded_on),
        size=enterprise.size,
        honours=[
            honour.kind
            for honour in enterprise.honours
            if honour.expires_on is None or honour.expires_on >= on
        ],
    )


def product_facts(product: Product) -> dict[str, Any]:
    """What a product's page says."""
    return stated(
        name=product.name,
        model=product.model,
        kind=product.kind,
        domain=product.domain,
        novelty=product.novelty,
        advancement=product.advancement,
        first_sold_on=_day(product.first_sold_on),
        summary=product.summary,
    )


def right_facts(patent: Patent, enterprise: Enterprise, others: int) -> dict[str, Any]:
    """One right of a product; ``others`` counts the further products that it served."""
    return {
        "number": patent.number,
        "kind": patent.kind,
        "granted_on": day_number(patent.granted_on),
        "holder_matches": patent.holder.strip() == enterprise.name,
        "other_products": others,
    }


def listing_facts(listing: KnownListing | None) -> dict[str, Any]:
    """A catalogue entry, if there is one."""
    if listing is None:
        return {}
    return stated(
        number=listing.number,
        listed_on=_day(listing.listed_on),
        valid_until=_day(listing.valid_until),
    )


def first_to_market(product: Product, closes_on: date) -> bool:
    """Not sold yet, or first sold within a year before the round's cut-off (市财政局 2018 解读)."""
    sold = product.first_sold_on
    return sold is None or day_number(sold) >= add_months(day_number(closes_on), -12)


def round_facts(opened: Round) -> dict[str, Any]:
    """A round's year and its first and last day in Shanghai."""
    return {
        "year": opened.year,
        "opens_on": day_number(opened.opens_at.astimezone(SHANGHAI).date()),
        "closes_on": day_number(opened.closes_at.astimezone(SHANGHAI).date()),
    }


def _history(application: Application) -> dict[str, Any]:
    """What went before; a list that would be cut off is left out, and so is unknown."""
    lists = {
        "awards": awards_of(application.enterprise_id, application.product_id, application.id),
        "contracts": _supported_contracts(application),
        "pending": _pending(application),
        "exclusions": [
            {
                "since": day_number(ban.since),
                "until": day_number(ban.until),
                "ground": ban.ground,
            }
            for ban in application.enterprise.exclusions
            if ban.lifted_at is None
        ],
    }
    history = {}
    for name, items in lists.items():
        if items is None or len(items) > MAX_ITEMS:
            log.warning("history_not_whole %s %s", application.number, name)
        else:
            history[name] = items
    return history


def awards_of(enterprise_id: int, product_id: int, besides: int) -> list[dict[str, Any]] | None:
    """The firm's awards on applications other than ``besides``; None while nobody knows them."""
    if not _awards_reader:
        return None
    return [
        {
            "scheme": award.scheme,
            "year": award.year,
            "awarded_on": day_number(award.awarded_on),
            "product_id": award.product_id,
            "same_product": award.product_id == product_id,
            "amount": award.amount_fen,
            "state": award.state,
        }
        for award in _awards_reader[0](enterprise_id, besides, MAX_ITEMS + 1)
    ]


def _supported_contracts(application: Application) -> list[dict[str, Any]]:
    """Each contract behind an approved claim: the firm's own, and the same sale in any firm's.

    The same sale is the same number with the same buyer; a number alone says little, since
    every buyer counts from one.
    """
    fields = (
        Contract.id.label("id"),
        Policy.scheme.label("scheme"),
        Round.year.label("year"),
        (Application.product_id == application.product_id).label("same_product"),
        Contract.number.label("number"),
        Contract.amount_fen.label("amount"),
    )
    approved = and_(Application.id != application.id, Application.state.in_(APPROVED))
    base = (
        select(*fields)
        .join(Application, Application.id == Contract.application_id)
        .join(Policy, Policy.id == Application.policy_id)
        .join(Round, Round.id == Application.round_id)
        .where(approved)
    )
    own = base.where(Application.enterprise_id == application.enterprise_id)
    same_sale = base.where(
        Application.enterprise_id != application.enterprise_id,
        tuple_(Contract.number, Contract.buyer_name).in_(
            [(contract.number, contract.buyer_name) for contract in application.contracts]
        ),
    )
    both = union_all(own, same_sale).subquery()
    rows = db.session.execute(select(both).order_by(both.c.id).limit(MAX_ITEMS + 1)).mappings()
    return [{name: row[name] for name in row if name != "id"} for row in rows]


def _pending(application: Application) -> list[dict[str, Any]]:
    rows = db.session.execute(
        select(Policy.scheme, Application.product_id)
        .join(Policy, Policy.id == Application.policy_id)
        .where(
            Application.enterprise_id == application.enterprise_id,
            Application.id != application.id,
            Application.state.in_(PENDING),
        )
        .order_by(Application.id)
        .limit(MAX_ITEMS + 1)
    )
    return [
        {"scheme": scheme, "same_product": product == application.product_id}
        for scheme, product in rows
    ]


def _day(day: date | None) -> int | None:
    return None if day is None else day_number(day)


def stated(**facts: Any) -> dict[str, Any]:
    """The facts that are known."""
    return {name: value for name, value in facts.items() if value is not None}
