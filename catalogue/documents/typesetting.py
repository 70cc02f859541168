"""Setting lines of Chinese and Latin text on a ReportLab canvas: faces, widths, breaks, fits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from math import ceil

from reportlab.pdfbase.pdfmetrics import getFont, registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from catalogue.documents.fonts import Fonts, beyond_common, rare

# GB/T 15834: these may not open a line, those may not close one; their inner half is blank.
CLOSING = "，。、；：？！）〕〉》」』】”’"
OPENING = "（〔〈《「『【“‘"
SQUEEZE = re.compile(f"(?<=[{CLOSING}])(?=[{CLOSING}{OPENING}])|(?<=[{OPENING}])(?=[{OPENING}])")
LEADING = 1.22
SMALLEST = 4.0


class DoesNotFit(ValueError):
    """The text is longer than its box takes at the smallest legible size."""


@dataclass(frozen=True)
class Face:
    """One weight: the common cut, and the extra cut for this document's rare characters."""

    common: str
    extra: str | None
    rare: frozenset[str]

    def pieces(self, text: str) -> list[tuple[str, str, float]]:
        """``text`` cut where font or position changes: (font, piece, shift after it in em)."""
        parts = SQUEEZE.split(text)
        out: list[tuple[str, str, float]] = []
        for index, part in enumerate(parts):
            out += [(font, run, 0.0) for font, run in self._runs(part)]
            if index < len(parts) - 1:
                out[-1] = (*out[-1][:2], -0.5)
        return out

    def _runs(self, text: str) -> list[tuple[str, str]]:
        if not self.extra or not self.rare.intersection(text):
            return [(self.common, text)]
        grouped = groupby(text, key=self.rare.__contains__)
        return [(self.extra if rare else self.common, "".join(run)) for rare, run in grouped]

    def width(self, text: str, size: float, spacing: float = 0.0) -> float:
        """Width in the unit of ``size``."""
        natural = sum(
            getFont(font).stringWidth(piece, size) + shift * size
            for font, piece, shift in self.pieces(text)
        )
        return natural + spacing * max(len(text) - 1, 0)

    def lines(self, text: str, size: float, width: float) -> list[str]:
        """``text`` broken into lines of at most ``width``; Latin words stay whole if they can."""
        if self.width(text, size) <= width:
            return [text]
        lines, used = [""], 0.0
        for unit, natural in self._measured(text):
            # Squeezed signs make a line shorter than its units together, never longer.
            if lines[-1] and used + natural * size > width:
                lines.append("")
                used = 0.0
            lines[-1] += unit
            used += natural * size
        return [part for line in lines for part in self._torn(line.strip(), size, width)]

    def _measured(self, text: str) -> list[tuple[str, float]]:
        return [(unit, self.width(unit, 1)) for unit in _units(text)]

    def fit(self, text: str, size: float, width: float, height: float) -> tuple[float, list[str]]:
        """The largest size, at most ``size``, at which ``text`` fits the box, and its lines.

        Raises DoesNotFit rather than clip.
        """
        natural = self.width(text, 1)
        while size >= SMALLEST:
            fewest = ceil(natural * size / width)
            if fewest <= 1:
                return size, [text]
            # No break of lines can beat the bare length, so hopeless sizes are not tried.
            if fewest * size * LEADING <= height:
                lines = self.lines(text, size, width)
                if len(lines) * size * LEADING <= height:
                    return size, self._even(lines, text, size, width)
            size -= 0.5
        raise DoesNotFit(text[:40])

    def _even(self, lines: list[str], text: str, size: float, width: float) -> list[str]:
        """The same number of lines, but of like length."""
        narrow, wide = width / 2, width
        while wide - narrow > size / 2:
            middle = (narrow + wide) / 2
            attempt = self.lines(text, size, middle)
            if len(attempt) > len(lines):
                narrow = middle
            else:
                lines, wide = attempt, middle
        return lines

    def _torn(self, line: str, size: float, width: float) -> list[str]:
        # A single word longer than the line: break it anywhere, so that nothing is lost.
        parts = [""]
        for character in line:
            if parts[-1] and self.width(parts[-1] + character, size) > width:
                parts.append("")
            parts[-1] += character
        return parts if self.width(line, size) > width else [line]


@dataclass(frozen=True)
class Faces:
    """The two weights of one document."""

    regular: Face
    bold: Face


def faces(fonts: Fonts, text: str) -> Faces:
    """Faces that hold every character of ``text``."""
    missing = beyond_common(text)
    extra = rare(fonts, missing) if missing else None
    return Faces(
        Face(_loaded(fonts.regular_path), _loaded(extra.regular_path) if extra else None, missing),
        Face(_loaded(fonts.bold_path), _loaded(extra.bold_path) if extra else None, missing),
    )


def show(
    canvas: Canvas,
    face: Face,
    at: tuple[float, float],
    text: str,
    size: float,
    *,
    spacing: float = 0.0,
) -> None:
    """Draw one line from ``at`` rightwards."""
    line = canvas.beginText(*at)
    for font, piece, shift in face.pieces(text):
        line.setFont(font, size)
        # A narrower advance of the last sign, not a new position: extractors keep the line whole.
        last = len(piece) - 1 if shift else len(piece)
        for start, end in pairwise(sorted({0, last, len(piece)})):
            line.setCharSpace(spacing + shift * size if start == last else spacing)
            line.textOut(piece[start:end])
    canvas.drawText(line)


@lru_cache(maxsize=64)
def _register(path: str, name: str) -> str:
    registerFont(TTFont(name, path))
    return name


def _loaded(path: object) -> str:
    text = str(path)
    return _register(text, text.rsplit("/", 1)[-1].removesuffix(".ttf"))


def _units(text: str) -> list[str]:
    """What a line break may not divide: Latin words, and signs with what they cling to."""
    units: list[str] = []
    for character in text:
        clings = bool(units) and (
            character in CLOSING
            or units[-1][-1] in OPENING
            or (_is_word(character) and _is_word(units[-1][-1]))
            or character == " "
        )
        if clings:
            units[-1] += character
        else:
            units.append(character)
    return units


def _is_word(character: str) -> bool:
    return character != " " and ord(character) < 0x2E80
