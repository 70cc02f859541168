"""The demo accounts: one per role, named <role>@demo.test, and a second administrator."""

from __future__ import annotations

from sqlalchemy import select

from catalogue.accounts.models import User
from catalogue.accounts.operations import create_user
from catalogue.database import db

NAMES = {
    "applicant": "王演示",
    "signatory": "李样例",
    "reviewer": "周审查",
    "approver": "吴审定",
    "finance": "郑财务",
    "buyer": "陈采购",
    "administrator": "管理员",
}
# Two people must share some work: this one records what the experts said.
SECRETARY = "secretary"
# Publishing a policy takes two administrators.
SECOND = ("administrator2@demo.test", "孙管理", "administrator")


def address(role: str) -> str:
    """The sign-in name of a role's demo account."""
    return f"{role}@demo.test"


def account(email: str, name: str, role: str, password: str) -> User:
    """The account with this address, made when it is not there."""
    user = db.session.scalar(select(User).where(User.email == email))
    return user or create_user(email, name, password, {role})


def staff(role: str) -> User:
    """The demo account of a role or of the secretary; raises NoResultFound before it was seeded."""
    return db.session.scalars(select(User).where(User.email == address(role))).one()


def seed(password: str) -> None:
    """Every role's account, and the second administrator's."""
    for role, name in NAMES.items():
        account(address(role), name, role, password)
    account(*SECOND, password)
    account(address(SECRETARY), "孙评审", "reviewer", password)
