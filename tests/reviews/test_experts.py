"""The experts' stage: who may record their opinion, and what an opinion must hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from catalogue.accounts.models import User
from catalogue.accounts.operations import give_role
from catalogue.applications import operations as applications
from catalogue.applications.models import Application
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused
from catalogue.reviews import operations, rules
from catalogue.reviews.models import Verdict
from catalogue.reviews.rules import Criterion, Opinion
from seeds import stories
from tests import builders

DAY = date(2026, 10, 20)
CRITERION = Criterion("1", "是否领先", "首版次定义", None)
WHOLE = Opinion(DAY, 7, 5, 1, "建议支持", {"1": (True, "有报告")})


def test_a_whole_opinion_has_no_fault_up_to_the_last_vote() -> None:
    assert rules.opinion_faults(WHOLE, [CRITERION], DAY) == {}
    assert rules.opinion_faults(replace(WHOLE, votes_against=2), [CRITERION], DAY) == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"met_on": None}, "met_on"),
        ({"met_on": date(2026, 10, 21)}, "met_on"),
        ({"experts": 0}, "experts"),
        ({"experts": 100}, "experts"),
        ({"votes_for": None}, "votes_for"),
        ({"votes_against": -1}, "votes_against"),
        ({"votes_against": 3}, "votes_for"),
        ({"summary": " "}, "summary"),
        ({"lines": {"1": (None, "有报告")}}, "r-1"),
        ({"lines": {"1": (False, " ")}}, "w-1"),
    ],
)
def test_what_is_wrong_with_an_opinion_is_said_at_its_field(
    changes: dict[str, Any], field: str
) -> None:
    assert list(rules.opinion_faults(replace(WHOLE, **changes), [CRITERION], DAY)) == [field]


def test_equal_votes_do_not_recommend() -> None:
    assert not replace(WHOLE, votes_for=3, votes_against=3).recommended


def in_review(reviewer: User | None = None) -> Application:
    application = builders.in_expert_review("first_version", reviewer)
    assert application.state == "expert_review"
    return application


def test_three_different_people_check_record_and_approve(session: Any) -> None:
    person, secretary = builders.user("reviewer"), builders.user("reviewer")
    for somebody in (person, secretary):
        give_role(somebody, "approver", None)
    application = in_review(person)
    with pytest.raises(Refused, match="另一人登记"):
        stories.conclude_review(application, person)
    stories.conclude_review(application, secretary)
    assert application.state == "committee"
    assert "登记过" in (operations.why_not_approve(application, secretary) or "")
    assert "形式审查" in (operations.why_not_approve(application, person) or "")
    assert operations.why_not_approve(application, builders.user("approver")) is None


def test_the_database_keeps_the_experts_apart_and_their_opinion_whole(session: Any) -> None:
    reviewer = builders.user("reviewer")
    application = in_review(reviewer)
    db.session.add(
        Verdict(
            application_id=application.id,
            stage="expert_review",
            officer_id=reviewer.id,
            outcome="conclude",
        )
    )
    with pytest.raises(IntegrityError):
        db.session.flush()
    db.session.rollback()
    stories.conclude_review(application, builders.user("reviewer"))
    passed = next(v for v in operations.verdicts_of(application) if v.outcome == "pass")
    for statement in (
        "UPDATE expert_opinion SET votes_for = 6",
        "DELETE FROM expert_opinion",
        (
            "INSERT INTO expert_opinion (verdict_id, met_on, experts, votes_for, votes_against,"
            f" recommended, lines) VALUES ({passed.id}, now(), 7, 5, 1, true, '[1]')"
        ),
    ):
        with pytest.raises(IntegrityError):
            db.session.execute(text(statement))
        db.session.rollback()
    opinion = operations.verdicts_of(application)[-1].opinion
    assert opinion is not None
    assert (opinion.votes_for, opinion.abstained, opinion.recommended) == (5, 1, True)


def test_sending_back_takes_pass_and_opinion_out_of_force(session: Any) -> None:
    application = builders.in_committee("first_version")
    approver = builders.user("approver")
    operations.send_back(application, approver, "请核对版本号。")
    in_force = [
        v
        for v in operations.verdicts_of(application)
        if v.outcome in ("pass", "conclude") and v.set_aside_at is None
    ]
    assert application.state == "formal_check"
    assert not in_force


def test_ways_out_of_the_experts_stage(session: Any) -> None:
    officer = builders.user("reviewer")
    first, second, third = in_review(), in_review(), in_review()
    operations.send_back(first, officer, "请核对版本号。")
    assert first.state == "formal_check"
    operations.reject(second, officer, "专家组认为不属首版次。")
    assert second.state == "rejected"
    assert operations.verdicts_of(second)[-1].stage == "expert_review"
    clerk = builders.clerk_of(third.enterprise)
    applications.advance(third, "withdraw", clerk, "下批再报。")
    assert third.state == "withdrawn"


def test_the_officer_records_and_the_approver_reads(client: FlaskClient) -> None:
    application = in_review()
    secretary, approver = builders.user("reviewer"), builders.user("approver")
    db.session.commit()
    builders.sign_in(client, secretary)
    address = f"/reviews/{application.number}/experts"
    assert f'href="{address}"' in client.get("/reviews").text
    today = utc_now().astimezone(SHANGHAI).date().isoformat()
    data = {"met_on": today, "experts": "7", "votes_for": "8", "votes_against": "1"}
    data["summary"] = "专家组建议支持<b>"
    for criterion in operations.criteria_of(application):
        data |= {f"r-{criterion.key}": "yes", f"w-{criterion.key}": "查过测试报告第九页"}
    refused = builders.post(client, address, data)
    assert refused.status_code == 422
    assert "不能超过专家人数" in refused.text
    assert "查过测试报告第九页" in refused.text
    assert builders.post(client, address, data | {"experts": "九"}).status_code == 422
    assert builders.post(client, address, data | {"votes_for": "5"}).status_code == 303
    builders.post(client, "/sign-out", {}, form_at="/reviews")
    builders.sign_in(client, approver)
    page = client.get(f"/reviews/{application.number}/decision").text
    assert "推荐 5 票，不推荐 1 票，弃权 1 票" in page
    assert "查过测试报告第九页" in page
    assert "专家组建议支持&lt;b&gt;" in page
