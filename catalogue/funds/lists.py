"""Reading subsidy lists: the lines of a selection, their sums, the page, and budgets beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import contains_eager, joinedload, lazyload

from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.models import BankAccount, Enterprise
from catalogue.enterprises.taxonomies import district_name
from catalogue.enterprises.taxonomies import districts as all_districts
from catalogue.funds.models import Award, Budget, ListFile
from catalogue.funds.rules import LISTED, STATES, held_because
from catalogue.funds.selection import Selection
from catalogue.funds.sheet import Line
from catalogue.policies.document import SCHEMES, WITHOUT_MONEY

PER_PAGE = 20
CLAIMS = {scheme: name for scheme, name in SCHEMES.items() if scheme not in WITHOUT_MONEY}


@dataclass(frozen=True)
class SchemeSum:
    """Lines of one scheme that count, and those held back; amounts in fen."""

    lines: int = 0
    total_fen: int = 0
    held: int = 0


@dataclass(frozen=True)
class Sums:
    """The whole list: what counts, what is held back, by scheme, and when any of it changed."""

    by_scheme: dict[str, SchemeSum] = field(default_factory=dict)
    changed_at: datetime | None = None
    # Some amount rests on a number that no public text gave (示范参数).
    placeholder: bool = False

    @property
    def lines(self) -> int:
        """How many lines count."""
        return sum(part.lines for part in self.by_scheme.values())

    @property
    def held(self) -> int:
        """How many lines are shown but do not count."""
        return sum(part.held for part in self.by_scheme.values())

    @property
    def total_fen(self) -> int:
        """The sum of the lines that count."""
        return sum(part.total_fen for part in self.by_scheme.values())


def districts() -> dict[str, str]:
    """The districts that a list may be narrowed to."""
    return all_districts()


def title_of(selection: Selection) -> str:
    """What the list is called, on the page and in the file."""
    return f"{selection.year} 年度{CLAIMS.get(selection.scheme, '')}资金清单"


def years() -> list[int]:
    """Years that have a budget, newest first."""
    return list(db.session.scalars(select(Budget.year).distinct().order_by(Budget.year.desc())))


def latest_year(known: list[int]) -> int:
    """The newest year with a budget; without any, this year."""
    return known[0] if known else utc_now().astimezone(SHANGHAI).year


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    states = (selection.state,) if selection.state else LISTED
    found: list[ColumnElement[bool]] = [Budget.year == selection.year, Award.state.in_(states)]
    if selection.scheme:
        found.append(Budget.scheme == selection.scheme)
    if selection.account:
        found.append(Award.account_check == selection.account)
    if selection.district:
        found.append(Award.district == selection.district)
    if selection.min_fen:
        found.append(Award.amount_fen >= selection.min_fen)
    if selection.q:
        columns = (Award.firm, Award.number, Award.product, Award.credit_code)
        found.append(or_(*(c.icontains(selection.q, autoescape=True) for c in columns)))
    return found


ORDERS = {"amount": Award.amount_fen, "number": Award.number, "firm": Award.firm}


def _narrowed(statement: Any, selection: Selection) -> Any:
    """``statement`` about awards, with the selection's conditions and order."""
    column = ORDERS[selection.sort.lstrip("-")]
    ordering = column.desc() if selection.sort.startswith("-") else column.asc()
    return (
        statement.join(Award.budget)
        .outerjoin(Award.account)
        .where(*_conditions(selection))
        .order_by(ordering, Award.id)
    )


def sums(selection: Selection) -> Sums:
    """Counts and totals of the whole selection, in one query."""
    rows = db.session.execute(
        select(
            Budget.scheme,
            func.count().filter(~Award.held),
            func.coalesce(func.sum(Award.amount_fen).filter(~Award.held), 0),
            func.count().filter(Award.held),
            func.max(Award.changed_at),
            func.bool_or(Award.worksheet.contains([{"placeholder": True}])),
        )
        .select_from(Award)
        .join(Award.budget)
        .where(*_conditions(selection))
        .group_by(Budget.scheme)
    ).all()
    parts = {
        scheme: SchemeSum(lines, int(total), held) for scheme, lines, total, held, _, _ in rows
    }
    return Sums(parts, max((row[4] for row in rows), default=None), any(row[5] for row in rows))


def page_of(selection: Selection, page: int) -> list[Award]:
    """The awards of one page, accounts and budgets with them, in one query."""
    whole = select(Award).options(contains_eager(Award.budget), contains_eager(Award.account))
    statement = _narrowed(whole, selection).limit(PER_PAGE).offset((page - 1) * PER_PAGE)
    return list(db.session.scalars(statement))


def with_accounts(selection: Selection) -> list[tuple[int, BankAccount, Enterprise]]:
    """Award id, account and firm of every line that counts; for a list with full numbers."""
    whole = select(Award.id, BankAccount, Enterprise).options(lazyload(Enterprise.honours))
    statement = _narrowed(whole.select_from(Award), selection).join(Award.enterprise)
    rows = db.session.execute(statement.where(BankAccount.id.is_not(None), ~Award.held))
    return [(key, account, firm) for key, account, firm in rows]


SHEET_COLUMNS = (
    Award.number,
    Award.firm,
    Award.credit_code,
    Award.product,
    Budget.scheme,
    Award.contracts,
    Award.amount_fen,
    BankAccount.bank_name,
    BankAccount.holder_name,
    BankAccount.first4,
    BankAccount.last4,
    Award.policy_version,
    Award.articles,
    Award.state,
    Award.account_check,
    Award.id,
    Award.district,
)


def lines_of(selection: Selection) -> Iterator[Line]:
    """Every line of the selection for a file, accounts masked, read in portions.

    Plain columns instead of objects: a list of 100,000 lines is read in a second.
    """
    whole = select(*SHEET_COLUMNS).select_from(Award)
    statement = _narrowed(whole, selection).execution_options(yield_per=5000)
    for row in db.session.execute(statement):
        (number, firm, code, product, scheme, contracts, amount, bank, holder) = row[:9]
        (first4, last4, version, articles, state, check, key, district) = row[9:]
        yield Line(
            number=number,
            firm=firm,
            credit_code=code,
            district=district_name(district),
            product=product,
            scheme=CLAIMS[scheme],
            contracts=contracts,
            amount_fen=amount,
            bank=bank or "",
            holder=holder or "",
            account=f"{first4} **** {last4}" if first4 else "",
            policy_version=version,
            articles=articles,
            state=STATES[state],
            held=held_because(state, check) or "",
            award_id=key,
        )


def budgets(year: int, scheme: str = "") -> list[Budget]:
    """The budgets of a year in the order of the schemes."""
    statement = select(Budget).where(Budget.year == year)
    if scheme:
        statement = statement.where(Budget.scheme == scheme)
    order = list(CLAIMS)
    return sorted(db.session.scalars(statement), key=lambda b: (order.index(b.scheme), b.id))


def newest_file(selection: Selection) -> ListFile | None:
    """The newest file handed out for the same conditions and order."""
    return db.session.scalar(
        select(ListFile)
        .options(joinedload(ListFile.made_by))
        .where(ListFile.query == selection.arguments)
        .order_by(ListFile.id.desc())
        .limit(1)
    )


def awards_of_firm(enterprise_id: int) -> list[Award]:
    """A firm's awards, newest first; at most the newest 200."""
    return list(
        db.session.scalars(
            select(Award)
            .where(Award.enterprise_id == enterprise_id)
            .order_by(Award.id.desc())
            .limit(200)
        )
    )
