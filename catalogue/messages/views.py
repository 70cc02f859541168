"""The home page of each role: what waits for me, until when."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from flask_login import current_user
from sqlalchemy import select

from catalogue.accounts.access import signed_in
from catalogue.applications.models import Application
from catalogue.applications.progress import steps_of
from catalogue.database import db
from catalogue.enterprises.models import membership_of
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
        "messages/home.html", todos=todos, membership=membership, running=running
    )
