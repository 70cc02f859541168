"""The six-step bar of one application, read from the table of states and its history."""

from __future__ import annotations

from catalogue.applications.models import Application
from catalogue.applications.states import STATES, STEPS
from catalogue.database import SHANGHAI, utc_now


def steps_of(application: Application) -> list[dict[str, str]]:
    """Each step: label, note, and done / current / returned / todo / ended / never."""
    state = STATES[application.state]
    reached = max((STATES[change.target].step for change in application.history), default=0)
    at = state.step if not state.ended or state.id == "concluded" else reached
    steps = []
    for position, label in enumerate(STEPS):
        if position == 2 and not _was_at(application, 2):
            note = "本事项不设" if position < at else ""
        else:
            note = _note(application, position, at)
        steps.append({"label": label, "note": note, "state": _standing(state.id, position, at)})
    return steps


def _standing(state: str, position: int, at: int) -> str:
    if state == "concluded" or position < at:
        return "done"
    if state in ("rejected", "withdrawn", "revoked"):
        return "ended" if position == at else "never"
    if position > at:
        return "todo"
    return "returned" if state in ("correcting", "objected") else "current"


def _was_at(application: Application, step: int) -> bool:
    return any(STATES[change.target].step == step for change in application.history)


def _note(application: Application, position: int, at: int) -> str:
    state = STATES[application.state]
    since = application.state_since.astimezone(SHANGHAI)
    if position == 0 and application.submitted_at is not None:
        return f"{application.submitted_at.astimezone(SHANGHAI):%m-%d} 提交"
    if position == at and not state.ended:
        days = (utc_now() - application.state_since).days + 1
        return "等您补正" if state.id == "correcting" else f"第 {days} 天"
    if position == at and state.ended:
        return f"{since:%m-%d} {state.public}"
    return ""
