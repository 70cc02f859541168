"""Papers that flow over pages: every word is there, in order, and inside the page."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pypdfium2
import pytest

from catalogue.documents.fonts import Fonts, prepare, printable
from catalogue.documents.paper import BOTTOM, LEFT, PAGE, RIGHT, TOP, Cell, Papers, Row, Tag, draw

LINES = [
    f"{number:03d} <b>粗体</b>&amp;<img src=x onerror=alert(1)>{{{{7*7}}}} 𠮷野家，堃昇（上海）"
    + "超大规模集成电路制造用高端装备" * (number % 5)
    + "W" * (number % 90)
    for number in range(200)
]


@pytest.fixture(scope="module")
def fonts() -> Fonts:
    return prepare(Path(os.environ.get("PORTAL_TEST_FONTS", Path.cwd() / "var" / "fonts")))


def papers(*cells: Cell) -> Papers:
    return Papers("题目", (Row(cells),), running="页眉", foot="页脚", author="平台")


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def read(data: bytes) -> tuple[str, int, list[str]]:
    """The text between head and foot, how many pages, and the characters outside the margins."""
    words, outside = "", []
    document = pypdfium2.PdfDocument(data)
    for page in document:
        text = page.get_textpage()
        words += text.get_text_bounded(bottom=PAGE[1] - BOTTOM - 5, top=PAGE[1] - TOP + 5)
        for index in range(text.count_chars()):
            left, _, right, _ = text.get_charbox(index)
            if left < LEFT - 2 or right > RIGHT + 2:
                outside.append(text.get_text_range(index, 1))
    return squeezed(words), len(document), outside


def test_two_hundred_lines_with_markup_are_printed_whole_and_inside_the_page(fonts: Fonts) -> None:
    words, pages, outside = read(draw(papers(Cell("\n".join(LINES))), fonts))
    assert words == squeezed("".join(map(printable, LINES)))
    assert "〔U+20BB7〕" in words and pages > 5 and not outside


def test_a_tag_stays_when_the_cell_beside_it_goes_on_on_the_next_page(fonts: Fonts) -> None:
    label = Cell("金额", width=120, tag=Tag("示范参数"))
    words, pages, _ = read(draw(papers(label, Cell("字\n" * 90, x=200, width=200)), fonts))
    assert pages > 1 and words.count("示范参数") == 1 and words.count("金额") == 1
