"""Claims that can be approved at once, and awards in any state, without the whole story."""

from __future__ import annotations

from typing import Any

from catalogue.applications.models import Application, EligibilityReport
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.models import Enterprise
from catalogue.funds import operations
from catalogue.funds.models import Award
from catalogue.policies.models import Round
from tests import builders

YEAR = utc_now().astimezone(SHANGHAI).year


def claim(
    amount_fen: int | None = 100_00,
    scheme: str = "first_version",
    firm: Enterprise | None = None,
    name: str | None = None,
) -> Application:
    """A claim with a report of this amount; its state is still draft, which money ignores."""
    firm = firm or builders.enterprise()
    opened: Round = builders.opened(scheme)
    clerk = builders.clerk_of(firm)
    product = builders.product(firm, builders.KINDS[scheme])
    if name:
        product.name = name
    application = Application(
        number=f"SB-{YEAR}-{product.id + 1000:04d}",
        round=opened,
        policy=opened.policy,
        enterprise=firm,
        product=product,
        created_by_id=clerk.id,
        answers={},
    )
    db.session.add(application)
    db.session.flush()
    db.session.add(
        EligibilityReport(
            application_id=application.id,
            verdict="eligible",
            findings=[],
            worksheet=[
                {
                    "id": "amount",
                    "label": "核算金额",
                    "article": "补贴",
                    "amount_fen": amount_fen,
                    "placeholder": True,
                }
            ],
            amount_fen=amount_fen,
            policy_sha256=opened.policy.sha256,
        )
    )
    db.session.flush()
    return application


def award(state: str = "committed", amount_fen: int = 100_00, **options: Any) -> Award:
    """An award in this state, made by the verbs; its budget is there already."""
    application = claim(amount_fen, **options)
    operations.reserve(application, None, None)
    if state in ("committed", "paid"):
        operations.commit(application, None, None)
    if state == "released":
        operations.release(application, None, "测试")
    found = db.session.query(Award).filter_by(application_id=application.id).one()
    if state == "paid":
        found.state = "paid"
        db.session.flush()
    return found
