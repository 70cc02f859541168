"""The policy desk: drafts, their values and texts, back-tests, and the second person's word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from catalogue.accounts.access import allow
from catalogue.accounts.models import User
from catalogue.audit.operations import trail
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused
from catalogue.policies import backtest_runs, desk, operations
from catalogue.policies.backtest import Tally
from catalogue.policies.desk_examples import VERDICTS
from catalogue.policies.desk_forms import NewDraftForm, PublishForm, TextForm, values_form
from catalogue.policies.desk_text import changed_places, fixed_parameters, places, side_by_side
from catalogue.policies.document import SCHEMES
from catalogue.policies.models import BackTest, Policy, PolicyDraft
from catalogue.policies.source import read

bp = Blueprint("desk", __name__, url_prefix="/policies/desk")

DRAFTS_SHOWN = 50
PROBLEMS_SHOWN = 60
# What a line of the trail says of an event.
EVENTS = {
    "policy_draft.begin": "起草",
    "policy_draft.save": "保存",
    "policy_draft.withdraw": "撤下",
    "policy_draft.publish": "发布",
}
STATES = {
    "draft": ("plain", "底稿"),
    "withdrawn": ("unknown", "已撤下"),
    "published": ("ok", "已发布"),
}
TEST_STATES = {
    "waiting": ("working", "等待开始"),
    "running": ("working", "回测中"),
    "done": ("ok", "已完成"),
    "cancelled": ("unknown", "已停下"),
    "failed": ("fail", "没有完成"),
}


def _draft(draft_id: int) -> PolicyDraft:
    return db.session.get(PolicyDraft, draft_id) or abort(404)


def _test(test_id: int) -> BackTest:
    return db.session.get(BackTest, test_id) or abort(404)


def _to_draft(draft: PolicyDraft) -> Any:
    return redirect(url_for("policies.desk.draft", draft_id=draft.id), code=303)


def _to_test(test: BackTest) -> Any:
    return redirect(url_for("policies.desk.back_test", test_id=test.id), code=303)


@bp.get("")
@allow("administrator")
def index() -> Any:
    today = utc_now().astimezone(SHANGHAI).date()
    by_scheme = operations.all_versions()
    drafts = db.session.scalars(
        select(PolicyDraft)
        .options(joinedload(PolicyDraft.author))
        .order_by(PolicyDraft.state, PolicyDraft.saved_at.desc(), PolicyDraft.id.desc())
        .limit(DRAFTS_SHOWN)
    ).all()
    governing = [operations.governing(found, today) for found in by_scheme.values()]
    return render_template(
        "policies/desk.html",
        versions=[policy for scheme in SCHEMES for policy in by_scheme.get(scheme, [])],
        drafts=drafts,
        draft_total=db.session.scalar(select(func.count(PolicyDraft.id))),
        in_force={policy.id for policy in governing if policy is not None},
        states=STATES,
        replay=operations.last_replay(),
        today=today,
    )


@bp.post("/versions/<int:policy_id>/draft")
@allow("administrator")
def begin(policy_id: int) -> Any:
    base = db.session.get(Policy, policy_id) or abort(404)
    made = desk.new_draft(current_user, title=f"{base.version} 版的修改稿", base=base)
    db.session.commit()
    flash("底稿已建好。先给它一个新的版本号和施行日期，再改数值。", "done")
    return redirect(url_for("policies.desk.values", draft_id=made.id), code=303)


@bp.route("/drafts/new", methods=["GET", "POST"])
@allow("administrator")
def new() -> Any:
    form = NewDraftForm()
    if form.validate_on_submit():
        try:
            made = desk.new_draft(
                current_user,
                title=form.title.data or "",
                scheme=form.scheme.data,
                text=form.text.data or "",
            )
        except Refused as refused:
            form.refuse(refused)
        else:
            db.session.commit()
            return _to_draft(made)
    page = render_template("policies/desk_new.html", form=form)
    return page, 422 if form.errors else 200


# ------------------------------------------------------------------ one draft


@bp.get("/drafts/<int:draft_id>")
@allow("administrator")
def draft(draft_id: int) -> Any:
    return _draft_page(_draft(draft_id), PublishForm())


def _draft_page(found: PolicyDraft, form: PublishForm) -> Any:
    state = desk.standing(found.text)
    test = backtest_runs.newest_test(found)
    steps = desk.steps(found, test, current_user)
    if not form.is_submitted():
        form.version.data = str(found.version)
    return render_template(
        "policies/desk_draft.html",
        draft=found,
        standing=state,
        problems=_beyond_examples(state)[:PROBLEMS_SHOWN],
        examples=sorted(state.examples, key=lambda example: example.agrees),
        test=test,
        tag=STATES[found.state],
        test_tag=TEST_STATES[test.state] if test is not None else None,
        steps=steps,
        ready=all(step.done for step in steps),
        mine=found.author_id == current_user.id,
        changed=changed_places(found.based_on.source, found.text) if found.based_on else [],
        form=form,
        events=_events(found),
    )


def _beyond_examples(state: desk.Standing) -> list[Any]:
    """The problems that the table of examples does not show already."""
    failing = {example.line for example in state.examples if not example.agrees}
    return [p for p in state.problems if not (p.line in failing and p.reason.startswith("例子“"))]


def _events(found: PolicyDraft) -> list[dict[str, Any]]:
    return [
        {
            "at": event.at.astimezone(SHANGHAI),
            "title": EVENTS[event.action],
            "who": event.actor_name,
            "text": "；".join(str(key) for key in event.facts.get("changed", {})) or None,
        }
        for event in reversed(trail(found, 20))
    ]


@bp.route("/drafts/<int:draft_id>/values", methods=["GET", "POST"])
@allow("administrator")
def values(draft_id: int) -> Any:
    found = _draft(draft_id)
    _require_mine(found)
    state = desk.standing(found.text)
    if state.document is None:
        flash("全文还读不懂，改好这些地方后才能逐项改。", "warning")
        return redirect(url_for("policies.desk.text", draft_id=found.id), code=303)
    source = read(found.text)
    form = values_form(places(source), state.document.terms, found.version)
    if form.validate_on_submit() and _saved_values(found, form):
        db.session.commit()
        return _to_draft(found)
    page = render_template(
        "policies/desk_values.html",
        draft=found,
        document=state.document,
        form=form,
        fixed=fixed_parameters(source),
    )
    return page, 422 if form.errors else 200


def _saved_values(found: PolicyDraft, form: Any) -> bool:
    changes = form.changes()
    if not changes:
        flash("没有改动。", "message")
        return True
    try:
        notes = desk.save_values(
            found, changes, current_user, _number(form.version.data), move=form.move.data
        )
    except Refused as refused:
        db.session.rollback()
        form.form_errors.append(refused.reason)
        return False
    told = f"已改 {len(changes)} 处"
    moved = "、".join(f"“{name}”" for name in notes)
    flash(f"{told}；例子{moved}里的数跟着门槛移动了。" if notes else f"{told}。", "done")
    return True


def _number(text: str | None) -> int:
    """A whole number from a form; -1, which fits nothing, when it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else -1


def _require_mine(found: PolicyDraft) -> None:
    if found.author_id != current_user.id:
        raise Refused("只有起草人能改这份底稿；您可以另起一份", status=403)
    if found.state != "draft":
        raise Refused("这份底稿已经结束，不能再改")


@bp.route("/drafts/<int:draft_id>/text", methods=["GET", "POST"])
@allow("administrator")
def text(draft_id: int) -> Any:
    found = _draft(draft_id)
    _require_mine(found)
    form = TextForm(data={"text": found.text, "version": found.version})
    if form.validate_on_submit():
        try:
            desk.save_text(found, form.text.data or "", current_user, _number(form.version.data))
        except Refused as refused:
            db.session.rollback()
            form.refuse(refused)
        else:
            db.session.commit()
            return _to_draft(found)
    state = desk.standing(found.text)
    page = render_template(
        "policies/desk_text.html",
        draft=found,
        form=form,
        problems=state.problems[:PROBLEMS_SHOWN],
        lines=found.text.splitlines(),
    )
    return page, 422 if form.errors else 200


@bp.get("/drafts/<int:draft_id>/changes")
@allow("administrator")
def changes(draft_id: int) -> Any:
    found = _draft(draft_id)
    base = found.based_on
    return render_template(
        "policies/desk_changes.html",
        draft=found,
        changed=changed_places(base.source, found.text) if base else [],
        groups=side_by_side(base.source if base else "", found.text),
    )


@bp.post("/drafts/<int:draft_id>/examples")
@allow("administrator")
def accept(draft_id: int) -> Any:
    found = _draft(draft_id)
    chosen = [_number(value) for value in request.form.getlist("example")]
    if not chosen:
        raise Refused("请先勾选要改的例子", status=422)
    desk.accept_examples(found, chosen, current_user, _number(request.form.get("version")))
    db.session.commit()
    flash(f"已把 {len(chosen)} 个例子的预期改成算得的结果。", "done")
    return _to_draft(found)


@bp.post("/drafts/<int:draft_id>/withdraw")
@allow("administrator")
def withdraw(draft_id: int) -> Any:
    found = _draft(draft_id)
    desk.withdraw(found, current_user)
    db.session.commit()
    flash("底稿已撤下，不再改也不再发布。", "done")
    return redirect(url_for("policies.desk.index"), code=303)


@bp.post("/drafts/<int:draft_id>/publish")
@allow("administrator")
def publish(draft_id: int) -> Any:
    found = _draft(draft_id)
    form = PublishForm()
    if not form.validate_on_submit():
        return _draft_page(found, form), 422
    try:
        policy = desk.publish(found, current_user, _number(form.version.data))
    except Refused as refused:
        db.session.rollback()
        form.refuse(refused)
        return _draft_page(_draft(draft_id), form), refused.status
    db.session.commit()
    flash(f"{policy.version} 版已发布，自 {policy.effective_from.isoformat()} 起施行。", "done")
    return _to_draft(found)


# ------------------------------------------------------------------ back-tests


@bp.post("/drafts/<int:draft_id>/back-tests")
@allow("administrator")
def start_test(draft_id: int) -> Any:
    test = backtest_runs.start(_draft(draft_id), current_user)
    db.session.commit()
    return _to_test(test)


@bp.get("/back-tests/<int:test_id>")
@allow("administrator")
def back_test(test_id: int) -> Any:
    test = _test(test_id)
    opened = test.state == "done" and backtest_runs.opened_by(test, current_user)
    page = render_template(
        "policies/desk_backtest.html",
        test=test,
        draft=test.draft,
        tag=TEST_STATES[test.state],
        stopped=backtest_runs.stopped(test),
        current=test.text_sha256 == test.draft.text_sha256,
        opened=opened,
        tally=_result(test) if opened else None,
        may_see_cases=current_user.has_role("reviewer", "approver"),
    )
    # The progress asks for itself; when it is over, the whole page has something new to say.
    over = test.finished_at is not None and "HX-Request" in request.headers
    return page, {"HX-Refresh": "true"} if over else {}


def _result(test: BackTest) -> dict[str, Any]:
    """The tally as the page shows it."""
    found = Tally.from_json(test.result or {})
    titles = _titles(test)
    return {
        "tally": found,
        "total": found.total,
        "flips": [
            (VERDICTS[old], VERDICTS[new], count) for (old, new), count in found.flips.items()
        ],
        "rules": [
            (titles.get(rule, rule), rule, count)
            for rule, count in sorted(found.rules.items(), key=lambda item: (-item[1], item[0]))
        ],
        "titles": titles,
        "verdicts": VERDICTS,
        "years": [
            (year, cell, _budget(test.draft.scheme, year))
            for year, cell in sorted(found.groups.get("year", {}).items(), reverse=True)
        ],
    }


def _budget(scheme: str, year: str) -> backtest_runs.Budget | None:
    return backtest_runs.budget_of(scheme, int(year)) if year.isdigit() else None


def _titles(test: BackTest) -> dict[str, str]:
    """Rule ids in words, of the draft and of the version beneath it."""
    documents = [desk.standing(test.text).document]
    if test.draft.based_on is not None:
        documents.insert(0, operations.document_of(test.draft.based_on))
    return {rule.id: rule.title for document in documents if document for rule in document.rules}


def _act(verb: Callable[[BackTest, User], None], test_id: int) -> Any:
    test = _test(test_id)
    verb(test, current_user)
    db.session.commit()
    return _to_test(test)


@bp.post("/back-tests/<int:test_id>/cancel")
@allow("administrator")
def cancel_test(test_id: int) -> Any:
    return _act(backtest_runs.cancel, test_id)


@bp.post("/back-tests/<int:test_id>/resume")
@allow("administrator")
def resume_test(test_id: int) -> Any:
    return _act(backtest_runs.resume, test_id)


@bp.post("/back-tests/<int:test_id>/open")
@allow("administrator")
def open_test(test_id: int) -> Any:
    return _act(backtest_runs.open_result, test_id)
