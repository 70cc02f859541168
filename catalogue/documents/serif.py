"""Titles in a serif face: outlines made once from Noto Serif CJK SC, for the words that titles use.

ReportLab embeds no CFF fonts, so the shapes are drawn as paths. The same words stand there
unpainted in the embedded font, and as /ActualText, for readers that are no people.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

from reportlab.pdfgen.canvas import Canvas

from catalogue.documents.typesetting import Face

EM = 1000
INVISIBLE = 3


@lru_cache(maxsize=1)
def _glyphs() -> dict[str, tuple[int, str]]:
    """Character → advance in thousandths of an em, and its path operators."""
    data = json.loads(files("catalogue.documents").joinpath("serif.json").read_text("utf-8"))
    return {character: (advance, path) for character, (advance, path) in data["glyphs"].items()}


def holds(text: str) -> bool:
    """Whether every character of ``text`` has an outline."""
    return all(character in _glyphs() for character in text)


def width(text: str, size: float) -> float:
    """The width of ``text`` in the unit of ``size``."""
    return sum(_glyphs()[character][0] for character in text) * size / EM


def show(
    canvas: Canvas,
    face: Face,
    at: tuple[float, float],
    text: str,
    size: float,
    middle_x: float | None = None,
) -> None:
    """Draw one line from ``at`` rightwards, or about ``middle_x``."""
    wide = width(text, size)
    x = at[0] if middle_x is None else middle_x - wide / 2
    spoken = text.encode("utf-16-be").hex().upper()
    canvas.addLiteral(f"/Span <</Lang (zh-CN) /ActualText <FEFF{spoken}>>> BDC")
    canvas.saveState()
    line = canvas.beginText(x, at[1])
    line.setTextRenderMode(INVISIBLE)
    line.setFont(face.common, size)
    line.setHorizScale(100 * wide / face.width(text, size))
    line.textOut(text)
    canvas.drawText(line)
    canvas.restoreState()
    scale = size / EM
    for character in text:
        advance, path = _glyphs()[character]
        if path:
            canvas.addLiteral(f"q {scale:.5f} 0 0 {scale:.5f} {x:.3f} {at[1]:.3f} cm {path} f Q")
        x += advance * scale
    canvas.addLiteral("EMC")
