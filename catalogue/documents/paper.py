"""Documents that flow over A4 pages: rows of text with rules, tags and running lines, as PDF.

The same rows give the same bytes. Every font is embedded, every character shows or is named
(〔U+20BB7〕), and a row longer than a page goes on on the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain

from reportlab.lib.colors import HexColor
from reportlab.pdfgen.canvas import Canvas

from catalogue.documents import serif
from catalogue.documents.fonts import Fonts, printable
from catalogue.documents.structure import Reading, attach
from catalogue.documents.typesetting import Face, Faces, faces, show

PAGE = (595.28, 841.89)
LEFT, RIGHT = 56.0, 539.28
WIDTH = RIGHT - LEFT
TOP, BOTTOM = 64.0, 774.0
LEADING = 1.55

INK, INK_2, RULE = HexColor("#1B1C1E"), HexColor("#4A4C50"), HexColor("#DBDAD5")
SEAL = HexColor("#A81E1E")
WASH, PINE, OCHRE = HexColor("#F7F6F2"), HexColor("#1E6644"), HexColor("#85500A")
WHITE = HexColor("#FFFFFF")
TAG_SIZE = 8.0
SECTION_SIZE, TITLE_SIZE = 13.0, 20.0
# The share of the free width that stands at the left of a line.
SHARES = {"left": 0.0, "centre": 0.5, "right": 1.0}


@dataclass(frozen=True)
class Tag:
    """A few words in a box: ``solid``, ``dashed`` or ``plain``, as on the site."""

    text: str
    kind: str = "dashed"


@dataclass(frozen=True)
class Cell:
    """Text in a column of a row; ``x`` and ``width`` in points from the left margin.

    A line break in ``text`` begins a new line; ``tag`` follows the last one. ``align`` is left,
    right or centre. ``serif``: in outlines, where there are some for each of its characters.
    """

    text: str
    x: float = 0.0
    width: float = WIDTH
    size: float = 10.0
    bold: bool = False
    colour: HexColor = INK
    align: str = "left"
    tag: Tag | None = None
    serif: bool = False


@dataclass(frozen=True)
class Row:
    """Cells side by side, and what stands around them.

    ``space`` is blank above, ``rule`` the thickness of the line over it, ``edge`` the bar at its
    left (solid, dotted or none). ``keep``: on the same page as the next row. ``head``: the rows
    that are repeated when a page begins with this one.
    """

    cells: tuple[Cell, ...]
    space: float = 0.0
    rule: float = 0.0
    rule_colour: HexColor = INK
    edge: str = ""
    wash: bool = False
    pad: float = 4.0
    keep: bool = False
    head: tuple[Row, ...] = ()

    @property
    def texts(self) -> Iterator[str]:
        """What it says."""
        for cell in self.cells:
            yield cell.text
            if cell.tag:
                yield cell.tag.text


@dataclass(frozen=True)
class Papers:
    """Everything of one document: its rows, its title, and the lines that run on every page.

    ``digest`` is the hash that the foot shows: of the words, unless the document is about bytes
    of its own. ``attachments`` are names and JSON.
    """

    title: str
    rows: tuple[Row, ...]
    running: str
    foot: str
    author: str
    digest: str = ""
    attachments: tuple[tuple[str, bytes], ...] = ()

    @property
    def sha256(self) -> str:
        """The hash in the foot; of the words, in order, one text a line, if no other is given."""
        if self.digest:
            return self.digest
        words = "\n".join(chain.from_iterable(row.texts for row in self.rows))
        return hashlib.sha256(words.encode()).hexdigest()


@dataclass(frozen=True)
class _Placed:
    """A row, or a part of one, on a page: where its box begins, and the lines of each cell.

    ``ends``: whether the cell's last line is among them.
    """

    row: Row
    top: float
    height: float
    lines: tuple[tuple[str, ...], ...]
    ends: tuple[bool, ...]


def draw(papers: Papers, fonts: Fonts) -> bytes:
    """The PDF."""
    texts = chain.from_iterable(row.texts for row in papers.rows)
    chosen = faces(
        fonts, "".join(map(_printable, (*texts, papers.running, papers.foot))).replace("\n", "")
    )
    pages = _Layout(chosen).pages(papers.rows)
    output = BytesIO()
    canvas = Canvas(
        output,
        pagesize=PAGE,
        invariant=1,
        pageCompression=1,
        pdfVersion=(1, 7),
        lang="zh-CN",
        initialFontName=chosen.regular.common,
    )
    canvas.setTitle(papers.title)
    canvas.setAuthor(papers.author)
    canvas.setCreator("")
    if papers.attachments:
        attach(canvas, papers.attachments)
    digest = papers.sha256
    mark = f"内容摘要 SHA-256 {digest[:16]}…{digest[-8:]}"
    reading = Reading(canvas)
    for number, placed in enumerate(pages, start=1):
        with reading.artifact():
            _running(canvas, chosen, papers, mark, (number, len(pages)))
        for item in placed:
            _draw(reading, chosen, item)
        reading.show_page()
    reading.close()
    canvas.save()
    return output.getvalue()


def _printable(text: str) -> str:
    """As `printable`, but line breaks stay, and the full-width space that parts two facts."""
    lines = text.split("\n")
    return "\n".join("　".join(map(printable, line.split("　"))) for line in lines)


class _Layout:
    """Rows onto pages, from top to bottom."""

    def __init__(self, chosen: Faces) -> None:
        self.faces = chosen
        self.done: list[list[_Placed]] = [[]]
        self.y = TOP

    def pages(self, rows: Sequence[Row]) -> list[list[_Placed]]:
        """The rows of each page."""
        for index, row in enumerate(rows):
            lines = tuple(self._lines(cell) for cell in row.cells)
            wanted = self._height(row, lines)
            ahead = index
            while rows[ahead].keep and ahead + 1 < len(rows):
                ahead += 1
                wanted += self._least(rows[ahead])
            # A row that fits no page at all begins here if a few of its lines do.
            needed = min(wanted, self._least(row, 3)) if wanted >= BOTTOM - TOP else wanted
            if self.y > TOP and self.y + row.space + needed > BOTTOM:
                self._break(row)
            self._place(row, lines)
        return self.done

    def _lines(self, cell: Cell) -> tuple[str, ...]:
        face = _face(self.faces, cell)
        lines = [
            line
            for part in _printable(cell.text).split("\n")
            for line in face.lines(part, cell.size, cell.width)
        ]
        if cell.tag and lines and _tag_width(self.faces, cell.tag) > 0:
            used = face.width(lines[-1], cell.size)
            if used + 6 + _tag_width(self.faces, cell.tag) > cell.width:
                lines.append("")
        return tuple(lines)

    def _height(self, row: Row, lines: tuple[tuple[str, ...], ...]) -> float:
        return 2 * row.pad + max(
            len(part) * cell.size * LEADING for cell, part in zip(row.cells, lines, strict=True)
        )

    def _least(self, row: Row, lines: int = 1) -> float:
        """The height of its first ``lines`` lines."""
        return 2 * row.pad + lines * max(cell.size for cell in row.cells) * LEADING

    def _break(self, row: Row) -> None:
        self.done.append([])
        self.y = TOP
        for head in row.head:
            self._place(replace(head, space=0), tuple(self._lines(cell) for cell in head.cells))

    def _place(self, row: Row, lines: tuple[tuple[str, ...], ...]) -> None:
        if self.done[-1]:
            self.y += row.space
        while True:
            height = self._height(row, lines)
            room = BOTTOM - self.y
            if height <= room:
                self.done[-1].append(_Placed(row, self.y, height, lines, tuple(map(bool, lines))))
                self.y += height
                return
            kept = tuple(
                max(1, int((room - 2 * row.pad) / (cell.size * LEADING))) for cell in row.cells
            )
            now = tuple(part[:count] for part, count in zip(lines, kept, strict=True))
            lines = tuple(part[count:] for part, count in zip(lines, kept, strict=True))
            ends = tuple(bool(part) and not rest for part, rest in zip(now, lines, strict=True))
            self.done[-1].append(_Placed(row, self.y, self._height(row, now), now, ends))
            self._break(row)


def _face(chosen: Faces, cell: Cell) -> Face:
    return chosen.bold if cell.bold else chosen.regular


def _tag_width(chosen: Faces, tag: Tag) -> float:
    return chosen.regular.width(tag.text, TAG_SIZE) + (0 if tag.kind == "plain" else 8)


def _draw(reading: Reading, chosen: Faces, placed: _Placed) -> None:
    with reading.artifact():
        _draw_lines(reading.canvas, placed)
    for cell, lines, ends in zip(placed.row.cells, placed.lines, placed.ends, strict=True):
        if any(lines) or (cell.tag and ends):
            with reading.piece(_role(cell)):
                _draw_cell(reading.canvas, chosen, cell, lines, placed, tagged=ends)


def _role(cell: Cell) -> str:
    """Bold words of a title's or a section's size are headings."""
    if not cell.bold or cell.size < SECTION_SIZE:
        return "P"
    return "H1" if cell.size >= TITLE_SIZE else "H2"


def _draw_lines(canvas: Canvas, placed: _Placed) -> None:
    row, bottom = placed.row, PAGE[1] - placed.top - placed.height
    if row.wash:
        canvas.setFillColor(WASH)
        canvas.rect(LEFT, bottom, WIDTH, placed.height, stroke=0, fill=1)
    if row.rule:
        canvas.setStrokeColor(row.rule_colour)
        canvas.setLineWidth(row.rule)
        canvas.line(LEFT, PAGE[1] - placed.top, RIGHT, PAGE[1] - placed.top)
    if row.edge:
        _edge(canvas, row.edge, placed)


def _edge(canvas: Canvas, kind: str, placed: _Placed) -> None:
    canvas.saveState()
    canvas.setStrokeColor(INK if kind == "solid" else OCHRE)
    canvas.setLineWidth(3)
    if kind == "dotted":
        canvas.setDash(3, 3)
    x, top = LEFT + 1.5, PAGE[1] - placed.top
    canvas.line(x, top, x, top - placed.height)
    canvas.restoreState()


def _draw_cell(
    canvas: Canvas,
    chosen: Faces,
    cell: Cell,
    lines: tuple[str, ...],
    placed: _Placed,
    *,
    tagged: bool,
) -> None:
    face = _face(chosen, cell)
    step = cell.size * LEADING
    for index, line in enumerate(lines):
        # 0.37 em above the baseline lies the optical middle of a Han character.
        middle = placed.top + placed.row.pad + (index + 0.5) * step
        baseline = PAGE[1] - middle - 0.37 * cell.size
        width = face.width(line, cell.size)
        x = LEFT + cell.x + (cell.width - width) * SHARES[cell.align]
        if line and cell.serif and serif.holds(line):
            canvas.setFillColor(cell.colour)
            middle_x = LEFT + cell.x + cell.width / 2 if cell.align == "centre" else None
            serif.show(canvas, face, (x, baseline), line, cell.size, middle_x)
        elif line:
            canvas.setFillColor(cell.colour)
            show(canvas, face, (x, baseline), line, cell.size)
        if cell.tag and tagged and index == len(lines) - 1:
            at = x + width + 6 if line else LEFT + cell.x
            if cell.align == "right":
                at = LEFT + cell.x + cell.width - _tag_width(chosen, cell.tag)
            _draw_tag(canvas, chosen, cell.tag, (at, PAGE[1] - middle))


def _draw_tag(canvas: Canvas, chosen: Faces, tag: Tag, at: tuple[float, float]) -> None:
    """``at``: the left end and the middle of its height."""
    x, middle = at
    width = _tag_width(chosen, tag)
    canvas.saveState()
    colour = {"solid": WHITE, "plain": PINE}.get(tag.kind, OCHRE)
    if tag.kind != "plain":
        canvas.setStrokeColor(INK if tag.kind == "solid" else OCHRE)
        canvas.setFillColor(INK)
        canvas.setLineWidth(0.6)
        if tag.kind == "dashed":
            canvas.setDash(2, 1.5)
        canvas.rect(x, middle - 6.5, width, 13, stroke=1, fill=int(tag.kind == "solid"))
        x += 4
    canvas.setFillColor(colour)
    show(canvas, chosen.regular, (x, middle - 0.37 * TAG_SIZE), tag.text, TAG_SIZE)
    canvas.restoreState()


def _running(
    canvas: Canvas, chosen: Faces, papers: Papers, mark: str, place: tuple[int, int]
) -> None:
    """The lines at the head and the foot of a page."""

    def line(text: str, y: float, *, right: bool = False) -> None:
        words = _printable(text)
        x = RIGHT - chosen.regular.width(words, 8) if right else LEFT
        canvas.setFillColor(INK_2)
        show(canvas, chosen.regular, (x, PAGE[1] - y), words, 8)

    line(papers.running, 42)
    canvas.setStrokeColor(INK)
    canvas.setLineWidth(0.75)
    canvas.line(LEFT, PAGE[1] - 50, RIGHT, PAGE[1] - 50)
    canvas.line(LEFT, PAGE[1] - 786, RIGHT, PAGE[1] - 786)
    line(papers.foot, 800)
    line(mark, 812)
    line(f"第 {place[0]} 页，共 {place[1]} 页", 800, right=True)
