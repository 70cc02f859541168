"""The verbs of an application: who may do what, and what is refused in words."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from catalogue.applications import operations
from catalogue.applications.models import Application
from catalogue.audit.operations import trail
from catalogue.database import db, utc_now
from catalogue.errors import Refused
from catalogue.jobs import Job
from catalogue.products.operations import update_product
from seeds import stories
from tests import builders


def test_a_submitted_claim_is_checked_and_its_amount_worked_out(session: Any) -> None:
    application = builders.submitted()
    assert application.state == "eligible", application.report.findings
    assert application.report.amount_fen == 185_300_00
    assert application.receipt_number.startswith("HZ-")
    assert {f["result"] for f in application.report.findings} == {"pass"}


def test_an_ineligible_claim_names_every_failed_rule(session: Any) -> None:
    application = builders.submitted(amounts_fen=(100_000_00, 120_000_50))
    failed = [f for f in application.report.findings if f["result"] == "fail"]
    assert application.state == "ineligible"
    assert failed and all(f["read"] and f["article"] for f in failed)


def test_submitting_enqueues_exactly_one_check_in_the_same_transaction(session: Any) -> None:
    application = builders.draft()
    operations.submit(application, builders.clerk_of(application.enterprise))
    session.rollback()
    assert session.scalars(select(Job)).all() == []


def test_the_check_may_run_twice(session: Any) -> None:
    application = builders.submitted()
    operations.check(application.id)
    session.commit()
    session.refresh(application)
    assert len(application.reports) == 1


def test_a_round_that_is_over_takes_no_submission(session: Any) -> None:
    application = builders.draft()
    application.round.closes_at = utc_now() - timedelta(seconds=1)
    session.flush()
    with pytest.raises(Refused, match="截止"):
        operations.submit(application, builders.clerk_of(application.enterprise))


def test_an_incomplete_draft_is_refused_and_named(session: Any) -> None:
    application = builders.draft()
    clerk = builders.clerk_of(application.enterprise)
    operations.save_answers(application, {"innovation": None}, clerk)
    with pytest.raises(Refused, match="新在哪里"):
        operations.submit(application, clerk)


def test_only_the_signatory_submits_where_the_policy_wants_signing(session: Any) -> None:
    application = builders.draft("first_set")
    clerk = builders.clerk_of(application.enterprise)
    with pytest.raises(Refused, match="签章"):
        operations.submit(application, clerk)
    session.rollback()


def test_another_firm_can_neither_move_nor_change_it(session: Any) -> None:
    application = builders.draft()
    stranger = builders.clerk_of(builders.enterprise())
    for act in (
        lambda: operations.advance(application, "withdraw", stranger, "x"),
        lambda: operations.save_answers(application, {"innovation": "x"}, stranger),
        lambda: operations.save_contracts(application, [], stranger),
    ):
        with pytest.raises(Refused):
            act()


def test_nothing_changes_after_submitting(session: Any) -> None:
    application = builders.submitted()
    clerk = builders.clerk_of(application.enterprise)
    with pytest.raises(Refused, match="不能改动"):
        operations.save_answers(application, {"innovation": "新"}, clerk)


def test_a_correction_opens_only_the_named_field_and_shows_the_difference(session: Any) -> None:
    reviewer = builders.user("reviewer")
    application = builders.submitted()
    clerk = builders.clerk_of(application.enterprise)
    operations.advance(application, "take", reviewer)
    operations.open_correction(
        application,
        reviewer,
        [{"field": "answers.comparison", "label": "同类比较", "note": "写页码"}],
        utc_now().date(),
    )
    with pytest.raises(Refused, match="没有要求补正"):
        operations.save_answers(application, {"innovation": "改了"}, clerk)
    with pytest.raises(Refused, match="没有改动"):
        operations.correct(application, clerk)
    operations.save_answers(application, {"comparison": "见第 12 页"}, clerk)
    operations.correct(application, clerk)
    session.commit()
    stories.run_jobs()
    session.refresh(application)
    assert application.state == "formal_check"
    assert [c["field"] for c in application.corrections[-1].changes] == ["answers.comparison"]
    assert len(application.reports) == 2


def test_a_second_round_cannot_name_what_the_first_did_not(session: Any) -> None:
    reviewer = builders.user("reviewer")
    application = builders.submitted()
    clerk = builders.clerk_of(application.enterprise)
    operations.advance(application, "take", reviewer)
    item = {"field": "answers.comparison", "label": "同类比较", "note": "写页码"}
    operations.open_correction(application, reviewer, [item], utc_now().date())
    operations.save_answers(application, {"comparison": "见第 12 页"}, clerk)
    operations.correct(application, clerk)
    other = {"field": "answers.innovation", "label": "新在哪里", "note": "再写"}
    with pytest.raises(Refused, match="只告知一次"):
        operations.open_correction(application, reviewer, [other], utc_now().date())


def test_withdrawing_needs_a_reason(session: Any) -> None:
    application = builders.draft()
    clerk = builders.clerk_of(application.enterprise)
    with pytest.raises(Refused, match="理由"):
        operations.advance(application, "withdraw", clerk, "  ")


def test_the_same_file_twice_is_recognised(session: Any) -> None:
    application = builders.draft()
    clerk = builders.clerk_of(application.enterprise)
    pdf = stories.sample_pdf("fv_test")
    with pytest.raises(Refused, match="已经有了"):
        operations.add_evidence(application, "fv_test", BytesIO(pdf), "again.pdf", clerk)
    _, remark = operations.add_evidence(application, "fv_license", BytesIO(pdf), "again.pdf", clerk)
    assert remark is not None and "另一项" in remark


def test_one_product_has_one_live_application_in_a_round(session: Any) -> None:
    application = builders.draft()
    clerk = builders.clerk_of(application.enterprise)
    with pytest.raises(Refused, match=application.number):
        operations.start(application.round, application.product, clerk)


def test_numbers_are_gapless_and_every_act_leaves_its_trace(session: Any) -> None:
    firm = builders.enterprise()
    numbers = [builders.draft(firm=firm).number for _ in range(3)]
    assert [int(n[-4:]) for n in numbers] == [1, 2, 3]
    application = session.scalars(select(Application).limit(1)).one()
    assert {"application.start", "application.save"} <= {e.action for e in trail(application)}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE contract SET amount_fen = 0",
        "UPDATE contract SET received_fen = -1",
        "UPDATE application SET receipt_number = 'x'",
        "UPDATE application SET state = 'nowhere', version = version + 1",
        (
            "INSERT INTO evidence (application_id, material, document_id, added_at)"
            " SELECT application_id, material, document_id, now() FROM evidence LIMIT 1"
        ),
    ],
)
def test_the_database_repeats_the_promises(session: Any, statement: str) -> None:
    builders.draft()
    session.commit()
    with pytest.raises(IntegrityError):
        session.execute(text(statement))
    session.rollback()


def test_no_waiting_application_is_without_a_live_job(session: Any) -> None:
    application = builders.draft()
    stories.submit(application, builders.clerk_of(application.enterprise))
    assert operations.waiting_without_job() == []
    session.execute(text("UPDATE job SET state = 'dead', lease_until = NULL"))
    session.commit()
    assert operations.waiting_without_job() == [
        f"applications: {application.number} is submitted without a live job"
    ]
    assert db.session.scalar(select(Job.state)) == "dead"


def test_a_product_under_review_stays_as_it_was_submitted(session: Any) -> None:
    application = builders.submitted()
    product = application.product
    clerk = builders.clerk_of(application.enterprise)
    same = {
        name: getattr(product, name)
        for name in ("name", "model", "kind", "domain", "novelty", "summary")
    }
    with pytest.raises(Refused, match=application.number):
        update_product(product, clerk, **{**same, "summary": "改了"})
    operations.advance(application, "withdraw", clerk, "要改资料")
    update_product(product, clerk, **{**same, "summary": "改了"})
    assert product.summary == "改了"
