"""The subsidy list as a file: XLSX and CSV, equal bytes for equal data, text that stays text."""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import IO, Any

import xlsxwriter

from catalogue.documents.cells import DANGEROUS, looks_like_formula, text_cell
from catalogue.money import money_words

HEAD = (
    ("序号", 6),
    ("申报编号", 15),
    ("单位", 34),
    ("统一社会信用代码", 22),
    ("所在区", 10),
    ("产品", 26),
    ("事项", 14),
    ("合同", 26),
    ("核定金额（元）", 18),
    ("大写", 40),
    ("开户行", 24),
    ("户名", 34),
    ("账号", 24),
    ("政策版本", 12),
    ("依据条款", 20),
    ("状态", 16),
)
AMOUNT = 8
WORDS = 9
STATE = 15
TITLE = "资金清单"
HELD_TITLE = "暂不列支"
ABOUT_TITLE = "说明"
MEDIA_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
}
# A sheet of the format ends at 1,048,576 rows; head and total take two.
MAX_LINES = 1_000_000
# Shanghai has had no summer time since 1991, so the fixed offset is the zone.
_BEIJING_HOURS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One award as a file shows it; ``held`` holds the reason when it does not count."""

    number: str
    firm: str
    credit_code: str
    district: str
    product: str
    scheme: str
    contracts: str
    amount_fen: int
    bank: str
    holder: str
    account: str
    policy_version: str
    articles: str
    state: str
    held: str = ""
    award_id: int = 0


@dataclass(frozen=True)
class About:
    """What the file says of itself; nothing in it depends on when it is made."""

    title: str
    conditions: tuple[str, ...]
    data_changed_at: datetime
    full_accounts: bool
    placeholder: bool = False


@dataclass(frozen=True)
class Made:
    """A file with its figures: lines and fen that count, lines held back, and hashes."""

    data: bytes
    sha256: str
    lines: int
    total_fen: int
    held: int


class Untrue(RuntimeError):
    """A file that was just made does not read back as the data it was made from."""


def _cells(position: int, line: Line) -> tuple[Any, ...]:
    return (
        position,
        line.number,
        line.firm,
        line.credit_code,
        line.district,
        line.product,
        line.scheme,
        line.contracts,
        line.amount_fen,
        money_words(line.amount_fen),
        line.bank,
        line.holder,
        line.account,
        line.policy_version,
        line.articles,
        f"{HELD_TITLE}：{line.held}" if line.held else line.state,
    )


def yuan(fen: int) -> Decimal:
    """Fen as yuan, exact, with two decimals."""
    return Decimal(fen).scaleb(-2)


@dataclass
class _Count:
    """Figures and fingerprint gathered while lines pass by."""

    lines: int = 0
    total_fen: int = 0

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256()

    def take(self, cells: tuple[Any, ...]) -> None:
        self.lines += 1
        self.total_fen += cells[AMOUNT]
        self.digest.update(repr(cells).encode("utf-8", "surrogatepass"))


def xlsx(lines: Iterable[Line], about: About) -> Made:
    """The list as a workbook: the lines that count, those held back, and what was asked.

    Raises Untrue when the finished file does not read back as written, ValueError past
    ``MAX_LINES``.
    """
    buffer = BytesIO()
    book = xlsxwriter.Workbook(buffer, {"constant_memory": True, "strings_to_formulas": False})
    local = about.data_changed_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    book.set_properties({"title": about.title, "created": local, "comments": ""})
    styles = _styles(book)
    count, held = _Count(), []
    page = _page(book, TITLE, styles)
    for line in lines:
        if line.held:
            held.append(line)
            continue
        cells = _cells(count.lines + 1, line)
        count.take(cells)
        if count.lines > MAX_LINES:
            raise ValueError("too many lines for one sheet")
        _write(page, count.lines, cells, styles)
    _total(page, count, styles)
    if held:
        back = _page(book, HELD_TITLE, styles)
        for position, line in enumerate(held, start=1):
            _write(back, position, _cells(position, line), styles)
    _about(book, about, count, len(held), styles)
    book.close()
    return _checked(buffer.getvalue(), count, len(held), _reread_xlsx)


def _styles(book: Any) -> dict[str, Any]:
    return {
        "head": book.add_format({"bold": True, "bottom": 2, "bg_color": "#F7F6F2"}),
        "money": book.add_format({"num_format": "#,##0.00"}),
        "total": book.add_format({"num_format": "#,##0.00", "bold": True, "top": 1}),
        "bold": book.add_format({"bold": True, "top": 1}),
        # The format's own mark for "this is text", kept when a person edits the cell.
        "text": book.add_format({"quote_prefix": True, "num_format": "@"}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
    }


def _page(book: Any, title: str, styles: dict[str, Any]) -> Any:
    page = book.add_worksheet(title)
    for column, (_, width) in enumerate(HEAD):
        page.set_column(column, column, width)
    page.freeze_panes(1, 2)
    page.repeat_rows(0)
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    page.set_footer("&L&F&R第 &P 页，共 &N 页")
    for column, (name, _) in enumerate(HEAD):
        page.write_string(0, column, name, styles["head"])
    return page


def _write(page: Any, row: int, cells: tuple[Any, ...], styles: dict[str, Any]) -> None:
    write_string, text = page.write_string, styles["text"]
    page.write_number(row, 0, cells[0])
    for column in range(1, len(cells)):
        value = cells[column]
        if column == AMOUNT:
            page.write_number(row, column, yuan(value), styles["money"])
        elif value:
            write_string(row, column, value, text if looks_like_formula(value) else None)


def _total(page: Any, count: _Count, styles: dict[str, Any]) -> None:
    row = count.lines + 1
    page.write_string(row, 0, "合计", styles["bold"])
    page.write_string(row, 1, f"{count.lines} 笔", styles["bold"])
    page.write_number(row, AMOUNT, yuan(count.total_fen), styles["total"])
    page.write_string(row, WORDS, money_words(count.total_fen), styles["bold"])


def _facts(about: About, count: _Count, held: int) -> Iterator[tuple[str, str]]:
    moment = about.data_changed_at.timestamp() + _BEIJING_HOURS * 3600
    said = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
    yield "名称", about.title
    for condition in about.conditions:
        name, _, value = condition.partition("：")
        yield name, value
    yield "数据截至", f"{said}（北京时间，清单中最近一次变动）"
    yield "笔数", f"{count.lines}"
    yield "合计（元）", f"{yuan(count.total_fen):,.2f}"
    yield "大写", money_words(count.total_fen)
    yield "未列入合计", f"{held} 笔暂不列支" + (f"，见“{HELD_TITLE}”" if held else "")
    yield "账号", "完整，仅限财务拨付使用" if about.full_accounts else "只显示前四位和后四位"
    yield "各行内容的 SHA-256", count.digest.hexdigest()
    if about.placeholder:
        yield "示范参数", "部分金额由示范参数算出，不作拨付依据"
    yield "同一清单", "数据没有变动时，再次下载的文件逐字节相同；文件的 SHA-256 见下载页面"


def _about(book: Any, about: About, count: _Count, held: int, styles: dict[str, Any]) -> None:
    page = book.add_worksheet(ABOUT_TITLE)
    page.set_column(0, 0, 22)
    page.set_column(1, 1, 90)
    for row, (name, value) in enumerate(_facts(about, count, held)):
        page.write_string(row, 0, name)
        page.write_string(row, 1, value, styles["wrap"])


def as_csv(lines: Iterable[Line], about: About) -> Made:
    """The list as CSV with a byte-order mark, which Excel and WPS need to read Chinese.

    Credit codes and accounts are long digits: Excel would round them, so a tab-free ``="…"``
    trick is not used; they hold a letter or the masked asterisks, or carry an apostrophe.
    """
    target = StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow([name for name, _ in HEAD])
    count, held = _Count(), 0
    for line in lines:
        if line.held:
            held += 1
            continue
        cells = _cells(count.lines + 1, line)
        count.take(cells)
        writer.writerow(_csv_row(cells))
    foot = [""] * len(HEAD)
    foot[0], foot[1] = "合计", f"{count.lines} 笔"
    foot[AMOUNT], foot[WORDS] = str(yuan(count.total_fen)), money_words(count.total_fen)
    writer.writerow(foot)
    if held:
        writer.writerow([f"另有 {held} 笔暂不列支，未列入本表"] + [""] * (len(HEAD) - 1))
    return _checked(target.getvalue().encode("utf-8-sig"), count, held, _reread_csv)


def _csv_row(cells: tuple[Any, ...]) -> list[str]:
    row = [text_cell(cell) if isinstance(cell, str) else str(cell) for cell in cells]
    row[AMOUNT] = str(yuan(cells[AMOUNT]))
    # A bare run of more than 15 digits would lose its end when a spreadsheet opens it.
    return [f"'{cell}" if len(cell) > 15 and cell.isdigit() else cell for cell in row]


def _checked(data: bytes, count: _Count, held: int, reread: Any) -> Made:
    lines, total = reread(data)
    if (lines, total) != (count.lines, count.total_fen):
        raise Untrue(f"wrote {count.lines} lines and {count.total_fen} fen, read {lines}, {total}")
    return Made(data, hashlib.sha256(data).hexdigest(), lines, total, held)


_AMOUNTS = re.compile(rb'<c r="I\d+"[^>]*><v>([0-9.]+)</v>')


def _reread_xlsx(data: bytes) -> tuple[int, int]:
    """Lines and fen of the first sheet as its XML says; raises Untrue on any formula."""
    found: list[int] = []
    with zipfile.ZipFile(BytesIO(data)) as archive:
        for name in archive.namelist():
            if not name.startswith("xl/worksheets/sheet"):
                continue
            with archive.open(name) as sheet:
                for rows in _whole_rows(sheet):
                    if b"<f>" in rows or b"<f " in rows:
                        raise Untrue("a cell became a formula")
                    if name == "xl/worksheets/sheet1.xml":
                        amounts = _AMOUNTS.findall(rows)
                        found += [int(Decimal(v.decode()).scaleb(2)) for v in amounts]
    return _balanced(found)


def _whole_rows(sheet: IO[bytes]) -> Iterator[bytes]:
    """A sheet's XML in pieces of some rows: unpacked whole, 100,000 lines are 100 MB."""
    rest = b""
    while piece := sheet.read(1 << 20):
        rows, end, rest = (rest + piece).rpartition(b"</row>")
        yield rows + end
    yield rest


def _reread_csv(data: bytes) -> tuple[int, int]:
    rows = list(csv.reader(StringIO(data.decode("utf-8-sig"), newline="")))
    found = [int(Decimal(row[AMOUNT]).scaleb(2)) for row in rows[1:] if row[AMOUNT]]
    if any(cell.startswith(DANGEROUS) for row in rows for cell in row):
        raise Untrue("a cell could run as a formula")
    return _balanced(found)


def _balanced(amounts: list[int]) -> tuple[int, int]:
    *lines, total = amounts
    if sum(lines) != total:
        raise Untrue("the total is not the sum of the lines")
    return len(lines), total


def make(kind: str, lines: Iterable[Line], about: About) -> Made:
    """The list in the asked format, ``xlsx`` or ``csv``; raises KeyError for any other."""
    return {"xlsx": xlsx, "csv": as_csv}[kind](lines, about)
