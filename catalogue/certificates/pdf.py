"""Drawing a certificate: A4 landscape, the same words always giving the same bytes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from io import BytesIO
from itertools import groupby
from typing import Any

import segno
from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.pdfgen.canvas import Canvas

from catalogue.certificates import ornaments
from catalogue.certificates.wording import ATTACHMENT, ISSUER, ISSUER_ENGLISH, SEAL, TITLES, Wording
from catalogue.documents.fonts import Fonts, printable
from catalogue.documents.structure import Reading, attach
from catalogue.documents.typesetting import Faces, faces, show

# One unit is a pixel of look/08: the page is 1280 wide, y counted downwards as in the picture.
PAGE = (841.8898, 595.2756)
WIDTH = 1280.0
SCALE = PAGE[0] / WIDTH
HEIGHT = PAGE[1] / SCALE
MM = WIDTH / 297
FRAME = 0.32 * MM

INK, INK_2, EDGE = HexColor("#1B1C1E"), HexColor("#4A4C50"), HexColor("#85847E")
SEAL_RED, RED_LINE, RED_TINT = HexColor("#A81E1E"), HexColor("#BD5555"), HexColor("#D27B7B")
BLUE_LINE, BLUE_TINT = HexColor("#96A8C3"), HexColor("#8CA0BF")
MIDDLE = HexColor("#E9E7E0")
# Streams are binary anyway once signed; as text they would be a quarter larger.
rl_config.useA85 = 0

Point = tuple[float, float]


@dataclass
class Sheet:
    """One page being drawn, in picture pixels with y downwards."""

    canvas: Canvas
    faces: Faces
    reading: Reading

    def text(
        self,
        at: Point,
        text: str,
        size: float,
        *,
        bold: bool = False,
        colour: HexColor = INK,
        align: str = "left",
        spacing: float = 0.0,
    ) -> None:
        """One line; ``at`` is its baseline's left end, middle or right end."""
        face = self.faces.bold if bold else self.faces.regular
        width = face.width(text, size, spacing)
        x = at[0] - {"left": 0.0, "centre": width / 2, "right": width}[align]
        with self.reading.piece("P"):
            self.canvas.setFillColor(colour)
            show(self.canvas, face, (x, HEIGHT - at[1]), text, size, spacing=spacing)

    def fitted(
        self,
        box: tuple[float, float, float, float],
        text: str,
        size: float,
        *,
        bold: bool = False,
        colour: HexColor = INK,
        align: str = "left",
    ) -> None:
        """Lines in a box (left, middle height, width, height), smaller if they must be."""
        left, middle, width, height = box
        face = self.faces.bold if bold else self.faces.regular
        size, lines = face.fit(text, size, width, height)
        step = size * 1.22
        # 0.37 em above the baseline lies the optical middle of a Han character.
        baseline = middle + 0.37 * size - step * (len(lines) - 1) / 2
        x = left + (width / 2 if align == "centre" else 0)
        with self.reading.piece("P"):
            for index, line in enumerate(lines):
                at = (x, baseline + index * step)
                self.text(at, line, size, bold=bold, colour=colour, align=align)

    def outlined(
        self,
        centre_x: float,
        baseline: float,
        words: str,
        size: float,
        *,
        spacing: float = 0.0,
        role: str = "P",
    ) -> None:
        """Fixed serif words as outlines, readable to machines and screen readers."""
        width = len(words) * size + (len(words) - 1) * spacing
        x = centre_x - width / 2
        places = [(x + i * (size + spacing), HEIGHT - baseline) for i in range(len(words))]
        with self.reading.piece(role):
            self.canvas.setFillColor(INK)
            self._spoken(words, places[0], size, spacing)
            self._outlines(words, places, size)
            self._end_spoken()

    def seal_words(self, columns: list[float], rows: list[float], size: float) -> None:
        """The nine characters of the seal, read from the right column downwards."""
        places = [(x, HEIGHT - y) for x in columns for y in rows]
        with self.reading.piece("P"):
            self.canvas.setFillColor(SEAL_RED)
            self._spoken(SEAL, places[0], size / 3, 0)
            self._outlines(SEAL, places, size)
            self._end_spoken()

    def _outlines(self, words: str, places: list[Point], size: float) -> None:
        shapes = ornaments.glyphs()
        em = size / 1000
        for character, (x, y) in zip(words, places, strict=True):
            self.raw(f"q {em:.5f} 0 0 {em:.5f} {x:.3f} {y:.3f} cm {shapes[character]} f Q")

    def _spoken(self, words: str, at: Point, size: float, spacing: float) -> None:
        spoken = words.encode("utf-16-be").hex().upper()
        self.raw(f"/Span <</Lang (zh-CN) /ActualText <FEFF{spoken}>>> BDC")
        # ActualText alone is dropped by extractors that only look at glyphs, so the words also
        # stand there in the embedded font, unpainted (render mode 3).
        self.canvas.saveState()
        line = self.canvas.beginText(*at)
        line.setTextRenderMode(3)
        line.setFont(self.faces.regular.common, size)
        line.setHorizScale(100 * (size + spacing) / size)
        line.textOut(words)
        self.canvas.drawText(line)
        self.canvas.restoreState()

    def _end_spoken(self) -> None:
        self.raw("EMC")

    def raw(self, operators: str) -> None:
        """PDF operators as they are."""
        self.canvas.addLiteral(operators)

    def line(self, x0: float, x1: float, y: float, width: float, colour: HexColor) -> None:
        """A horizontal rule."""
        with self.reading.artifact():
            self.canvas.setStrokeColor(colour)
            self.canvas.setLineWidth(width)
            self.canvas.line(x0, HEIGHT - y, x1, HEIGHT - y)

    def frame(
        self, box: tuple[float, float, float, float], width: float, colour: HexColor, radius: float
    ) -> None:
        """A rectangle (left, top, right, bottom) with rounded corners."""
        left, top, right, bottom = box
        with self.reading.artifact():
            self.canvas.setStrokeColor(colour)
            self.canvas.setLineWidth(width)
            self.canvas.roundRect(left, HEIGHT - bottom, right - left, bottom - top, radius)


def draw(wording: Wording, fonts: Fonts) -> bytes:
    """The unsigned PDF of ``wording``; raises typesetting.DoesNotFit rather than clip.

    The words embedded as ``certificate.json`` are the ones given; on the page a character
    without a glyph is named instead (〔U+20BB7〕).
    """
    shown = _printable(wording)
    used = "".join(str(getattr(shown, field.name)) for field in fields(shown))
    chosen = faces(fonts, used)
    output = BytesIO()
    canvas = Canvas(
        output,
        pagesize=PAGE,
        invariant=1,
        pageCompression=1,
        pdfVersion=(1, 7),
        lang="zh-CN",
        # Named here so that no page mentions Helvetica, which nobody embeds.
        initialFontName=chosen.regular.common,
    )
    canvas.setTitle(f"{TITLES[shown.scheme][0]}{TITLES[shown.scheme][1]} {shown.number}")
    canvas.setAuthor(ISSUER)
    canvas.setSubject(shown.product)
    canvas.setCreator("")
    attach(canvas, [(ATTACHMENT, wording.canonical())])
    _forms(canvas)
    sheet = Sheet(canvas, chosen, Reading(canvas))
    canvas.scale(SCALE, SCALE)
    with sheet.reading.artifact():
        _border(sheet)
    _head(sheet, shown)
    _product(sheet, shown)
    _particulars(sheet, shown)
    _check(sheet, shown)
    _signature(sheet, shown, wording.sha256)
    _issuer(sheet, shown)
    _foot(sheet)
    sheet.reading.show_page()
    sheet.reading.close()
    canvas.save()
    return output.getvalue()


def _printable(wording: Wording) -> Wording:
    changed: dict[str, Any] = {
        field.name: printable(value)
        for field in fields(wording)
        if isinstance(value := getattr(wording, field.name), str) and field.name != "check_url"
    }
    return replace(wording, **changed)


def _forms(canvas: Canvas) -> None:
    """The repeated shapes, each stored once and placed many times."""
    shapes = {
        "swell": (ornaments.swell(1144 / 14, 2.5 * MM), (-1.0, -12.0, 83.0, 12.0)),
        "corner": (ornaments.lobe(11, 4, 60, 7), (-16.0, -16.0, 16.0, 16.0)),
        "centre": (ornaments.lobe(158, 55, 144, 13), (-215.0, -215.0, 215.0, 215.0)),
    }
    for name, (operators, box) in shapes.items():
        canvas.beginForm(name, *box)
        canvas.addLiteral(operators)
        canvas.endForm()


def _border(sheet: Sheet) -> None:
    canvas = sheet.canvas
    names = ("swell", "corner", "centre")
    document = canvas._doc  # noqa: SLF001 (a form is placed 144 times; doForm would be slow)
    draw = {name: f"/{document.getXObjectName(name)} Do" for name in names}
    for name in draw:
        # doForm notes the use of the form on this page; drawn far outside it shows nothing.
        canvas.saveState()
        canvas.translate(-9000, -9000)
        canvas.doForm(name)
        canvas.restoreState()
    canvas.setLineWidth(0.45)
    _rosette(sheet, (640, 452), MIDDLE, 0.4, ornaments.turned(144, 13, draw["centre"]))
    corner = ornaments.turned(60, 7, draw["corner"])
    for at in ((44, 44), (1236, 44), (44, 861), (1236, 861)):
        _rosette(sheet, at, RED_TINT, 0.35, corner)
    canvas.setStrokeColor(BLUE_TINT)
    canvas.setLineWidth(0.36)
    for y in (44, 861):
        _strip(sheet, (68, y), 14, 1.0, draw["swell"], upright=False)
    stretch = (837 - 68) / 9 / (1144 / 14)
    for x in (44, 1236):
        _strip(sheet, (x, 837), 9, stretch, draw["swell"], upright=True)
    sheet.frame((27, 27, 1253, 878), FRAME, BLUE_LINE, 1.5)
    sheet.frame((61, 61, 1219, 844), FRAME, BLUE_LINE, 1.5)
    sheet.frame((67, 67, 1213, 838), 0.35 * MM, RED_LINE, 0)


def _rosette(sheet: Sheet, at: Point, colour: HexColor, width: float, operators: str) -> None:
    canvas = sheet.canvas
    canvas.saveState()
    canvas.translate(at[0], HEIGHT - at[1])
    canvas.setStrokeColor(colour)
    canvas.setLineWidth(width)
    sheet.raw(operators)
    canvas.restoreState()


def _strip(
    sheet: Sheet, at: Point, swells: int, stretch: float, draw: str, *, upright: bool
) -> None:
    canvas = sheet.canvas
    length = 1144 / 14
    canvas.saveState()
    canvas.translate(at[0], HEIGHT - at[1])
    if upright:
        canvas.rotate(90)
    canvas.scale(stretch, 1)
    sheet.raw(" ".join(f"q 1 0 0 1 {i * length:.3f} 0 cm {draw} Q" for i in range(swells)))
    canvas.restoreState()


def _head(sheet: Sheet, words: Wording) -> None:
    sheet.text((104, 104), f"编号　{words.formal_number}", 14.4, bold=True)
    sheet.text((104, 124), f"No. {words.number}", 13, colour=INK_2)
    if words.specimen:
        note = "示范环境，不作任何证明"
        left = 1176 - sheet.faces.regular.width(note, 13) - 13
        sheet.text((left, 104.5), "样张", 14.4, bold=True, align="right")
        sheet.text((1176, 104.5), note, 13, colour=INK_2, align="right")
        sheet.text((1176, 124), "SPECIMEN ・ not valid", 13, colour=INK_2, align="right")
    title, kind, english, _ = TITLES[words.scheme]
    sheet.outlined(641, 133.5, title, 24, spacing=2.88, role="H1")
    sheet.outlined(641, 196, kind, 48, spacing=13.4, role="H1")
    sheet.text((640, 235), english, 12.8, colour=INK_2, align="centre", spacing=1.5)
    sheet.line(384, 896, 259, 2, SEAL_RED)
    sheet.line(384, 896, 261.6, 0.9, SEAL_RED)
    sheet.fitted((176, 301, 928, 30), words.statement, 16, align="centre")
    sheet.fitted((176, 325.5, 928, 20), words.statement_english, 12.5, colour=INK_2, align="centre")


def _product(sheet: Sheet, words: Wording) -> None:
    _, lines = sheet.faces.bold.fit(words.product, 34, 928, 66)
    lift = 0 if len(lines) == 1 else 6
    sheet.fitted((176, 388.5 - lift, 928, 66), words.product, 34, bold=True, align="centre")
    if words.product_english:
        place = (176, 424 + lift * 1.5, 928, 20)
        sheet.fitted(place, words.product_english, 14, colour=INK_2, align="centre")


def _particulars(sheet: Sheet, words: Wording) -> None:
    chinese, english = words.validity
    term = f"{chinese} ・ {english}" + ("（示范参数）" if words.validity_placeholder else "")
    left: list[tuple[str, str, str, str | None]] = [
        ("申报单位", "Enterprise", words.enterprise, words.enterprise_english),
        ("统一社会信用代码", "Credit code", words.credit_code, None),
        ("型号", "Model", words.model, None),
    ]
    right: list[tuple[str, str, str, str | None]] = [
        ("有效期", "Valid", f"{words.valid_from} 至 {words.valid_until}", term),
        ("档次", "Tier", words.tier, words.tier_english),
    ]
    if words.first_purchase_until:
        until = ("可直接首购至", "First purchase until", words.first_purchase_until)
        right.insert(1, (*until, "随目录有效期 ・ while listed"))
    else:
        right.append(("认定批次", "Batch", words.batch, words.batch_english))
    for x, rows in ((176.0, left), (672.0, right)):
        for index, row in enumerate(rows):
            _particular(sheet, x, 462.5 + 55.3 * index, row)
        for index in range(4):
            sheet.line(x, x + 432, 462.5 + 55.3 * index, 0.8, EDGE)


def _particular(sheet: Sheet, x: float, top: float, row: tuple[str, str, str, str | None]) -> None:
    label, english, value, note = row
    with sheet.reading.piece("P"):
        sheet.text((x, top + 26), label, 13.1, colour=INK_2)
        sheet.text((x, top + 40.5), english, 10.7, colour=INK_2)
    crowded = sheet.faces.bold.width(value, 11) > 308
    if note:
        places = ((17, 29), (42.5, 20)) if crowded else ((19.7, 24), (39.4, 18))
        (middle, height), (below, room) = places
        sheet.fitted((x + 124, top + middle, 308, height), value, 15.5, bold=True)
        sheet.fitted((x + 124, top + below, 308, room), note, 12.3, colour=INK_2)
    else:
        size, lines = sheet.faces.bold.fit(value, 15.5, 308, 44)
        middle = top + 19.7 if len(lines) == 1 else top + 27.6
        sheet.fitted((x + 124, middle, 308, 44), value, size, bold=True)


def _check(sheet: Sheet, words: Wording) -> None:
    _qr(sheet, (176, 682), 104, words.check_url)
    sheet.text((298, 697), "扫码或输编号，查今天或某一天是否有效。", 12.3, bold=True)
    sheet.text((298, 717.3), "Scan to check the status on any date.", 12.5, colour=INK_2)
    sheet.text((298, 737), f"核验码　{words.check_code}", 12.3, colour=INK_2)
    sheet.text((298, 756), "以核验结果为准；纸面不随状态更新。", 12.3, colour=INK_2)


def _qr(sheet: Sheet, at: Point, side: float, address: str) -> None:
    matrix = segno.make_qr(address, error="m").matrix
    unit = side / len(matrix)
    # A hair of overlap, or a viewer's smoothing draws white seams between the modules.
    hair = unit * 0.02
    boxes = []
    for row, modules in enumerate(matrix):
        column = 0
        for dark, run in groupby(modules):
            length = len(list(run))
            if dark:
                x, y = at[0] + column * unit, HEIGHT - at[1] - (row + 1) * unit
                boxes.append(f"{x:.2f} {y - hair:.2f} {length * unit:.2f} {unit + 2 * hair:.2f} re")
            column += length
    with sheet.reading.piece("Figure", "二维码，通向这张证书的核验页"):
        sheet.canvas.setFillColor(INK)
        sheet.raw(" ".join(boxes) + " f")
    left, bottom = at[0] * SCALE, (HEIGHT - at[1] - side) * SCALE
    place = (left, bottom, left + side * SCALE, bottom + side * SCALE)
    sheet.canvas.linkURL(address, place, relative=0)


def _signature(sheet: Sheet, words: Wording, sha256: str) -> None:
    moment = datetime.fromisoformat(words.signed_at)
    rows = [
        ("签发时间", f"{moment:%Y-%m-%d %H:%M:%S}"),
        ("证书序列", words.signer),
        ("文字摘要", f"{sha256[:8]}⋯{sha256[-4:]}"),
    ]
    sheet.text((620, 703), "电子签名", 12.5, bold=True)
    for index, (label, value) in enumerate(rows):
        y = 724 + 19.5 * index
        sheet.text((620, y), label, 12.2, colour=INK_2)
        sheet.text((680, y), value, 12.2, colour=INK_2)
    sheet.text((620, 782.5), "改动一字，阅读器即提示", 12.2, colour=INK_2)


def _issuer(sheet: Sheet, words: Wording) -> None:
    day = date.fromisoformat(words.valid_from)
    sheet.outlined(917.5, 719.5, ISSUER, 19, spacing=1.14)
    issued = f"{day.year} 年 {day.month} 月 {day.day} 日"
    sheet.text((978, 745.5), issued, 14.3, align="right")
    sheet.text((978, 766), ISSUER_ENGLISH, 11.2, colour=INK_2, align="right")
    sheet.frame((999, 679, 1101, 781), 4, SEAL_RED, 3)
    sheet.frame((1004.7, 684.7, 1095.3, 775.3), 0.7, RED_TINT, 0)
    sheet.seal_words([1064.8, 1037, 1009.2], [712, 740.3, 768.3], 26.2)


def _foot(sheet: Sheet) -> None:
    sheet.text(
        (640, 819),
        "本证书由推荐目录平台签发，内含可机读数据；撤销、更换、到期以核验页为准。"
        "　This certificate carries machine-readable data.",
        11.2,
        colour=INK_2,
        align="centre",
        spacing=0.22,
    )
