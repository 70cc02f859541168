"""A page of an uploaded file as a picture, with what was typed marked where the page says it.

Runs as a program of its own (``python -I drawing.py``), because the file came from outside: the
parent bounds its time, and it bounds its own memory. One order as JSON comes in on standard
input, one answer goes out: a JSON object, or a PNG. Nothing of the portal is imported.
"""

from __future__ import annotations

import json
import re
import sys
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

MAX_MEMORY = 1 << 30
MAX_SECONDS = 8
WIDTH = 1000
MAX_HEIGHT = 3000
MAX_READ_PAGES = 60
MAX_CHARACTERS = 40_000
HIGHLIGHT = (0xF7, 0xE8, 0xBF)
OCHRE = (0x85, 0x50, 0x0A)
OCHRE_TINT = (0xFB, 0xF5, 0xE8)
BESIDE_CHARACTERS = 60
MAX_LABELS = 8

Box = tuple[float, float, float, float]


# ---- words: pure


def variants(value: str) -> list[str]:
    """The ways in which a document may write the same amount, day or words."""
    text = value.strip()
    if re.fullmatch(r"[0-9,]+\.[0-9]{2}", text):
        return _amounts(Decimal(text.replace(",", "")))
    if match := re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", text):
        return _days(*match.groups())
    return [text] if text else []


def _amounts(yuan: Decimal) -> list[str]:
    written = [f"{yuan:,.2f}", f"{yuan:.2f}"]
    if yuan == yuan.to_integral_value():
        written += [f"{yuan:,.0f}", f"{yuan:.0f}"]
    elif yuan * 10 == (yuan * 10).to_integral_value():
        written += [f"{yuan:,.1f}", f"{yuan:.1f}"]
    tens = (yuan / 10_000).normalize()
    exact = int(tens.as_tuple().exponent)
    if yuan and exact >= -4:
        plain = f"{tens:f}"
        written += [f"{plain}万", f"{tens:,.4f}万", *([f"{tens:,.2f}万"] if exact >= -2 else [])]
        written += [f"{tens:,f}万"] if "," in f"{tens:,f}" else []
    return list(dict.fromkeys(written))


def _days(year: str, month: str, day: str) -> list[str]:
    written = []
    for m, d in ((month, day), (str(int(month)), str(int(day)))):
        written += [f"{year}年{m}月{d}日", *(f"{year}{s}{m}{s}{d}" for s in "-/.")]
    return list(dict.fromkeys([*written, f"{year}{month}{day}"]))


def folded(text: str) -> tuple[str, list[int]]:
    """``text`` without spaces, widths and case, and where each of its characters stood."""
    out: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for plain in unicodedata.normalize("NFKC", character).casefold():
            if plain.isspace() or unicodedata.category(plain) in ("Cc", "Cf", "Cn"):
                continue
            out.append("-" if plain in "‐‑‒–—−" else plain)
            places.append(place)
    return "".join(out), places


def spans(text: str, value: str) -> Iterator[tuple[int, int]]:
    """Where ``text`` says ``value`` in any way of writing it: first and last position.

    A number or a Latin word counts only when it stands alone: 412000 is not in 1412000.
    """
    page, places = folded(text)
    taken: set[int] = set()
    for variant in variants(value):
        wanted, _ = folded(variant)
        at = page.find(wanted) if wanted else -1
        while at >= 0:
            first, last = places[at], places[at + len(wanted) - 1]
            if taken.isdisjoint(range(first, last + 1)) and _alone(text, first, last):
                taken.update(range(first, last + 1))
                yield first, last
            at = page.find(wanted, at + 1)


def _alone(text: str, first: int, last: int) -> bool:
    before, after = text[max(0, first - 2) : first], text[last + 1 : last + 3]
    if _latin(text[first]) and before:
        if _latin(before[-1]):
            return False
        if before[-1] in ",.，．" and before[0].isdigit() and text[first].isdigit():
            return False
    if _latin(text[last]) and after:
        if _latin(after[0]):
            return False
        if after[0] in ",.，．" and after[-1].isdigit() and len(after) == 2:
            return not text[last].isdigit()
    return True


def _latin(character: str) -> bool:
    plain = unicodedata.normalize("NFKC", character)
    return plain.isascii() and plain.isalnum()


# ---- one page's characters with their boxes


@dataclass
class Words:
    """The characters of one page and where each stands, in points from the upper left corner."""

    text: str
    boxes: list[Box]

    def lines(self, first: int, last: int) -> list[Box]:
        """The boxes of a span, one per line."""
        merged: list[Box] = []
        for box in self.boxes[first : last + 1]:
            left, top, right, bottom = box
            if right <= left or bottom <= top:
                continue
            if merged and _same_line(merged[-1], box):
                a = merged[-1]
                merged[-1] = (min(a[0], left), min(a[1], top), max(a[2], right), max(a[3], bottom))
            else:
                merged.append(box)
        return merged

    def beside(self, label: Box) -> tuple[str, Box | None]:
        """What stands at the right of a label on its line, up to the first wide gap."""
        height = label[3] - label[1]
        right_of = sorted(
            (box[0], place)
            for place, box in enumerate(self.boxes)
            if box[2] > box[0] and box[0] >= label[2] - 1 and _same_line(label, box)
        )
        found, frame, edge = "", None, 0.0
        for left, place in right_of[: 2 * BESIDE_CHARACTERS]:
            if found and left > edge + 2.5 * height:
                break
            box, edge = self.boxes[place], self.boxes[place][2]
            character = self.text[place]
            if character in "：:" and not found:
                continue
            found += character
            frame = box if frame is None else (frame[0], min(frame[1], box[1]), edge, frame[3])
            if len(found) >= BESIDE_CHARACTERS:
                break
        return " ".join(found.split()), frame


def _same_line(one: Box, other: Box) -> bool:
    overlap = min(one[3], other[3]) - max(one[1], other[1])
    return overlap > 0.5 * min(one[3] - one[1], other[3] - other[1])


def words_of(page: Any) -> Words:
    """The text layer of a page; empty for a scan."""
    from pypdfium2 import raw

    height = page.get_height()
    layer = page.get_textpage()
    text, boxes = [], []
    for place in range(min(layer.count_chars(), MAX_CHARACTERS)):
        left, bottom, right, top = layer.get_charbox(place, loose=True)
        code = raw.FPDFText_GetUnicode(layer.raw, place)
        text.append(chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else " ")
        boxes.append((left, height - top, right, height - bottom))
    layer.close()
    return Words("".join(text), boxes)


# ---- the two answers


def read(order: dict[str, Any]) -> dict[str, Any]:
    """Pages in all and read, whether there is text, and per mark: its pages, or what is there."""
    if order["media_type"] != "application/pdf":
        return {"pages": 1, "read": 0, "text": False, "marks": []}
    import pypdfium2

    until = time.monotonic() + MAX_SECONDS / 2
    marks: list[dict[str, Any]] = [{"pages": [], "beside": None} for _ in order["marks"]]
    document = pypdfium2.PdfDocument(order["path"])
    total, done, has_text = len(document), 0, False
    while done < min(total, MAX_READ_PAGES) and time.monotonic() < until:
        page = document[done]
        words = words_of(page)
        page.close()
        done += 1
        has_text = has_text or bool(words.text.strip())
        for mark, laid in zip(marks, lay(words, order["marks"]), strict=True):
            if laid.said:
                mark["pages"].append(done)
            elif mark["beside"] is None and laid.label is not None:
                mark["beside"] = {"page": done, "text": laid.beside}
    return {"pages": total, "read": done, "text": has_text, "marks": marks}


@dataclass
class Laid:
    """One mark on one page: where it is said, else the label whose place lacks it."""

    boxes: list[Box]
    said: bool
    label: Box | None = None
    beside: str = ""
    frame: Box | None = None


def lay(words: Words, marks: list[dict[str, str]]) -> list[Laid]:
    """Every mark on the page; a label beside which another mark stands is not asked twice."""
    found = []
    for mark in marks:
        hits = list(spans(words.text, mark["value"]))
        found.append(Laid([box for hit in hits for box in words.lines(*hit)], bool(hits)))
    said = [box for laid in found for box in laid.boxes]
    taken: set[Box] = set()
    for laid, mark in zip(found, marks, strict=True):
        if laid.said:
            continue
        for label in _labels(words, mark["label"]):
            beside, frame = words.beside(label)
            if label in taken or (frame is not None and any(_meet(frame, box) for box in said)):
                continue
            taken.add(label)
            laid.label, laid.beside, laid.frame = label, beside, frame
            break
    return found


def _labels(words: Words, label: str) -> Iterator[Box]:
    for first, last in islice(spans(words.text, label), MAX_LABELS):
        if lines := words.lines(first, last):
            yield lines[-1]


def _meet(one: Box, other: Box) -> bool:
    return _same_line(one, other) and one[0] < other[2] and other[0] < one[2]


def draw(order: dict[str, Any]) -> bytes:
    """The page as PNG, at most WIDTH wide, with the marks on it."""
    from io import BytesIO

    picture = (
        _pdf_page(order) if order["media_type"] == "application/pdf" else _picture(order["path"])
    )
    target = BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()


def _picture(path: str) -> Any:
    from PIL import Image

    with Image.open(path, formats=["PNG", "JPEG"]) as opened:
        opened.draft("RGB", (WIDTH, MAX_HEIGHT))
        opened.thumbnail((WIDTH, MAX_HEIGHT))
        image: Any = opened
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            paper = Image.new("RGBA", image.size, "white")
            return Image.alpha_composite(paper, image).convert("RGB")
        return image.convert("RGB")


def _pdf_page(order: dict[str, Any]) -> Any:
    import pypdfium2

    document = pypdfium2.PdfDocument(order["path"])
    page = document[order["page"] - 1]
    width, height = page.get_size()
    scale = min(WIDTH / max(width, 1), MAX_HEIGHT / max(height, 1), 4)
    picture = page.render(scale=scale, may_draw_forms=False).to_pil().convert("RGB")
    words = words_of(page)
    marks = lay(words, order["marks"])
    for box in {box for laid in marks for box in laid.boxes}:
        _highlight(picture, box, scale)
    for laid in marks:
        if laid.label is not None:
            _missing(picture, laid, scale, order.get("font"))
    return picture


def _highlight(picture: Any, box: Box, scale: float) -> None:
    from PIL import Image, ImageChops

    area = _pixels(picture, (box[0] - 1.5, box[1] - 1, box[2] + 1.5, box[3] + 1), scale)
    if area is not None:
        part = picture.crop(area)
        picture.paste(ImageChops.multiply(part, Image.new("RGB", part.size, HIGHLIGHT)), area)


def _missing(picture: Any, laid: Laid, scale: float, font: str | None) -> None:
    """A dashed ochre frame where the value should stand: 空白 when nothing does, else 未找到."""
    from PIL import Image, ImageChops, ImageDraw, ImageFont

    label, frame = laid.label, laid.frame
    assert label is not None
    height = label[3] - label[1]
    page_width = picture.width / scale
    left = label[2] + height if frame is None else frame[0] - 2
    right = min(page_width - height, left + page_width / 3) if frame is None else frame[2] + 2
    wanted = (left, label[1] - height / 3, right, label[3] + height / 3)
    area = _pixels(picture, wanted, scale)
    if area is None:
        return
    part = picture.crop(area)
    picture.paste(ImageChops.multiply(part, Image.new("RGB", part.size, OCHRE_TINT)), area)
    pen = ImageDraw.Draw(picture)
    _dashes(pen, area)
    if font is None:
        return
    size = max(11, min(18, round(height * scale)))
    letters = ImageFont.truetype(font, size)
    says = "未找到" if laid.beside else "空白"
    wide = pen.textlength(says, font=letters)
    # Inside an empty frame; at the right of one that holds something else.
    from_left = area[2] + 3 if laid.beside else area[2] - wide - 8
    corner = (min(from_left, picture.width - wide - 8), area[1])
    pen.rectangle((*corner, corner[0] + wide + 8, corner[1] + size + 6), fill=OCHRE)
    pen.text((corner[0] + 4, corner[1] + 1), says, font=letters, fill="white")


def _dashes(pen: Any, area: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = area
    for x in range(left, right, 10):
        for y in (top, bottom - 2):
            pen.rectangle((x, y, min(x + 6, right), y + 1), fill=OCHRE)
    for y in range(top, bottom, 10):
        for x in (left, right - 2):
            pen.rectangle((x, y, x + 1, min(y + 6, bottom)), fill=OCHRE)


def _pixels(picture: Any, box: Box, scale: float) -> tuple[int, int, int, int] | None:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    area = (max(0, left), max(0, top), min(picture.width, right), min(picture.height, bottom))
    return area if area[2] - area[0] > 1 and area[3] - area[1] > 1 else None


def main() -> int:
    """One order in, one answer out; any trouble is exit 1 and no answer."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    order = json.load(sys.stdin)
    answer = draw(order) if order["task"] == "draw" else json.dumps(read(order)).encode()
    sys.stdout.buffer.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
