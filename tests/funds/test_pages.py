"""Pages of finance: who sees what, what a list shows, and what leaves the house."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from flask import Flask
from sqlalchemy import event

from catalogue.audit.models import AuditEvent
from catalogue.database import db
from catalogue.funds import sheet
from catalogue.funds.models import Award, ListFile
from tests import builders
from tests.browser import ForgetfulBrowser
from tests.funds.awards import YEAR, award

FULL = "6222020200100005969"


def browser(app: Flask, person: Any) -> ForgetfulBrowser:
    made = ForgetfulBrowser(app, app.response_class, use_cookies=True)
    builders.sign_in(made, person)
    return made


@pytest.fixture
def finance(app: Flask, session: Any) -> ForgetfulBrowser:
    person = builders.user("finance", "郑财务")
    session.commit()
    return browser(app, person)


@contextmanager
def counted(session: Any) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_list_shows_totals_words_and_masked_accounts(
    session: Any, finance: ForgetfulBrowser
) -> None:
    builders.budget(total_fen=1_000_000_00)
    award(amount_fen=364_800_50)
    award("reserved", 100_00)
    session.commit()
    page = finance.get("/funds/lists").text
    assert "364,800.50" in page and "叁拾陆万肆仟捌佰元伍角" in page
    assert "6222 **** 5969" in page and FULL not in page
    assert "本页 1 笔小计" in page and "全部 1 笔合计" in page
    assert finance.get("/funds/lists?state=reserved").text.count("100.00") >= 2


def test_held_lines_are_struck_and_left_out_of_both_sums(
    session: Any, finance: ForgetfulBrowser
) -> None:
    builders.budget()
    award(amount_fen=300_00)
    firm = builders.enterprise()
    firm.name = "改了名的有限公司"
    award(amount_fen=50_00, firm=firm)
    session.commit()
    page = finance.get("/funds/lists").text
    assert len(re.findall(r'<tr class="held">', page)) == 1
    assert "户名不符" in page and "暂不列支" in page and "另 1 笔" in page
    assert "本页 1 笔小计（不含暂不列支）" in page
    foot = page[page.index("<tfoot>") : page.index("</tfoot>")]
    assert foot.count("300.00") == 2 and "350.00" not in foot


def test_empty_list_says_what_comes_next_and_offers_no_download(
    session: Any, finance: ForgetfulBrowser
) -> None:
    page = finance.get("/funds/lists")
    assert "这些条件下没有资金行" in page.text and "下载 XLSX" not in page.text
    assert "还没有设定预算" in page.text
    assert finance.get("/funds/lists.xlsx").status_code == 409
    assert finance.get("/funds/lists/export").status_code == 200


def test_wrong_conditions_are_named_at_their_filters(
    session: Any, finance: ForgetfulBrowser
) -> None:
    builders.budget()
    award()
    session.commit()
    page = finance.get("/funds/lists?min=NaN&scheme=x&page=99999999999")
    assert page.status_code == 422
    assert 'href="#filter-min"' in page.text and 'href="#filter-scheme"' in page.text
    assert 'id="filter-min"' in page.text
    assert finance.get("/funds/lists.csv?min=NaN").status_code == 422


def test_queries_of_a_list_do_not_grow_with_it(session: Any, finance: ForgetfulBrowser) -> None:
    builders.budget()
    firm = builders.enterprise()
    award(firm=firm)
    session.commit()
    with counted(session) as few:
        finance.get("/funds/lists")
    for _ in range(24):
        award(firm=firm)
    award(firm=builders.enterprise())
    session.commit()
    with counted(session) as many:
        page = finance.get("/funds/lists").text
    assert page.count("SB-") > 20 and "下一页" in page
    assert len(many) == len(few) <= 12
    assert "第 21–26 笔，共 26 笔" in finance.get("/funds/lists?page=2").text
    assert "第 21–26 笔" in finance.get("/funds/lists?page=999").text


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_download_is_noted_hashed_and_equal_each_time(
    session: Any, finance: ForgetfulBrowser, kind: str
) -> None:
    builders.budget()
    award(amount_fen=123_45)
    session.commit()
    answers = []
    for _ in range(2):
        made = builders.post(
            finance, f"/funds/lists/files?year={YEAR}", {"format": kind}, "/funds/lists"
        )
        assert made.status_code == 303
        answers.append(finance.get(made.location))
    plain = finance.get(f"/funds/lists.{kind}")
    assert answers[0].data == answers[1].data == plain.data
    assert answers[0].headers["Content-Disposition"].startswith("attachment")
    assert answers[0].mimetype == sheet.MEDIA_TYPES[kind]
    noted = session.query(ListFile).order_by(ListFile.id).all()
    assert {n.sha256 for n in noted} == {plain.headers["X-Content-SHA256"]}
    assert noted[0].total_fen == 123_45
    page = finance.get("/funds/lists").text
    assert noted[0].sha256[:6] in page and "第 1 版" in page
    assert session.query(AuditEvent).filter_by(action="funds.list").count() == 2


def test_downloading_by_address_notes_nothing(session: Any, finance: ForgetfulBrowser) -> None:
    builders.budget()
    award()
    session.commit()
    before = session.query(AuditEvent).count()
    assert finance.get("/funds/lists.xlsx").status_code == 200
    assert session.query(AuditEvent).count() == before
    assert session.query(ListFile).count() == 0


def test_full_accounts_need_a_reason_that_is_kept(session: Any, finance: ForgetfulBrowser) -> None:
    builders.budget()
    award()
    session.commit()
    address = f"/funds/lists/export?year={YEAR}"
    refused = builders.post(finance, address, {"format": "xlsx", "reason": "短"})
    assert refused.status_code == 422 and "用途" in refused.text
    given = builders.post(finance, address, {"format": "xlsx", "reason": "第一批拨付，交示范银行"})
    book = openpyxl.load_workbook(BytesIO(given.data))
    assert book[sheet.TITLE]["M2"].value == FULL
    noted = session.query(ListFile).one()
    assert noted.full_accounts and noted.document_id is None
    assert finance.get(f"/funds/lists/files/{noted.id}").status_code == 409


def test_account_is_shown_once_against_a_reason(session: Any, finance: ForgetfulBrowser) -> None:
    builders.budget()
    made = award()
    session.commit()
    page = f"/funds/awards/{made.id}"
    assert FULL not in finance.get(page).text
    refused = builders.post(finance, f"{page}/account", {"reason": ""}, page)
    assert refused.status_code == 422 and FULL not in refused.text
    shown = builders.post(finance, f"{page}/account", {"reason": "核对拨付账户"}, page)
    assert FULL in shown.text and shown.headers["Cache-Control"] == "no-store"
    assert FULL not in finance.get(page).text
    assert "核对拨付账户" in finance.get(page).text


def test_corrected_account_is_taken_on_the_award_page(
    session: Any, finance: ForgetfulBrowser
) -> None:
    from catalogue.enterprises import operations as enterprises

    builders.budget()
    firm = builders.enterprise()
    firm.name = "改了名的有限公司"
    made = award(firm=firm)
    clerk = builders.clerk_of(firm)
    enterprises.set_account(firm, clerk, "示范银行", firm.name, "6222020200100002222")
    session.commit()
    page = f"/funds/awards/{made.id}"
    assert "改用这个账户" in finance.get(page).text
    taken = builders.post(finance, f"{page}/current-account", {"reason": "单位已更正户名"}, page)
    assert taken.status_code == 303
    shown = finance.get(page).text
    assert "6222 **** 2222" in shown and "改用这个账户" not in shown


def test_budget_is_set_with_errors_at_their_fields(session: Any, finance: ForgetfulBrowser) -> None:
    fields = {"scheme": "first_set", "year": "2026", "total": "1200000.00", "reason": "批复文号 1"}
    for wrong in (
        {"total": "1e9"},
        {"total": ""},
        {"total": "  "},
        {"year": "x"},
        {"reason": "短"},
    ):
        answer = builders.post(finance, "/funds/budgets", {**fields, **wrong})
        assert answer.status_code == 422
        assert f'id="{next(iter(wrong))}-error"' in answer.text
    assert builders.post(finance, "/funds/budgets", fields).status_code == 303
    page = finance.get("/funds/budgets?year=2026").text
    assert "1,200,000.00" in page and "批复文号 1" in page
    assert builders.post(finance, "/funds/budgets", fields).status_code == 422


def test_firm_sees_its_own_money_and_no_other(app: Flask, session: Any) -> None:
    builders.budget()
    mine, other = award(amount_fen=212_400_00), award(amount_fen=77_77)
    session.commit()
    person = browser(app, builders.member(mine.enterprise, "signatory"))
    page = person.get("/my-funds").text
    assert "212,400.00" in page and "77.77" not in page
    assert "贰拾壹万贰仟肆佰元整" in page
    own = person.get(f"/funds/awards/{mine.id}")
    assert own.status_code == 200 and "查看完整账号" not in own.text
    assert person.get(f"/funds/awards/{other.id}").status_code == 404
    newcomer = builders.user("applicant")
    session.commit()
    assert "还没有加入单位" in browser(app, newcomer).get("/my-funds").text


@pytest.mark.parametrize("role", ["approver", "administrator"])
def test_deciders_see_the_overview_but_take_no_list(app: Flask, session: Any, role: str) -> None:
    builders.budget()
    made = award()
    person = builders.user(role)
    session.commit()
    client = browser(app, person)
    assert client.get("/funds").status_code == 200
    assert "/funds/lists" not in client.get("/funds").text
    assert client.get("/funds/lists").status_code == 403
    assert client.get("/funds/lists.xlsx").status_code == 403
    page = client.get(f"/funds/awards/{made.id}")
    assert page.status_code == 200 and "查看账号并留痕" not in page.text


def test_overview_shows_each_budget_and_what_waits(session: Any, finance: ForgetfulBrowser) -> None:
    builders.budget(total_fen=1_000_00)
    award("reserved", 40_00)
    award("committed", 60_00)
    session.commit()
    page = finance.get("/funds").text
    assert "1,000.00" in page and "含公示中预留 40.00 元" in page and "900.00" in page
    assert session.query(Award).count() == 2
