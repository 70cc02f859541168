"""What is taken and what is not: judged by the bytes, while they stream in."""

from __future__ import annotations

import zipfile
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select

from catalogue.documents.models import Document
from catalogue.documents.operations import missing_files, open_document, storage_works, store
from catalogue.documents.rules import Unacceptable, media_type_of, safe_filename
from catalogue.errors import Refused
from tests.documents.test_download import pdf
from tests.enterprises import firms


def _image(kind: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, kind)
    return out.getvalue()


def _office(*names: str) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


TAKEN = {
    "application/pdf": pdf(),
    "image/png": _image("PNG"),
    "image/jpeg": _image("JPEG"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _office(
        "[Content_Types].xml", "xl/workbook.xml"
    ),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": _office(
        "[Content_Types].xml", "word/document.xml"
    ),
}


@pytest.mark.parametrize("media_type", TAKEN)
def test_five_kinds_are_taken(media_type: str) -> None:
    assert media_type_of(BytesIO(TAKEN[media_type])) == media_type


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"MZ\x90\x00 a program", "只收 PDF"),
        (b"<html><script>", "只收 PDF"),
        (b"%PDF-1.7 nothing more", "不完整"),
        (pdf() + b"<script>", "不完整"),
        (pdf().replace(b"/Type", b"/JS 1 /Type", 1), "脚本"),
        (_image("PNG")[:40], "打不开"),
        (_office("a.txt"), "只收 PDF"),
        (_office("[Content_Types].xml", "xl/workbook.xml", "xl/vbaProject.bin"), "宏"),
        (_office("[Content_Types].xml", "xl/workbook.xml", "../x"), "内部结构"),
        (b"PK\x03\x04 broken", "打不开"),
    ],
)
def test_others_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(Unacceptable, match=words):
        media_type_of(BytesIO(data))


def test_the_name_is_cleaned_and_gets_its_true_ending() -> None:
    assert safe_filename("C:\\a\\报告.exe", "application/pdf") == "报告.pdf"
    assert safe_filename("..", "image/png") == "文件.png"
    assert len(safe_filename("长" * 400, "application/pdf")) <= 200


def test_the_same_file_twice_is_one_row_per_firm(session: Any) -> None:
    enterprise, user = firms.firm(1)
    other, stranger = firms.firm(2)
    first = store(BytesIO(pdf()), "a.pdf", user, enterprise.id)
    assert store(BytesIO(pdf()), "b.pdf", user, enterprise.id) is first
    assert store(BytesIO(pdf()), "a.pdf", stranger, other.id) is not first
    session.commit()
    assert session.scalar(select(func.count(Document.id))) == 2
    with open_document(first) as file:
        assert file.read() == pdf()
    assert missing_files() == []


def test_a_file_over_the_limit_stops_while_it_streams(app: Flask, session: Any) -> None:
    enterprise, user = firms.firm(1)
    limit = app.config["MAX_UPLOAD_BYTES"]

    class Endless(BytesIO):
        given = 0

        def read(self, size: int | None = -1) -> bytes:
            self.given += size or 0
            return b"%PDF-" + bytes((size or 5) - 5)

    stream = Endless()
    with pytest.raises(Refused) as refused:
        store(stream, "a.pdf", user, enterprise.id)
    assert refused.value.status == 413
    assert stream.given <= limit + (1 << 17)
    assert not list((app.config["STORAGE_DIR"] / "staging").iterdir())


def test_an_empty_file_is_refused_and_leaves_nothing(app: Flask, session: Any) -> None:
    enterprise, user = firms.firm(1)
    with pytest.raises(Refused, match="是空的"):
        store(BytesIO(b""), "a.pdf", user, enterprise.id)
    assert not list((app.config["STORAGE_DIR"] / "staging").iterdir())
    assert storage_works()
