"""The facts of one application, assembled once per check in the shape that policies read."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select

from catalogue.applications.models import Application, Contract
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.policies.facts import MAX_ITEMS
from catalogue.policies.facts import as_day as day_number
from catalogue.policies.models import Policy
from catalogue.policies.operations import document_of


def facts_of(application: Application) -> dict[str, Any]:
    """Everything that a rule may read; a fact that nobody has stated is left out."""
    enterprise, product, opened = (
        application.enterprise,
        application.product,
        application.round,
    )
    submitted = application.submitted_at or utc_now()
    return {
        "enterprise": _stated(
            credit_code=enterprise.credit_code,
            name=enterprise.name,
            district=enterprise.district,
            founded_on=_day(enterprise.founded_on),
            honours=[honour.kind for honour in enterprise.honours],
        ),
        "product": _stated(
            name=product.name,
            model=product.model,
            kind=product.kind,
            domain=product.domain,
            novelty=product.novelty,
            advancement=product.advancement,
            first_sold_on=_day(product.first_sold_on),
            summary=product.summary,
        ),
        "patents": [
            {
                "number": patent.number,
                "kind": patent.kind,
                "granted_on": day_number(patent.granted_on),
                "holder_matches": patent.holder.strip() == enterprise.name,
            }
            for patent in product.patents
        ],
        "contracts": [_contract(c, enterprise.credit_code) for c in application.contracts],
        "materials": sorted({e.material for e in application.evidence}),
        "application": {"submitted_on": day_number(submitted.astimezone(SHANGHAI).date())},
        "round": {
            "year": opened.year,
            "opens_on": day_number(opened.opens_at.astimezone(SHANGHAI).date()),
            "closes_on": day_number(opened.closes_at.astimezone(SHANGHAI).date()),
        },
        "declarations": _declared(application),
        "answers": _answered(application),
        "listing": _listed(application),
        "history": {"contracts": _supported_contracts(application)},
    }


def _declared(application: Application) -> dict[str, bool]:
    return {key: value for key, value in application.answers.items() if isinstance(value, bool)}


def _answered(application: Application) -> dict[str, Any]:
    types = {answer.id: answer.type for answer in document_of(application.policy).answers}
    answers = {}
    for key, value in application.answers.items():
        if isinstance(value, bool) or value is None or value == "":
            continue
        answers[key] = _day(date.fromisoformat(value)) if types.get(key) == "date" else value
    return answers


def _listed(application: Application) -> dict[str, Any]:
    number = db.session.scalar(
        select(Application.number)
        .join(Policy, Policy.id == Application.policy_id)
        .where(
            Application.product_id == application.product_id,
            Application.state == "concluded",
            Policy.scheme == "catalogue",
        )
        .order_by(Application.id.desc())
        .limit(1)
    )
    return {} if number is None else {"number": number}


def _contract(contract: Contract, own_code: str) -> dict[str, Any]:
    return _stated(
        number=contract.number,
        buyer=contract.buyer_name,
        signed_on=day_number(contract.signed_on),
        invoiced_on=_day(contract.invoiced_on),
        amount=contract.amount_fen,
        received=contract.received_fen,
        buyer_related=(
            contract.buyer_credit_code == own_code if contract.buyer_credit_code else None
        ),
    )


def _supported_contracts(application: Application) -> list[dict[str, Any]]:
    """Each contract on which another claim of the firm was approved, across schemes and years."""
    rows = db.session.execute(
        select(
            Policy.scheme,
            Application.product_id == application.product_id,
            Contract.number,
            Contract.amount_fen,
        )
        .join(Application, Application.id == Contract.application_id)
        .join(Policy, Policy.id == Application.policy_id)
        .where(
            Application.enterprise_id == application.enterprise_id,
            Application.id != application.id,
            Application.state.in_(("on_notice", "objected", "cleared", "concluded")),
        )
        .order_by(Contract.id)
        .limit(MAX_ITEMS)
    )
    return [
        {"scheme": scheme, "same_product": same, "number": number, "amount": amount}
        for scheme, same, number, amount in rows
    ]


def _day(day: date | None) -> int | None:
    return None if day is None else day_number(day)


def _stated(**facts: Any) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
