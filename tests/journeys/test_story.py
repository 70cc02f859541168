"""The story: from a firm that nobody knows to a line on the list of finance."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from catalogue.certificates import operations as certificates
from catalogue.certificates.verify import embedded_words, signature_fault
from catalogue.database import utc_now
from catalogue.money import money_words
from catalogue.policies.operations import document_of
from seeds.people import SECRETARY, address
from seeds.stories import contract_rows
from tests import builders
from tests.journeys import portal as portals
from tests.journeys import steps

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclass(frozen=True)
class Firm:
    """Who tells the story: a firm, its person and its two products."""

    name: str
    email: str
    credit_code: str
    account: str
    product: str
    word: str
    model: str
    software: str


BONDING = Firm(
    "旅程（上海）键合装备有限公司",
    "story@journey.test",
    builders.credit_code(9_990_001),
    "6222020200100015969",
    "高速晶圆键合设备",
    "键合",
    "JB-900",
    "晶圆工艺排程软件",
)
# The one whose browsers run no script.
ANNEALING = Firm(
    "旅程（上海）退火装备有限公司",
    "plain-story@journey.test",
    builders.credit_code(9_990_004),
    "6222020200100027774",
    "快速晶圆退火设备",
    "退火",
    "TH-700",
    "晶圆温场排程软件",
)
NOTE = "请写明与哪几种同类设备比过，注明检测报告页码。"
# Their fifth has to be rounded to the fen.
AMOUNTS = (186_000_07, 328_500_50, 412_000_02)
AWARD_FEN = 185_300_12

Enter = Callable[..., Page]


def test_from_registration_to_the_list_of_finance(
    enter: Enter, portal: portals.Portal, tmp_path: Path, script: bool
) -> None:
    told = BONDING if script else ANNEALING
    firm, officer = enter(), enter(address("reviewer"))
    approver = enter(address("approver"))
    steps.register_firm(firm, told.credit_code, told.name, told.email, portals.PASSWORD)
    _introduce(firm, told)
    number = _apply_for_the_catalogue(firm, portal, told, script=script)
    _return_and_correct(firm, officer, number)
    steps.pass_formally(officer, number)
    notice = steps.approve(approver, number)
    _notice_is_public(enter(), notice, told)
    _end_quietly(portal)
    _certificate_holds(firm, enter, portal, tmp_path, told)
    _found_in_catalogue(enter(), told)
    claim = _claim(firm, officer, enter(address(SECRETARY)), approver, portal, told, script=script)
    _end_quietly(portal)
    _line_of_finance(firm, enter(address("finance")), claim, tmp_path, told)
    assert "Everything holds" in portal.command("check")


def _introduce(firm: Page, told: Firm) -> None:
    """Profile, account and two products."""
    steps.fill_profile(
        firm,
        {
            "english_name": "Journey Bonding Equipment (Shanghai) Co., Ltd.",
            "district": "310115",
            "founded_on": "2016-05-18",
            "address": "上海市示范路 9 号",
            "contact_name": "钱旅程",
            "contact_phone": "021-23110000",
        },
    )
    steps.fill_account(firm, told.name, "示例银行上海张江支行", told.account)
    year = utc_now().year
    steps.add_product(
        firm,
        _product(
            told.product,
            told.model,
            "equipment",
            "eq_smart",
            english_name="High-Speed Wafer Bonder",
        ),
        [
            ("平均无故障时间", "ge", "310", "h"),
            ("对准精度", "le", "0.2", "μm"),
            ("工作电压", "eq", "380", "V"),
        ],
        _rights(year, told, told.product, "1"),
    )
    steps.add_product(
        firm,
        _product(told.software, "V3.2", "software", "sw_industrial"),
        [("排程时间", "le", "30", "s")],
        _rights(year, told, told.software, "2"),
    )


def _product(name: str, model: str, kind: str, domain: str, **more: str) -> dict[str, str]:
    return {
        "name": name,
        "model": model,
        "kind": kind,
        "domain": domain,
        "novelty": "original",
        "advancement": "intl_adv",
        "summary": f"{name}，单位时间产出比同类高 35%，由第三方检测。",
        **more,
    }


def _rights(year: int, told: Firm, product: str, mark: str) -> list[tuple[str, str, str, str, str]]:
    own = told.account[-2:] + mark
    patent, copyright_ = f"ZL{year - 2}10000{own}.1", f"{year - 1}SR0000{own}"
    return [
        ("invention", patent, f"{year - 1}-06-01", f"一种{product}", told.name),
        ("copyright", copyright_, f"{year - 1}-02-11", f"{product}软件", told.name),
    ]


def _apply_for_the_catalogue(
    firm: Page, portal: portals.Portal, told: Firm, *, script: bool
) -> str:
    number = steps.start_application(firm, "catalogue", told.product)
    _fill(firm, portal, number)
    firm.goto(f"/applications/{number}")
    steps.follow(firm, "检查填写内容")
    preview = firm.locator("#findings")
    expect(preview).to_contain_text("窗口内授权的发明专利")
    expect(preview).to_contain_text(re.compile(r"0\s*不符"))
    assert steps.submit(firm, number)
    shown = steps.findings_appear(firm, script=script)
    expect(shown).to_contain_text("必交材料齐全")
    return number


def _fill(firm: Page, portal: portals.Portal, number: str) -> None:
    """Answers that make it eligible, and a file for every required material."""
    with portal.rooms():
        document = document_of(portals.application(number).policy)
        answers: dict[str, Any] = {
            a.id: True if a.type == "boolean" else f"{a.label}：比同类高 35%，见检测报告第 2 页。"
            for a in document.answers
        }
        materials = [(m.id, m.name) for m in document.materials if m.required]
    steps.fill_answers(firm, number, answers)
    steps.attach(firm, number, materials)


def _return_and_correct(firm: Page, officer: Page, number: str) -> None:
    steps.take(officer, number)
    steps.return_to_firm(officer, number, "answers-comparison", NOTE)
    corrected = "与三种同类设备比过，见检测报告第 2 至 4 页。"
    steps.correct_answer(firm, number, "comparison", NOTE, corrected)
    officer.goto(f"/reviews/{number}")
    expect(officer.locator("main")).to_contain_text(corrected)


def _notice_is_public(anybody: Page, notice: str, told: Firm) -> None:
    anybody.goto("/notices")
    anybody.locator(f"a[href='{notice}']").first.click()
    row = anybody.get_by_role("row").filter(has_text=told.product)
    expect(row).to_contain_text(told.name)
    expect(row).to_contain_text("公示中")


def _end_quietly(portal: portals.Portal) -> None:
    """Nobody objects: the daily job of a day after the notice clears it."""
    later = utc_now().date() + timedelta(days=21)
    said = portal.command("daily", "--date", later.isoformat())
    assert int(said.split()[0]) >= 1, said


def _certificate_holds(
    firm: Page, enter: Enter, portal: portals.Portal, folder: Path, told: Firm
) -> None:
    firm.goto("/home")
    link = firm.locator(".column-side").get_by_role("link", name=told.product)
    steps.reload_until(firm, link)
    link.click()
    button = firm.get_by_role("link", name=re.compile("下载证书 PDF"))
    steps.reload_until(firm, button)
    file = steps.download(firm, button, folder)
    data = file.read_bytes()
    with portal.rooms():
        root = certificates.signatory().root
    # In a thread of its own: Playwright's event loop occupies this one.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(signature_fault, data, [root]).result() is None
    reader = PdfReader(file)
    assert _fonts(reader)
    assert all(_fonts(reader).values()), _fonts(reader)
    words = embedded_words(data)
    assert words["product"] == told.product
    assert words["enterprise"] == told.name
    _check_page_says_valid(enter(), words["check_url"], file, told)


def _fonts(reader: PdfReader) -> dict[str, bool]:
    """Every font of the file, and whether its outlines are inside."""
    found = {}
    for page in reader.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            font = font.get_object()
            for inner in font.get("/DescendantFonts", [font]):
                inner = inner.get_object()
                described = inner.get("/FontDescriptor", {})
                files = ("/FontFile", "/FontFile2", "/FontFile3")
                found[str(inner["/BaseFont"])] = any(key in described for key in files)
    return found


def _check_page_says_valid(anybody: Page, check_url: str, file: Path, told: Firm) -> None:
    """Where the QR code leads; and what the portal says of the very file."""
    anybody.goto(check_url)
    expect(anybody.locator("h1 .tag")).to_have_text("有效")
    expect(anybody.locator("h1")).to_contain_text(told.product)
    anybody.goto("/certificates")
    anybody.locator("input[type='file']").set_input_files(file)
    steps.press(anybody, "核对这个文件")
    steps.told(anybody, "这个文件和平台签发的一字不差")


def _found_in_catalogue(anybody: Page, told: Firm) -> None:
    result = anybody.locator(".result-name a").filter(has_text=told.product)
    for words in (told.product, told.word):
        anybody.goto("/catalogue")
        anybody.get_by_label("在目录里找产品").fill(words)
        steps.press(anybody, "查找")
        steps.reload_until(anybody, result)
    anybody.goto("/catalogue")
    anybody.locator("input[name='kind'][value='equipment']").check()
    steps.press(anybody, "按条件查找")
    anybody.wait_for_url(re.compile("kind=equipment"))
    steps.reload_until(anybody, result)
    result.first.click()
    expect(anybody.locator("h1")).to_contain_text(told.product)
    expect(anybody.locator("main")).to_contain_text("对准精度")


def _claim(
    firm: Page,
    officer: Page,
    secretary: Page,
    approver: Page,
    portal: portals.Portal,
    told: Firm,
    *,
    script: bool,
) -> str:
    """A first version sold three times, up to its notice; its number."""
    number = steps.start_application(firm, "first_version", told.software)
    with portal.rooms():
        rows = contract_rows(*portals.year_and_close("first_version"), AMOUNTS, "LC-2026")
    steps.fill_contracts(firm, number, rows)
    _fill(firm, portal, number)
    steps.submit(firm, number)
    steps.findings_appear(firm, script=script)
    assert steps.worksheet_total(firm) == steps.yuan(AWARD_FEN)
    steps.take(officer, number)
    steps.pass_formally(officer, number)
    steps.conclude_review(secretary, number, criteria=2)
    notice = steps.approve(approver, number)
    approver.goto(notice)
    row = approver.get_by_role("row").filter(has_text=told.software)
    expect(row).to_contain_text(steps.yuan(AWARD_FEN))
    return number


def _line_of_finance(firm: Page, finance: Page, number: str, folder: Path, told: Firm) -> None:
    """Award, worksheet and list agree to the fen."""
    finance.goto("/funds/lists")
    line = finance.get_by_role("row").filter(has_text=number)
    steps.reload_until(finance, line)
    expect(line).to_contain_text(steps.yuan(AWARD_FEN))
    firm.goto("/my-funds")
    steps.follow(firm, re.compile("^看测算"))
    assert steps.worksheet_total(firm) == steps.yuan(AWARD_FEN)
    button = finance.get_by_role("button", name="下载 XLSX", exact=True)
    row = _row_of(steps.download(finance, button, folder), number)
    assert Decimal(str(row["核定金额（元）"])) == Decimal(AWARD_FEN) / 100
    assert row["大写"] == money_words(AWARD_FEN)
    assert row["单位"] == told.name
    assert row["统一社会信用代码"] == told.credit_code
    assert told.account not in str(row["账号"])
    assert str(row["账号"]).endswith(told.account[-4:])


def _row_of(file: Path, number: str) -> dict[str, Any]:
    rows = list(load_workbook(file).worksheets[0].iter_rows(values_only=True))
    head = next(row for row in rows if "申报编号" in row)
    line = next(row for row in rows if number in row)
    return {str(name): value for name, value in zip(head, line, strict=True)}
