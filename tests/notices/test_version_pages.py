"""Versions as the public and staff see them: pages, PDF, JSON, feed; and hostile visitors."""

from __future__ import annotations

import hashlib
import json
import re
from io import BytesIO
from xml.etree import ElementTree as ET

from flask.testing import FlaskClient
from PIL import Image
from pypdf import PdfReader
from sqlalchemy import func, select

from catalogue.database import db
from catalogue.documents.models import Document
from catalogue.notices import pdf
from catalogue.notices.models import Objection, ObjectionFile
from tests import builders
from tests.browser import Browser
from tests.notices.test_corrections import asked, corrected
from tests.notices.test_operations import noticed
from tests.notices.test_pages import ATOM, good, queries

MARKUP = "<b>X</b>&amp;<script>1</script>"


def png() -> BytesIO:
    data = BytesIO()
    Image.new("RGB", (4, 4), "white").save(data, "PNG")
    data.seek(0)
    return data


def test_page_pdf_and_json_of_every_version_carry_one_hash(client: FlaskClient) -> None:
    notice = corrected(noticed(2), items={"1": {"product": MARKUP}})
    for version in notice.versions:
        at = f"/notices/{notice.id}/versions/{version.version}"
        page = client.get(at).text
        assert version.sha256[:32] in page
        assert version.sha256[32:] in page
        data = client.get(f"{at}.json").data
        assert hashlib.sha256(data).hexdigest() == version.sha256
        paper = client.get(f"{at}.pdf")
        assert paper.mimetype == "application/pdf"
        pdf.drawn.cache_clear()
        assert paper.data == client.get(f"{at}.pdf").data
        reader = PdfReader(BytesIO(paper.data))
        text = re.sub(r"\s", "", "".join(sheet.extract_text() for sheet in reader.pages))
        assert version.sha256 in text
        assert f"第{len(reader.pages)}页，共{len(reader.pages)}页" in text
        assert reader.attachments["notice.json"][0] == data
        signed = client.get(f"{at}/signed.json").data
        assert reader.attachments["notice-signed.json"][0] == signed
        assert signed == client.get(f"{at}/signed.json").data
        for item in json.loads(data)["items"]:
            assert re.sub(r"\s", "", item["product"]) in text
            assert item["firm"] in text
    newest = client.get(f"/notices/{notice.id}").text
    assert MARKUP not in newest
    assert "&lt;b&gt;X&lt;/b&gt;" in newest
    assert client.get(f"/notices/{notice.id}.pdf").data == paper.data


def test_the_changes_are_public_and_the_old_version_says_that_it_is_old(
    client: FlaskClient,
) -> None:
    notice = corrected(noticed(), items={"1": {"model": MARKUP}})
    page = client.get(f"/notices/{notice.id}/versions/2/changes").text
    assert "<ins>" in page
    assert "<del>" in page
    assert "<b>X" not in page
    assert "型号漏了后缀。" in page
    old = client.get(f"/notices/{notice.id}/versions/1").text
    assert "已被第 2 版代替" in old
    assert "提异议<span" not in old
    assert "已更正，第 2 版" in client.get("/notices").text
    assert "改了什么" in client.get(f"/notices/{notice.id}").text
    for wrong in ("versions/3", "versions/3.pdf", "versions/1/changes", "versions/0", "versions/x"):
        assert client.get(f"/notices/{notice.id}/{wrong}").status_code == 404


def test_a_correction_is_an_entry_of_the_feed(client: FlaskClient) -> None:
    notice = corrected(noticed(), title="A & B <c>\uffff")
    root = ET.fromstring(client.get("/notices/feed.atom").data)
    entries = root.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title")[:3] for entry in entries] == ["更正：", "202"]
    assert entries[0].findtext(f"{ATOM}title") == "更正：A & B <c>"
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert ids[0].endswith(f"/notices/{notice.id}/versions/2")
    assert ids[1].endswith(f"/notices/{notice.id}")
    assert all(entry.find(f"{ATOM}updated") is not None for entry in entries)
    here = [link.get("href") for link in root.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert here == [root.findtext(f"{ATOM}id")]


def test_two_people_correct_a_notice_through_the_pages(client: FlaskClient) -> None:
    notice = noticed(2)
    reviewer, approver = builders.user("reviewer"), builders.user("approver")
    db.session.commit()
    address = f"/notices/{notice.id}/correct"
    builders.sign_in(client, reviewer)
    body = notice.newest.body
    words = {"title": "改过的题目", "text": body["text"], "contact": body["contact"]}
    for item in body["items"]:
        words |= {f"{key}-{item['position']}": item[key] for key in ("product", "model", "firm")}
    nothing = builders.post(client, address, {**words, "reason": ""})
    assert nothing.status_code == 422
    assert "改过的题目" in nothing.text
    hidden = builders.post(client, address, {**words, "model-1": "a\u202eb", "reason": "错"})
    assert hidden.status_code == 422
    answer = builders.post(client, address, {**words, "reason": "题目写错了。", "model-9": "x"})
    assert answer.status_code == 303
    own = client.get(answer.location).text
    assert "收回这处更正" in own
    assert builders.post(client, answer.location, {"act": "confirm"}).status_code == 409
    assert builders.post(client, answer.location, {"act": "x"}).status_code == 400
    second = Browser(client.application, client.response_wrapper)
    builders.sign_in(second, approver)
    assert "公示更正待确认" in second.get("/home").text
    assert "去确认" in second.get("/notices/corrections").text
    assert "改过" in second.get(answer.location).text
    assert builders.post(second, answer.location, {"act": "decline"}).status_code == 422
    done = builders.post(second, answer.location, {"act": "confirm"})
    assert done.location.endswith(f"/notices/{notice.id}")
    assert "改过的题目" in client.get(f"/notices/{notice.id}").text
    again = second.get(answer.location)
    assert "发布第 2 版" not in again.text


def test_others_correct_nothing(client: FlaskClient) -> None:
    correction = asked(noticed())
    people = [builders.user(role) for role in ("applicant", "finance", "buyer", "administrator")]
    db.session.commit()
    for person in people:
        visitor = Browser(client.application, client.response_wrapper)
        builders.sign_in(visitor, person)
        for address in (
            "/notices/corrections",
            f"/notices/corrections/{correction.id}",
            f"/notices/{correction.notice_id}/correct",
        ):
            assert visitor.get(address).status_code == 403


def test_files_come_with_an_objection_and_only_the_approver_sees_them(client: FlaskClient) -> None:
    notice = noticed()
    address = f"/notices/{notice.id}/object"
    files = [(png(), "证据<1>.png"), (png(), "../../证据二.png")]
    answer = builders.post(client, address, good(notice, files=files))
    assert answer.status_code == 303
    objection = db.session.scalars(select(Objection)).one()
    assert objection.number.startswith("示范异议〔")
    names = [file.document.filename for file in objection.files]
    assert names == ["证据<1>.png", "证据二.png"]
    page = client.get(answer.location).text
    assert objection.number in page
    assert "2 个" in page
    assert "证据二" not in page
    files_at = f"/documents/{objection.files[0].document_id}"
    people = {role: builders.user(role) for role in ("approver", "reviewer", "finance")}
    db.session.commit()
    for role, person in people.items():
        visitor = Browser(client.application, client.response_wrapper)
        builders.sign_in(visitor, person)
        assert visitor.get(files_at).status_code == (200 if role == "approver" else 404)
        if role == "approver":
            desk = visitor.get(f"/objections/{objection.id}/decision").text
            assert "证据&lt;1&gt;.png" in desk
    assert "证据" not in client.get(f"/notices/{notice.id}").text


def test_what_is_no_file_of_ours_is_refused_and_the_words_stay(client: FlaskClient) -> None:
    notice = noticed()
    address = f"/notices/{notice.id}/object"
    wrong = [
        [(BytesIO(b"MZ"), "a.pdf")],
        [(BytesIO(b""), "空.png")],
        [(png(), "a.png"), (BytesIO(b"<svg/>"), "b.svg")],
        [(png(), f"{n}.png") for n in range(4)],
    ]
    for files in wrong:
        answer = builders.post(client, address, good(notice, files=files))
        assert answer.status_code == 422
        assert "同类产品" in answer.text
        assert 'id="files-error"' in answer.text
    large = [(BytesIO(b"%PDF-" + b"0" * (6 * 2**20)), "a.pdf")]
    assert builders.post(client, address, good(notice, files=large)).status_code == 413
    for table in (Objection.id, ObjectionFile.id):
        assert db.session.scalar(select(func.count(table))) == 0
    assert not db.session.scalar(select(func.count()).where(Document.only_role.is_not(None)))


def test_a_form_sent_twice_is_one_objection(client: FlaskClient) -> None:
    notice = noticed()
    address = f"/notices/{notice.id}/object"
    key = re.search(r'name="sent_key"[^>]*value="([^"]+)"', client.get(address).text).group(1)
    first = builders.post(client, address, good(notice, sent_key=key, files=[(png(), "a.png")]))
    second = builders.post(client, address, good(notice, sent_key=key, files=[(png(), "a.png")]))
    assert first.location == second.location
    assert db.session.scalar(select(func.count(Objection.id))) == 1
    assert db.session.scalar(select(func.count(ObjectionFile.id))) == 1
    other = builders.post(client, address, good(notice, sent_key="x' OR 1=1"))
    assert other.status_code == 303
    assert other.location != first.location


HOSTILE = {
    "item": ["", "x", "-1", "9" * 30, "\x00", "1e3"],
    "ground": ["", "other' --", "\u202e"],
    "argument": ["", "长" * 2001, "a\x00b", "a\x0bb", "\u202eabc", "\u2066a", "\ufeff"],
    "remedy": ["", "长" * 501, "a\x1bb"],
    "contact": ["长" * 201, "\u200b"],
}


def test_hostile_words_are_refused_at_their_field(client: FlaskClient) -> None:
    notice = noticed()
    address = f"/notices/{notice.id}/object"
    found = builders.token(client, address)
    for field, values in HOSTILE.items():
        for value in values:
            data = {**good(notice), field: value, "csrf_token": found}
            answer = client.post(address, data=data)
            assert answer.status_code == 422, (field, value[:20])
            assert f'id="{field}-error"' in answer.text, (field, value[:20])
    assert db.session.scalar(select(func.count(Objection.id))) == 0


def test_too_late_keeps_what_was_typed(client: FlaskClient) -> None:
    open_one = noticed()
    late = noticed(days_ago=20)
    address = f"/notices/{late.id}/object"
    answer = builders.post(client, address, good(late), form_at=f"/notices/{open_one.id}/object")
    assert answer.status_code == 409
    assert "公示期已经结束" in answer.text
    assert "请核查。" in answer.text
    stranger = builders.post(client, f"/notices/{open_one.id}/object", good(late))
    assert stranger.status_code == 422


NOWHERE = (
    "/notices/%00",
    "/notices/-1",
    "/notices/1.5",
    "/notices/99999999999999999999.pdf",
    "/notices/1/versions/99999",
    "/notices/1/versions/-1.json",
    "/notices/corrections/9999",
    "/objections/%00",
    "/objections/%E2%80%AE",
    "/objections/" + "A" * 5000,
    "/notices?page=99999999999999999999",
    "/notices?state=%F0%9F%92%A9&page=-1",
)


def test_addresses_that_lead_nowhere(client: FlaskClient) -> None:
    for address in NOWHERE:
        assert client.get(address).status_code in (303, 404), address


def test_long_histories_ask_the_database_no_more_often(client: FlaskClient) -> None:
    notice = corrected(noticed(2))
    at = (f"/notices/{notice.id}", "/notices/feed.atom", f"/notices/{notice.id}/versions/2/changes")
    few = [queries(client, address) for address in at]
    for number in range(3):
        corrected(notice, title=f"第 {number} 个题目")
    assert [queries(client, address) for address in at] == few
    assert max(few) <= 12
