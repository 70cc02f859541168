"""What fits a firm: each open round against each of its products, by the engine that decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from catalogue.accounts.models import User
from catalogue.applications import facts as known
from catalogue.applications.models import Application, Contract
from catalogue.applications.operations import KIND_OF_SCHEME
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.models import Enterprise, enterprise_id_of
from catalogue.policies.document import PolicyDocument
from catalogue.policies.expressions import Expression
from catalogue.policies.facts import MAX_ITEMS, Field, Group, as_day
from catalogue.policies.models import Policy, Round
from catalogue.policies.nearest import Nearest, nearest
from catalogue.policies.operations import document_of, open_rounds
from catalogue.policies.rules import Finding, evaluate
from catalogue.policies.self_check_views import own_facts_from
from catalogue.products.models import Patent, Product

MOST_ROUNDS = 12
MOST_PRODUCTS = 20
NOT_LIVE = ("withdrawn", "rejected", "revoked")
# Facts of an application: they are asked when one applies, not before.
OF_APPLICATION = frozenset({"contracts", "materials", "declarations", "answers"})
OF_FIRM, OF_PRODUCT = ("enterprise",), ("product", "patents")

# Product ids → the entry of each product that stands in the catalogue.
ListingsReader = Callable[[Sequence[int]], Mapping[int, known.KnownListing]]
_listings_reader: list[ListingsReader] = []


def listings_known_by(reader: ListingsReader) -> ListingsReader:
    """Decorate the function of a higher room that knows the entries of products, in one query."""
    _listings_reader[:] = [reader]
    return reader


def way_of(application: Application) -> Nearest | None:
    """The nearest way for an application as it stands today; None when it simply passes."""
    return nearest(
        document_of(application.policy),
        known.facts_of(application),
        utc_now().astimezone(SHANGHAI).date(),
    )


@dataclass(frozen=True)
class Fit:
    """One product against one round.

    ``standing`` is fits, missing or unfit. ``reasons`` say why it does not fit; ``of_firm`` and
    ``of_product`` name the facts that profile and product still lack; ``ahead`` counts the
    conditions that are only looked at once contracts, answers and evidence are there.
    """

    product: Product
    standing: str
    reasons: tuple[str, ...] = ()
    of_firm: tuple[str, ...] = ()
    of_product: tuple[str, ...] = ()
    by_people: tuple[str, ...] = ()
    ahead: int = 0
    application: str | None = None

    @property
    def missing(self) -> int:
        """How many facts the profile and the product lack."""
        return len(self.of_firm) + len(self.of_product)


@dataclass(frozen=True)
class RoundFits:
    """An open round and how the firm's products stand in it, the fitting ones first.

    ``other_kind`` counts the products that the scheme does not take at all.
    """

    opened: Round
    fits: tuple[Fit, ...]
    other_kind: int


def firm_of(enterprise_id: int) -> Enterprise:
    """The firm with everything that rules read of it."""
    return db.session.scalars(
        select(Enterprise)
        .where(Enterprise.id == enterprise_id)
        .options(
            selectinload(Enterprise.honours),
            selectinload(Enterprise.related),
            selectinload(Enterprise.exclusions),
        )
    ).one()


def products_of(enterprise_id: int) -> list[Product]:
    """The firm's newest products, with their patents."""
    return list(
        db.session.scalars(
            select(Product)
            .where(Product.enterprise_id == enterprise_id)
            .options(selectinload(Product.patents))
            .order_by(Product.id.desc())
            .limit(MOST_PRODUCTS)
        )
    )


def fits_of(firm: Enterprise, now: datetime) -> list[RoundFits]:
    """Every open round against the firm's products, in a fixed number of queries."""
    rounds, products = open_rounds(now)[:MOST_ROUNDS], products_of(firm.id)
    if not rounds:
        return []
    today = now.astimezone(SHANGHAI).date()
    common = facts_of_products(firm, products, today)
    live = _live(firm.id, [opened.id for opened in rounds])
    found = []
    for opened in rounds:
        document = document_of(opened.policy)
        kind = KIND_OF_SCHEME.get(opened.scheme)
        taken = [product for product in products if kind in (None, product.kind)]
        fits = [
            _fit(
                document,
                product,
                _in_round(common[product.id], opened, product, today),
                today,
                live.get((opened.id, product.id)),
            )
            for product in taken
        ]
        fits.sort(key=lambda fit: ("fits", "missing", "unfit").index(fit.standing))
        found.append(RoundFits(opened, tuple(fits), len(products) - len(taken)))
    return found


def _live(enterprise_id: int, rounds: Sequence[int]) -> dict[tuple[int, int], str]:
    rows = db.session.execute(
        select(Application.round_id, Application.product_id, Application.number).where(
            Application.enterprise_id == enterprise_id,
            Application.round_id.in_(rounds),
            Application.state.not_in(NOT_LIVE),
        )
    )
    return {(opened, product): number for opened, product, number in rows}


def _fit(
    document: PolicyDocument,
    product: Product,
    facts: Mapping[str, Any],
    today: date,
    application: str | None,
) -> Fit:
    report = evaluate(document, facts, today)
    # What the application itself brings is not there yet, so a failure over it is no failure.
    reading = {rule.id: _facts_read(rule) for rule in document.rules}
    failed = [f for f in report.findings if f.result == "fail"]
    ahead = [f for f in failed if _ahead(reading[f.rule])]
    stops = [f for f in failed if f not in ahead and f.otherwise == "ineligible"]
    people = [f.title for f in failed if f not in ahead and f.otherwise != "ineligible"]
    if stops:
        return Fit(product, "unfit", tuple(map(_because, stops)), application=application)
    lacking: dict[str, dict[str, None]] = {"firm": {}, "product": {}}
    for finding in report.findings:
        if finding.result != "unknown":
            continue
        absent = _absent(document, reading[finding.rule], facts)
        lacking["firm"] |= dict.fromkeys(absent["firm"])
        lacking["product"] |= dict.fromkeys(absent["product"])
        if not absent["firm"] and not absent["product"]:
            ahead.append(finding)
    missing = lacking["firm"] or lacking["product"]
    return Fit(
        product,
        "missing" if missing else "fits",
        of_firm=tuple(lacking["firm"]),
        of_product=tuple(lacking["product"]),
        by_people=tuple(people),
        ahead=len(ahead),
        application=application,
    )


def _because(finding: Finding) -> str:
    gap = f"，{finding.gap}" if finding.gap else ""
    return f"{finding.title}：{finding.says or finding.read}{gap}"


def _facts_read(rule: Any) -> tuple[str, ...]:
    values = [getattr(rule, field.name) for field in fields(rule)]
    return tuple(path for v in values if isinstance(v, Expression) for path in v.facts)


def _ahead(paths: Iterable[str]) -> bool:
    """Whether a rule reads what only an application brings."""
    return any(path.partition(".")[0].removesuffix("[]") in OF_APPLICATION for path in paths)


def _absent(
    document: PolicyDocument, paths: Iterable[str], facts: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Labels of the facts that profile and product lack."""
    found: dict[str, list[str]] = {"firm": [], "product": []}
    for path in paths:
        root, _, name = path.replace("[]", "").partition(".")
        place = "firm" if root in OF_FIRM else "product" if root in OF_PRODUCT else ""
        group = document.schema.get(root)
        if not place or not isinstance(group, Group):
            continue
        held = facts.get(root)
        field: Field | None = group.fields.get(name)
        if field is None or field.source == "信用信息查询":
            continue
        if (group.many and not held) or (not group.many and name not in (held or {})):
            label = group.label if group.many else field.label
            found[place].append(label.partition("（")[0])
    return found


# ------------------------------------------------------------------ facts


def facts_of_products(
    firm: Enterprise, products: Sequence[Product], today: date
) -> dict[int, dict[str, Any]]:
    """Product id → what profile, product and history say, for all of them at once."""
    history = _history(firm)
    used = _used_elsewhere(products)
    listings = _listings_reader[0]([p.id for p in products]) if _listings_reader else {}
    enterprise = known.firm_facts(firm, today)
    return {
        product.id: {
            "enterprise": enterprise,
            "product": known.product_facts(product),
            "patents": [
                known.right_facts(patent, firm, len(used.get(patent.number, set()) - {product.id}))
                for patent in product.patents
            ],
            "listing": known.listing_facts(listings.get(product.id)),
            "history": _for_product(history, product.id),
        }
        for product in products
    }


def _in_round(
    common: Mapping[str, Any], opened: Round, product: Product, today: date
) -> dict[str, Any]:
    closes_on = opened.closes_at.astimezone(SHANGHAI).date()
    first = known.first_to_market(product, closes_on)
    return {
        **common,
        "listing": {**common["listing"], "first_market": first},
        "application": {"submitted_on": as_day(today)},
        "round": known.round_facts(opened),
    }


def _used_elsewhere(products: Sequence[Product]) -> dict[str, set[int]]:
    """Patent number → the products of any firm that an approved application used it for."""
    numbers = {patent.number for product in products for patent in product.patents}
    rows = db.session.execute(
        select(Patent.number, Patent.product_id)
        .join(Application, Application.product_id == Patent.product_id)
        .where(Patent.number.in_(numbers), Application.state.in_(known.APPROVED))
        .distinct()
    )
    used: dict[str, set[int]] = {}
    for number, product_id in rows:
        used.setdefault(number, set()).add(product_id)
    return used


def _history(firm: Enterprise) -> dict[str, list[dict[str, Any]]]:
    """The firm's past with product ids; a list that would be cut off is left out."""
    contracts = db.session.execute(
        select(
            Policy.scheme,
            Round.year,
            Application.product_id,
            Contract.number,
            Contract.amount_fen.label("amount"),
        )
        .join(Application, Application.id == Contract.application_id)
        .join(Policy, Policy.id == Application.policy_id)
        .join(Round, Round.id == Application.round_id)
        .where(Application.enterprise_id == firm.id, Application.state.in_(known.APPROVED))
        .order_by(Contract.id)
        .limit(MAX_ITEMS + 1)
    ).mappings()
    pending = db.session.execute(
        select(Policy.scheme, Application.product_id)
        .join(Policy, Policy.id == Application.policy_id)
        .where(Application.enterprise_id == firm.id, Application.state.in_(known.PENDING))
        .order_by(Application.id)
        .limit(MAX_ITEMS + 1)
    ).mappings()
    lists: dict[str, list[dict[str, Any]]] = {
        "contracts": [dict(row) for row in contracts],
        "pending": [dict(row) for row in pending],
        "exclusions": [
            {"since": as_day(b.since), "until": as_day(b.until), "ground": b.ground}
            for b in firm.exclusions
            if b.lifted_at is None
        ],
    }
    awards = known.awards_of(firm.id, 0, 0)
    if awards is not None:
        lists["awards"] = awards
    return {name: items for name, items in lists.items() if len(items) <= MAX_ITEMS}


def _for_product(
    history: Mapping[str, list[dict[str, Any]]], product_id: int
) -> dict[str, list[dict[str, Any]]]:
    """The past as one product sees it."""
    return {
        name: [
            {
                **{key: value for key, value in item.items() if key != "product_id"},
                **({"product_id": item["product_id"]} if name == "awards" else {}),
                "same_product": item["product_id"] == product_id,
            }
            if "product_id" in item
            else item
            for item in items
        ]
        for name, items in history.items()
    }


@own_facts_from
def own_facts(user: User, product_id: int | None) -> tuple[list[tuple[int, str]], dict[str, Any]]:
    """A signed-in person's products, and what a form about one of them is filled with."""
    enterprise_id = enterprise_id_of(user)
    if enterprise_id is None:
        return [], {}
    products = products_of(enterprise_id)
    chosen = [product for product in products if product.id == product_id]
    facts: dict[str, Any] = {}
    if chosen:
        firm = firm_of(enterprise_id)
        facts = facts_of_products(firm, chosen, utc_now().astimezone(SHANGHAI).date())[chosen[0].id]
    return [(product.id, f"{product.name}　{product.model}") for product in products], facts
