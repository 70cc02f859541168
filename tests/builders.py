"""Plain functions that make what tests need, by calling the real verbs."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from stdnum.cn import uscc

from catalogue.accounts.models import User
from catalogue.accounts.operations import create_user
from catalogue.applications.models import Application
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises import operations as enterprises
from catalogue.enterprises.models import Enterprise, Membership
from catalogue.funds import operations as funds
from catalogue.policies import operations as policies
from catalogue.policies.models import Policy, Round
from catalogue.products.models import Product
from seeds import firms, stories

PASSWORD = "correct horse battery"
POLICIES = Path("seeds/policies")
KINDS = {
    "catalogue": "equipment",
    "first_set": "equipment",
    "first_version": "software",
    "first_batch": "material",
}

_numbers = count(1)


def forget() -> None:
    """Start counting anew; each test has an empty database."""
    global _numbers
    _numbers = count(1)


def user(role: str, name: str | None = None) -> User:
    """A person with one role."""
    number = next(_numbers)
    return create_user(f"{role}{number}@example.test", name or f"{role}{number}", PASSWORD, {role})


def sign_in(client: FlaskClient, person: User, password: str = PASSWORD) -> None:
    """Sign in through the form, token and all."""
    response = post(client, "/sign-in", {"email": person.email, "password": password})
    assert response.status_code == 303, response.text


def token(client: FlaskClient, address: str) -> str:
    """The CSRF token of a page."""
    page = client.get(address)
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found, f"no form on {address}: {page.status_code}"
    return found.group(1)


def post(
    client: FlaskClient,
    address: str,
    data: dict[str, Any],
    form_at: str | None = None,
    **kwargs: Any,
) -> Any:
    """Post a form with the token of the page that shows it."""
    return client.post(
        address, data={**data, "csrf_token": token(client, form_at or address)}, **kwargs
    )


def credit_code(number: int | None = None) -> str:
    """A valid credit code that no other test object has."""
    body = f"91310115MA{number or next(_numbers):07d}"
    return body + uscc.calc_check_digit(body)


def enterprise(name: str | None = None, members: bool = True) -> Enterprise:
    """A firm with a complete profile, an account, and (with ``members``) a signatory too."""
    number = next(_numbers)
    clerk = user("applicant")
    title = name or f"测试（上海）第{number}有限公司"
    firm = enterprises.register_enterprise(credit_code(number), title, clerk, "applicant")
    if members:
        signer = user("signatory")
        enterprises.admit(enterprises.request_to_join(firm, signer, "signatory"), clerk)
    enterprises.update_profile(
        firm,
        clerk,
        district="310115",
        founded_on=datetime(2015, 3, 1).date(),
        address="上海市测试路 1 号",
        contact_name="测试",
        contact_phone="021-00000000",
    )
    enterprises.set_account(firm, clerk, "示范银行上海分行", title, "6222020200100005969")
    db.session.flush()
    return firm


def clerk_of(firm: Enterprise) -> User:
    """The firm's 经办人."""
    return firms.clerk_of(firm)


def product(firm: Enterprise, kind: str = "software", position: int | None = None) -> Product:
    """A product of the firm with a patent and a copyright of last year."""
    number = next(_numbers) if position is None else position
    return firms.product(firm, kind, number, utc_now().year)


def opened(scheme: str = "first_version", closes_in: int = 20) -> Round:
    """An open round of the scheme under its seeded policy."""
    found = db.session.scalar(
        select(Round).join(Policy).where(Policy.scheme == scheme).order_by(Round.id).limit(1)
    )
    if found is not None:
        return found
    administrator = user("administrator")
    for path in sorted(POLICIES.glob(f"{scheme}-*.yaml")):
        policies.publish(path.read_text("utf-8"), administrator)
    today = utc_now().astimezone(SHANGHAI).date()
    policy = policies.version_for(scheme, today - timedelta(days=30))
    assert policy is not None, scheme
    return policies.open_round(
        policy,
        f"{today.year} 年度第一批",
        today.year,
        1,
        datetime.combine(today - timedelta(days=30), time(9), SHANGHAI),
        datetime.combine(today + timedelta(days=closes_in), time(17), SHANGHAI),
        administrator,
    )


def draft(
    scheme: str = "first_version", firm: Enterprise | None = None, **filling: Any
) -> Application:
    """A complete draft."""
    firm = firm or enterprise()
    application = stories.start(
        opened(scheme), product(firm, KINDS[scheme]), clerk_of(firm), **filling
    )
    db.session.flush()
    return application


def submitted(scheme: str = "first_version", **options: Any) -> Application:
    """Submitted and checked."""
    application = draft(scheme, **options)
    stories.submit(application, clerk_of(application.enterprise))
    stories.run_jobs()
    return application


def in_expert_review(
    scheme: str = "first_version", reviewer: User | None = None, **options: Any
) -> Application:
    """Passed the formal check; waits for the experts where the policy names them."""
    application = submitted(scheme, **options)
    stories.check_formally(application, reviewer or user("reviewer"))
    return application


def in_committee(
    scheme: str = "first_version", reviewer: User | None = None, **options: Any
) -> Application:
    """Passed the formal check and the experts; waits for the approver."""
    application = in_expert_review(scheme, reviewer, **options)
    stories.conclude_review(application, user("reviewer"))
    return application


def budget(scheme: str = "first_version", total_fen: int = 100_000_000_00) -> Any:
    """This year's budget of a scheme."""
    return funds.set_budget(
        scheme,
        utc_now().astimezone(SHANGHAI).year,
        total_fen,
        None,
        "测试用的预算总额",
        placeholder=True,
    )


def on_notice(scheme: str = "first_version", days_ago: int = 0, **options: Any) -> Application:
    """Approved, on a notice that opened ``days_ago`` days ago."""
    if scheme != "catalogue":
        _ensure_budget(scheme)
    application = in_committee(scheme, **options)
    stories.approve([application], user("approver"), days_ago=days_ago)
    return application


def _ensure_budget(scheme: str) -> None:
    from catalogue.funds.models import Budget

    year = utc_now().astimezone(SHANGHAI).year
    if not db.session.scalar(select(Budget.id).where(Budget.scheme == scheme, Budget.year == year)):
        budget(scheme)


def concluded(scheme: str = "catalogue", **options: Any) -> Application:
    """Quietly noticed, concluded, certified."""
    application = on_notice(scheme, days_ago=20, **options)
    stories.close_quietly()
    db.session.refresh(application)
    return application


def change_certificate(
    application: Application, status: str, words: dict[str, str] | None = None
) -> Any:
    """Its certificate's status changed by two people."""
    people = (user("reviewer"), user("approver"))
    return stories.change_certificate(application, status, people, "示例：材料不实", words)


def member(firm: Enterprise, role: str) -> User:
    """The firm's first member with this role."""
    return db.session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.enterprise_id == firm.id, Membership.role == role)
        .limit(1)
    ).one()
