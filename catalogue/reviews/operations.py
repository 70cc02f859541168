"""The verbs of reviewers and approvers; every decision leaves a verdict that stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update

from catalogue.accounts.models import User
from catalogue.applications import operations as applications
from catalogue.applications.models import Application
from catalogue.audit.operations import record
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.models import enterprise_id_of
from catalogue.errors import Refused
from catalogue.notices import operations as notices
from catalogue.notices.models import Notice
from catalogue.policies.operations import document_of
from catalogue.reviews import overrides, rules
from catalogue.reviews.models import CheckSheet, ExpertOpinion, Override, Verdict
from catalogue.reviews.rules import Item, Judgement
from catalogue.working_days import UnknownYear, add_working_days

WAITING = ("eligible", "needs_person")
MAX_TOGETHER = 200


def take(application: Application, officer: User) -> None:
    """Start the formal check; raises Refused when somebody else has."""
    applications.advance(application, "take", officer)


def take_next(officer: User) -> Application | None:
    """Take the application that has waited longest; None when none waits.

    Two officers who ask at the same instant get two different ones.
    """
    application = db.session.scalar(
        select(Application)
        .where(Application.state.in_(WAITING))
        .order_by(Application.submitted_at, Application.id)
        .limit(1)
        .with_for_update(of=Application, skip_locked=True)
    )
    if application is not None:
        take(application, officer)
    return application


def items_of(application: Application) -> list[Item]:
    """What a person must judge of this application, in the order of the page."""
    report = application.report
    return rules.items_to_judge(
        document_of(application.policy),
        report.findings if report else [],
        {evidence.material for evidence in application.evidence},
    )


def sheet_of(application: Application) -> dict[str, Judgement]:
    """The judgements kept so far, by item key."""
    sheet = db.session.get(CheckSheet, application.id)
    return {key: Judgement(**line) for key, line in sheet.lines.items()} if sheet else {}


def told_before(application: Application) -> set[str] | None:
    """The fields that earlier corrections sent back; None when there was none."""
    if not application.corrections:
        return None
    return {item["field"] for correction in application.corrections for item in correction.items}


def judge(application: Application, officer: User, judgements: dict[str, Judgement]) -> None:
    """Keep the judgements of a formal check that is still being made."""
    _require_formal_check(application, officer)
    sheet = db.session.get(CheckSheet, application.id, with_for_update=True)
    if sheet is None:
        sheet = CheckSheet(application_id=application.id, officer_id=officer.id)
        db.session.add(sheet)
    sheet.lines = {
        key: {"value": j.value, "note": j.note, "field": j.field}
        for key, j in judgements.items()
        if j.value or j.note
    }
    sheet.officer_id = officer.id
    sheet.saved_at = utc_now()
    record("review.judge", application, officer, judged=len(sheet.lines))


def _require_formal_check(application: Application, officer: User) -> None:
    if not officer.has_role("reviewer"):
        raise Refused("形式审查由形式审查员办理", status=403)
    if application.state != "formal_check":
        raise Refused(
            f"这件申报现在是“{application.standing.inside}”，不在形式审查中。请刷新后再看"
        )


def return_for_correction(
    application: Application, officer: User, items: list[dict[str, str]]
) -> None:
    """Send all faulted fields back at once; each item holds field, label and note.

    Raises Refused without items, for an unknown field or an empty note, and for a field that an
    earlier round did not name (一次性告知).
    """
    db.session.refresh(application, with_for_update={"of": Application})
    _require_formal_check(application, officer)
    known = rules.fields_of(document_of(application.policy))
    for item in items:
        if item["field"] not in known:
            raise Refused("要补正的内容里有本事项没有的项目", field="items", status=422)
        if not item["note"].strip():
            raise Refused(f"“{item['label']}”没有写明要改什么", field="items", status=422)
    try:
        today = utc_now().astimezone(SHANGHAI).date()
        due_on = add_working_days(today, rules.CORRECTION_WORKING_DAYS)
    except UnknownYear as error:
        raise Refused(f"{error}，补正期限无法推算") from error
    applications.open_correction(application, officer, items, due_on)
    _verdict(application, "formal_check", officer, "return", lines=list(items))
    _forget_corrected(application)


def _forget_corrected(application: Application) -> None:
    """What was sent back is to be judged anew; what passed stays judged."""
    sheet = db.session.get(CheckSheet, application.id)
    if sheet is not None:
        sheet.lines = {
            key: line for key, line in sheet.lines.items() if line["value"] != rules.CORRECT
        }


def pass_formal(
    application: Application, officer: User, lines: Sequence[dict[str, Any]] = ()
) -> None:
    """Find the application complete and in order; another person then decides.

    ``lines`` are the judgements to keep. Raises Refused while a line still asks for correction,
    while an override waits for its second person, and while a finding counts as 不符.
    """
    faults = sum(line["value"] == rules.CORRECT for line in lines)
    if faults:
        raise Refused(f"还有 {faults} 项要补正，不能通过", field="lines")
    if problem := overrides.why_not_pass(application):
        raise Refused(problem, field="lines")
    applications.advance(application, "pass_formal", officer)
    _verdict(application, "formal_check", officer, "pass", lines=list(lines))


def criteria_of(application: Application) -> list[rules.Criterion]:
    """What the experts give their opinion on, in the order of the policy text."""
    return rules.criteria(document_of(application.policy))


def why_not_conclude(application: Application, officer: User) -> str | None:
    """Why this person may not record the experts' opinion, in words; None when they may."""
    if application.state != "expert_review":
        return f"这件申报现在是“{application.standing.inside}”，不在专家评审环节"
    if not officer.has_role("reviewer"):
        return "专家评审意见由组织评审的审查员登记"
    if _in_force([application.id], ("pass",)).get(application.id) == {officer.id}:
        return "您做过这件的形式审查，专家评审意见须由另一人登记（两人办理规则）"
    return None


def conclude_review(
    application: Application, officer: User, opinion: rules.Opinion, today: date
) -> None:
    """Record the experts' opinion and hand the application to the approver.

    The officer is neither who did the formal check nor who will approve. Raises Refused for
    them, and for an opinion that is not whole (field named).
    """
    if problem := why_not_conclude(application, officer):
        raise Refused(problem)
    faults = rules.opinion_faults(opinion, criteria_of(application), today)
    if faults:
        field, words = next(iter(faults.items()))
        raise Refused(words, field=field, status=422)
    applications.advance(application, "conclude_review", officer)
    verdict = _verdict(application, "expert_review", officer, "conclude", opinion.summary)
    verdict.opinion = ExpertOpinion(
        met_on=opinion.met_on,
        experts=opinion.experts,
        votes_for=opinion.votes_for,
        votes_against=opinion.votes_against,
        recommended=opinion.recommended,
        lines=rules.opinion_lines(opinion, criteria_of(application)),
    )
    db.session.flush()


def reject(application: Application, officer: User, reason: str) -> None:
    """Refuse the application, at the stage where it stands, with a reason.

    The judgements made so far are kept with a refusal at the formal check.
    """
    stage, lines = application.state, []
    if stage == "formal_check":
        lines = rules.record_of(items_of(application), sheet_of(application))
    applications.advance(application, "reject", officer, reason)
    _verdict(application, stage, officer, "reject", reason, lines)


def send_back(application: Application, officer: User, reason: str) -> None:
    """Return the application to the formal check; what was passed is no longer in force."""
    stage = application.state
    applications.advance(application, "send_back_to_check", officer, reason)
    db.session.execute(
        update(Verdict)
        .where(
            Verdict.application_id == application.id,
            Verdict.outcome.in_(("pass", "conclude")),
            Verdict.set_aside_at.is_(None),
        )
        .values(set_aside_at=utc_now())
    )
    _verdict(application, stage, officer, "send_back", reason)


def why_not_approve(application: Application, approver: User) -> str | None:
    """Why this person may not approve it, in words; None when they may."""
    return refusals([application], approver).get(application.id)


def refusals(chosen: Sequence[Application], approver: User) -> dict[int, str]:
    """Application id → why this person may not approve it; those they may are left out."""
    keys = [application.id for application in chosen]
    checkers = _in_force(keys, ("pass",))
    concluders = _in_force(keys, ("conclude",))
    standing = overrides.of(keys)
    found = {
        a.id: _refusal(a, approver, checkers.get(a.id), concluders.get(a.id))
        or overrides.why_not_approve(standing.get(a.id, []))
        for a in chosen
    }
    return {key: problem for key, problem in found.items() if problem}


def _in_force(keys: Sequence[int], outcomes: Sequence[str]) -> dict[int, set[int]]:
    """Application id → who gave a verdict of these outcomes that is in force."""
    people: dict[int, set[int]] = {}
    statement = select(Verdict.application_id, Verdict.officer_id).where(
        Verdict.application_id.in_(keys),
        Verdict.outcome.in_(outcomes),
        Verdict.set_aside_at.is_(None),
    )
    for key, officer_id in db.session.execute(statement):
        people.setdefault(key, set()).add(officer_id)
    return people


def _refusal(
    application: Application,
    approver: User,
    checkers: set[int] | None,
    concluders: set[int] | None,
) -> str | None:
    if application.state != "committee":
        return f"这件申报现在是“{application.standing.inside}”，不在审定环节"
    if not approver.has_role("approver"):
        return "审定由审定人办理"
    if not checkers:
        return "还没有有效的形式审查意见"
    if not concluders and "expert_review" in document_of(application.policy).stages:
        return "还没有有效的专家评审意见"
    acted = {"做过这件的形式审查": checkers, "登记过这件的专家评审意见": concluders or set()}
    for what, people in acted.items():
        if approver.id in people:
            return f"您{what}，审定须由另一人办理（两人办理规则）"
    return None


def approve(
    chosen: Sequence[Application],
    approver: User,
    reason: str | None = None,
    now: datetime | None = None,
) -> Notice:
    """Approve applications of one round together and publish them on one notice.

    All or none: raises Refused when one of them may not be approved by this person.
    """
    if not 0 < len(chosen) <= MAX_TOGETHER:
        raise Refused(f"一次请选 1 至 {MAX_TOGETHER} 件", status=422)
    # Every row is locked before the first event is recorded, in one order, so that two approvers
    # with overlapping choices wait for each other instead of blocking each other.
    locked = db.session.scalars(
        select(Application)
        .where(Application.id.in_([application.id for application in chosen]))
        .order_by(Application.id)
        .with_for_update(of=Application)
        .execution_options(populate_existing=True)
    ).all()
    if len({application.round_id for application in locked}) > 1:
        raise Refused("一份公示只放同一批次的申报，请分批办理")
    problems = refusals(locked, approver)
    for application in locked:
        if application.id in problems:
            raise Refused(f"{application.number}：{problems[application.id]}")
    for application in locked:
        applications.advance(application, "approve", approver, reason)
        _verdict(application, "committee", approver, "approve", reason)
    return notices.publish(locked, approver, now)


def _verdict(
    application: Application,
    stage: str,
    officer: User,
    outcome: str,
    reason: str | None = None,
    lines: Sequence[dict[str, Any]] = (),
) -> Verdict:
    verdict = Verdict(
        application_id=application.id,
        stage=stage,
        officer_id=officer.id,
        outcome=outcome,
        reason=(reason or "").strip() or None,
        lines=list(lines),
    )
    db.session.add(verdict)
    record(f"review.{outcome}", application, officer, stage=stage, reason=reason)
    return verdict


ASKED_AT = {"formal_check": "reviewer", "committee": "approver"}
CONFIRMERS = ("reviewer", "approver")


def ask_override(
    application: Application, officer: User, rule: str, counts_as: str, reason: str
) -> Override:
    """Ask that a finding be set aside (不予采用核验项); it counts only once another confirms it.

    Open to the officer of the stage. Raises Refused without a reason, for a finding that the
    newest check does not hold, and while one on the same finding waits or stands. The worksheet
    stays as it is.
    """
    db.session.refresh(application, with_for_update={"of": Application})
    role = ASKED_AT.get(application.state)
    if role is None:
        raise Refused(
            f"这件申报现在是“{application.standing.inside}”，只有形式审查和审定时能申请不予采用"
        )
    _require_stranger(application, officer, (role,))
    report = application.report
    finding = rules.finding_of(report.findings, rule) if report else None
    if report is None or finding is None:
        raise Refused("最近一次核验里没有这一项，请刷新后再看", field="rule", status=422)
    if not reason.strip():
        raise Refused("请写明理由", field="reason", status=422)
    if counts_as not in ("pass", "fail") or counts_as == finding["result"]:
        raise Refused("请选按什么计，不能和机器的结果相同", field="counts_as", status=422)
    for standing in overrides.of([application.id]).get(application.id, []):
        if standing.override.rule == rule and standing.state in ("waiting", "confirmed"):
            words = "正等另一人确认" if standing.state == "waiting" else "已由两人确认"
            raise Refused(f"“{finding['title']}”不予采用的申请{words}，不用再申请")
    override = Override(
        application_id=application.id,
        report_id=report.id,
        rule=rule,
        result=finding["result"],
        counts_as=counts_as,
        reason=reason.strip(),
        asked_by_id=officer.id,
    )
    db.session.add(override)
    db.session.flush()
    record(
        "review.ask_override",
        application,
        officer,
        rule=rule,
        result=finding["result"],
        counts_as=counts_as,
        reason=override.reason,
    )
    return override


def answer_override(
    override: Override, officer: User, answer: str | None = None, *, confirmed: bool
) -> None:
    """Confirm or refuse what another person asked; final. A refusal needs its reason."""
    application = override.application
    # The application first, as everybody who decides about it does.
    db.session.refresh(application, with_for_update={"of": Application})
    db.session.refresh(override, with_for_update={"of": Override})
    if override.answered_at is not None:
        raise Refused("这项申请已经答复过")
    _require_stranger(application, officer, CONFIRMERS)
    if override.asked_by_id == officer.id:
        raise Refused("这是您自己提的，须由另一人确认（两人办理规则）", status=403)
    if application.standing.ended:
        raise Refused(f"这件申报现在是“{application.standing.inside}”，不用再确认")
    answer = (answer or "").strip() or None
    if not confirmed and answer is None:
        raise Refused("不同意请写明理由", field="answer", status=422)
    override.answered_by_id = officer.id
    override.answered_at = utc_now()
    override.confirmed = confirmed
    override.answer = answer
    db.session.flush()
    record(
        "review.confirm_override" if confirmed else "review.refuse_override",
        application,
        officer,
        rule=override.rule,
        counts_as=override.counts_as,
        answer=answer,
    )


def _require_stranger(application: Application, officer: User, roles: Sequence[str]) -> None:
    if not officer.has_role(*roles):
        raise Refused("这一步不在您的权限内", status=403)
    if enterprise_id_of(officer) == application.enterprise_id:
        raise Refused("不能审查自己单位的申报", status=403)


def verdicts_of(application: Application) -> list[Verdict]:
    """Every decision about the application, oldest first."""
    return list(
        db.session.scalars(
            select(Verdict).where(Verdict.application_id == application.id).order_by(Verdict.id)
        )
    )
