"""Money follows the application: reserved, committed, released; and never more than there is."""

from __future__ import annotations

import random
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask

from catalogue.applications.models import Application
from catalogue.applications.operations import advance
from catalogue.audit.operations import trail
from catalogue.database import db
from catalogue.enterprises import operations as enterprises
from catalogue.errors import Refused
from catalogue.funds import lists, operations
from catalogue.funds.models import Award, Budget, BudgetEntry, ListFile
from catalogue.funds.selection import Selection
from tests import builders
from tests.funds.awards import YEAR, award, claim


def budget_of(scheme: str = "first_version") -> Budget:
    db.session.expire_all()
    return db.session.query(Budget).filter_by(scheme=scheme).one()


def figures() -> tuple[int, int, int, int]:
    found = budget_of()
    return found.free_fen, found.reserved_fen, found.committed_fen, found.paid_fen


def test_claim_reserves_its_worksheet_and_commits_it_when_concluded(session: Any) -> None:
    application = builders.concluded("first_version")
    made = session.query(Award).one()
    assert made.amount_fen == application.report.amount_fen > 0
    assert made.worksheet == application.report.worksheet
    assert (made.state, made.account_check) == ("committed", "matches")
    assert made.contracts == "、".join(c.number for c in application.contracts)
    assert figures()[1:] == (0, made.amount_fen, 0)
    kinds = [e.kind for e in session.query(BudgetEntry).order_by(BudgetEntry.id)]
    assert kinds == ["adjust", "reserve", "commit"]
    assert [e.action for e in trail(made)] == ["award.reserve", "award.commit"]
    assert operations.identities() == []


def test_listing_application_moves_no_money(session: Any) -> None:
    builders.on_notice("catalogue")
    assert session.query(Award).count() == 0


def test_revoked_claim_gives_its_money_back(session: Any) -> None:
    application = builders.concluded("first_version")
    before = figures()[2]
    builders.change_certificate(application, "revoked")
    session.commit()
    assert before > 0 and figures()[1:] == (0, 0, 0)
    assert session.query(Award).one().state == "released"
    assert operations.identities() == []


@pytest.mark.parametrize("amount", [None, 0])
def test_claim_without_an_amount_is_not_approved(session: Any, amount: int | None) -> None:
    builders.budget()
    with pytest.raises(Refused, match="没有核算金额"):
        operations.reserve(claim(amount), None, None)


def test_claim_without_a_budget_is_refused_in_words(session: Any) -> None:
    with pytest.raises(Refused, match=f"{YEAR} 年度首版次软件还没有预算"):
        operations.reserve(claim(), None, None)


def test_refusal_names_free_and_needed_amount_and_changes_nothing(session: Any) -> None:
    builders.budget(total_fen=99_99)
    application = claim(100_00)
    session.commit()
    with pytest.raises(Refused, match=r"只剩 99\.99 元.*100\.00 元.*0\.01 元"):
        operations.reserve(application, None, None)
    session.rollback()
    assert figures() == (99_99, 0, 0, 0)


def test_the_last_fen_may_be_spent(session: Any) -> None:
    builders.budget(total_fen=100_00)
    award("committed", 100_00)
    assert figures() == (0, 0, 100_00, 0)


def test_two_officers_at_one_instant_cannot_overspend(app: Flask, session: Any) -> None:
    first, second = builders.in_committee(), builders.in_committee()
    builders.budget(total_fen=first.report.amount_fen + second.report.amount_fen - 1)
    officers = [builders.user("approver").id, builders.user("approver").id]
    session.commit()
    chosen = [first.id, second.id]
    said = at_once(app, [(key, who) for key, who in zip(chosen, officers, strict=True)])
    assert sorted(answer is None for answer in said) == [False, True]
    assert "未占用" in next(answer for answer in said if answer)
    db.session.expire_all()
    states = sorted(db.session.get(Application, key).state for key in chosen)
    assert states == ["committee", "on_notice"]
    assert operations.identities() == []


def at_once(app: Flask, tries: list[tuple[int, int | None]]) -> list[str | None]:
    """Approve each application in a thread and connection of its own; the refusals."""
    from catalogue.accounts.models import User

    answers: list[str | None] = ["not run"] * len(tries)
    barrier = Barrier(len(tries))

    def run(position: int, key: int, officer: int | None) -> None:
        with app.app_context():
            barrier.wait()
            try:
                application = db.session.get(Application, key)
                if officer is None:
                    operations.reserve(application, None, None)
                else:
                    advance(application, "approve", db.session.get(User, officer))
                db.session.commit()
                answers[position] = None
            except Refused as refused:
                db.session.rollback()
                answers[position] = refused.reason

    threads = [Thread(target=run, args=(i, *one)) for i, one in enumerate(tries)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return answers


def test_of_fifty_approvals_exactly_as_many_pass_as_fit(app: Flask, session: Any) -> None:
    fitting, firm = 20, builders.enterprise()
    keys = [claim(100_00, firm=firm).id for _ in range(50)]
    builders.budget(total_fen=fitting * 100_00 + 99_99)
    session.commit()
    said = at_once(app, [(key, None) for key in keys])
    assert said.count(None) == fitting
    assert all("未占用" in answer for answer in said if answer)
    assert figures() == (99_99, fitting * 100_00, 0, 0)
    assert session.query(Award).count() == fitting
    assert operations.identities() == []


def test_any_mix_of_moves_adds_up_to_the_fen(session: Any) -> None:
    drawn, firm = random.Random(20261123), builders.enterprise()
    builders.budget(total_fen=700_13)
    applications: list[Application] = []
    for _ in range(60):
        act = drawn.choice(["reserve", "commit", "release", "budget"])
        try:
            with session.begin_nested():
                if act == "reserve":
                    applications.append(claim(drawn.randrange(1, 90_00), firm=firm))
                    operations.reserve(applications[-1], None, None)
                elif act == "budget":
                    total = drawn.randrange(300_00, 900_00)
                    operations.set_budget("first_version", YEAR, total, None, "随机调整预算")
                elif applications:
                    getattr(operations, act)(drawn.choice(applications), None, "测试")
        except Refused:
            pass
        assert operations.identities() == []
        found = budget_of()
        assert found.free_fen >= 0


def test_releasing_twice_releases_once(session: Any) -> None:
    builders.budget(total_fen=500_00)
    application = claim()
    operations.reserve(application, None, None)
    operations.release(application, None, "一次")
    operations.release(application, None, "两次")
    assert figures() == (500_00, 0, 0, 0)


def test_concluding_without_a_reservation_is_refused(session: Any) -> None:
    builders.budget()
    with pytest.raises(Refused, match="没有预留资金"):
        operations.commit(claim(), None, None)


def test_paid_money_cannot_be_released(session: Any) -> None:
    builders.budget()
    made = award("paid")
    with pytest.raises(Refused, match="已经拨付"):
        operations.release(made.application, None, "撤销")


def test_budget_is_set_with_a_reason_and_booked(session: Any) -> None:
    finance = builders.user("finance")
    made = operations.set_budget("first_set", 2026, 500_00, finance, "沪示范〔2026〕1 号")
    operations.set_budget("first_set", 2026, 300_00, finance, "压缩一般性支出")
    entries = session.query(BudgetEntry).order_by(BudgetEntry.id).all()
    assert [(e.total_fen, e.actor_id) for e in entries] == [
        (500_00, finance.id),
        (-200_00, finance.id),
    ]
    assert made.total_fen == 300_00
    assert operations.identities() == []


def test_budget_cannot_fall_below_what_is_occupied(session: Any) -> None:
    builders.budget(total_fen=500_00)
    award("committed", 100_00)
    award("reserved", 50_00)
    with pytest.raises(Refused, match=r"共 150\.00 元") as refusal:
        operations.set_budget("first_version", YEAR, 149_99, None, "压缩预算总额")
    assert refusal.value.field == "total"
    operations.set_budget("first_version", YEAR, 150_00, None, "压缩预算总额")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": "短"}, "reason"),
        ({"scheme": "catalogue"}, "scheme"),
        ({"year": 1999}, "year"),
        ({"total_fen": -1}, "total"),
        ({"total_fen": 10**15}, "total"),
        ({"total_fen": 0}, "total"),
    ],
)
def test_budget_refusals_name_their_field(session: Any, change: dict[str, Any], field: str) -> None:
    given = {"scheme": "first_set", "year": 2026, "total_fen": 1, "reason": "一个完整的依据"}
    with pytest.raises(Refused) as refusal:
        operations.set_budget(**{**given, **change}, actor=None)
    assert refusal.value.field == field


@pytest.mark.parametrize("role", ["applicant", "signatory", "reviewer", "approver", "buyer"])
def test_only_finance_and_administrators_set_budgets(session: Any, role: str) -> None:
    with pytest.raises(Refused, match="只有财务和管理员"):
        operations.set_budget("first_set", 2026, 1_00, builders.user(role), "一个完整的依据")


def test_wrong_holder_is_held_until_finance_takes_the_corrected_account(session: Any) -> None:
    builders.budget()
    firm, finance = builders.enterprise(), builders.user("finance")
    clerk = builders.clerk_of(firm)
    firm.name = "改了名的有限公司"
    made = award("committed", firm=firm)
    assert made.held and made.account_check == "mismatch"
    with pytest.raises(Refused, match="同一个"):
        operations.take_account(made, finance, "单位已更正户名")
    enterprises.set_account(firm, clerk, "示范银行", firm.name, "6222020200100002222")
    session.expire_all()
    assert made.account_check == "mismatch"
    operations.take_account(made, finance, "单位已更正户名")
    assert (made.held, made.account.last4) == (False, "2222")


def test_full_account_needs_finance_and_a_reason_and_leaves_a_trace(session: Any) -> None:
    builders.budget()
    made, finance = award(), builders.user("finance")
    with pytest.raises(Refused, match="只有财务"):
        operations.reveal_account(made, builders.user("approver"), "核对拨付账户")
    with pytest.raises(Refused, match="原因"):
        operations.reveal_account(made, finance, "看看")
    assert operations.reveal_account(made, finance, "核对拨付账户") == "6222020200100005969"
    event = trail(made)[-1]
    assert (event.action, event.facts["reason"]) == ("award.reveal_account", "核对拨付账户")
    assert "0020010000" not in str(event.facts)


def test_handed_out_list_is_kept_and_reopens_byte_for_byte(session: Any) -> None:
    builders.budget()
    finance, chosen = builders.user("finance"), Selection(year=YEAR)
    award()
    first = operations.hand_out(chosen, "xlsx", finance)
    again = operations.hand_out(chosen, "xlsx", finance)
    session.commit()
    assert (first.version, again.version) == (1, 1)
    assert first.document_id == again.document_id
    assert operations.reopen(first) == operations.build_list(chosen, "xlsx")[0].data
    award()
    assert operations.hand_out(chosen, "xlsx", finance).version == 2


def test_a_stored_list_that_was_altered_is_not_handed_out(session: Any, app: Flask) -> None:
    from pathlib import Path

    builders.budget()
    award()
    noted = operations.hand_out(Selection(year=YEAR), "csv", builders.user("finance"))
    session.commit()
    place = Path(app.config["STORAGE_DIR"]) / noted.sha256[:2] / noted.sha256
    place.write_bytes(place.read_bytes().replace(b"100.00", b"900.00"))
    with pytest.raises(Refused, match="不符"):
        operations.reopen(noted)


def test_list_with_full_accounts_is_never_stored(session: Any) -> None:
    builders.budget()
    finance, chosen = builders.user("finance"), Selection(year=YEAR)
    award()
    noted, data = operations.hand_out_full(chosen, "csv", finance, "第一批拨付，交示范银行")
    again, same = operations.hand_out_full(chosen, "csv", finance, "第一批拨付，再取一次")
    assert data == same and noted.sha256 == again.sha256
    assert "6222020200100005969" in data.decode("utf-8-sig")
    assert noted.document_id is None
    with pytest.raises(Refused, match="不留存"):
        operations.reopen(noted)
    event = trail(noted)[-1]
    assert event.facts["reason"] == "第一批拨付，交示范银行"
    masked = operations.build_list(chosen, "csv")[0]
    assert "6222 **** 5969" in masked.data.decode("utf-8-sig")
    assert b"6222020200100005969" not in masked.data


@pytest.mark.parametrize("role", ["applicant", "reviewer", "approver", "administrator"])
def test_only_finance_takes_lists_away(session: Any, role: str) -> None:
    person = builders.user(role)
    with pytest.raises(Refused, match="只有财务"):
        operations.hand_out(Selection(year=YEAR), "csv", person)
    with pytest.raises(Refused, match="只有财务"):
        operations.hand_out_full(Selection(year=YEAR), "csv", person, "一个完整的原因")
    assert session.query(ListFile).count() == 0


def test_filters_and_sums_agree_with_the_lines(session: Any) -> None:
    builders.budget()
    builders.budget("first_set")
    other = builders.enterprise("演示海工装备有限公司")
    award(amount_fen=10_00, name="离散排产引擎")
    award(amount_fen=20_00, scheme="first_set", firm=other, name="百分之百 100% 机械臂_A")
    award("reserved", 40_00)
    award("released", 80_00)
    asked = {
        (): 30_00,
        (("scheme", "first_set"),): 20_00,
        (("state", "reserved"),): 40_00,
        (("state", "released"),): 0,
        (("min_fen", 20_00),): 20_00,
        (("q", "海工"),): 20_00,
        (("q", "排产"),): 10_00,
        (("q", "100%"),): 20_00,
        (("q", "_A"),): 20_00,
        (("q", "%"),): 20_00,
        (("q", other.credit_code.lower()),): 20_00,
        (("q", "' OR 1=1 --"),): 0,
        (("district", "310115"),): 30_00,
        (("district", "310101"),): 0,
        (("account", "mismatch"),): 0,
    }
    for conditions, total in asked.items():
        chosen = Selection(year=YEAR, **dict(conditions))
        found = lists.sums(chosen)
        assert found.total_fen == total, conditions
        lines = list(lists.lines_of(chosen))
        assert sum(line.amount_fen for line in lines if not line.held) == total
        assert len(lines) == found.lines + found.held == len(lists.page_of(chosen, 1))


def test_every_order_is_complete_and_stable(session: Any) -> None:
    builders.budget()
    firm = builders.enterprise()
    for _ in range(5):
        award(amount_fen=10_00, firm=firm)
    for sort in ("amount", "-amount", "firm", "-firm", "number", "-number"):
        found = [line.award_id for line in lists.lines_of(Selection(year=YEAR, sort=sort))]
        assert sorted(found) == sorted(set(found)) and len(found) == 5
        if "number" not in sort:
            assert found == sorted(found)
