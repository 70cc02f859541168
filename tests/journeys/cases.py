"""One case in every hand, so that each page of the portal holds what it holds in use."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from catalogue.accounts import operations as accounts
from catalogue.certificates import operations as certificates
from catalogue.database import db, utc_now
from catalogue.enterprises import operations as enterprises
from catalogue.enterprises.models import GROUNDS
from catalogue.listings.models import Frozen, Listing, SavedSearch
from catalogue.listings.operations import import_rows
from catalogue.notices import operations as notices
from catalogue.notices import wording
from catalogue.notices.models import Notice, NoticeCorrection, Objection
from catalogue.policies import backtest_runs, desk
from catalogue.policies.operations import versions_of
from catalogue.reviews import operations as reviews
from catalogue.reviews.rules import Judgement
from seeds import buyers, people, stories
from tests import builders
from tests.journeys import portal as portals

PRODUCTS = portals.ROOT / "seeds" / "products.csv"
NEWCOMER = "newcomer@journey.test"


def prepare() -> dict[str, list[str]]:
    """Make the cases; by role, the addresses to which no link leads. Within ``rooms``."""
    with PRODUCTS.open("rb") as stream:
        import_rows(stream, people.staff("administrator"), skip_existing=True, sample=True)
    accounts.create_user(NEWCOMER, "何新来", portals.PASSWORD, {"applicant"})
    portals.draft("first_version", 0, "software", 40)
    for position in (41, 42):
        portals.submitted(portals.draft("first_version", 0, "software", position))
    portals.passed(portals.submitted(portals.draft("first_batch", 0, "material", 43)).number)
    announced = portals.submitted(portals.draft("catalogue", 0, "equipment", 44)).number
    notice = portals.on_notice(announced)
    notices.confirm_correction(_correction(notice, "更正一"), people.staff("approver"))
    db.session.commit()
    number = _certificate()
    buyers.save()
    buyers.seed()
    db.session.commit()
    frozen = db.session.scalars(select(Frozen.number)).all()
    token = db.session.scalars(select(SavedSearch.token)).first()
    return {
        "anybody": [
            *(f"/frozen/{one}" for one in frozen),
            f"/digests/stop/{token}",
            _objection(),
            f"/notices/{notice}",
            f"/notices/{notice}/versions/2/changes",
            f"/certificates/{number}",
            "/catalogue/need?figure=平均无故障时间&relation=ge&amount=300&upto=&unit=h",
            f"/catalogue/compare?listing={number}",
        ],
        "administrator": [_draft_of_a_policy(), *_ban()],
        "applicant": [f"/applications/{announced}/receipt"],
        "finance": ["/funds/lists/export"],
        "reviewer": [
            _faulted(),
            f"/certificates/{number}/replace",
            f"/certificates/{number}/change",
            f"/notices/{notice}/correct",
        ],
        "approver": [
            _set_aside(),
            _suspension(number),
            f"/notices/corrections/{_correction(notice, '更正二').id}",
        ],
        "buyer": ["/catalogue?q=设备", f"/catalogue/{number}", "/frozen", "/digests"],
        "newcomer": [
            "/enterprise/join",
            _join(portals.firm(1).credit_code),
            _join(builders.credit_code(9_990_003)),
        ],
    }


def _objection() -> str:
    """A catalogue product on notice, and the page of what was brought against it."""
    found = portals.submitted(portals.draft("catalogue", 0, "equipment", 47))
    portals.on_notice(found.number)
    stories.object_to(found)
    db.session.commit()
    code = db.session.scalar(
        select(Objection.receipt_code).where(Objection.application_id == found.id)
    )
    return f"/objections/{code}"


def _correction(notice_id: int, product: str) -> NoticeCorrection:
    """Another name for the first product of a notice, asked for by an officer."""
    notice = db.session.get_one(Notice, notice_id)
    wanted = {"items": {"1": {"product": product}}}
    changes = wording.changes_of(notice.newest.body, wanted)
    correction = notices.ask_correction(notice, people.staff("reviewer"), changes, "旅程示范理由")
    db.session.commit()
    return correction


def _certificate() -> str:
    """A product whose notice ended quietly; the page of its certificate."""
    found = portals.submitted(portals.draft("catalogue", 0, "equipment", 50))
    stories.check_formally(found, people.staff("reviewer"))
    stories.approve([found], people.staff("approver"), days_ago=20)
    notices.close_due(utc_now())
    db.session.commit()
    listed = select(Listing.number).where(Listing.application_id == found.id)

    def issued() -> str | None:
        db.session.rollback()
        return db.session.scalar(listed)

    number: str = portals.wait(issued, 40, lambda: f"{found.number} was not certified")
    return number


def _suspension(number: str) -> str:
    """A certificate that one officer asks to suspend; the page of the second."""
    certificate = certificates.check_number(number)
    assert certificate is not None
    change = certificates.ask_change(
        certificate, "suspended", "旅程示范理由", people.staff("reviewer")
    )
    db.session.commit()
    return f"/certificates/changes/{change.id}"


def _draft_of_a_policy() -> str:
    """A draft of the desk with a finished back-test; the page of the test."""
    author = people.staff("administrator")
    draft = desk.new_draft(author, title="旅程用的草稿", base=versions_of("first_version")[0])
    db.session.commit()
    test = backtest_runs.start(draft, author)
    db.session.commit()
    return f"/policies/desk/back-tests/{test.id}"


def _ban() -> list[str]:
    today = utc_now().date()
    member = accounts.create_user("banned@journey.test", "戴被禁", portals.PASSWORD, {"applicant"})
    code, name = builders.credit_code(9_990_002), "旅程（上海）禁报示例有限公司"
    enterprises.exclude(
        enterprises.register_enterprise(code, name, member, "applicant"),
        people.staff("administrator"),
        since=today,
        until=today + timedelta(days=30),
        ground=min(GROUNDS),
        source="旅程示范文书 1 号",
    )
    db.session.commit()
    return ["/exclusions"]


def _faulted() -> str:
    """A formal check that found one item to correct; the page before the letter goes out."""
    found = portals.submitted(portals.draft("first_version", 0, "software", 48))
    officer = people.staff("reviewer")
    reviews.take(found, officer)
    items = reviews.items_of(found)
    sheet = {item.key: Judgement("pass") for item in items}
    wrong = next(item for item in items if item.field)
    sheet[wrong.key] = Judgement("correct", "请写明检测报告页码。")
    reviews.judge(found, officer, sheet)
    db.session.commit()
    return f"/reviews/{found.number}/return"


def _set_aside() -> str:
    """A finding that one officer asks to set aside; the page of the second."""
    found = portals.submitted(portals.draft("first_version", 0, "software", 49))
    officer = people.staff("reviewer")
    reviews.take(found, officer)
    finding = found.report.findings[0]
    other = "fail" if finding["result"] == "pass" else "pass"
    override = reviews.ask_override(found, officer, finding["rule"], other, "旅程示范理由")
    db.session.commit()
    return f"/reviews/{found.number}/set-aside/{override.id}"


def _join(code: str) -> str:
    return f"/enterprise/join?code={code}"
