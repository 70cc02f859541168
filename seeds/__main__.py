"""`python -m seeds`: load the demo data by natural key; a second run changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path

from sqlalchemy import func, select
from tqdm import tqdm

from catalogue import create_app, embedded
from catalogue.applications import operations as applications
from catalogue.applications.models import Application
from catalogue.config import Config, demo_password
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.models import Enterprise
from catalogue.funds import operations as funds
from catalogue.listings import operations as listings
from catalogue.notices import operations as notices
from catalogue.policies import operations as policies
from catalogue.policies.models import Round
from catalogue.reviews import operations as reviews
from catalogue.statistics import open_data_files
from seeds import buyers, firms, people, stories

FOLDER = Path(__file__).parent
KINDS = {
    "catalogue": "equipment",
    "first_set": "equipment",
    "first_version": "software",
    "first_batch": "material",
    "insurance_equipment": "equipment",
    "insurance_material": "material",
}
# Those whose applications are played into every state; the others get one that was checked.
SCHEMES = ("catalogue", "first_set", "first_version", "first_batch")
# Invented totals in fen, so that every page that shows them says 示范参数.
BUDGETS = {
    "first_set": 80_000_000_00,
    "first_version": 20_000_000_00,
    "first_batch": 20_000_000_00,
    "insurance_equipment": 30_000_000_00,
    "insurance_material": 30_000_000_00,
}
PER_STATE = 2
STATES = (
    "draft",
    "signing",
    "submitted",
    "eligible",
    "ineligible",
    "needs_person",
    "formal_check",
    "correcting",
    "expert_review",
    "committee",
    "on_notice",
    "objected",
    "cleared",
    "concluded",
    "rejected",
    "withdrawn",
    "revoked",
)


def main() -> int:
    """Seed the database that the settings name; production is refused."""
    config = Config.from_env()
    if config.production:
        print("Demo data is refused in production.", file=sys.stderr)
        return 2
    with embedded.attach(config) as attached:
        app = create_app(attached)
        with app.app_context():
            seed(demo_password(config))
    return 0


def seed(password: str, *, quiet: bool = False) -> None:
    """Everything, in the order in which it builds on itself."""
    if db.session.scalar(select(func.count(Application.id))):
        print("The demo data is there already; nothing was changed.")
        return
    people.seed(password)
    db.session.commit()
    policies.load_policies(FOLDER / "policies", people.staff("administrator"))
    db.session.commit()
    rounds = _rounds()
    _budgets()
    with (FOLDER / "products.csv").open("rb") as stream:
        listings.import_rows(stream, people.staff("administrator"), skip_existing=True, sample=True)
    db.session.commit()
    listings.load_synonyms(FOLDER / "synonyms.yaml", people.staff("administrator"))
    db.session.commit()
    # Yesterday's open data, so that today's says what changed since.
    today = utc_now().astimezone(SHANGHAI).date()
    open_data_files.ask_for(today - timedelta(days=1))
    buyers.save()
    db.session.commit()
    enterprises = firms.seed(password)
    cast = _Cast(rounds, enterprises)
    with tqdm(total=len(STATES) * PER_STATE, desc="demo applications", disable=quiet) as bar:
        cast.play(bar.update)
    for scheme in sorted(KINDS.keys() - set(SCHEMES)):
        cast.submitted(scheme)
    buyers.seed()
    open_data_files.ask_for(today)
    db.session.commit()
    stories.run_jobs()


def _rounds() -> dict[str, Round]:
    now = utc_now().astimezone(SHANGHAI)
    opens = datetime.combine((now - timedelta(days=45)).date(), time(9), SHANGHAI)
    rounds = {}
    for position, scheme in enumerate(KINDS):
        policy = policies.version_for(scheme, opens.date())
        assert policy is not None, scheme
        last = (now + timedelta(days=6 + 8 * (position % len(SCHEMES)))).date()
        closes = datetime.combine(last, time(17), SHANGHAI)
        title, clerk = f"{now.year} 年度第二批", people.staff("administrator")
        rounds[scheme] = policies.open_round(policy, title, now.year, 2, opens, closes, clerk)
    db.session.commit()
    return rounds


def _budgets() -> None:
    year = utc_now().astimezone(SHANGHAI).year
    for scheme, total in BUDGETS.items():
        funds.set_budget(scheme, year, total, None, "示范预算，不是公开数字", placeholder=True)
    db.session.commit()


class _Cast:
    """Plays two applications into every state, each with a product of its own."""

    def __init__(self, rounds: dict[str, Round], enterprises: list[Enterprise]) -> None:
        self.rounds = rounds
        self.enterprises = enterprises
        self.reviewer = people.staff("reviewer")
        self.secretary = people.staff(people.SECRETARY)
        self.approver = people.staff("approver")
        self.count = 0

    def draft(self, scheme: str, **filling: object) -> Application:
        """A complete draft of the next product of the next firm."""
        # The firm of the demo sign-ins gets every other case, so that its home page is alive.
        own = self.count % 2 == 0
        enterprise = self.enterprises[1] if own else self.enterprises[self.count % 6]
        kind = KINDS[scheme]
        product = firms.product(enterprise, kind, self.count, self.rounds[scheme].year)
        self.count += 1
        application = stories.start(
            self.rounds[scheme], product, firms.clerk_of(enterprise), **filling
        )
        db.session.commit()
        return application

    def submitted(self, scheme: str, **filling: object) -> Application:
        """Submitted and, by the worker's own code, checked."""
        application = self.draft(scheme, **filling)
        stories.submit(application, firms.clerk_of(application.enterprise))
        stories.run_jobs()
        return application

    def decided(self, scheme: str) -> Application:
        """Through the formal check and the experts, waiting for the second person."""
        application = self.submitted(scheme)
        stories.check_formally(application, self.reviewer)
        stories.conclude_review(application, self.secretary)
        return application

    def play(self, told: Callable[[int], object]) -> None:
        """Every state, the ended ones first, because closing a notice closes all that are due."""
        last = ("draft", "signing", "submitted", "cleared")
        order = ["concluded", "revoked", "rejected", "withdrawn"]
        order += [s for s in STATES if s not in order and s not in last]
        for state in (*order, *last):
            for turn in range(PER_STATE):
                scheme = SCHEMES[(len(order) + self.count + turn) % len(SCHEMES)]
                getattr(self, f"to_{state}")(scheme, turn)
                db.session.commit()
                told(1)

    def to_concluded(self, scheme: str, turn: int) -> None:
        """One of each kind: a listing first, then a claim."""
        scheme = ("catalogue", "first_version")[turn]
        application = self.decided(scheme)
        stories.approve([application], self.approver, days_ago=20)
        stories.close_quietly()

    def to_revoked(self, scheme: str, turn: int) -> None:
        application = self.decided(("catalogue", "first_batch")[turn])
        stories.approve([application], self.approver, days_ago=20)
        stories.close_quietly()
        people = (self.reviewer, self.approver)
        stories.change_certificate(application, "revoked", people, "示例：发证后发现材料不实。")

    def to_rejected(self, scheme: str, turn: int) -> None:
        application = self.decided(scheme)
        if turn == 0:
            reviews.reject(application, self.approver, "示例：与同类产品相比没有明显创新。")
            return
        stories.approve([application], self.approver)
        objection = stories.object_to(application)
        notices.uphold(objection, self.approver, "示例：经核查，首次销售早于申报所述时间。")

    def to_withdrawn(self, scheme: str, turn: int) -> None:
        application = self.submitted(scheme)
        clerk = firms.clerk_of(application.enterprise)
        applications.advance(application, "withdraw", clerk, "示例：材料要补充，下批再报。")

    def to_draft(self, scheme: str, turn: int) -> None:
        self.draft(scheme)

    def to_signing(self, scheme: str, turn: int) -> None:
        application = self.draft("first_set")
        applications.send_for_signing(application, firms.clerk_of(application.enterprise))

    def to_submitted(self, scheme: str, turn: int) -> None:
        """Left for the real worker, which checks it as soon as it runs."""
        application = self.draft(scheme)
        stories.submit(application, firms.clerk_of(application.enterprise))

    def to_eligible(self, scheme: str, turn: int) -> None:
        self.submitted(scheme)

    def to_ineligible(self, scheme: str, turn: int) -> None:
        self.submitted("first_version", amounts_fen=(100_000_00, 120_000_50))

    def to_needs_person(self, scheme: str, turn: int) -> None:
        self.submitted("first_version", received=False)

    def to_formal_check(self, scheme: str, turn: int) -> None:
        scheme = scheme if turn else "first_version"
        reviews.take(self.submitted(scheme, papers=True), self.reviewer)

    def to_correcting(self, scheme: str, turn: int) -> None:
        application = self.submitted(scheme)
        reviews.take(application, self.reviewer)
        items = [
            {
                "field": "answers.comparison",
                "label": "同类比较",
                "note": "请写明与哪些产品比过，并注明页码。",
            }
        ]
        reviews.return_for_correction(application, self.reviewer, items)

    def to_expert_review(self, scheme: str, turn: int) -> None:
        stories.check_formally(self.submitted("first_version"), self.reviewer)

    def to_committee(self, scheme: str, turn: int) -> None:
        self.decided(scheme)

    def to_on_notice(self, scheme: str, turn: int) -> None:
        """One notice corrected, and one whose correction waits for the second person."""
        announced = stories.approve([self.decided(scheme)], self.approver, days_ago=2 - turn)
        if turn == 0:
            stories.correct(announced, self.secretary, self.approver)
        else:
            stories.ask_correction(announced, self.secretary)

    def to_objected(self, scheme: str, turn: int) -> None:
        application = self.decided(scheme)
        stories.approve([application], self.approver)
        stories.object_to(application)

    def to_cleared(self, scheme: str, turn: int) -> None:
        """Quiet, with the conclusion left for the real worker."""
        application = self.decided(scheme)
        stories.approve([application], self.approver, days_ago=20)
        notices.close_due(utc_now())


if __name__ == "__main__":
    sys.exit(main())
