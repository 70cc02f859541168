"""What is drawn: equal bytes, embedded fonts, every word readable, nothing clipped."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from catalogue.certificates.pdf import draw
from catalogue.certificates.wording import ATTACHMENT, TITLES
from catalogue.documents.fonts import Fonts, printable
from catalogue.documents.typesetting import LEADING, DoesNotFit, faces
from tests.certificates.specimen import words

# Not on this page as they stand: machine values, and what only other schemes print.
UNPRINTED = {"format", "scheme", "signed_at", "check_url", "batch", "batch_english"}


def text_of(data: bytes) -> str:
    """All text of the page without blanks, since a line break is no difference in words."""
    return re.sub(r"\s", "", PdfReader(BytesIO(data)).pages[0].extract_text())


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def embedded_fonts(data: bytes) -> dict[str, bool]:
    found = {}
    for number in range(1, PdfReader(BytesIO(data)).trailer["/Size"]):
        entry: Any = PdfReader(BytesIO(data)).get_object(number)
        if isinstance(entry, dict) and entry.get("/Type") == "/Font":
            descriptor = entry.get("/FontDescriptor")
            found[entry["/BaseFont"]] = bool(descriptor and "/FontFile2" in descriptor.get_object())
    return found


def test_same_words_give_the_same_bytes(fonts: Fonts) -> None:
    assert draw(words(), fonts) == draw(words(), fonts)
    assert draw(words(model="X"), fonts) != draw(words(), fonts)


def test_page_is_a4_landscape_and_small(fonts: Fonts) -> None:
    data = draw(words(), fonts)
    box = PdfReader(BytesIO(data)).pages[0].mediabox
    assert (round(box.width), round(box.height)) == (842, 595)
    assert len(data) < 100_000


def test_every_font_is_embedded(fonts: Fonts) -> None:
    found = embedded_fonts(draw(words(enterprise="喆祎（上海）科技有限公司"), fonts))
    assert len(found) >= 3
    assert all(found.values()), found


@pytest.mark.parametrize("scheme", sorted(TITLES))
def test_text_of_the_pdf_equals_the_words(fonts: Fonts, scheme: str) -> None:
    given_words = words(scheme=scheme)
    text = text_of(draw(given_words, fonts))
    for name, value in given_words.as_json().items():
        if isinstance(value, str) and name not in UNPRINTED:
            assert squeezed(value) in text, name
    assert TITLES[scheme][0] in text
    assert TITLES[scheme][1] in text
    assert "示范发证机关专用章" in text
    assert given_words.check_code in text
    assert "示范参数" in text


def test_fixed_serif_words_carry_their_text(fonts: Fonts) -> None:
    content = PdfReader(BytesIO(draw(words(), fonts))).pages[0].get_contents()
    assert content is not None
    for fixed in ("上海市创新产品推荐目录", "入选证书", "示范发证机关", "示范发证机关专用章"):
        assert f"/ActualText <FEFF{fixed.encode('utf-16-be').hex().upper()}>" in str(
            content.get_data().decode("latin-1")
        )


def test_a_certificate_in_production_is_no_specimen(fonts: Fonts) -> None:
    text = text_of(draw(words(specimen=False), fonts))
    assert "样张" not in text
    assert "SPECIMEN" not in text


def test_markup_is_printed_as_it_is(fonts: Fonts) -> None:
    name = '<b>&amp;</b><img src="/etc/passwd"><a href="javascript:1">x</a>'
    data = draw(words(product=name), fonts)
    assert squeezed(name) in text_of(data)
    assert b"/Subtype /Image" not in data


def test_a_character_without_a_glyph_is_named_not_blank(fonts: Fonts) -> None:
    assert printable("𠮷田😀\u202ex") == "〔U+20BB7〕田〔U+1F600〕〔U+202E〕x"
    assert "〔U+20BB7〕田" in text_of(draw(words(product="𠮷田"), fonts))


def test_every_reader_copies_a_letter_without_a_glyph_as_it_is_seen(fonts: Fonts) -> None:
    data = draw(words(product="𠮷กก田\u202e😀"), fonts)
    seen = "〔U+20BB7〕〔U+0E01〕〔U+0E01〕田〔U+202E〕〔U+1F600〕"
    assert seen in text_of(data)
    # Chrome's reader drops such letters, and repeated ones, when /ActualText stands for them.
    assert seen in pypdfium2.PdfDocument(data)[0].get_textpage().get_text_range()


def test_rare_han_beyond_the_common_cut_are_drawn(fonts: Fonts) -> None:
    text = text_of(draw(words(product="堃昇祎镕装备"), fonts))
    assert "堃昇祎镕装备" in text


def test_words_ride_along_as_json(fonts: Fonts) -> None:
    reader = PdfReader(BytesIO(draw(words(product="𠮷田"), fonts)))
    document = json.loads(reader.attachments[ATTACHMENT][0])
    assert document == words(product="𠮷田").as_json()


@pytest.mark.parametrize("length", [2, 40, 70, 120])
def test_long_names_stay_whole(fonts: Fonts, length: int) -> None:
    name = ("超大规模集成电路制造用高端装备" * 10)[:length]
    text = text_of(draw(words(product=name, enterprise=name[:100], model="Q" * 60), fonts))
    assert squeezed(name) in text
    assert "Q" * 60 in text


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("超高A b-1（），。《〉MW"), min_size=1, max_size=160))
def test_fitted_lines_lose_nothing_and_stay_in_their_box(fonts: Fonts, text: str) -> None:
    face = faces(fonts, text).bold
    width, height = 308.0, 44.0
    size, lines = face.fit(text, 15.5, width, height)
    assert squeezed("".join(lines)) == squeezed(text)
    assert all(face.width(line, size) <= width + 0.01 for line in lines)
    assert len(lines) == 1 or len(lines) * size * LEADING <= height


def test_what_cannot_fit_is_refused_not_clipped(fonts: Fonts) -> None:
    with pytest.raises(DoesNotFit):
        draw(words(product="长" * 10_000), fonts)


def test_it_is_tagged_in_reading_order_and_nothing_is_left_untagged(fonts: Fonts) -> None:
    reader = PdfReader(BytesIO(draw(words(), fonts)))
    catalog, page = reader.root_object, reader.pages[0]
    assert catalog["/Lang"] == "zh-CN" and catalog["/MarkInfo"]["/Marked"]
    assert "入选证书" in str((reader.metadata or {})["/Title"])
    whole: Any = catalog["/StructTreeRoot"]["/K"]
    pieces = [reference.get_object() for reference in whole["/K"]]
    assert [piece["/K"] for piece in pieces] == list(range(len(pieces)))
    assert [piece["/S"] for piece in pieces].count("/H1") == 2
    assert next(p["/Alt"] for p in pieces if p["/S"] == "/Figure").startswith("二维码")
    by_place: Any = catalog["/StructTreeRoot"]["/ParentTree"]["/Nums"]
    assert by_place[0] == page["/StructParents"] and len(by_place[1]) == len(pieces)
    # Outside every tag only the graphics state changes: no text, no path is painted.
    content = page.get_contents()
    assert content is not None
    depth = 0
    for line in content.get_data().decode("latin-1").splitlines():
        depth += len(re.findall(r"\bB(?:DC|MC)\b", line))
        assert depth or not re.search(r"(Tj|TJ|Do|\bf|\bS|\bB)$", line), line[:60]
        depth -= len(re.findall(r"\bEMC\b", line))
    assert depth == 0
