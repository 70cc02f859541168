"""The home page of each role: what waits for me, until when."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from flask_login import current_user
from sqlalchemy import func, select

from catalogue.accounts.access import signed_in
from catalogue.applications.models import Application
from catalogue.applications.progress import steps_of
from catalogue.certificates import operations as certificates
from catalogue.certificates.models import Certificate
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.models import membership_of
from catalogue.funds.models import Award
from catalogue.messages.operations import deadline, waiting_for

bp = Blueprint("messages", __name__)

RUNNING = 10


@bp.get("/home")
@signed_in
def home() -> Any:
    todos = [
        {
            "title": todo.title,
            "text": todo.text,
            "verb": todo.verb,
            "url": todo.url,
            "deadline": deadline(todo.closes_at),
        }
        for todo in waiting_for(current_user)
    ]
    membership = membership_of(current_user)
    running = []
    if membership is not None:
        rows = db.session.scalars(
            select(Application)
            .where(
                Application.enterprise_id == membership.enterprise_id,
                Application.state.not_in(("draft", "withdrawn")),
            )
            .order_by(Application.state_since.desc(), Application.id)
            .limit(RUNNING)
        ).all()
        running = [(application, steps_of(application)) for application in rows]
    return render_template(
        "messages/home.html",
        todos=todos,
        membership=membership,
        running=running,
        certificates=_certificates(membership.enterprise_id) if membership else [],
        awaiting_fen=_awaiting_fen(membership.enterprise_id) if membership else 0,
    )


def _certificates(enterprise_id: int) -> list[tuple[Certificate, int]]:
    """The firm's newest certificates, each with the days that it is still valid."""
    today = utc_now().astimezone(SHANGHAI).date()
    found = certificates.valid_of(enterprise_id, today)
    return [(certificate, (certificate.valid_until - today).days) for certificate in found]


def _awaiting_fen(enterprise_id: int) -> int:
    """What is approved for the firm and not yet paid, in fen."""
    return int(
        db.session.scalar(
            select(func.coalesce(func.sum(Award.amount_fen), 0)).where(
                Award.enterprise_id == enterprise_id, Award.state.in_(("reserved", "committed"))
            )
        )
        or 0
    )
