"""What people do on pages, one plain function each, by the words that they read there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from catalogue.database import SHANGHAI, utc_now
from seeds.stories import sample_pdf

FINDINGS_MS = 60_000


def press(page: Page, name: str | re.Pattern[str]) -> None:
    """Press the button with exactly this label, or one that fits the pattern."""
    page.get_by_role("button", name=name, exact=True).first.click()


def follow(page: Page, name: str | re.Pattern[str]) -> None:
    """Follow the first link with exactly this text, or one that fits the pattern."""
    page.get_by_role("link", name=name, exact=True).first.click()


def write(page: Page, values: Mapping[str, str]) -> None:
    """Fill fields by id; a select is set by its value."""
    for field, value in values.items():
        box = page.locator(f"#{field}")
        if box.evaluate("element => element.tagName") == "SELECT":
            box.select_option(value)
        else:
            box.fill(value)


def told(page: Page, words: str) -> None:
    """The page says so after an act."""
    expect(page.get_by_text(words).first, _faults(page)).to_be_visible()


def _faults(page: Page) -> str:
    """What the page itself gives as the reason, for the report of a failed journey."""
    page.wait_for_load_state()
    return "; ".join(page.locator("#errors, .field-error, .banner").all_inner_texts())


def reload_until(page: Page, wanted: Locator, seconds: float = 40) -> None:
    """Reload as a patient person does, until the page shows it."""
    deadline = time.monotonic() + seconds
    while not wanted.first.is_visible():
        assert time.monotonic() < deadline, f"{page.url} does not show {wanted}"
        page.wait_for_timeout(400)
        page.reload()


def yuan(fen: int) -> str:
    """Fen as pages print them."""
    return f"{fen // 100:,}.{fen % 100:02d}"


# ---- anybody


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("邮箱", exact=True).fill(email)
    page.get_by_label("密码", exact=True).fill(password)
    press(page, "登录")
    page.wait_for_url("**/home")


def register_firm(page: Page, credit_code: str, firm: str, email: str, password: str) -> None:
    page.goto("/sign-in")
    follow(page, "登记单位和账号")
    write(page, {"credit_code": credit_code, "firm_name": firm})
    page.get_by_label("经办人", exact=True).check()
    write(page, {"name": "钱旅程", "email": email, "password": password})
    press(page, "登记并登录")
    told(page, "单位登记好了")


# ---- the firm


def fill_profile(page: Page, values: Mapping[str, str]) -> None:
    page.goto("/enterprise")
    follow(page, "补全资料")
    write(page, values)
    press(page, "存好单位资料")
    told(page, "单位资料存好了")


def fill_account(page: Page, holder: str, bank: str, number: str) -> None:
    """The bank account; afterwards the page shows it masked."""
    page.goto("/enterprise")
    follow(page, "填写收款账户")
    write(page, {"holder_name": holder, "bank_name": bank, "number": number})
    press(page, "存好收款账户")
    expect(page.locator("main")).to_contain_text(number[-4:])
    expect(page.locator("main")).not_to_contain_text(number)


def add_product(
    page: Page,
    facts: Mapping[str, str],
    specifications: Iterable[tuple[str, str, str, str]],
    rights: Iterable[tuple[str, str, str, str, str]],
) -> None:
    """A product with its figures (name, relation, value, unit) and its rights
    (kind, number, day, title, holder); missing rows are asked for by the page's own button."""
    page.goto("/products")
    follow(page, re.compile("登记一个产品|登记第一个产品"))
    write(page, facts)
    for place, row in enumerate(specifications):
        _row(page, "specifications", place, "再加一行指标")
        names = ("name", "relation", "value", "unit")
        write(page, _prefixed(f"specifications-{place}-", names, row))
    for place, row in enumerate(rights):
        _row(page, "patents", place, "再加一行知识产权")
        names = ("kind", "number", "granted_on", "title", "holder")
        write(page, _prefixed(f"patents-{place}-", names, row))
    page.get_by_role("button", name="存好产品", exact=True).last.click()
    told(page, "产品存好了")
    expect(page.locator("h1")).to_contain_text(facts["name"])


def _row(page: Page, rows: str, place: int, more: str) -> None:
    first = page.locator(f"[name^='{rows}-{place}-']").first
    if first.count() == 0:
        press(page, more)
        first.wait_for()


def _prefixed(prefix: str, names: tuple[str, ...], row: Iterable[str]) -> dict[str, str]:
    return {prefix + name: value for name, value in zip(names, row, strict=True)}


def start_application(page: Page, scheme: str, product: str) -> str:
    """From the page of schemes to a draft; its number."""
    page.goto("/schemes")
    page.locator(f"#{scheme}").get_by_role("link", name="开始申报", exact=True).click()
    page.get_by_label(re.compile(re.escape(product))).check()
    press(page, "开始填写申报")
    page.wait_for_url(re.compile(r"/applications/SB-[\d-]+$"))
    return page.url.rpartition("/")[2]


def fill_answers(page: Page, number: str, answers: Mapping[str, Any]) -> None:
    """Texts are written, truths are chosen."""
    page.goto(f"/applications/{number}/answers")
    for name, value in answers.items():
        if isinstance(value, bool):
            word = "yes" if value else "no"
            page.locator(f"[name='{name}'][value='{word}']").check()
        else:
            page.locator(f"[name='{name}']").fill(value)
    press(page, "存下并返回")
    told(page, "已存")


def fill_contracts(page: Page, number: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Contracts as ``seeds.stories.contract_rows`` gives them."""
    page.goto(f"/applications/{number}/contracts")
    for place, row in enumerate(rows):
        if page.locator(f"#rows-{place}-number").count() == 0:
            press(page, "再加一份合同")
        prefix = f"rows-{place}-"
        received = row["received_fen"]
        write(
            page,
            {
                f"{prefix}number": row["number"],
                f"{prefix}buyer_name": row["buyer_name"],
                f"{prefix}buyer_credit_code": row["buyer_credit_code"],
                f"{prefix}signed_on": row["signed_on"].isoformat(),
                f"{prefix}invoiced_on": row["invoiced_on"].isoformat(),
                f"{prefix}amount": yuan(row["amount_fen"]),
                f"{prefix}received": "" if received is None else yuan(received),
            },
        )
    press(page, "存下并返回")
    told(page, "已存")


def attach(page: Page, number: str, materials: Iterable[tuple[str, str]]) -> None:
    """A small PDF for each material (id, name)."""
    page.goto(f"/applications/{number}/materials")
    for key, name in materials:
        file = {"name": f"{key}.pdf", "mimeType": "application/pdf", "buffer": sample_pdf(key)}
        page.locator(f"#file-{key}").set_input_files(file)
        press(page, f"上传{name}")
        told(page, f"已收到“{key}.pdf”")


def submit(page: Page, number: str, label: str = "提交申报") -> str:
    """Declare and submit on the check page; the receipt number."""
    page.goto(f"/applications/{number}/check")
    page.locator("[name='declared']").check()
    press(page, label)
    page.wait_for_url("**/receipt")
    heading = page.locator("h1").inner_text()
    assert heading.startswith("已提交，回执号 "), heading
    return heading.removeprefix("已提交，回执号 ").strip()


def findings_appear(page: Page, *, script: bool = True) -> Locator:
    """The receipt page comes to show the findings: with script without a reload."""
    shown = page.locator("#findings-now .verdicts")
    if not script:
        reload_until(page, shown)
    expect(shown).to_be_visible(timeout=FINDINGS_MS)
    return shown


def worksheet_total(page: Page) -> str:
    """The last line of the worksheet."""
    return page.locator(".worksheet-total b").first.inner_text()


def correct_answer(page: Page, number: str, name: str, note: str, words: str) -> None:
    """The one open field, corrected and handed back."""
    page.goto(f"/applications/{number}")
    expect(page.locator("main")).to_contain_text(note)
    follow(page, re.compile("^去改"))
    expect(page.locator("main textarea")).to_have_count(1)
    page.locator(f"[name='{name}']").fill(words)
    press(page, "存下并返回")
    press(page, "交回补正")
    told(page, "补正已交回")


# ---- the authority


def take(page: Page, number: str) -> None:
    page.goto("/reviews?sort=-submitted")
    row = page.get_by_role("row").filter(has_text=number)
    row.get_by_role("link").first.click()
    press(page, "受理，开始形式审查")
    expect(page.locator("form#check")).to_be_visible()


def judge(page: Page, number: str, returned: Mapping[str, str] | None = None) -> None:
    """Every item is passed, but for those named with a note, which go back."""
    page.goto(f"/reviews/{number}")
    returned = dict(returned or {})
    for item in page.locator(".judge-item").all():
        note = item.locator(".judge-note")
        words = returned.pop((note.get_attribute("name") or "").removeprefix("n-"), None)
        if words is None:
            item.locator("[value='pass']").check()
        else:
            item.locator("[value='correct']").check()
            note.fill(words)
    assert not returned, f"nothing to judge: {', '.join(returned)}"
    press(page, "存下判断")
    told(page, "判断已存下")


def return_to_firm(page: Page, number: str, item: str, note: str) -> None:
    judge(page, number, {item: note})
    press(page, re.compile("^发出补正通知，1 处"))
    expect(page.locator("main")).to_contain_text(note)
    press(page, re.compile("^确认发出补正通知"))
    told(page, "补正通知已发出，1 处")


def pass_formally(page: Page, number: str) -> None:
    judge(page, number)
    press(page, "形式审查通过")
    told(page, "形式审查已通过")


def conclude_review(page: Page, number: str, criteria: int) -> None:
    """Seven experts met, five for and one against."""
    page.goto(f"/reviews/{number}/experts")
    votes = {"experts": "7", "votes_for": "5", "votes_against": "1"}
    write(
        page,
        {
            "met_on": utc_now().astimezone(SHANGHAI).date().isoformat(),
            **votes,
            "summary": "建议支持。",
        },
    )
    for place in range(1, criteria + 1):
        page.locator(f"[name='r-{place}'][value='yes']").check()
        page.locator(f"[name='w-{place}']").fill("查阅了测试报告与合同，符合。")
    press(page, "登记专家评审意见")
    told(page, "专家评审意见已登记")


def approve(page: Page, number: str) -> str:
    """Approved and put on notice; the path of the notice."""
    page.goto("/reviews")
    page.get_by_role("row").filter(has_text=number).get_by_role("link").first.click()
    follow(page, "审定通过并公示")
    press(page, "审定通过并公示 1 件")
    page.wait_for_url(re.compile(r"/notices/\d+$"))
    return "/notices/" + page.url.rpartition("/")[2]


# ---- files


def download(page: Page, press_it: Locator, folder: Path) -> Path:
    """What the press sends, kept in ``folder``."""
    with page.expect_download() as waited:
        press_it.click()
    target = folder / waited.value.suggested_filename
    waited.value.save_as(target)
    return target
