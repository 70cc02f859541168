"""The other ways: signing, many batches, what fails, an objection, no script, no Redis."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from catalogue.applications import operations as applications
from catalogue.database import db
from catalogue.policies.operations import document_of
from seeds import firms, stories
from seeds.people import address
from tests.journeys import portal as portals
from tests.journeys import steps

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Enter = Callable[..., Page]


def _place(position: int, script: bool) -> int:
    """The product of the second way: the same novelty and standing, another model."""
    return position if script else position + 12


def test_a_first_set_is_submitted_by_the_signatory(
    enter: Enter, portal: portals.Portal, script: bool
) -> None:
    with portal.rooms():
        number = portals.draft("first_set", 0, "equipment", _place(0, script))
    clerk = enter("firm1@demo.test")
    clerk.goto(f"/applications/{number}/check")
    expect(clerk.get_by_role("button", name=re.compile("提交申报"))).to_have_count(0)
    steps.press(clerk, "送签章人")
    steps.told(clerk, "已送签章人")

    signatory = enter("signer1@demo.test")
    signatory.locator(f"a[href='/applications/{number}']").first.click()
    steps.follow(signatory, "看填写内容")
    assert steps.submit(signatory, number, "签章并提交申报")
    expect(steps.findings_appear(signatory, script=script)).to_contain_text("合同的时间跨度")
    # 10 % of 12 870 000 yuan: a first set within the country.
    expected = steps.yuan(1_287_000_00)
    assert steps.worksheet_total(signatory) == expected

    with portal.rooms():
        notice = portals.on_notice(number)
    anybody = enter()
    anybody.goto(f"/notices/{notice}")
    expect(anybody.get_by_role("row").filter(has_text=firms.FIRMS[0].name)).to_contain_text(
        expected
    )


def test_a_first_batch_counts_only_contracts_that_are_large_enough(
    enter: Enter, portal: portals.Portal, script: bool
) -> None:
    with portal.rooms():
        number = portals.draft("first_batch", 2, "material", _place(1, script))
        rows = stories.contract_rows(
            *portals.year_and_close("first_batch"), (620_000_00, 499_999_99, 815_000_53), "PC-2026"
        )
    clerk = enter("firm3@demo.test")
    steps.fill_contracts(clerk, number, rows)
    steps.submit(clerk, number)
    expect(steps.findings_appear(clerk, script=script)).to_contain_text("单个合同金额")
    # 20 % of 1 435 000.53 yuan, to the fen; the middle contract is a fen too small.
    expected = steps.yuan(287_000_11)
    assert steps.worksheet_total(clerk) == expected

    with portal.rooms():
        portals.checked(number)
        notice = portals.on_notice(number)
    anybody = enter()
    anybody.goto("/notices")
    anybody.locator(f"a[href='/notices/{notice}']").first.click()
    expect(anybody.get_by_role("row").filter(has_text=firms.FIRMS[2].name)).to_contain_text(
        expected
    )


def test_an_ineligible_claim_is_told_every_failed_rule_in_words(
    enter: Enter, portal: portals.Portal, script: bool
) -> None:
    with portal.rooms():
        number = portals.draft(
            "first_version",
            1,
            "software",
            _place(2, script),
            amounts_fen=(100_000_00, 120_000_50),
        )
        found = portals.application(number)
        clerk = firms.clerk_of(found.enterprise)
        answers = {**stories.answers_of(found), "same_version": False, "credit_good": False}
        applications.save_answers(found, answers, clerk)
        db.session.commit()
    firm = enter(address("applicant"))
    steps.submit(firm, number)
    shown = steps.findings_appear(firm, script=script)
    with portal.rooms():
        found = portals.application(number)
        assert found.state == "ineligible"
        rules = {rule.id: rule for rule in document_of(found.policy).rules}
        failed = [finding for finding in found.report.findings if finding["result"] == "fail"]
    assert {f["rule"] for f in failed} == {"credit", "same-version", "total-sales"}
    expect(shown.locator(".edge-fail")).to_have_count(len(failed))
    for finding in failed:
        row = shown.locator(f"#finding-{finding['rule']}")
        for words in (rules[finding["rule"]].title, "不符", finding["read"], finding["article"]):
            expect(row).to_contain_text(words)
    total = shown.locator("#finding-total-sales")
    for words in ("220,000.50", "500,000", "279,999.50", "怎样能过"):
        expect(total).to_contain_text(words)
    firm.goto(f"/applications/{number}")
    expect(firm.locator("#findings-now .edge-fail")).to_have_count(len(failed))
    steps.press(firm, "改了再报")
    steps.told(firm, "已转回草稿")


def test_an_objection_without_an_account_is_upheld(
    enter: Enter, portal: portals.Portal, script: bool
) -> None:
    with portal.rooms():
        number = portals.draft("catalogue", 3, "equipment", _place(3, script))
        portals.submitted(number)
        notice = portals.on_notice(number)
        product = portals.application(number).product.name
    anybody = enter()
    anybody.goto(f"/notices/{notice}")
    steps.follow(anybody, re.compile("^提异议"))
    anybody.locator("[name='ground']").first.check()
    argument = "同型号产品两年前已在外省销售，见公开的中标公告。"
    steps.write(anybody, {"argument": argument, "remedy": "请不予列入目录。"})
    steps.press(anybody, "提出异议，领取查询码")
    steps.told(anybody, "请记下查询码")
    expect(anybody.locator("main")).to_contain_text(argument)

    approver = enter(address("approver"))
    approver.goto("/objections")
    approver.get_by_role("link", name=re.compile(re.escape(product))).first.click()
    expect(approver.locator("main")).to_contain_text(argument)
    reason = "经核查，首次销售确早于申报所述时间。"
    steps.write(approver, {"reason": reason})
    steps.press(approver, "异议成立，不予通过")
    steps.told(approver, "异议已处理")

    anybody.reload()
    expect(anybody.locator("main")).to_contain_text("成立")
    expect(anybody.locator("main")).to_contain_text(reason)
    anybody.goto(f"/notices/{notice}")
    expect(anybody.locator("#item-1")).to_contain_text("未通过")
    firm = enter("firm4@demo.test")
    firm.goto(f"/applications/{number}")
    expect(firm.locator("h1 .tag")).to_have_text("未通过")


def test_without_script_an_application_gets_its_receipt_and_findings(
    enter: Enter, portal: portals.Portal
) -> None:
    with portal.rooms():
        document = document_of(portals.round_of("catalogue").policy)
        answers = {
            a.id: True if a.type == "boolean" else "比同类高 35%，见检测报告第 2 页。"
            for a in document.answers
        }
        materials = [(m.id, m.name) for m in document.materials if m.required]
        opened = portals.round_of("catalogue")
        product = firms.product(portals.firm(4), "equipment", 4, opened.year).name
        db.session.commit()
    page = enter("firm5@demo.test", java_script_enabled=False)
    number = steps.start_application(page, "catalogue", product)
    steps.fill_answers(page, number, answers)
    steps.attach(page, number, materials)
    assert steps.submit(page, number)
    shown = page.locator("#findings-now .verdicts")
    steps.reload_until(page, shown)
    expect(shown).to_contain_text("窗口内授权的发明专利")


def test_redis_may_die_between_submit_and_check(enter: Enter, portal: portals.Portal) -> None:
    with portal.rooms():
        number = portals.draft("catalogue", 5, "equipment", 5)
    page = enter("firm6@demo.test")
    page.goto(f"/applications/{number}/check")
    portal.redis.kill()
    try:
        assert not portal.redis.running()
        receipt = steps.submit(page, number)
        assert receipt
        page.wait_for_timeout(1_500)
        expect(page.locator("#findings-now")).to_contain_text("正在核验")
        with portal.rooms():
            found = portals.application(number)
            assert (found.state, found.receipt_number) == ("submitted", receipt)
    finally:
        portal.redis.start()
    shown = page.locator("#findings-now .verdicts")
    expect(shown).to_be_visible(timeout=90_000)
    with portal.rooms():
        assert portals.checked(number).state == "eligible"
