"""Trying a policy without an account: the self-check, and what a contract would bring.

Nothing here is stored, and no cookie is set: a post is answered by a page and forgotten.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from catalogue.accounts.access import public
from catalogue.database import SHANGHAI, utc_now
from catalogue.errors import Refused
from catalogue.policies import operations, questionnaire
from catalogue.policies.carrying import sealed
from catalogue.policies.document import SCHEMES, WITHOUT_MONEY, PolicyDocument
from catalogue.policies.facts import as_day
from catalogue.policies.models import Policy, Round
from catalogue.policies.nearest import nearest
from catalogue.policies.rules import canonical, evaluate

bp = Blueprint("trial", __name__)

MOST_QUERY = 6_000
MOST_LINK = 4_000
FINGERPRINT = 16

# Facts of the viewer's own product, answered by a higher room; see ``own_facts_from``.
OwnFacts = Callable[[Any, int | None], tuple[list[tuple[int, str]], dict[str, Any]]]
_own_facts: list[OwnFacts] = []


def own_facts_from(reader: OwnFacts) -> OwnFacts:
    """Decorate the function that knows a signed-in person's products, and the facts of one."""
    _own_facts[:] = [reader]
    return reader


@dataclass(frozen=True)
class Window:
    """The round for which answers are tried: an open one, or one that is only supposed."""

    year: int
    opens_on: date
    closes_on: date
    title: str = ""

    @property
    def text(self) -> str:
        """The window as the address holds it."""
        return f"{self.year}.{self.opens_on.isoformat()}.{self.closes_on.isoformat()}"

    @property
    def facts(self) -> dict[str, int]:
        """The window as the facts of a round."""
        return {
            "year": self.year,
            "opens_on": as_day(self.opens_on),
            "closes_on": as_day(self.closes_on),
        }


@dataclass(frozen=True)
class Trial:
    """One version of a scheme, tried on a day for a window."""

    policy: Policy
    document: PolicyDocument
    today: date
    window: Window

    def facts(self, form: Any) -> dict[str, Any]:
        """The answers of a form, with the day and the window."""
        given = questionnaire.facts_from(self.document, form)
        return {
            **given,
            "application": {"submitted_on": as_day(self.today)},
            "round": self.window.facts,
        }


def _today() -> date:
    return utc_now().astimezone(SHANGHAI).date()


def window_of(opened: Round) -> Window:
    """The window of a round."""
    return Window(
        opened.year,
        opened.opens_at.astimezone(SHANGHAI).date(),
        opened.closes_at.astimezone(SHANGHAI).date(),
        opened.title,
    )


def _trial(scheme: str) -> Trial:
    """The scheme as it is now: its open round, or its version in force until the year's end."""
    if scheme not in SCHEMES:
        abort(404)
    now, today = utc_now(), _today()
    opened = next((r for r in operations.open_rounds(now) if r.scheme == scheme), None)
    if opened is not None:
        document = operations.document_of(opened.policy)
        return Trial(opened.policy, document, today, window_of(opened))
    policy = operations.version_for(scheme, today) or abort(404)
    window = Window(today.year, today, date(today.year, 12, 31))
    return Trial(policy, operations.document_of(policy), today, window)


def _answer(trial: Trial, form: Any) -> dict[str, Any]:
    """Verdict, findings, worksheet, nearest way and fingerprint of one set of answers."""
    facts = trial.facts(form)
    report = evaluate(trial.document, facts, trial.today)
    return {
        "report": report,
        "findings": [asdict(finding) for finding in report.findings],
        "lines": [asdict(line) for line in report.worksheet],
        "nearest": nearest(trial.document, facts, trial.today),
        "fingerprint": hashlib.sha256(canonical(report)).hexdigest()[:FINGERPRINT],
    }


# ------------------------------------------------------------------ self-check


@bp.get("/self-check")
@public
def schemes() -> Any:
    today, rounds = _today(), operations.open_rounds()
    items = []
    for scheme, name in SCHEMES.items():
        opened = next((r for r in rounds if r.scheme == scheme), None)
        policy = opened.policy if opened else operations.version_for(scheme, today)
        if policy is None:
            continue
        document = operations.document_of(policy)
        items.append(
            {
                "id": scheme,
                "name": name,
                "policy": policy,
                "summary": document.summary,
                "opened": opened,
                "money": scheme not in WITHOUT_MONEY,
            }
        )
    return render_template("policies/self_checks.html", items=items)


@bp.route("/self-check/<scheme>", methods=["GET", "POST"])
@public
def self_check(scheme: str) -> Any:
    trial = _trial(scheme)
    asked = questionnaire.questions(trial.document)
    more = bool(request.form.get("more"))
    form = questionnaire.posted(request.form, asked, more=more)
    answered, status, answer, token = request.method == "POST" and not more, 200, None, None
    if answered:
        status = 422
        if questionnaire.valid(form):
            status, answer = 200, _answer(trial, form)
            token = sealed(scheme, questionnaire.as_query(form))
    page = render_template(
        "policies/self_check.html",
        trial=trial,
        asked=asked,
        form=form,
        answer=answer,
        token=token,
        failed=status == 422,
    )
    return _forgotten(page, status)


def _forgotten(page: str, status: int) -> Response:
    """A page that no index and no cache keeps."""
    response = make_response(page, status)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


# ------------------------------------------------------------------ what if


@bp.route("/what-if/<scheme>", methods=["GET", "POST"])
@public
def what_if(scheme: str) -> Any:
    if scheme in WITHOUT_MONEY or scheme not in SCHEMES:
        abort(404)
    if len(request.query_string) > MOST_QUERY:
        raise Refused("地址太长，没有这样的答案。请重新填写", status=422)
    given: MultiDict[str, str] = request.form if request.method == "POST" else request.args
    kept = "v" in given
    trial = _kept_trial(scheme, given) if kept else _trial(scheme)
    asked = questionnaire.questions(trial.document)
    more = bool(given.get("more"))
    form = questionnaire.posted(given, asked, more=more)
    products: list[tuple[int, str]] = []
    status, answer = 200, None
    if request.method == "POST" or kept:
        if not more and not questionnaire.valid(form):
            status = 422
        elif not more:
            answer = _answer(trial, form)
    elif _own_facts and current_user.is_authenticated:
        products, facts = _own_facts[0](current_user, request.args.get("product", type=int))
        if facts:
            form = asked.form(formdata=None, data=questionnaire.as_data(facts))
    page = render_template(
        "policies/what_if.html",
        trial=trial,
        asked=asked,
        form=form,
        answer=answer,
        products=products,
        chosen=request.args.get("product", type=int),
        link=_link(trial, form) if answer else None,
        newer=_newer(trial, form) if answer else None,
        until=_until(trial),
        failed=status == 422,
    )
    return _forgotten(page, status)


def _kept_trial(scheme: str, given: MultiDict[str, str]) -> Trial:
    """The version, the day and the window that an address names; 404 when there is none."""
    policy = operations.version_named(scheme, given.get("v", ""))
    match = re.fullmatch(
        r"(\d{4})\.(\d{4}-\d\d-\d\d)\.(\d{4}-\d\d-\d\d)", given.get("r", ""), re.ASCII
    )
    try:
        today = date.fromisoformat(given.get("d", "")[:10])
        if policy is None or match is None:
            raise ValueError
        opens_on, closes_on = (date.fromisoformat(text) for text in match.groups()[1:])
        years = (today.year, opens_on.year, closes_on.year, int(match[1]))
        if not all(1990 <= year <= 2100 for year in years) or closes_on < opens_on:
            raise ValueError
    except ValueError:
        abort(404)
    window = Window(int(match[1]), opens_on, closes_on)
    return Trial(policy, operations.document_of(policy), today, window)


def _link(trial: Trial, form: Any) -> str | None:
    """The address that shows this answer again, or None when it would be too long to keep."""
    answers: dict[str, Any] = MultiDict(questionnaire.as_query(form)).to_dict(flat=False)
    link = url_for(
        "policies.trial.what_if",
        scheme=trial.policy.scheme,
        v=trial.policy.version,
        d=trial.today.isoformat(),
        r=trial.window.text,
        **answers,
    )
    return link if len(link) <= MOST_LINK else None


def _newer(trial: Trial, form: Any) -> dict[str, Any] | None:
    """How to work the same contracts out as of today, when that may differ."""
    now = _trial(trial.policy.scheme)
    if (now.policy.id, now.today, now.window.text) == (
        trial.policy.id,
        trial.today,
        trial.window.text,
    ):
        return None
    return {
        "version": now.policy.version if now.policy.id != trial.policy.id else None,
        "today": now.today,
        "link": _link(now, form),
    }


def _until(trial: Trial) -> date:
    """The last day on which the answer can hold: the round's close or the version's end."""
    ends = trial.document.effective_to
    continued = trial.document.is_continued(trial.window.opens_on)
    if ends is None or continued or ends < trial.window.opens_on:
        return trial.window.closes_on
    return min(ends, trial.window.closes_on)
