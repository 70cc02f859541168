"""Formal check and decision by two different people, and what the database itself refuses."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from catalogue.accounts.models import User
from catalogue.accounts.operations import give_role
from catalogue.applications import operations as applications
from catalogue.applications.models import Application
from catalogue.database import db
from catalogue.errors import Refused
from catalogue.notices.models import Notice, NoticeItem
from catalogue.reviews import operations
from catalogue.reviews.models import Verdict
from catalogue.reviews.rules import Judgement
from tests import builders
from tests.notices.test_operations import in_threads

TEST_REPORT = {"field": "material.quality", "label": "材料：检测报告", "note": "请换成盖章的报告。"}


def checking() -> tuple[Application, User]:
    """An application in formal check and its officer."""
    application, officer = builders.submitted("catalogue"), builders.user("reviewer")
    operations.take(application, officer)
    db.session.commit()
    return application, officer


def both_hats() -> User:
    """Somebody who may check and may approve."""
    person = builders.user("reviewer")
    give_role(person, "approver", None)
    return person


def last_verdict(application: Application) -> Verdict:
    return operations.verdicts_of(application)[-1]


def test_two_people_bring_an_application_on_notice(session: Any) -> None:
    application = builders.in_committee("catalogue")
    notice = operations.approve([application], builders.user("approver"), "同意")
    assert application.state == "on_notice"
    assert [item.application_id for item in notice.items] == [application.id]
    outcomes = [verdict.outcome for verdict in operations.verdicts_of(application)]
    assert outcomes == ["pass", "approve"]


def test_who_checked_may_not_approve(session: Any) -> None:
    person = both_hats()
    application = builders.in_committee("catalogue", reviewer=person)
    with pytest.raises(Refused, match="两人办理"):
        operations.approve([application], person)
    assert application.state == "committee"
    assert db.session.scalar(select(func.count(Notice.id))) == 0


def verdict_row(application: Application, person: User, outcome: str) -> Verdict:
    stage = "committee" if outcome == "approve" else "formal_check"
    return Verdict(
        application_id=application.id, stage=stage, officer_id=person.id, outcome=outcome
    )


def test_the_database_refuses_the_same_two_eyes(session: Any) -> None:
    person = both_hats()
    application = builders.in_committee("catalogue", reviewer=person)
    for outcome in ("approve", "pass"):
        db.session.add(verdict_row(application, person, outcome))
        with pytest.raises(IntegrityError):
            db.session.flush()
        db.session.rollback()


def test_the_database_refuses_an_approval_without_a_check(session: Any) -> None:
    application, _ = checking()
    approver = builders.user("approver")
    db.session.commit()
    db.session.add(verdict_row(application, approver, "approve"))
    with pytest.raises(IntegrityError):
        db.session.flush()


def test_the_database_keeps_verdicts_as_they_are(session: Any) -> None:
    application = builders.in_committee("catalogue")
    db.session.commit()
    for statement in (
        "UPDATE verdict SET officer_id = :other",
        "UPDATE verdict SET outcome = 'return'",
        "UPDATE verdict SET lines = '[1]'",
        "UPDATE verdict SET reason = '事后补写'",
        "DELETE FROM verdict",
        (
            "INSERT INTO verdict (application_id, stage, officer_id, outcome, lines, at)"
            " VALUES (:application, 'committee', :other, 'reject', '[]', now())"
        ),
        (
            "INSERT INTO verdict (application_id, stage, officer_id, outcome, lines, at)"
            " VALUES (:application, 'formal_check', :other, 'approve', '[]', now())"
        ),
    ):
        values = {"other": application.created_by_id, "application": application.id}
        with pytest.raises(IntegrityError):
            db.session.execute(
                text(statement), {k: v for k, v in values.items() if f":{k}" in statement}
            )
        db.session.rollback()


def test_two_approvers_at_one_instant_publish_once(app: Flask, session: Any) -> None:
    application_id = builders.in_committee("catalogue").id
    people = [builders.user("approver").id for _ in range(2)]
    session.commit()
    session.remove()

    def approve(person_id: int) -> str:
        application = db.session.get(Application, application_id)
        return operations.approve([application], db.session.get(User, person_id)).number

    answers = in_threads(app, lambda: approve(people[0]), lambda: approve(people[1]))
    assert sorted(isinstance(answer, Refused) for answer in answers) == [False, True], answers
    assert db.session.scalar(select(func.count(NoticeItem.id))) == 1


def test_overlapping_choices_at_one_instant_do_not_lock_each_other(
    app: Flask, session: Any
) -> None:
    ids = [builders.in_committee("catalogue").id for _ in range(3)]
    people = [builders.user("approver").id for _ in range(2)]
    session.commit()
    session.remove()

    def approve(person_id: int, chosen: list[int]) -> str:
        found = [db.session.get(Application, key) for key in chosen]
        return operations.approve(found, db.session.get(User, person_id)).number

    answers = in_threads(
        app, lambda: approve(people[0], ids[:2]), lambda: approve(people[1], ids[:0:-1])
    )
    assert sorted(isinstance(answer, Refused) for answer in answers) == [False, True], answers


def test_one_bad_choice_stops_them_all(session: Any) -> None:
    good, (late, _) = builders.in_committee("catalogue"), checking()
    with pytest.raises(Refused, match=late.number):
        operations.approve([good, late], builders.user("approver"))
    db.session.rollback()
    assert db.session.get(Application, good.id).state == "committee"


def test_two_officers_take_two_different_ones(app: Flask, session: Any) -> None:
    for _ in range(2):
        builders.submitted("catalogue")
    people = [builders.user("reviewer").id for _ in range(2)]
    session.commit()
    session.remove()

    def take(person_id: int) -> str:
        return operations.take_next(db.session.get(User, person_id)).number

    answers = in_threads(app, lambda: take(people[0]), lambda: take(people[1]))
    assert len(set(answers)) == 2
    assert operations.take_next(db.session.get(User, people[0])) is None


def test_a_correction_keeps_a_verdict_and_forgets_its_own_judgement(session: Any) -> None:
    application, officer = checking()
    operations.judge(
        application,
        officer,
        {"product": Judgement("pass"), "material-quality": Judgement("correct", "换报告")},
    )
    operations.return_for_correction(application, officer, [TEST_REPORT])
    db.session.commit()
    assert application.state == "correcting"
    assert application.open_correction.allows("material.quality")
    assert last_verdict(application).outcome == "return"
    assert last_verdict(application).lines == [TEST_REPORT]
    assert operations.sheet_of(application) == {"product": Judgement("pass")}
    with pytest.raises(Refused):
        operations.judge(application, officer, {})


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{"field": "enterprise", "label": "单位", "note": "改"}],
        [{"field": "product", "label": "产品资料", "note": " "}],
    ],
)
def test_a_correction_without_sense_is_refused(session: Any, items: list[Any]) -> None:
    application, officer = checking()
    with pytest.raises(Refused):
        operations.return_for_correction(application, officer, items)
    db.session.rollback()
    assert db.session.get(Application, application.id).state == "formal_check"


def test_two_notices_of_correction_at_one_instant_are_one(app: Flask, session: Any) -> None:
    application, officer = checking()
    application_id, officer_id = application.id, officer.id
    session.remove()

    def send() -> str:
        found = db.session.get(Application, application_id)
        operations.return_for_correction(found, db.session.get(User, officer_id), [TEST_REPORT])
        return "sent"

    answers = in_threads(app, send, send)
    assert sorted(isinstance(answer, Refused) for answer in answers) == [False, True], answers


def test_a_pass_with_faults_is_refused(session: Any) -> None:
    application, officer = checking()
    with pytest.raises(Refused, match="1 项"):
        operations.pass_formal(application, officer, [{"key": "product", "value": "correct"}])


def test_a_rejection_needs_a_reason_and_ends_it(session: Any) -> None:
    application, officer = checking()
    with pytest.raises(Refused, match="理由"):
        operations.reject(application, officer, " ")
    operations.reject(application, officer, "不属于本事项。")
    assert application.state == "rejected"
    assert last_verdict(application).reason == "不属于本事项。"


def test_sending_back_takes_the_pass_out_of_force(session: Any) -> None:
    reviewer, approver = builders.user("reviewer"), builders.user("approver")
    application = builders.in_committee("catalogue", reviewer=reviewer)
    operations.send_back(application, approver, "请核对型号。")
    assert application.state == "formal_check"
    assert operations.why_not_approve(application, approver) is not None
    operations.pass_formal(application, reviewer)
    assert operations.why_not_approve(application, approver) is None
    operations.approve([application], approver)
    assert application.state == "on_notice"


def test_roles_are_kept(session: Any) -> None:
    application, _ = checking()
    for role in ("applicant", "approver", "finance", "buyer", "administrator"):
        person = builders.user(role)
        for act in (
            lambda p=person: operations.pass_formal(application, p),
            lambda p=person: operations.judge(application, p, {}),
            lambda p=person: operations.return_for_correction(application, p, [TEST_REPORT]),
            lambda p=person: operations.reject(application, p, "理由"),
        ):
            with pytest.raises(Refused):
                act()
    assert application.state == "formal_check"
    waiting = builders.in_committee("catalogue")
    for role in ("reviewer", "finance"):
        with pytest.raises(Refused):
            operations.approve([waiting], builders.user(role))


def test_a_second_round_only_asks_what_the_first_asked(session: Any) -> None:
    application, officer = checking()
    operations.return_for_correction(application, officer, [TEST_REPORT])
    clerk = builders.clerk_of(application.enterprise)
    evidence = next(e for e in application.evidence if e.material == "quality")
    applications.remove_evidence(application, evidence, clerk)
    from io import BytesIO

    from seeds.stories import sample_pdf

    applications.add_evidence(
        application, "quality", BytesIO(sample_pdf("stamped")), "盖章报告.pdf", clerk
    )
    applications.correct(application, clerk)
    db.session.commit()
    assert [c["field"] for c in application.corrections[-1].changes] == ["material.quality"]
    with pytest.raises(Refused, match="只告知一次"):
        operations.return_for_correction(
            application, officer, [{"field": "product", "label": "产品资料", "note": "改"}]
        )
