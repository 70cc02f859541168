"""Imports: a clerk's product list as CSV, read line by line, with every fault named.

Pure: bytes in, rows and problems out. The columns are those of public lists:
``year,list,kind,product_name,firm_name,region,source``, or their Chinese names.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

COLUMNS = {
    "year": "年度",
    "list": "名单",
    "kind": "类别",
    "product_name": "产品名称",
    "firm_name": "单位名称",
    "region": "地区",
    "source": "来源",
}
LIMITS = {"list": 200, "kind": 40, "product_name": 120, "firm_name": 120, "region": 60}
LIMITS["source"] = 500
REQUIRED = ("list", "kind", "product_name", "firm_name")
YEARS = range(1990, 2101)
MAX_BYTES = 20 * 1024 * 1024
MAX_PROBLEMS = 200

# The three kinds that public lists speak of; every other wording is "other".
KINDS = {"首台套": "equipment", "首版次": "software", "首批次": "material"}
# Tiers that a list's own remark states in one plain word; ranges ("A或B") say nothing certain.
ADVANCEMENTS = {
    "国际领先": "intl_lead",
    "国际先进": "intl_adv",
    "国内领先": "dom_lead",
    "国内先进": "dom_adv",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: the line of the file as an editor counts it, the column, and what is wrong."""

    line: int
    column: str
    message: str

    def __str__(self) -> str:
        where = f"第 {self.line} 行" if self.line else "文件"
        place = f"{where}，{self.column}" if self.column else where
        return f"{place}：{self.message}"


@dataclass(frozen=True, slots=True)
class Row:
    """One product of the list, checked."""

    line: int
    year: int | None
    source_list: str
    kind: str
    name: str
    firm_name: str
    region: str
    source: str
    advancement: str | None

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same product of the same list."""
        return self.source_list, self.name, self.firm_name


@dataclass(slots=True)
class Report:
    """What a file holds and what is wrong with it; ``added`` and ``present`` after an import."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    encoding: str = ""
    added: int = 0
    present: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def fault(self, line: int, column: str, message: str) -> None:
        """Note one problem."""
        self.problems.append(Problem(line, COLUMNS.get(column, column), message))

    def lines(self) -> Iterator[str]:
        """The report in words, one line each."""
        if self.problems:
            yield f"有 {len(self.problems)} 处问题，一行也没有导入。"
            yield from (str(problem) for problem in self.problems[:MAX_PROBLEMS])
            if len(self.problems) > MAX_PROBLEMS:
                yield f"另有 {len(self.problems) - MAX_PROBLEMS} 处没有列出。"
            return
        if not self.added:
            yield f"没有新增：文件里的 {self.present} 件产品目录里都已有。"
            return
        yield f"导入 {self.added} 件产品。"
        if self.present:
            yield f"另有 {self.present} 件目录里已有，没有改动。"


def read(data: bytes) -> Report:
    """Read and check a whole file; the report holds every problem, not only the first."""
    report = Report()
    text = _text(data, report)
    if text is not None:
        _read_lines(text, report)
    if report.sound and not report.rows:
        report.fault(0, "", "文件里没有产品")
    return report


def _text(data: bytes, report: Report) -> str | None:
    if len(data) > MAX_BYTES:
        report.fault(0, "", "文件超过 20 MB，请分成几个文件")
        return None
    if not data.strip(b"\xef\xbb\xbf \t\r\n"):
        report.fault(0, "", "文件是空的")
        return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"PK\x03\x04")):
        report.fault(0, "", "这不是 CSV 文本。请在表格软件里另存为“CSV UTF-8”")
        return None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            continue
        report.encoding = encoding
        return text
    report.fault(line, "", "编码既不是 UTF-8 也不是 GB18030，请另存为“CSV UTF-8”")
    return None


def _read_lines(text: str, report: Report) -> None:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    seen: dict[tuple[str, str, str], int] = {}
    columns: list[str] = []
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(cells, line, report)
                if not columns:
                    return
                continue
            row = _row(cells, columns, line, report)
            if row is not None:
                _take(row, seen, report)
    except csv.Error as error:
        report.fault(start, "", f"引号或分隔符有误，从这里起读不下去（{error}）")


def _columns(cells: Sequence[str], line: int, report: Report) -> list[str]:
    names = {chinese: name for name, chinese in COLUMNS.items()}
    given = [_clean(cell) for cell in cells]
    columns = [names.get(cell, cell.lower()) for cell in given]
    for name, chinese in COLUMNS.items():
        if columns.count(name) > 1:
            report.fault(line, "", f"表头里“{chinese}”（{name}）这一列出现了不止一次")
    missing = [f"{chinese}（{name}）" for name, chinese in COLUMNS.items() if name not in columns]
    if missing:
        report.fault(line, "", f"表头缺少这些列：{'、'.join(missing)}")
    return columns if report.sound else []


def _row(cells: Sequence[str], columns: Sequence[str], line: int, report: Report) -> Row | None:
    before = len(report.problems)
    if len(cells) != len(columns):
        counts = f"应有 {len(columns)} 格，读到 {len(cells)} 格"
        report.fault(line, "", f"{counts}；文字里的逗号要加引号")
        return None
    values = {name: _clean(cell) for name, cell in zip(columns, cells, strict=True)}
    for name in COLUMNS:
        _check(name, values[name], line, report)
    year = _year(values["year"], line, report)
    if len(report.problems) > before:
        return None
    return Row(
        line=line,
        year=year,
        source_list=values["list"],
        kind=kind_of(values["kind"]),
        name=values["product_name"],
        firm_name=values["firm_name"],
        region=values["region"],
        source=values["source"],
        advancement=_advancement(values),
    )


def _check(name: str, value: str, line: int, report: Report) -> None:
    if not value:
        if name in REQUIRED:
            report.fault(line, name, "没有填")
        return
    if any(unicodedata.category(sign)[0] == "C" for sign in value):
        report.fault(line, name, "含有换行或看不见的控制字符")
    elif "\ufffd" in value:
        report.fault(line, name, "含有乱码（\ufffd），请检查文件编码")
    limit = LIMITS.get(name)
    if limit and len(value) > limit:
        report.fault(line, name, f"有 {len(value)} 个字，不能超过 {limit} 个字")


def _year(value: str, line: int, report: Report) -> int | None:
    if not value:
        return None
    digits = unicodedata.normalize("NFKC", value)
    if re.fullmatch(r"[0-9]{4}", digits) and int(digits) in YEARS:
        return int(digits)
    shown = value if len(value) <= 20 else f"{value[:20]}…"
    report.fault(line, "year", f"“{shown}”不是 {YEARS[0]} 到 {YEARS[-1]} 之间的年份，未知请留空")
    return None


def _take(row: Row, seen: dict[tuple[str, str, str], int], report: Report) -> None:
    first = seen.setdefault(row.key, row.line)
    if first != row.line:
        report.fault(row.line, "product_name", f"与第 {first} 行重复（名单、产品、单位都相同）")
    else:
        report.rows.append(row)


def kind_of(words: str) -> str:
    """Our kind for a list's wording: 首台套（储备）and 首台（套）are both equipment."""
    plain = re.sub(r"[（()）]", "", words)
    return next((kind for start, kind in KINDS.items() if plain.startswith(start)), "other")


def _advancement(values: Mapping[str, str]) -> str | None:
    match = re.search(r"档次=([^；;，,]+)", values["source"])
    return ADVANCEMENTS.get(match.group(1).strip()) if match else None


def _clean(cell: str) -> str:
    """NFC, ends trimmed, runs of spaces as one; control characters stay, to be reported."""
    return re.sub(r"[ \u00a0\u3000]+", " ", unicodedata.normalize("NFC", cell)).strip(" \t")
