"""Publishing, objecting, deciding and closing, and what the database itself refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from catalogue.accounts.models import User
from catalogue.accounts.operations import give_role
from catalogue.applications.models import Application
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents.operations import receive
from catalogue.errors import Refused
from catalogue.notices import operations, rules
from catalogue.notices.models import Notice, NoticeItem, Objection
from catalogue.reviews import operations as reviews
from catalogue.working_days import add_working_days
from seeds import stories
from tests import builders

FILING = operations.Filing("untrue", "同类产品两年前已经销售。", "请核查。", "电话 1")


def noticed(count: int = 1, days_ago: int = 0) -> Notice:
    """A notice with ``count`` applications of one round."""
    chosen = [builders.in_committee("catalogue") for _ in range(count)]
    now = utc_now() - timedelta(days=days_ago)
    notice = reviews.approve(chosen, builders.user("approver"), now=now)
    db.session.commit()
    return notice


def objected(notice: Notice, position: int = 1) -> Objection:
    """An objection against one item."""
    item = notice.items[position - 1]
    objection = operations.file_objection(item, FILING, now=notice.opens_at)
    db.session.commit()
    return objection


def after(notice: Notice) -> Any:
    return notice.closes_at + timedelta(minutes=1)


def states(notice: Notice) -> list[str]:
    db.session.expire_all()
    return [item.application.state for item in notice.items]


def refused_by_database(statement: str, **values: Any) -> None:
    """The statement breaks a promise of the database."""

    def write() -> None:
        db.session.execute(text(statement), values)
        # Some promises are looked at when a transaction ends.
        db.session.commit()

    with pytest.raises(IntegrityError):
        write()
    db.session.rollback()


def test_a_notice_is_numbered_hashed_and_counted(session: Any) -> None:
    notice = noticed(2)
    today = utc_now().astimezone(SHANGHAI).date()
    assert notice.number == f"示范公示〔{today.year}〕1 号"
    version = notice.newest
    assert version.sha256 == rules.digest(version.body)
    last = notice.closes_at.astimezone(SHANGHAI)
    assert (last.date(), last.hour) == (add_working_days(today, version.body["working_days"]), 17)
    assert version.body["placeholder"] is True
    assert [item["application"] for item in version.body["items"]] == [
        item.application.number for item in notice.items
    ]
    assert noticed().number == f"示范公示〔{today.year}〕2 号"


def test_a_claim_shows_its_amount_and_a_listing_none(session: Any) -> None:
    claim = builders.on_notice("first_version")
    item = db.session.scalars(select(NoticeItem).where(NoticeItem.application_id == claim.id)).one()
    assert item.amount_fen == claim.report.amount_fen > 0
    assert noticed().items[0].amount_fen is None


def test_only_approved_applications_of_one_round_go_on_a_notice(session: Any) -> None:
    waiting = builders.in_committee("catalogue")
    approver = builders.user("approver")
    with pytest.raises(Refused, match="审定通过"):
        operations.publish([waiting], approver)
    with pytest.raises(Refused):
        operations.publish([], approver)
    other = builders.in_committee("first_version")
    with pytest.raises(Refused, match="同一批次"):
        reviews.approve([waiting, other], approver)


FROZEN = (
    "UPDATE notice SET title = '另一个题目'",
    "UPDATE notice SET closes_at = closes_at + interval '1 day'",
    "UPDATE notice SET version = 2",
    "UPDATE notice_version SET content = '{}', sha256 = encode(sha256('{}'), 'hex')",
    "UPDATE notice_version SET sha256 = repeat('0', 64)",
    "UPDATE notice_version SET signature = 'x'",
    "UPDATE notice_version SET published_at = now()",
    "DELETE FROM notice_version",
    "UPDATE notice SET number = '示范公示〔2020〕9 号'",
    "UPDATE notice_item SET name = '另一个产品'",
    "UPDATE notice_item SET amount_fen = 1",
    "UPDATE notice_item SET position = 9",
    "DELETE FROM notice_item",
)


def test_a_published_notice_can_be_neither_changed_nor_deleted(session: Any) -> None:
    noticed()
    for statement in FROZEN:
        refused_by_database(statement)


def test_a_quiet_notice_closes_once(session: Any) -> None:
    notice = noticed(2, days_ago=20)
    before = notice.closes_at - timedelta(seconds=1)
    assert operations.close_due(before) == 0
    assert operations.close_due(after(notice)) == 2
    db.session.commit()
    assert states(notice) == ["cleared", "cleared"]
    assert {item.outcome for item in notice.items} == {"cleared"}
    assert notice.closed_at is not None
    assert operations.close_due(after(notice) + timedelta(days=1)) == 0


def test_an_objection_stops_only_its_item(session: Any) -> None:
    notice = noticed(3, days_ago=20)
    objected(notice, 2)
    assert states(notice) == ["on_notice", "objected", "on_notice"]
    assert operations.close_due(after(notice)) == 2
    db.session.commit()
    assert states(notice) == ["cleared", "objected", "cleared"]
    assert notice.closed_at is None


def test_a_dismissed_objection_lets_its_item_go_on(session: Any) -> None:
    notice = noticed(days_ago=20)
    first, second = objected(notice), objected(notice)
    approver = builders.user("approver")
    operations.dismiss(first, approver, "已核对合同，首次销售在今年。")
    assert states(notice) == ["objected"]
    operations.dismiss(second, approver, "同上。")
    assert states(notice) == ["on_notice"]
    assert operations.close_due(after(notice)) == 1
    assert notice.items[0].outcome == "cleared"


def test_an_upheld_objection_rejects_only_its_application(session: Any) -> None:
    notice = noticed(2, days_ago=20)
    first, twin = objected(notice, 1), objected(notice, 1)
    operations.uphold(first, builders.user("approver"), "首次销售早于受理期。")
    db.session.commit()
    assert states(notice) == ["rejected", "on_notice"]
    assert twin.state == "upheld"
    assert operations.close_due(after(notice)) == 1
    assert [item.outcome for item in notice.items] == ["struck", "cleared"]
    assert notice.closed_at is not None


def test_objections_are_taken_only_while_the_notice_runs(session: Any) -> None:
    notice = noticed(days_ago=20)
    with pytest.raises(Refused, match="已经结束"):
        operations.file_objection(notice.items[0], FILING, now=notice.closes_at)
    operations.file_objection(notice.items[0], FILING, now=notice.closes_at - timedelta(seconds=1))


def test_the_formal_checker_may_not_decide(session: Any) -> None:
    both = builders.user("reviewer")
    give_role(both, "approver", None)
    application = builders.in_committee("catalogue", reviewer=both)
    notice = reviews.approve([application], builders.user("approver"))
    objection = objected(notice)
    with pytest.raises(Refused, match="形式审查"):
        operations.dismiss(objection, both, "不成立")
    db.session.rollback()
    refused_by_database(
        "UPDATE objection SET state='dismissed', decided_by_id=:u, decided_at=now(),"
        " decision_reason='x'",
        u=both.id,
    )


def test_a_decision_needs_a_reason_and_is_final(session: Any) -> None:
    notice = noticed()
    objection = objected(notice)
    approver = builders.user("approver")
    with pytest.raises(Refused, match="理由"):
        operations.dismiss(objection, approver, "  ")
    operations.dismiss(objection, approver, "不成立")
    db.session.commit()
    with pytest.raises(Refused, match="已经处理"):
        operations.uphold(objection, approver, "成立")
    db.session.rollback()
    refused_by_database("UPDATE objection SET decision_reason = '改了'")


UNDECIDED = (
    "argument = '改了'",
    "receipt_code = repeat('A', 26)",
    "state = 'upheld'",
    "decided_at = now()",
    "decision_reason = '只有理由'",
)


def test_an_open_objection_is_frozen_and_decided_whole(session: Any) -> None:
    objected(noticed())
    for change in UNDECIDED:
        refused_by_database(f"UPDATE objection SET {change}")


FILES = (
    "UPDATE objection_file SET position = 2",
    "UPDATE objection_file SET position = 4",
    "DELETE FROM objection_file",
    (
        "INSERT INTO objection_file (objection_id, position, document_id)"
        " SELECT objection_id, 2, document_id FROM objection_file"
    ),
    "UPDATE document SET only_role = NULL",
    "UPDATE document SET enterprise_id = 1",
    "UPDATE objection SET sent_key = 'x', number = '示范异议〔2020〕1 号'",
)


def test_the_files_of_an_objection_stay_as_they_came(session: Any) -> None:
    arrived = receive(BytesIO(stories.sample_pdf("证据")), "证据.pdf")
    operations.file_objection(noticed().items[0], FILING, [arrived])
    db.session.commit()
    for statement in FILES:
        refused_by_database(statement)


def test_a_reviewer_cannot_decide(session: Any) -> None:
    objection = objected(noticed())
    with pytest.raises(Refused, match="审定人"):
        operations.dismiss(objection, builders.user("reviewer"), "不成立")


def in_threads(app: Flask, *works: Callable[[], Any]) -> list[Any]:
    """Each work in a thread and a session of its own, started together."""
    start, answers = Barrier(len(works)), [None] * len(works)

    def run(place: int, work: Callable[[], Any]) -> None:
        with app.app_context():
            start.wait()
            try:
                answers[place] = work()
                db.session.commit()
            except Exception as error:
                db.session.rollback()
                answers[place] = error
            finally:
                db.session.remove()

    threads = [Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return answers


def test_closing_and_objecting_at_one_instant_agree(app: Flask, session: Any) -> None:
    notice = noticed(2, days_ago=20)
    moment, item_id, close_at = notice.opens_at, notice.items[0].id, after(notice)
    session.remove()

    def file() -> Any:
        return operations.file_objection(db.session.get(NoticeItem, item_id), FILING, now=moment)

    answers = in_threads(app, file, lambda: operations.close_due(close_at))
    item = db.session.get(NoticeItem, item_id)
    application = db.session.get(Application, item.application_id)
    if isinstance(answers[0], Refused):
        assert (item.outcome, application.state, answers[1]) == ("cleared", "cleared", 2)
    else:
        assert (item.outcome, application.state, answers[1]) == (None, "objected", 1)


def test_two_daily_jobs_at_one_instant_close_once(app: Flask, session: Any) -> None:
    notice = noticed(2, days_ago=20)
    close_at = after(notice)
    session.remove()
    answers = in_threads(app, *[lambda: operations.close_due(close_at)] * 2)
    assert sorted(answers) == [0, 2]


def test_two_notices_at_one_instant_get_two_numbers(app: Flask, session: Any) -> None:
    ids = [builders.in_committee("catalogue").id for _ in range(2)]
    people = [builders.user("approver").id for _ in range(2)]
    session.commit()
    session.remove()

    def work(place: int) -> Callable[[], str]:
        def approve() -> str:
            application = db.session.get(Application, ids[place])
            return reviews.approve([application], db.session.get(User, people[place])).number

        return approve

    answers = in_threads(app, work(0), work(1))
    assert {answer.split("〕")[1] for answer in answers} == {"1 号", "2 号"}
