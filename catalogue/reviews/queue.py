"""The queue of applications that wait for an officer: filters, order, age and promise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import joinedload

from catalogue.accounts.models import User
from catalogue.applications.models import Application, EligibilityReport, StateChange
from catalogue.database import SHANGHAI, db
from catalogue.enterprises.models import Enterprise
from catalogue.policies.models import Policy
from catalogue.policies.operations import document_of
from catalogue.products.models import Product
from catalogue.reviews import rules
from catalogue.reviews.models import Override
from catalogue.working_days import UnknownYear

TO_CHECK = ("eligible", "needs_person", "formal_check")
OF_ROLE = {"reviewer": (*TO_CHECK, "expert_review"), "approver": ("committee",)}
# What staff may look up beyond their own queue.
OFFERED = (
    *TO_CHECK,
    "correcting",
    "expert_review",
    "committee",
    "on_notice",
    "objected",
    "rejected",
)
SORTS: dict[str, tuple[Any, ...]] = {
    "submitted": (Application.submitted_at, Application.id),
    "-submitted": (Application.submitted_at.desc(), Application.id.desc()),
    "number": (Application.id,),
    "-number": (Application.id.desc(),),
    "state": (Application.state, Application.submitted_at, Application.id),
}


@dataclass(frozen=True)
class Wanted:
    """What the reader asked the queue for."""

    states: tuple[str, ...]
    scheme: str = ""
    district: str = ""
    words: str = ""
    sort: str = "submitted"

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filters as SQL."""
        where: list[ColumnElement[bool]] = [
            Application.state.in_(self.states),
            Application.submitted_at.is_not(None),
        ]
        if self.scheme:
            where.append(Application.policy_id.in_(_ids(Policy, Policy.scheme == self.scheme)))
        if self.district:
            where.append(
                Application.enterprise_id.in_(
                    _ids(Enterprise, Enterprise.district == self.district)
                )
            )
        if self.words:
            like = f"%{_literal(self.words)}%"
            where.append(
                Application.number.ilike(like)
                | Application.product_id.in_(_ids(Product, Product.name.ilike(like)))
                | Application.enterprise_id.in_(_ids(Enterprise, Enterprise.name.ilike(like)))
            )
        return where


def _ids(model: Any, condition: ColumnElement[bool]) -> Select[tuple[int]]:
    return select(model.id).where(condition)


def _literal(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def own_states(user: User) -> tuple[str, ...]:
    """The states whose applications wait for this person."""
    return tuple(
        state for role, states in OF_ROLE.items() if user.has_role(role) for state in states
    )


MOST_SHOWN = 20


def overrides_for(user: User) -> list[Override]:
    """Overrides that wait for a second person, as far as this person may be that one."""
    return list(
        db.session.scalars(
            select(Override)
            .where(Override.answered_at.is_(None), Override.asked_by_id != user.id)
            .options(joinedload(Override.application))
            .order_by(Override.id)
            .limit(MOST_SHOWN)
        )
    )


def count(wanted: Wanted) -> int:
    """How many applications fit."""
    return db.session.scalar(select(func.count(Application.id)).where(*wanted.conditions())) or 0


def page(wanted: Wanted, number: int, per_page: int, today: date) -> list[dict[str, Any]]:
    """One page of the queue; the number of queries does not depend on its length."""
    found = db.session.scalars(
        select(Application)
        .where(*wanted.conditions())
        .order_by(*SORTS[wanted.sort])
        .limit(per_page)
        .offset((number - 1) * per_page)
    ).all()
    return rows(found, today)


def rows(found: Sequence[Application], today: date) -> list[dict[str, Any]]:
    """Each application with its machine summary, its age and what is left of the promise."""
    keys = [application.id for application in found]
    findings = _findings(keys)
    changes = _changes(keys)
    return [
        {
            "application": application,
            "machine": rules.machine_words(findings.get(application.id, ([], None))[0]),
            "amount_fen": findings.get(application.id, ([], None))[1],
            **clock(application, changes.get(application.id, []), today),
        }
        for application in found
    ]


def _findings(keys: list[int]) -> dict[int, tuple[list[Any], int | None]]:
    newest = (
        select(func.max(EligibilityReport.id))
        .where(EligibilityReport.application_id.in_(keys))
        .group_by(EligibilityReport.application_id)
    )
    statement = select(
        EligibilityReport.application_id,
        EligibilityReport.findings,
        EligibilityReport.amount_fen,
    ).where(EligibilityReport.id.in_(newest))
    return {key: (found, fen) for key, found, fen in db.session.execute(statement)}


def _changes(keys: list[int]) -> dict[int, list[tuple[date, str]]]:
    moves: dict[int, list[tuple[date, str]]] = {}
    statement = (
        select(StateChange.application_id, StateChange.at, StateChange.target)
        .where(StateChange.application_id.in_(keys))
        .order_by(StateChange.id)
    )
    for key, at, target in db.session.execute(statement):
        moves.setdefault(key, []).append((_day(at), target))
    return moves


def _day(at: datetime) -> date:
    return at.astimezone(SHANGHAI).date()


def clock(
    application: Application, changes: Iterable[tuple[date, str]], today: date
) -> dict[str, Any]:
    """Age in working days, the promise of the stage, and a deadline for the page."""
    stage, counted = "formal_check", rules.REVIEW_STATES
    for name, states in (
        ("expert_review", rules.EXPERT_STATES),
        ("committee", rules.COMMITTEE_STATES),
    ):
        if application.state in states:
            stage, counted = name, states
    promise = document_of(application.policy).promised_days.get(stage)
    try:
        used = rules.elapsed(list(changes), counted, today)
        deadline = _deadline(used, promise.value, today) if promise else None
    except UnknownYear:
        used, deadline = None, None
    if application.state not in counted:
        deadline = None
    return {"age": used, "promise": promise, "deadline": deadline}


def _deadline(used: int, promised: int, today: date) -> dict[str, Any]:
    left, day = rules.deadline_of(used, promised, today)
    if day is None:
        return {"closed": True, "left": left, "closes_label": f"超 {-left} 个工作日"}
    closes_at = datetime.combine(day, time(17), SHANGHAI)
    return {"left": left, "closes_at": closes_at, "today": left == 0, "closed": False}


def neighbours(application: Application, states: tuple[str, ...]) -> dict[str, Any] | None:
    """Where it stands in the queue by age: its place, the total, and who is next to it."""
    if application.state not in states:
        return None
    key = tuple_(Application.submitted_at, Application.id)
    own = tuple_(application.submitted_at, application.id)
    where = Wanted(states).conditions()
    before = select(func.count(Application.id)).where(*where, key < own).scalar_subquery()
    total = select(func.count(Application.id)).where(*where).scalar_subquery()
    previous = (
        select(Application.number)
        .where(*where, key < own)
        .order_by(*SORTS["-submitted"])
        .limit(1)
        .scalar_subquery()
    )
    following = (
        select(Application.number)
        .where(*where, key > own)
        .order_by(*SORTS["submitted"])
        .limit(1)
        .scalar_subquery()
    )
    found = db.session.execute(select(before, total, previous, following)).one()
    return {"place": found[0] + 1, "total": found[1], "previous": found[2], "next": found[3]}
