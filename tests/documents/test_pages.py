"""Pages as pictures: what counts as found, what is drawn, and what a hostile file can cost."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from catalogue.database import db
from catalogue.documents import drawing, pages
from catalogue.documents.models import Document
from catalogue.documents.operations import store
from catalogue.documents.pages import Mark, Unshowable
from tests import builders


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("412,000.00", "合计 412,000.00 元"),
        ("412,000.00", "合计412000元"),
        ("412,000.00", "合计 41.2 万元"),
        ("12,870,000.00", "1,287万"),
        ("186,000.07", "￥186000.07"),
        ("2026-10-20", "2026 年 10 月 20 日"),
        ("2026-08-04", "2026年8月4日"),
        ("2026-08-04", "2026.08.04"),
        ("V3.0", "版本：v3.0，"),
        ("产线数字孪生平台", "产线数字\n孪生平台V3"),
        ("示例（上海）公司", "示例(上海)公司"),
        ("HT—2026", "HT-2026。"),
    ],
)
def test_the_same_thing_written_another_way_is_found(value: str, text: str) -> None:
    assert list(drawing.spans(text, value))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("412,000.00", "1,412,000.00"),
        ("412,000.00", "412000.50"),
        ("412,000.00", "1412000"),
        ("186,000.07", "18.60万"),
        ("2026-10-20", "2026年10月2日"),
        ("V3.0", "V3.01"),
        ("V3.0", "V3.0.1"),
        ("HT-1", "HT-10"),
        ("", "任何"),
    ],
)
def test_something_else_is_not(value: str, text: str) -> None:
    assert not list(drawing.spans(text, value))


def paper(*lines: str) -> bytes:
    target = BytesIO()
    canvas = Canvas(target, pagesize=(400, 400), invariant=1)
    for place, line in enumerate(lines):
        canvas.drawString(50, 350 - 40 * place, line)
    canvas.showPage()
    canvas.save()
    return target.getvalue()


@pytest.fixture
def kept(app: Flask, session: Any) -> Any:
    """Store bytes as a document of a firm."""
    firm = builders.enterprise()

    def keep(data: bytes, name: str) -> Document:
        document = store(BytesIO(data), name, builders.clerk_of(firm), firm.id)
        db.session.commit()
        return document

    return keep


def test_a_page_says_where_and_what_stands_instead(kept: Any) -> None:
    document = kept(paper("Contract  HT-2026-1", "Amount  412,000.00", "Signed", "No  9"), "a.pdf")
    marks = [
        Mark("HT-2026-1", "Contract"),
        Mark("412000.00", "Amount"),
        Mark("2026-10-20", "Signed"),
        Mark("8", "No"),
        Mark("V3.0", "Version"),
    ]
    told = pages.read(document, marks)
    assert (told["pages"], told["read"], told["text"]) == (1, 1, True)
    assert [mark["pages"] for mark in told["marks"]] == [[1], [1], [], [], []]
    instead = [mark["beside"] for mark in told["marks"][2:]]
    assert instead == [{"page": 1, "text": ""}, {"page": 1, "text": "9"}, None]
    image = Image.open(BytesIO(pages.draw(document, 1, marks)))
    assert image.size == (1000, 1000)
    colours = {colour for _, colour in image.getcolors(1 << 20)}
    assert {drawing.HIGHLIGHT, drawing.OCHRE} <= colours
    unmarked = Image.open(BytesIO(pages.draw(document, 1, [])))
    assert drawing.HIGHLIGHT not in {colour for _, colour in unmarked.getcolors(1 << 20)}


def test_a_picture_has_no_text_and_is_made_small(kept: Any) -> None:
    target = BytesIO()
    Image.new("RGB", (2400, 1200), "white").save(target, "JPEG")
    document = kept(target.getvalue(), "scan.jpg")
    assert not pages.read(document, [Mark("V3.0")])["text"]
    assert Image.open(BytesIO(pages.draw(document, 1, []))).size == (1000, 500)


def test_a_drawing_that_fails_or_never_ends_is_words(
    app: Flask, kept: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    document = kept(paper("one"), "a.pdf")
    with pytest.raises(Unshowable, match="请下载"):
        pages.draw(document, 2, [])
    endless = tmp_path / "endless.py"
    endless.write_text("while True: pass")
    monkeypatch.setattr(drawing, "__file__", str(endless))
    monkeypatch.setattr(pages, "SECONDS", 0.5)
    with pytest.raises(Unshowable, match="请下载"):
        pages.draw(document, 1, [Mark("another")])


def test_the_program_bounds_its_own_memory(
    kept: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    greedy = tmp_path / "greedy.py"
    source = (
        Path(drawing.__file__)
        .read_text()
        .replace("order = json.load(sys.stdin)", "order = bytearray(2 * MAX_MEMORY)")
    )
    greedy.write_text(source)
    monkeypatch.setattr(drawing, "__file__", str(greedy))
    with pytest.raises(Unshowable):
        pages.draw(kept(paper("two"), "b.pdf"), 1, [])


def test_a_page_is_for_those_who_may_see_the_file(client: FlaskClient, kept: Any) -> None:
    document = kept(paper("V3.0"), "a.pdf")
    address = f"/documents/{document.id}/pages/1.png?mark=Version=V3.0"
    assert client.get(address).status_code == 303
    stranger = builders.clerk_of(builders.enterprise())
    officer = builders.user("reviewer")
    db.session.commit()
    builders.sign_in(client, stranger)
    assert client.get(address).status_code == 404
    builders.post(client, "/sign-out", {}, form_at="/home")
    builders.sign_in(client, officer)
    answer = client.get(address)
    assert answer.mimetype == "image/png"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    base = f"/documents/{document.id}/pages"
    assert client.get(f"{base}/2.png").status_code == 422
    assert client.get(f"{base}/0.png").status_code == 404
    assert client.get(f"{base}/1.png?{'mark=a&' * 41}").status_code == 404
    assert client.get(f"{base}/1.png?mark={'a' * 161}").status_code == 404


def test_a_label_answered_by_one_contract_is_not_held_against_another() -> None:
    lines = ["Day 2026-01-02\n", "Day\n", "Day"]
    boxes = [
        (10.0 * place, 20.0 * row, 10.0 * place + 9, 20.0 * row + 10)
        for row, line in enumerate(lines)
        for place in range(len(line))
    ]
    words = drawing.Words("".join(lines), boxes)
    days = ("2026-01-02", "2026-02-02", "2026-03-02", "2026-04-02")
    laid = drawing.lay(words, [{"label": "Day", "value": day} for day in days])
    assert [one.said for one in laid] == [True, False, False, False]
    assert [one.label and one.label[1] for one in laid] == [None, 20, 40, None]
