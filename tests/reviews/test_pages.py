"""The queue, the formal check and the decision as officers use them."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from flask.testing import FlaskClient
from reportlab.pdfgen.canvas import Canvas
from sqlalchemy import select

from catalogue.accounts.models import User
from catalogue.accounts.operations import give_role
from catalogue.applications.models import Application, Evidence
from catalogue.database import db
from catalogue.documents.operations import store
from catalogue.notices.models import Notice
from catalogue.reviews import operations
from catalogue.reviews.models import Verdict
from tests import builders
from tests.browser import Browser
from tests.notices.test_pages import queries


def signed(client: FlaskClient, role: str) -> User:
    """Somebody of this role, signed in."""
    person = builders.user(role)
    db.session.commit()
    builders.sign_in(client, person)
    return person


def sheet(application: Application, **changes: str) -> dict[str, str]:
    """Every item passed, but for ``changes`` (underscores for dashes)."""
    data = {f"v-{item.key}": "pass" for item in operations.items_of(application)}
    return data | {key.replace("__", "-"): value for key, value in changes.items()}


def state_of(application: Application) -> str:
    db.session.expire_all()
    return application.state


def send(client: FlaskClient, application: Application, act: str, data: dict[str, str]) -> Any:
    page = f"/reviews/{application.number}"
    return builders.post(client, f"{page}/check", {**data, "act": act}, form_at=page)


def test_the_queue_shows_age_promise_and_machine_summary(client: FlaskClient) -> None:
    application = builders.submitted("first_version")
    signed(client, "reviewer")
    page = client.get("/reviews").text
    assert application.number in page
    assert application.product.name in page
    assert "符合" in page
    assert "0 / 5" in page
    assert "示范参数" in page
    assert "受理下一件" in page


def test_the_queue_filters_and_sorts_by_address(client: FlaskClient) -> None:
    software = builders.submitted("first_version")
    listing = builders.submitted("catalogue")
    signed(client, "reviewer")

    def shown(query: str) -> set[str]:
        page = client.get(f"/reviews?{query}").text
        return {a.number for a in (software, listing) if a.number in page}

    both = {software.number, listing.number}
    assert shown("scheme=first_version") == {software.number}
    assert shown("district=310115") == both
    assert shown("district=310101") == set()
    assert shown("state=committee") == set()
    assert shown(f"q={listing.number}") == {listing.number}
    assert shown("q=%25") == set()
    assert shown("scheme=nonsense&state=nonsense&sort=nonsense&district=1") == both
    page = client.get("/reviews?sort=-number").text
    assert page.index(listing.number) < page.index(software.number)
    assert client.get("/reviews?page=2").status_code == 404


def test_take_next_opens_the_oldest(client: FlaskClient) -> None:
    first = builders.submitted("catalogue")
    builders.submitted("catalogue")
    signed(client, "reviewer")
    answer = builders.post(client, "/reviews/next", {}, form_at="/reviews")
    assert answer.location.endswith(first.number)
    assert state_of(first) == "formal_check"


def test_the_check_page_asks_only_what_the_machine_could_not_tick(client: FlaskClient) -> None:
    application = builders.submitted("first_version")
    signed(client, "reviewer")
    address = f"/reviews/{application.number}"
    assert "受理，开始形式审查" in client.get(address).text
    builders.post(client, f"{address}/take", {}, form_at=address)
    page = client.get(address).text
    items = operations.items_of(application)
    assert f"要您判断　{len(items)}" in page
    assert all(f'name="v-{item.key}"' in page for item in items)
    ticked = [f for f in application.report.findings if f["result"] == "pass"]
    assert f"机器已核　{len(ticked)}" in page
    for evidence in application.evidence:
        assert f"/documents/{evidence.document_id}" in page


def taken(client: FlaskClient, scheme: str = "catalogue") -> Application:
    """An application that the signed-in reviewer has taken up."""
    application = builders.submitted(scheme)
    person = signed(client, "reviewer")
    operations.take(application, person)
    db.session.commit()
    return application


def test_one_form_saves_and_the_bar_follows(client: FlaskClient) -> None:
    application = taken(client)
    data = sheet(application, **{"v-product": "correct", "n-product": "型号与报告不一致。"})
    assert send(client, application, "save", data).status_code == 303
    page = client.get(f"/reviews/{application.number}").text
    assert "通过（还有 1 项要补正）" in page
    assert "发出补正通知，1 处" in page
    assert "型号与报告不一致。" in page


def test_passing_needs_every_item_judged(client: FlaskClient) -> None:
    application = taken(client)
    answer = send(client, application, "pass", {"v-product": "pass"})
    assert answer.status_code == 422
    assert "没有判断" in answer.text
    assert state_of(application) == "formal_check"
    answer = send(client, application, "pass", sheet(application, **{"v-product": "correct"}))
    assert answer.status_code == 422
    assert "要补正" in answer.text
    assert send(client, application, "pass", sheet(application)).status_code == 303
    assert state_of(application) == "committee"
    (verdict,) = operations.verdicts_of(application)
    assert {line["value"] for line in verdict.lines} == {"pass"}


def test_a_correction_is_previewed_and_then_sent(client: FlaskClient) -> None:
    application = taken(client)
    no_note = send(client, application, "return", sheet(application, **{"v-product": "correct"}))
    assert no_note.status_code == 422
    assert "请写明要改什么" in no_note.text
    data = sheet(application, **{"v-product": "correct", "n-product": "型号 <b>不一致</b>。"})
    answer = send(client, application, "return", data)
    assert answer.status_code == 303
    assert state_of(application) == "formal_check"
    preview = client.get(answer.location).text
    assert "型号 &lt;b&gt;不一致&lt;/b&gt;。" in preview
    assert "只告知一次" in preview
    assert builders.post(client, answer.location, {}).status_code == 303
    assert state_of(application) == "correcting"
    assert [item["field"] for item in application.open_correction.items] == ["product"]
    assert "等单位补正 1 处" in client.get(f"/reviews/{application.number}").text


def test_a_rejection_asks_for_its_reason_first(client: FlaskClient) -> None:
    application = taken(client)
    answer = send(client, application, "reject", {})
    assert answer.status_code == 303
    assert builders.post(client, answer.location, {"reason": ""}).status_code == 422
    assert builders.post(client, answer.location, {"reason": "不属于本事项"}).status_code == 303
    assert state_of(application) == "rejected"


def test_bad_values_and_unknown_acts_change_nothing(client: FlaskClient) -> None:
    application = taken(client)
    assert send(client, application, "save", {"v-product": "maybe"}).status_code == 422
    assert send(client, application, "destroy", {}).status_code == 400
    long = {"v-product": "correct", "n-product": "长" * 501}
    assert send(client, application, "save", long).status_code == 422
    assert operations.sheet_of(application) == {}
    address = f"/reviews/{application.number}/check"
    assert client.post(address, data=sheet(application)).status_code == 400


def test_the_approver_sees_all_and_approves_several_together(client: FlaskClient) -> None:
    chosen = [builders.in_committee("catalogue") for _ in range(2)]
    signed(client, "approver")
    queue = client.get("/reviews").text
    assert queue.count('type="checkbox"') == 2
    page = client.get(f"/reviews/{chosen[0].number}/decision").text
    assert "形式审查通过" in page
    assert "审定通过并公示" in page
    address = "/reviews/approval?" + "&".join(f"number={a.number}" for a in chosen)
    preview = client.get(address).text
    assert "审定通过并公示 2 件" in preview
    assert all(a.number in preview for a in chosen)
    answer = builders.post(
        client, "/reviews/approval", {"number": [a.number for a in chosen]}, form_at=address
    )
    assert answer.status_code == 303
    notice = db.session.scalars(select(Notice)).one()
    assert answer.location.endswith(f"/notices/{notice.id}")
    assert len(notice.items) == 2
    again = client.get(address)
    assert "不在审定环节" in again.text


def test_a_checker_sees_why_they_may_not_approve(client: FlaskClient) -> None:
    person = builders.user("reviewer")
    give_role(person, "approver", None)
    application = builders.in_committee("catalogue", reviewer=person)
    db.session.commit()
    builders.sign_in(client, person)
    page = client.get(f"/reviews/{application.number}/decision").text
    assert "审定须由另一人办理" in page
    assert "/reviews/approval" not in page
    address = f"/reviews/approval?number={application.number}"
    answer = builders.post(
        client, "/reviews/approval", {"number": application.number}, form_at=address
    )
    assert answer.status_code == 409
    assert state_of(application) == "committee"


def test_the_approver_sends_back_with_a_reason(client: FlaskClient) -> None:
    application = builders.in_committee("catalogue")
    signed(client, "approver")
    address = f"/reviews/{application.number}/send-back"
    assert builders.post(client, address, {"reason": ""}).status_code == 422
    assert builders.post(client, address, {"reason": "请核对型号"}).status_code == 303
    assert state_of(application) == "formal_check"


def test_approval_of_nothing_or_of_the_unknown_is_refused(client: FlaskClient) -> None:
    signed(client, "approver")
    assert client.get("/reviews/approval").status_code == 422
    assert client.get("/reviews/approval?number=SB-2026-9999").status_code == 404


def test_other_roles_and_drafts_stay_outside(client: FlaskClient) -> None:
    application = builders.submitted("catalogue")
    draft = builders.draft("catalogue")
    db.session.commit()
    pages = ("", f"/{application.number}", f"/{application.number}/decision", "/approval")
    assert all(client.get(f"/reviews{page}").status_code == 303 for page in pages)
    for role in ("applicant", "finance", "buyer", "administrator"):
        visitor = Browser(client.application, client.response_wrapper)
        signed(visitor, role)
        assert all(visitor.get(f"/reviews{page}").status_code == 403 for page in pages)
    reviewer = Browser(client.application, client.response_wrapper)
    signed(reviewer, "reviewer")
    assert reviewer.get(f"/reviews/{draft.number}").status_code == 404
    assert reviewer.get(f"/reviews/{application.number}/decision").status_code == 403
    assert db.session.scalar(select(Verdict.id)) is None


def test_the_queue_asks_the_database_a_fixed_number_of_times(client: FlaskClient) -> None:
    builders.submitted("catalogue")
    signed(client, "reviewer")
    client.get("/reviews")
    few = queries(client, "/reviews")
    for _ in range(4):
        builders.submitted("catalogue")
    db.session.commit()
    assert queries(client, "/reviews") == few
    assert few <= 16


def test_every_id_on_the_check_page_is_given_once(client: FlaskClient) -> None:
    application = taken(client, "first_version")
    page = client.get(f"/reviews/{application.number}").text
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids)), sorted(i for i in set(ids) if ids.count(i) > 1)
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors <= set(ids)


def test_the_viewer_lays_a_file_beside_what_was_typed(client: FlaskClient) -> None:
    application = taken(client, "first_version")
    clerk = builders.clerk_of(application.enterprise)
    target = BytesIO()
    canvas = Canvas(target, invariant=1)
    canvas.drawString(72, 700, f"No {application.contracts[1].number}  412,000.00")
    canvas.save()
    document = store(BytesIO(target.getvalue()), "合同.pdf", clerk, application.enterprise_id)
    application.evidence.append(Evidence(material="fv_contract", document=document))
    db.session.commit()
    page = f"/reviews/{application.number}"
    assert f'href="{page}?file={document.id}#viewer"' in client.get(page).text
    shown = client.get(f"{page}?file={document.id}")
    assert shown.status_code == 200
    assert f"/documents/{document.id}/pages/1.png?mark=" in shown.text
    facts = shown.text.partition("viewer-facts")[2].partition("viewer-page")[0]
    assert application.contracts[1].number in facts
    assert application.contracts[0].number not in facts
    assert "未找到" in facts
    fragment = client.get(f"{page}?file={document.id}", headers={"HX-Target": "viewer"}).text
    assert fragment.lstrip().startswith("<section")
    stranger = builders.submitted("catalogue").evidence[0].document_id
    db.session.commit()
    for wrong in (f"file={document.id}&page=2", "file=999999", "file=x", f"file={stranger}"):
        assert client.get(f"{page}?{wrong}").status_code == 404


def test_a_reload_after_a_refused_check_leads_back(client: FlaskClient) -> None:
    application = taken(client, "catalogue")
    answer = client.get(f"/reviews/{application.number}/check")
    assert (answer.status_code, answer.location) == (303, f"/reviews/{application.number}")
