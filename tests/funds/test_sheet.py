"""The list as a file: numbers are numbers, text is text, equal data is equal bytes."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.funds import sheet

ABOUT = sheet.About(
    "2026 年度资金清单",
    ("年度：2026", "事项：全部", "单位、编号或产品含：=1+1"),
    datetime(2026, 11, 23, 1, 41, 7, 123456, tzinfo=UTC),
    full_accounts=False,
)
LINE = sheet.Line(
    number="SB-2026-0147",
    firm="示例（上海）微纳装备有限公司",
    credit_code="91310115MA0DEM0X2M",
    district="浦东新区",
    product="12 英寸介质刻蚀机",
    scheme="首台套装备",
    contracts="HT-2026-001、HT-2026-002",
    amount_fen=386_000_000,
    bank="工商银行张江支行",
    holder="示例（上海）微纳装备有限公司",
    account="6222 **** 5969",
    policy_version="2019-1",
    articles="第五条、第八条",
    state="已核定",
)
ATTACKS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\x00=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    " =1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.test","x")',
    '=DDE("cmd";"/C calc";"x")',
    "'=1+1",
    '"=1+1',
    "{=1+1}",
]
TEXT_FIELDS = [
    name
    for name in sheet.Line.__dataclass_fields__
    if name not in ("amount_fen", "held", "award_id")
]


def lines(amounts: list[int]) -> list[sheet.Line]:
    return [replace(LINE, number=f"SB-2026-{i:04d}", amount_fen=a) for i, a in enumerate(amounts)]


def opened(data: bytes) -> Any:
    return openpyxl.load_workbook(BytesIO(data))


def csv_rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(data.decode("utf-8-sig"), newline="")))


def test_amounts_are_numbers_with_two_decimals_and_a_total() -> None:
    made = sheet.xlsx(lines([386_000_000, 1, 36_480_050]), ABOUT)
    page = opened(made.data)[sheet.TITLE]
    cells = [page.cell(row=r, column=sheet.AMOUNT + 1) for r in (2, 3, 4, 5)]
    assert [cell.data_type for cell in cells] == ["n"] * 4
    assert [Decimal(str(cell.value)) for cell in cells] == [
        Decimal("3860000.00"),
        Decimal("0.01"),
        Decimal("364800.50"),
        Decimal("4224800.51"),
    ]
    assert {cell.number_format for cell in cells} == {"#,##0.00"}
    assert page.cell(row=2, column=sheet.WORDS + 1).value == "叁佰捌拾陆万元整"
    assert page.cell(row=5, column=sheet.WORDS + 1).value == "肆佰贰拾贰万肆仟捌佰元伍角壹分"
    assert page["A5"].value == "合计"
    assert (made.lines, made.total_fen, made.held) == (3, 422_480_051, 0)


@given(st.lists(st.integers(1, 10**15 - 1), max_size=6))
@settings(max_examples=40, deadline=None)
def test_every_amount_survives_to_the_fen_in_both_formats(amounts: list[int]) -> None:
    for make in (sheet.xlsx, sheet.as_csv):
        made = make(lines(amounts), ABOUT)
        assert (made.lines, made.total_fen) == (len(amounts), sum(amounts))


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_same_data_gives_the_same_bytes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sheet.make(kind, lines([100, 200]), ABOUT)
    monkeypatch.setenv("TZ", "America/New_York")
    second = sheet.make(kind, iter(lines([100, 200])), ABOUT)
    assert first.data == second.data
    assert first.sha256 == second.sha256
    assert sheet.make(kind, lines([100, 201]), ABOUT).sha256 != first.sha256


def test_no_file_stamps_the_hour_of_making() -> None:
    made = sheet.xlsx(lines([100]), ABOUT)
    with zipfile.ZipFile(BytesIO(made.data)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 31, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert "2026-11-23T01:41:07Z" in core
    assert core.count("2026-11-23") == 2


@pytest.mark.parametrize("attack", ATTACKS)
def test_formula_looking_text_stays_text(attack: str) -> None:
    hostile = replace(LINE, **dict.fromkeys(TEXT_FIELDS, attack))
    made = sheet.xlsx([hostile, replace(hostile, held=attack)], ABOUT)
    with zipfile.ZipFile(BytesIO(made.data)) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert b"<f>" not in content and b"<f " not in content
            assert b"hyperlink" not in content
    book = opened(made.data)
    for title in (sheet.TITLE, sheet.HELD_TITLE):
        row = next(book[title].iter_rows(min_row=2, max_row=2))
        kinds = {cell.column: cell.data_type for cell in row if cell.value is not None}
        numbers = {1, sheet.AMOUNT + 1}
        # openpyxl itself calls text that starts with = a formula; the XML above is the proof.
        assert all(kind in ("s", "f") for c, kind in kinds.items() if c not in numbers)
        assert {c for c, kind in kinds.items() if kind == "n"} == numbers


@pytest.mark.parametrize("attack", ATTACKS)
def test_csv_cells_cannot_run(attack: str) -> None:
    hostile = replace(LINE, **dict.fromkeys(TEXT_FIELDS, attack))
    made = sheet.as_csv([hostile], ABOUT)
    row = csv_rows(made.data)[1]
    assert all(not cell.startswith(sheet.DANGEROUS) for cell in row)
    assert all(not cell.strip().startswith(sheet.DANGEROUS) for cell in row)
    assert row[sheet.AMOUNT] == "3860000.00"
    assert b"\x00" not in made.data


def test_csv_opens_in_excel_and_names_its_columns() -> None:
    made = sheet.as_csv(lines([100, 250]), ABOUT)
    assert made.data.startswith(b"\xef\xbb\xbf")
    rows = csv_rows(made.data)
    assert rows[0] == [name for name, _ in sheet.HEAD]
    assert rows[-1][:2] == ["合计", "2 笔"]
    assert rows[-1][sheet.AMOUNT : sheet.WORDS + 1] == ["3.50", "叁元伍角"]
    assert {len(row) for row in rows} == {len(sheet.HEAD)}


def test_held_lines_are_shown_apart_and_never_summed() -> None:
    held = replace(LINE, number="SB-2026-0221", amount_fen=88_320_000, held="户名不符")
    made = sheet.xlsx([LINE, held], ABOUT)
    assert (made.lines, made.total_fen, made.held) == (1, LINE.amount_fen, 1)
    book = opened(made.data)
    assert book[sheet.TITLE].max_row == 3
    assert book[sheet.HELD_TITLE]["B2"].value == "SB-2026-0221"
    assert book[sheet.HELD_TITLE].cell(2, sheet.STATE + 1).value == "暂不列支：户名不符"
    text = sheet.as_csv([LINE, held], ABOUT).data.decode("utf-8-sig")
    assert "SB-2026-0221" not in text
    assert "另有 1 笔暂不列支，未列入本表" in text


def test_long_bare_digits_keep_their_end_in_csv_and_are_text_in_xlsx() -> None:
    full = replace(LINE, account="6222021001123456789")
    assert csv_rows(sheet.as_csv([full], ABOUT).data)[1][12] == "'6222021001123456789"
    cell = opened(sheet.xlsx([full], ABOUT).data)[sheet.TITLE]["M2"]
    assert (cell.data_type, cell.value) == ("s", "6222021001123456789")


def test_the_file_says_what_was_asked_and_when_the_data_changed() -> None:
    page = opened(sheet.xlsx([LINE], ABOUT).data)[sheet.ABOUT_TITLE]
    said = {row[0].value: row[1].value for row in page.iter_rows()}
    assert said["年度"] == "2026"
    assert said["数据截至"] == "2026-11-23 09:41:07（北京时间，清单中最近一次变动）"
    assert said["合计（元）"] == "3,860,000.00"
    assert len(said["各行内容的 SHA-256"]) == 64
    assert said["单位、编号或产品含"] == "=1+1"


def test_a_file_that_reads_back_wrong_is_not_released() -> None:
    count = sheet._Count(lines=2, total_fen=300)
    good = sheet.as_csv(lines([100, 200]), ABOUT).data
    sheet._checked(good, count, 0, sheet._reread_csv)
    with pytest.raises(sheet.Untrue):
        sheet._checked(good.replace(b"2.00", b"2.01"), count, 0, sheet._reread_csv)
    with pytest.raises(sheet.Untrue):
        sheet._checked(good.replace("示例".encode(), b"=1+1", 1), count, 0, sheet._reread_csv)


def test_unknown_format_is_an_error() -> None:
    with pytest.raises(KeyError):
        sheet.make("pdf", [LINE], ABOUT)
