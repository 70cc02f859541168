"""Setting a finding aside: a reason, a second person, and what it changes and does not."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from catalogue.accounts.models import User
from catalogue.applications import operations as applications
from catalogue.applications.models import Application, EligibilityReport
from catalogue.database import db
from catalogue.errors import Refused
from catalogue.reviews import operations, overrides
from catalogue.reviews.models import Override
from tests import builders
from tests.notices.test_pages import queries

RULE = "total-sales"
REASON = "第三份合同的发票晚到，已核对原件，累计达到门槛。"


def contested() -> tuple[Application, User]:
    """Too little sold by the machine's count; contested, and now in formal check."""
    application = builders.submitted("first_version", amounts_fen=(100_000_00, 120_000_50))
    assert application.state == "ineligible"
    clerk = builders.clerk_of(application.enterprise)
    applications.advance(application, "contest", clerk, "请人工复核。")
    officer = builders.user("reviewer")
    operations.take(application, officer)
    db.session.commit()
    return application, officer


def ask(application: Application, officer: User, rule: str = RULE, to: str = "pass") -> Override:
    override = operations.ask_override(application, officer, rule, to, REASON)
    db.session.commit()
    return override


def test_only_a_second_person_sets_a_failed_finding_aside(session: Any) -> None:
    application, officer = contested()
    amount = application.report.amount_fen
    with pytest.raises(Refused, match="按不符计"):
        operations.pass_formal(application, officer)
    override = ask(application, officer)
    with pytest.raises(Refused, match="等另一人确认"):
        operations.pass_formal(application, officer)
    with pytest.raises(Refused, match="不用再申请"):
        ask(application, officer)
    with pytest.raises(Refused, match="另一人"):
        operations.answer_override(override, officer, confirmed=True)
    operations.answer_override(override, builders.user("approver"), confirmed=True)
    with pytest.raises(Refused, match="答复过"):
        operations.answer_override(override, builders.user("approver"), confirmed=True)
    operations.pass_formal(application, officer)
    assert application.state == "expert_review"
    assert application.report.amount_fen == amount


def test_a_refusal_needs_its_reason_and_leaves_the_finding(session: Any) -> None:
    application, officer = contested()
    override = ask(application, officer)
    other = builders.user("reviewer")
    with pytest.raises(Refused, match="理由"):
        operations.answer_override(override, other, " ", confirmed=False)
    operations.answer_override(override, other, "发票仍在窗口外。", confirmed=False)
    with pytest.raises(Refused, match="按不符计"):
        operations.pass_formal(application, officer)
    ask(application, officer)


def test_what_the_machine_passed_can_be_counted_as_failed(session: Any) -> None:
    application, officer = builders.submitted("catalogue"), builders.user("reviewer")
    operations.take(application, officer)
    rule = application.report.findings[0]["rule"]
    override = ask(application, officer, rule, "fail")
    operations.answer_override(override, builders.user("reviewer"), confirmed=True)
    with pytest.raises(Refused, match="按不符计"):
        operations.pass_formal(application, officer)


def test_an_override_of_the_decision_stops_it_until_answered(session: Any) -> None:
    application, approver = builders.in_committee("catalogue"), builders.user("approver")
    rule = application.report.findings[0]["rule"]
    override = ask(application, approver, rule, "fail")
    assert "等另一人" in (operations.why_not_approve(application, approver) or "")
    operations.answer_override(override, builders.user("reviewer"), "不同意。", confirmed=False)
    assert operations.why_not_approve(application, approver) is None


def test_it_no_longer_counts_once_a_new_check_finds_something_else(session: Any) -> None:
    application, officer = contested()
    override = ask(application, officer)
    operations.answer_override(override, builders.user("reviewer"), confirmed=True)
    application.contracts[0].amount_fen += 1
    applications.check(application.id)
    db.session.commit()
    db.session.expire_all()
    (standing,) = overrides.of([application.id])[application.id]
    assert standing.state == "outdated"
    with pytest.raises(Refused, match="按不符计"):
        operations.pass_formal(application, officer)


@pytest.mark.parametrize(
    "change",
    [
        {"reason": " "},
        {"rule": "no-such-rule"},
        {"result": "unknown"},
        {"counts_as": "fail"},
        {"counts_as": "unknown"},
    ],
)
def test_the_database_refuses_an_override_without_sense(
    session: Any, change: dict[str, str]
) -> None:
    application, officer = contested()
    values = {"rule": RULE, "result": "fail", "counts_as": "pass", "reason": REASON} | change
    db.session.add(
        Override(
            application_id=application.id,
            report_id=application.report.id,
            asked_by_id=officer.id,
            **values,
        )
    )
    with pytest.raises(IntegrityError):
        db.session.flush()


def test_the_database_holds_the_second_person_and_the_answer(session: Any) -> None:
    application, officer = contested()
    key = ask(application, officer).id
    other, clerk = builders.user("approver"), builders.clerk_of(application.enterprise)
    db.session.commit()
    answer = "UPDATE finding_override SET answered_by_id = {}, answered_at = now(), confirmed = {}"
    refused = [
        answer.format(officer.id, "true"),
        answer.format(clerk.id, "true"),
        answer.format(other.id, "false"),
        answer.format(other.id, "NULL"),
        "UPDATE finding_override SET confirmed = true",
        "UPDATE finding_override SET reason = '事后补写'",
        "DELETE FROM finding_override",
        (
            "INSERT INTO verdict (application_id, stage, officer_id, outcome, lines, at) VALUES"
            f" ({application.id}, 'formal_check', {officer.id}, 'pass', '[]', now())"
        ),
        (
            "INSERT INTO finding_override (application_id, report_id, rule, result, counts_as,"
            " reason, asked_by_id, asked_at) SELECT application_id, report_id, rule, result,"
            f" counts_as, reason, {other.id}, now() FROM finding_override"
        ),
    ]
    for statement in refused:
        with pytest.raises(IntegrityError):
            db.session.execute(text(statement))
        db.session.rollback()
    operations.answer_override(db.session.get(Override, key), other, confirmed=True)
    db.session.commit()
    with pytest.raises(IntegrityError):
        db.session.execute(text(f"UPDATE finding_override SET answered_by_id = {clerk.id}"))


def test_who_may_ask_and_answer(session: Any) -> None:
    application, officer = contested()
    for role in ("applicant", "approver", "finance", "administrator"):
        with pytest.raises(Refused):
            operations.ask_override(application, builders.user(role), RULE, "pass", REASON)
    override = ask(application, officer)
    for role in ("applicant", "finance", "administrator"):
        with pytest.raises(Refused):
            operations.answer_override(override, builders.user(role), confirmed=True)


def test_pages_from_asking_to_the_public_figures(client: FlaskClient) -> None:
    application, officer = contested()
    approver = builders.user("approver")
    db.session.commit()
    builders.sign_in(client, officer)
    page = f"/reviews/{application.number}"
    address = f"{page}/findings/{RULE}/set-aside"
    assert f'href="{address}"' in client.get(page).text
    assert client.get(f"{page}/findings/nothing/set-aside").status_code == 404
    assert client.get(f"{page}/set-aside/999").status_code == 404
    refused = builders.post(client, address, {"counts_as": "pass", "reason": ""})
    assert refused.status_code == 422
    assert builders.post(client, address, {"counts_as": "x", "reason": "a"}).status_code == 422
    asked = builders.post(client, address, {"counts_as": "pass", "reason": f"{REASON}<b>"})
    assert asked.status_code == 303
    answer = f"{page}/set-aside/{db.session.scalars(db.select(Override)).one().id}"
    assert "须由另一人确认" in client.get(answer).text
    builders.post(client, "/sign-out", {}, form_at="/reviews")
    builders.sign_in(client, approver)
    assert f'href="{answer}"' in client.get("/reviews").text
    assert builders.post(client, answer, {"act": "refuse", "answer": ""}).status_code == 422
    assert builders.post(client, answer, {"act": "confirm", "answer": ""}).status_code == 303
    builders.post(client, "/sign-out", {}, form_at="/reviews")
    builders.sign_in(client, builders.clerk_of(application.enterprise))
    seen = client.get(f"/applications/{application.number}").text
    assert "经人工复核不予采用，按符合计" in seen
    assert f"{REASON}&lt;b&gt;" in seen
    assert officer.name not in seen
    builders.post(client, "/sign-out", {}, form_at="/home")
    public = client.get("/overrides").text
    assert "累计销售金额" in public
    assert "100.0%" in public
    assert officer.name not in public


def test_the_public_figures_take_a_fixed_number_of_queries(client: FlaskClient) -> None:
    builders.submitted("catalogue")
    db.session.commit()
    few = queries(client, "/overrides")
    for _ in range(3):
        builders.submitted("catalogue")
    db.session.commit()
    assert queries(client, "/overrides") == few
    assert few <= 3


# ------------------------------------------------------------------ the counts behind the figures

KEPT = "SELECT * FROM finding_count WHERE checks > 0"
ANEW = """SELECT p.id AS policy_id, x ->> 'rule' AS rule, count(*) AS checks,
  count(*) FILTER (WHERE x ->> 'result' = 'fail') AS fails,
  count(*) FILTER (WHERE x ->> 'result' = 'unknown') AS unknowns
FROM (SELECT max(id) AS id FROM eligibility_report GROUP BY application_id) newest
JOIN eligibility_report r USING (id) JOIN policy p ON p.sha256 = r.policy_sha256,
jsonb_array_elements(r.findings) x GROUP BY 1, 2"""


def report(key: int, application: Application, result: str) -> dict[str, Any]:
    """A report that found ``result`` for one rule and nothing for another."""
    found = {RULE: result, "another": "unknown"}
    return {
        "id": key,
        "application_id": application.id,
        "verdict": "ineligible",
        "findings": [{"rule": rule, "result": r} for rule, r in found.items()],
        "worksheet": [],
        "policy_sha256": application.policy.sha256,
    }


def counted() -> set[Any]:
    """What the table of counts says, once it is the same as counting all reports anew."""
    kept = {tuple(row) for row in db.session.execute(text(KEPT))}
    assert kept == {tuple(row) for row in db.session.execute(text(ANEW))}
    return kept


def test_the_counts_are_those_of_the_newest_reports_in_whatever_order(session: Any) -> None:
    first, second = builders.submitted("first_version"), builders.submitted("first_version")
    db.session.commit()
    before = counted()
    applications.check(first.id)
    db.session.commit()
    assert first.state == "eligible" and counted() == before, "only a submitted one is checked"

    def written(*rows: dict[str, Any]) -> set[Any]:
        db.session.execute(insert(EligibilityReport).values(list(rows)))
        db.session.commit()
        return counted()

    turned = written(report(900, first, "fail"), report(901, second, "fail"))
    assert turned != before
    assert written(report(800, first, "unknown")) == turned, "an older one that comes late"
    again = written(report(903, first, "unknown"), report(902, first, "fail"))
    assert again != turned, "two of one application in one statement"
    assert written(report(905, first, "unknown")) == again


def test_two_reports_of_one_application_at_a_time_are_counted_in_turn(session: Any) -> None:
    application = builders.submitted("first_version")
    db.session.commit()
    older, newer = report(900, application, "unknown"), report(901, application, "fail")
    ended: list[int] = []
    engine = db.engine

    def other() -> None:
        with engine.begin() as connection:
            connection.execute(insert(EligibilityReport).values(older))
        ended.append(900)

    with engine.begin() as connection:
        connection.execute(insert(EligibilityReport).values(newer))
        beside = threading.Thread(target=other)
        beside.start()
        beside.join(0.3)
        assert not ended
    beside.join(10)
    assert ended
    counted()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE finding_count SET fails = fails + 1",
        "DELETE FROM finding_count",
        "UPDATE eligibility_report SET findings = '[]'",
        "UPDATE eligibility_report SET policy_sha256 = 'x'",
        "DELETE FROM eligibility_report",
    ],
)
def test_the_database_keeps_the_counts_and_what_they_count(session: Any, statement: str) -> None:
    builders.submitted("first_version")
    db.session.commit()
    with pytest.raises(IntegrityError):
        db.session.execute(text(statement))
    db.session.rollback()
    counted()
