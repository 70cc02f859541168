"""Reserving, committing and releasing money as applications move; budgets; files handed out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import func, or_, select, text, true, update

from catalogue.accounts.models import User
from catalogue.applications.facts import KnownAward, awards_known_by
from catalogue.applications.models import Application
from catalogue.applications.operations import when
from catalogue.audit.log import append
from catalogue.audit.operations import record
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents.operations import open_document, store_generated
from catalogue.enterprises.models import BankAccount, Enterprise
from catalogue.enterprises.operations import account_number
from catalogue.errors import Refused
from catalogue.forms import MAX_FEN
from catalogue.funds import lists, sheet
from catalogue.funds.lists import CLAIMS
from catalogue.funds.models import Award, Budget, BudgetEntry, ListFile
from catalogue.funds.rules import (
    MIN_REASON,
    account_check,
    articles_of,
    shortfall_words,
)
from catalogue.funds.selection import Selection
from catalogue.money import money_text
from catalogue.policies.backtest_runs import budget_known_by
from catalogue.policies.models import Policy, Round
from catalogue.policies.operations import document_of

# Lock order, everywhere: application, audit chain, budget, award.
LIST_LOCK = 7_201_431


@when("approve")
def reserve(application: Application, actor: User | None, reason: str | None) -> None:
    """Reserve the checked amount of a claim out of its scheme's budget of the round's year.

    Raises Refused when there is no amount, no budget, or not enough left; the single
    conditional UPDATE makes two officers at the same instant wait for each other.
    """
    if not document_of(application.policy).pays:
        return
    report = application.report
    if report is None or not report.amount_fen:
        raise Refused("本件还没有核算金额，不能审定通过。请退回形式审查，核验后再审定")
    amount = report.amount_fen
    budget_id = _take(application.scheme, application.round.year, amount)
    account, check = _account_now(application.enterprise)
    award = Award(
        application_id=application.id,
        budget_id=budget_id,
        policy_id=application.policy_id,
        enterprise_id=application.enterprise_id,
        amount_fen=amount,
        worksheet=report.worksheet,
        number=application.number,
        firm=application.enterprise.name,
        credit_code=application.enterprise.credit_code,
        district=application.enterprise.district,
        product=application.product.name,
        contracts="、".join(contract.number for contract in application.contracts),
        policy_version=application.policy.version,
        articles=articles_of(report.worksheet),
        bank_account_id=account.id if account else None,
        account_check=check,
    )
    db.session.add(award)
    record("award.reserve", award, actor, amount_fen=amount, number=application.number)
    _book(award, "reserve", actor, reserved_fen=amount)


def _take(scheme: str, year: int, amount: int) -> int:
    occupied = Budget.reserved_fen + Budget.committed_fen + Budget.paid_fen
    taken = db.session.scalar(
        update(Budget)
        .where(Budget.scheme == scheme, Budget.year == year)
        .where(Budget.total_fen - occupied >= amount)
        .values(reserved_fen=Budget.reserved_fen + amount, changed_at=utc_now())
        .returning(Budget.id)
    )
    if taken is not None:
        return taken
    free = db.session.scalar(
        select(Budget.total_fen - occupied).where(Budget.scheme == scheme, Budget.year == year)
    )
    if free is None:
        raise Refused(f"{year} 年度{CLAIMS[scheme]}还没有预算。请先由财务设定预算，再审定")
    raise Refused(shortfall_words(CLAIMS[scheme], year, free, amount))


def _account_now(enterprise: Enterprise) -> tuple[BankAccount | None, str]:
    account = db.session.scalar(
        select(BankAccount).where(
            BankAccount.enterprise_id == enterprise.id, BankAccount.replaced_at.is_(None)
        )
    )
    return account, account_check(account.holder_name if account else None, enterprise.name)


def _set_account(award: Award) -> None:
    account, award.account_check = _account_now(award.enterprise)
    award.bank_account_id = account.id if account else None


@when("conclude")
def commit(application: Application, actor: User | None, reason: str | None) -> None:
    """Turn the reservation of a concluded claim into money owed, and fix the account."""
    if not document_of(application.policy).pays:
        return
    award = _award_of(application)
    if award is None or award.state != "reserved":
        raise Refused("这件申报没有预留资金，不能办结")
    amount = award.amount_fen
    _move(award.budget_id, reserved_fen=-amount, committed_fen=amount)
    now = utc_now()
    award.state, award.committed_at, award.changed_at = "committed", now, now
    _set_account(award)
    record("award.commit", award, actor, amount_fen=amount, account_check=award.account_check)
    _book(award, "commit", actor, reserved_fen=-amount, committed_fen=amount)


@when("uphold_objection")
@when("reject")
@when("withdraw")
@when("revoke")
def release(application: Application, actor: User | None, reason: str | None) -> None:
    """Give the money of a claim that ends back to its budget; without an award, nothing."""
    award = _award_of(application)
    if award is None or award.state == "released":
        return
    if award.state == "paid":
        raise Refused("资金已经拨付，要先办追回，才能撤销")
    amount, column = award.amount_fen, f"{award.state}_fen"
    _move(award.budget_id, **{column: -amount})
    now = utc_now()
    award.state, award.released_at, award.changed_at = "released", now, now
    record("award.release", award, actor, amount_fen=amount, reason=reason)
    _book(award, "release", actor, reason, **{column: -amount})


def _award_of(application: Application) -> Award | None:
    return db.session.scalar(
        select(Award)
        .where(Award.application_id == application.id)
        .with_for_update(of=Award)
        .execution_options(populate_existing=True)
    )


STANDS_AS = {
    "reserved": "approved",
    "committed": "concluded",
    "paid": "concluded",
    "released": "revoked",
}


@awards_known_by
def awards_of_firm(enterprise_id: int, besides: int, most: int) -> list[KnownAward]:
    """The firm's awards on applications other than ``besides``, oldest first, at most ``most``.

    An award whose claim was rejected or withdrawn never was; a revoked one counts 0 fen.
    """
    rows = db.session.execute(
        select(
            Award.state,
            Award.amount_fen,
            Award.created_at,
            Application.product_id,
            Policy.scheme,
            Round.year,
        )
        .join(Application, Application.id == Award.application_id)
        .join(Policy, Policy.id == Award.policy_id)
        .join(Round, Round.id == Application.round_id)
        .where(
            Award.enterprise_id == enterprise_id,
            Award.application_id != besides,
            or_(Award.state != "released", Application.state == "revoked"),
        )
        .order_by(Award.id)
        .limit(most)
    )
    return [
        KnownAward(
            scheme=scheme,
            year=year,
            awarded_on=at.astimezone(SHANGHAI).date(),
            product_id=product_id,
            amount_fen=0 if state == "released" else amount,
            state=STANDS_AS[state],
        )
        for state, amount, at, product_id, scheme, year in rows
    ]


def _move(budget_id: int, **change: int) -> None:
    values = {name: getattr(Budget, name) + by for name, by in change.items()}
    db.session.execute(
        update(Budget).where(Budget.id == budget_id).values(**values, changed_at=utc_now())
    )


def _book(
    award: Award, kind: str, actor: User | None, reason: str | None = None, **change: int
) -> None:
    db.session.add(
        BudgetEntry(
            budget_id=award.budget_id,
            award_id=award.id,
            kind=kind,
            reason=reason,
            actor_id=actor.id if actor else None,
            **change,
        )
    )
    db.session.flush()


@budget_known_by
def budget_total(scheme: str, year: int) -> tuple[int, bool] | None:
    """The year's budget of a scheme in fen and whether it is a placeholder; None when unset."""
    row = db.session.execute(
        select(Budget.total_fen, Budget.placeholder).where(
            Budget.scheme == scheme, Budget.year == year
        )
    ).first()
    return (row.total_fen, row.placeholder) if row is not None else None


def set_budget(
    scheme: str,
    year: int,
    total_fen: int,
    actor: User | None,
    reason: str,
    *,
    placeholder: bool = False,
) -> Budget:
    """Set the total of a scheme's year, in fen; ``actor`` None is the system (seeds).

    Raises Refused for other people, without a reason, out of range, unchanged, or below what
    is occupied already.
    """
    if actor is not None and not actor.has_role("finance", "administrator"):
        raise Refused("只有财务和管理员能设定预算", status=403)
    if len(reason.strip()) < MIN_REASON:
        raise Refused(f"请写明依据，至少 {MIN_REASON} 个字", "reason", 422)
    if scheme not in CLAIMS:
        raise Refused("请选择事项", "scheme", 422)
    if not 2000 <= year <= 2100:
        raise Refused("请填四位年份，例如 2026", "year", 422)
    if not 0 <= total_fen < MAX_FEN:
        raise Refused("预算总额超出范围", "total", 422)
    budget = _budget(scheme, year)
    before = budget.total_fen
    if before == total_fen:
        raise Refused("与现在的预算总额相同，没有改动", "total", 422)
    record(
        "budget.set",
        budget,
        actor,
        before_fen=before,
        total_fen=total_fen,
        placeholder=placeholder,
        reason=reason.strip(),
    )
    _change_total(budget, before, total_fen, placeholder=placeholder)
    db.session.add(
        BudgetEntry(
            budget_id=budget.id,
            kind="adjust",
            total_fen=total_fen - before,
            reason=reason.strip(),
            actor_id=actor.id if actor else None,
        )
    )
    db.session.flush()
    db.session.refresh(budget)
    return budget


def _budget(scheme: str, year: int) -> Budget:
    db.session.execute(
        text(
            "INSERT INTO budget (scheme, year, total_fen, reserved_fen, committed_fen, paid_fen,"
            " placeholder, created_at, changed_at)"
            " VALUES (:scheme, :year, 0, 0, 0, 0, false, :now, :now)"
            " ON CONFLICT (scheme, year) DO NOTHING"
        ),
        {"scheme": scheme, "year": year, "now": utc_now()},
    )
    return db.session.scalars(
        select(Budget)
        .where(Budget.scheme == scheme, Budget.year == year)
        .execution_options(populate_existing=True)
    ).one()


def _change_total(budget: Budget, before: int, total_fen: int, *, placeholder: bool) -> None:
    occupied = Budget.reserved_fen + Budget.committed_fen + Budget.paid_fen
    changed = db.session.scalar(
        update(Budget)
        .where(Budget.id == budget.id, Budget.total_fen == before, occupied <= total_fen)
        .values(total_fen=total_fen, placeholder=placeholder, changed_at=utc_now())
        .returning(Budget.id)
    )
    if changed is not None:
        return
    now = db.session.execute(select(Budget.total_fen, occupied).where(Budget.id == budget.id)).one()
    if now[0] != before:
        raise Refused("预算刚刚被别人改过，请刷新后再看", "total")
    raise Refused(
        f"已预留、已核定和已拨付共 {money_text(now[1])} 元，预算总额不能低于它", "total", 422
    )


def take_account(award: Award, actor: User, reason: str) -> None:
    """Use the firm's account as it is on record now; for a line held for its account."""
    if not actor.has_role("finance"):
        raise Refused("只有财务能改用现登记账户", status=403)
    if len(reason.strip()) < MIN_REASON:
        raise Refused(f"请写明原因，至少 {MIN_REASON} 个字", "reason", 422)
    account, check = _account_now(award.enterprise)
    if account is None:
        raise Refused("这个单位现在没有登记收款账户，请先请单位登记")
    if account.id == award.bank_account_id:
        raise Refused("现登记账户与本件的账户是同一个，没有变化")
    record(
        "award.take_account",
        award,
        actor,
        account=account.masked,
        check=check,
        reason=reason.strip(),
    )
    changed = db.session.scalar(
        update(Award)
        .where(Award.id == award.id, Award.state.in_(("reserved", "committed")))
        .values(bank_account_id=account.id, account_check=check, changed_at=utc_now())
        .returning(Award.id)
    )
    if changed is None:
        raise Refused("这笔资金已经拨付或释放，不能再改账户")
    db.session.refresh(award)


def reveal_account(award: Award, actor: User, reason: str) -> str:
    """The full number of the award's account, against a reason that is audited."""
    if not actor.has_role("finance"):
        raise Refused("只有财务能查看完整账号", status=403)
    if len(reason.strip()) < MIN_REASON:
        raise Refused(f"请写明查看的原因，至少 {MIN_REASON} 个字", "reason", 422)
    if award.account is None:
        raise Refused("这笔资金还没有收款账户")
    number = account_number(award.account, award.enterprise)
    record(
        "award.reveal_account", award, actor, account=award.account.masked, reason=reason.strip()
    )
    return number


def build_list(selection: Selection, kind: str) -> tuple[sheet.Made, str]:
    """The list with masked accounts and its file name; nothing is kept."""
    return _build(selection, kind, lists.lines_of(selection), full=False)


def hand_out(selection: Selection, kind: str, actor: User) -> ListFile:
    """Make the list with masked accounts, keep it under its hash, and note who took it."""
    _require_finance(actor)
    made, filename = build_list(selection, kind)
    known = db.session.scalar(
        select(ListFile.document_id)
        .where(ListFile.sha256 == made.sha256, ListFile.document_id.is_not(None))
        .limit(1)
    )
    if known is None:
        known = store_generated(made.data, filename, sheet.MEDIA_TYPES[kind]).id
    return _note(selection, kind, made, filename, actor, document_id=known)


def hand_out_full(
    selection: Selection, kind: str, actor: User, reason: str
) -> tuple[ListFile, bytes]:
    """The list with full account numbers, against a reason; the bytes are not kept anywhere."""
    _require_finance(actor)
    if len(reason.strip()) < MIN_REASON:
        raise Refused(f"请写明用途，至少 {MIN_REASON} 个字", "reason", 422)
    numbers = {
        key: account_number(account, firm) for key, account, firm in lists.with_accounts(selection)
    }
    lines = (
        replace(line, account=numbers.get(line.award_id, line.account))
        for line in lists.lines_of(selection)
    )
    made, filename = _build(selection, kind, lines, full=True)
    noted = _note(selection, kind, made, filename, actor, reason=reason.strip())
    return noted, made.data


def _require_finance(actor: User) -> None:
    if not actor.has_role("finance"):
        raise Refused("只有财务能下载资金清单", status=403)


def _build(
    selection: Selection, kind: str, lines: Iterator[sheet.Line], *, full: bool
) -> tuple[sheet.Made, str]:
    if selection.problems:
        raise Refused("筛选条件有误，请先改正，再下载", status=422)
    whole = lists.sums(selection)
    if whole.changed_at is None:
        raise Refused("这些条件下没有资金行，没有可下载的清单")
    about = sheet.About(
        title=lists.title_of(selection),
        conditions=tuple(selection.words(CLAIMS, lists.districts())),
        data_changed_at=whole.changed_at,
        full_accounts=full,
        placeholder=whole.placeholder,
    )
    made = sheet.make(kind, lines, about)
    if (made.lines, made.total_fen, made.held) != (whole.lines, whole.total_fen, whole.held):
        raise Refused("清单刚刚有变动，请再下载一次")
    kinds = "完整账号" if full else "账号遮盖"
    return made, f"{about.title}-{kinds}-{made.sha256[:8]}.{kind}"


def _note(
    selection: Selection,
    kind: str,
    made: sheet.Made,
    filename: str,
    actor: User,
    reason: str | None = None,
    document_id: int | None = None,
) -> ListFile:
    full = document_id is None
    # Version numbers follow each other, so their givers take turns.
    db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LIST_LOCK})
    newest = db.session.scalar(
        select(ListFile)
        .where(
            ListFile.query == selection.arguments,
            ListFile.format == kind,
            ListFile.full_accounts == full,
        )
        .order_by(ListFile.id.desc())
        .limit(1)
    )
    version = 1 if newest is None else newest.version + (newest.sha256 != made.sha256)
    changed_at = lists.sums(selection).changed_at
    noted = ListFile(
        query=selection.arguments,
        format=kind,
        full_accounts=full,
        reason=reason,
        version=version,
        sha256=made.sha256,
        lines=made.lines,
        total_fen=made.total_fen,
        data_changed_at=changed_at,
        made_by_id=actor.id,
        filename=filename,
        document_id=document_id,
    )
    db.session.add(noted)
    record(
        "funds.list",
        noted,
        actor,
        query=selection.arguments,
        format=kind,
        full_accounts=full,
        sha256=made.sha256,
        lines=made.lines,
        total_fen=made.total_fen,
        reason=reason,
    )
    append("finance", f"ZJ-{noted.id}", made.sha256)
    return noted


def reopen(noted: ListFile) -> bytes:
    """The bytes of a kept list; raises Refused when they are no longer what was handed out."""
    if noted.document is None:
        raise Refused("含完整账号的清单不留存。请写明用途，重新制作；数据没变时字节相同")
    with open_document(noted.document) as stored:
        data = stored.read()
    if hashlib.sha256(data).hexdigest() != noted.sha256:
        raise Refused("存下的文件与登记的 SHA-256 不符，不能下载。请联系管理员", status=503)
    return data


def identities() -> list[str]:
    """Every place where the money does not add up, in words; empty when all of it does."""
    return [*_ledger_breaches(), *_award_breaches(), *_unbooked(), *_without_award()]


COLUMNS = ("total_fen", "reserved_fen", "committed_fen", "paid_fen")


def _ledger_breaches() -> Iterator[str]:
    booked = (
        select(
            BudgetEntry.budget_id,
            *(func.sum(getattr(BudgetEntry, name)).label(name) for name in COLUMNS),
        )
        .group_by(BudgetEntry.budget_id)
        .subquery()
    )
    rows = db.session.execute(
        select(Budget.id, *(getattr(Budget, n) for n in COLUMNS), *(booked.c[n] for n in COLUMNS))
        .outerjoin(booked, booked.c.budget_id == Budget.id)
        .order_by(Budget.id)
    )
    for key, *figures in rows:
        for name, stands, sums in zip(COLUMNS, figures[:4], figures[4:], strict=True):
            if stands != int(sums or 0):
                yield f"funds: budget {key} has {name} {stands}, its ledger says {int(sums or 0)}"


def _award_breaches() -> Iterator[str]:
    by_state = (
        select(
            Award.budget_id,
            *(
                func.sum(Award.amount_fen).filter(Award.state == state).label(f"{state}_fen")
                for state in ("reserved", "committed", "paid")
            ),
        )
        .group_by(Award.budget_id)
        .subquery()
    )
    names = COLUMNS[1:]
    rows = db.session.execute(
        select(Budget.id, *(getattr(Budget, n) for n in names), *(by_state.c[n] for n in names))
        .outerjoin(by_state, by_state.c.budget_id == Budget.id)
        .order_by(Budget.id)
    )
    for key, *figures in rows:
        for name, stands, sums in zip(names, figures[:3], figures[3:], strict=True):
            if stands != int(sums or 0):
                yield f"funds: budget {key} has {name} {stands}, its awards say {int(sums or 0)}"


def _unbooked() -> Iterator[str]:
    booked = (
        select(
            BudgetEntry.award_id,
            func.sum(BudgetEntry.reserved_fen).label("reserved"),
            func.sum(BudgetEntry.committed_fen).label("committed"),
        )
        .where(BudgetEntry.award_id.is_not(None))
        .group_by(BudgetEntry.award_id)
        .subquery()
    )
    rows = db.session.execute(
        select(Award.id, Award.state, Award.amount_fen, booked.c.reserved, booked.c.committed)
        .outerjoin(booked, booked.c.award_id == Award.id)
        .where(Award.state != "paid")
        .order_by(Award.id)
    )
    for key, state, amount, reserved, committed in rows:
        due = (amount if state == "reserved" else 0, amount if state == "committed" else 0)
        if (int(reserved or 0), int(committed or 0)) != due or reserved is None:
            yield f"funds: award {key} is {state}, but its ledger does not say so"


# States of a claim in which money must be set aside, and the award's state then.
DUE = {
    "on_notice": ("reserved",),
    "objected": ("reserved",),
    "cleared": ("reserved",),
    "concluded": ("committed", "paid"),
}


def _without_award() -> Iterator[str]:
    rows = db.session.execute(
        select(Application.number, Application.state, Award.state)
        .select_from(Application)
        .join(Policy, Policy.id == Application.policy_id)
        .outerjoin(Award, Award.application_id == Application.id)
        .where(
            Policy.scheme.in_(CLAIMS),
            func.coalesce(Policy.document["pays"].as_boolean(), true()),
            Application.state.in_(DUE),
        )
        .order_by(Application.id)
    )
    for number, state, award in rows:
        if award not in DUE[state]:
            yield f"funds: {number} is {state}, but its award is {award or 'missing'}"
