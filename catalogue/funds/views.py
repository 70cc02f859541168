"""Pages of finance: overview, subsidy lists, budgets, one award; and a firm's own awards."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from flask import (
    Blueprint,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import contains_eager, joinedload

from catalogue.accounts.access import allow
from catalogue.audit.operations import trail
from catalogue.database import db
from catalogue.enterprises.models import membership_of
from catalogue.errors import Refused
from catalogue.funds import lists, operations, selection, sheet
from catalogue.funds.forms import BudgetForm, ExportForm, ReasonForm, TakeAccountForm
from catalogue.funds.lists import CLAIMS
from catalogue.funds.models import Award, Budget, BudgetEntry, ListFile
from catalogue.funds.rules import ACCOUNT_CHECKS, ACTIONS, KINDS, STATES

bp = Blueprint("funds", __name__)

ENTRIES = 30


def _selected() -> selection.Selection:
    known = lists.years()
    return selection.parse(request.args, lists.latest_year(known), CLAIMS, lists.districts())


def _address(endpoint: str, chosen: selection.Selection, **more: Any) -> str:
    arguments: dict[str, Any] = {**chosen.arguments, **more}
    return url_for(endpoint, **arguments)


@bp.get("/funds")
@allow("finance", "approver", "administrator")
def overview() -> Any:
    """What is free, reserved, committed and paid, per scheme and year."""
    known = lists.years()
    latest = lists.latest_year(known)
    year = selection.parse(request.args, latest, CLAIMS, ()).year
    due = selection.Selection(year=year)
    waiting = selection.Selection(year=year, state="reserved")
    reserved, budgets_of_year = lists.sums(waiting), lists.budgets(year)
    return render_template(
        "funds/overview.html",
        year=year,
        years=known,
        budgets=budgets_of_year,
        due=lists.sums(due),
        waiting={
            "reserved_lines": reserved.lines + reserved.held,
            "reserved_total": sum(b.reserved_fen for b in budgets_of_year),
        },
        schemes=CLAIMS,
        is_finance=current_user.has_role("finance"),
        may_set=current_user.has_role("finance", "administrator"),
        list_url=_address("funds.lists", due),
    )


@bp.get("/funds/lists", endpoint="lists")
@allow("finance")
def lists_page() -> Any:
    """The subsidy list of look 07."""
    known = lists.years()
    latest = lists.latest_year(known)
    chosen = selection.parse(request.args, latest, CLAIMS, lists.districts())
    whole = lists.sums(chosen)
    shown = whole.lines + whole.held
    last = max(1, -(-shown // lists.PER_PAGE))
    page = min(selection.page_number(request.args.get("page")), last)
    rows = lists.page_of(chosen, page) if shown else []
    counted = [award for award in rows if not award.held]
    return (
        render_template(
            "funds/lists.html",
            chosen=chosen,
            title=lists.title_of(chosen),
            sums=whole,
            shown=shown,
            rows=rows,
            first=(page - 1) * lists.PER_PAGE,
            page=page,
            per_page=lists.PER_PAGE,
            page_url=_page_url(chosen),
            counted=len(counted),
            subtotal=sum(award.amount_fen for award in counted),
            budgets=lists.budgets(chosen.year, chosen.scheme),
            newest=lists.newest_file(chosen),
            year_options=[(y, f"{y} 年") for y in _year_choices(known, chosen.year)],
            sort_words=selection.SORTS[chosen.sort],
            **_columns(chosen),
        ),
        422 if chosen.problems else 200,
    )


def _year_choices(known: list[int], shown: int) -> list[int]:
    return known if shown in known else [shown, *known]


def _page_url(chosen: selection.Selection) -> Callable[[int], str]:
    return lambda number: _address("funds.lists", chosen, page=number)


def _columns(chosen: selection.Selection) -> dict[str, Any]:
    """What the filters and the heads of columns offer."""

    def head(label: str, column: str, **more: Any) -> dict[str, Any]:
        sorting = {column: "asc", f"-{column}": "desc"}.get(chosen.sort)
        url = _address("funds.lists", chosen.sorted_by(column))
        return {"label": label, "sort_url": url, "sorted": sorting, **more}

    return {
        "columns": [
            {"label": "序"},
            head("申报编号", "number"),
            head("单位", "firm"),
            {"label": "产品"},
            {"label": "事项"},
            head("核定金额（元）", "amount", numeric=True),
            {"label": "收款账户"},
            {"label": "账户核验"},
            {"label": "状态"},
            {"label": "测算"},
        ],
        "scheme_options": [("", "全部"), *CLAIMS.items()],
        "state_options": [("", "已核定和已拨付"), *STATES.items()],
        "account_options": [("", "全部"), *ACCOUNT_CHECKS.items()],
        "district_options": [("", "全部"), *lists.districts().items()],
        "schemes": CLAIMS,
        "states": STATES,
        "checks": ACCOUNT_CHECKS,
        "problems": [{"text": p.reason, "url": f"#filter-{p.name}"} for p in chosen.problems],
    }


def _sent(data: bytes, filename: str, kind: str, sha256: str) -> Any:
    response = send_file(
        BytesIO(data), mimetype=sheet.MEDIA_TYPES[kind], as_attachment=True, download_name=filename
    )
    response.headers["X-Content-SHA256"] = sha256
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/funds/lists.xlsx", endpoint="xlsx", defaults={"kind": "xlsx"})
@bp.get("/funds/lists.csv", endpoint="csv", defaults={"kind": "csv"})
@allow("finance")
def download(kind: str) -> Any:
    """The list as a file with masked accounts, made on the spot; nothing is noted."""
    made, filename = operations.build_list(_selected(), kind)
    return _sent(made.data, filename, kind, made.sha256)


@bp.post("/funds/lists/files")
@allow("finance")
def hand_out() -> Any:
    """Make a list, keep it under its hash, note who took it, and hand it over."""
    kind = request.form.get("format", "")
    if kind not in sheet.MEDIA_TYPES:
        abort(400)
    noted = operations.hand_out(_selected(), kind, current_user)
    db.session.commit()
    return redirect(url_for("funds.file", file_id=noted.id), code=303)


@bp.get("/funds/lists/files/<int:file_id>")
@allow("finance")
def file(file_id: int) -> Any:
    """A kept list again, byte for byte."""
    noted = db.session.get(ListFile, file_id, options=[joinedload(ListFile.document)])
    if noted is None:
        abort(404)
    return _sent(operations.reopen(noted), noted.filename, noted.format, noted.sha256)


@bp.route("/funds/lists/export", methods=["GET", "POST"])
@allow("finance")
def export() -> Any:
    """A list with full account numbers, against a reason."""
    chosen, form = _selected(), ExportForm()
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            try:
                noted, data = operations.hand_out_full(
                    chosen, form.format.data, current_user, form.reason.data
                )
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
                status = refused.status
            else:
                # Answered here and not by a redirect: the bytes are kept nowhere.
                db.session.commit()
                return _sent(data, noted.filename, noted.format, noted.sha256)
    return (
        render_template(
            "funds/export.html",
            form=form,
            chosen=chosen,
            title=lists.title_of(chosen),
            words=chosen.words(CLAIMS, lists.districts()),
            sums=lists.sums(chosen),
            back_url=_address("funds.lists", chosen),
        ),
        status,
    )


def _award(award_id: int) -> Award:
    award = db.session.get(
        Award, award_id, options=[joinedload(Award.enterprise), joinedload(Award.application)]
    )
    if award is None or not award.visible_to(current_user):
        abort(404)
    return award


@bp.get("/funds/awards/<int:award_id>")
@allow("finance", "approver", "administrator", "applicant", "signatory")
def award(award_id: int) -> Any:
    """One award: its worksheet, account, bookings and trail."""
    return _award_page(_award(award_id))


def _award_page(
    found: Award,
    number: str | None = None,
    form: ReasonForm | None = None,
    take_form: TakeAccountForm | None = None,
    status: int = 200,
) -> Any:
    staff = current_user.has_role("finance", "approver", "administrator")
    is_finance = current_user.has_role("finance")
    current = found.enterprise.account if is_finance else None
    may_take = (
        current is not None
        and current.id != found.bank_account_id
        and found.state in ("reserved", "committed")
    )
    page = render_template(
        "funds/award.html",
        award=found,
        layout="layout/staff.html" if staff else "layout/page.html",
        staff=staff,
        is_finance=is_finance,
        number=number,
        form=form or (ReasonForm(formdata=None) if is_finance else None),
        current=current if may_take else None,
        take_form=take_form or (TakeAccountForm(formdata=None) if may_take else None),
        state_label=STATES[found.state],
        check_label=ACCOUNT_CHECKS[found.account_check],
        scheme=CLAIMS.get(found.budget.scheme, found.budget.scheme),
        events=_events(found) if staff else _steps(found),
    )
    response = make_response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _events(found: Award) -> list[dict[str, Any]]:
    return [
        {
            "at": event.at,
            "title": ACTIONS.get(event.action, event.action),
            "who": event.actor_name,
            "text": event.facts.get("reason"),
        }
        for event in trail(found)
    ]


def _steps(found: Award) -> list[dict[str, Any]]:
    """What a firm is told: when its money was set aside, owed, or given back."""
    steps = (
        (found.created_at, "审定通过，已预留"),
        (found.committed_at, "公示期满办结，已核定"),
        (found.released_at, "已释放，不再拨付"),
    )
    return [{"at": at, "title": title} for at, title in steps if at is not None]


@bp.post("/funds/awards/<int:award_id>/account")
@allow("finance")
def reveal(award_id: int) -> Any:
    """The full account number, once, against a reason."""
    found, form = _award(award_id), ReasonForm()
    if not form.validate_on_submit():
        return _award_page(found, form=form, status=422)
    try:
        number = operations.reveal_account(found, current_user, form.reason.data)
    except Refused as refused:
        db.session.rollback()
        form.refuse(refused)
        return _award_page(found, form=form, status=refused.status)
    # Noted before it is shown; and shown in this answer only, so that no address holds it.
    db.session.commit()
    return _award_page(found, number=number)


@bp.post("/funds/awards/<int:award_id>/current-account")
@allow("finance")
def take_account(award_id: int) -> Any:
    """Use the account that the firm has on record now."""
    found, form = _award(award_id), TakeAccountForm()
    if not form.validate_on_submit():
        return _award_page(found, take_form=form, status=422)
    try:
        operations.take_account(found, current_user, form.reason.data)
    except Refused as refused:
        db.session.rollback()
        form.refuse(refused)
        return _award_page(found, take_form=form, status=refused.status)
    db.session.commit()
    flash("已改用单位现登记的账户。", "done")
    return redirect(url_for("funds.award", award_id=award_id), code=303)


@bp.route("/funds/budgets", methods=["GET", "POST"])
@allow("finance", "administrator")
def budgets() -> Any:
    """Totals per scheme and year, the way to set them, and the newest bookings."""
    known = lists.years()
    year = selection.parse(request.args, lists.latest_year(known), CLAIMS, ()).year
    form = BudgetForm(data=_asked_budget(year))
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            try:
                operations.set_budget(
                    form.scheme.data,
                    form.year.data or 0,
                    form.total.data or 0,
                    current_user,
                    form.reason.data,
                    placeholder=form.placeholder.data,
                )
            except Refused as refused:
                db.session.rollback()
                form.refuse(refused)
                status = refused.status
            else:
                db.session.commit()
                flash(f"已设定 {form.year.data} 年度{CLAIMS[form.scheme.data]}预算。", "done")
                return redirect(url_for("funds.budgets", year=form.year.data), code=303)
    return (
        render_template(
            "funds/budgets.html",
            form=form,
            year=year,
            years=known,
            budgets=lists.budgets(year),
            schemes=CLAIMS,
            entries=_entries(year),
            kinds=KINDS,
        ),
        status,
    )


def _asked_budget(year: int) -> dict[str, Any]:
    """The scheme whose total shall be changed, filled in as it stands."""
    scheme = request.args.get("scheme", "")
    found = next((b for b in lists.budgets(year) if b.scheme == scheme), None)
    if found is None:
        return {"year": year, "scheme": scheme if scheme in CLAIMS else None}
    return {
        "year": year,
        "scheme": scheme,
        "total": found.total_fen,
        "placeholder": found.placeholder,
    }


def _entries(year: int) -> list[BudgetEntry]:
    """The newest bookings of a year."""
    return list(
        db.session.scalars(
            select(BudgetEntry)
            .join(BudgetEntry.budget)
            .options(
                contains_eager(BudgetEntry.budget),
                joinedload(BudgetEntry.award).lazyload(Award.account),
                joinedload(BudgetEntry.actor),
            )
            .where(Budget.year == year)
            .order_by(BudgetEntry.id.desc())
            .limit(ENTRIES)
        )
    )


@bp.get("/my-funds")
@allow("applicant", "signatory")
def mine() -> Any:
    """A firm's own awards with amounts and states."""
    place = membership_of(current_user)
    awards = lists.awards_of_firm(place.enterprise_id) if place else []
    return render_template(
        "funds/mine.html",
        enterprise=place.enterprise if place else None,
        awards=awards,
        schemes=CLAIMS,
        states=STATES,
        totals={state: sum(a.amount_fen for a in awards if a.state == state) for state in STATES},
    )
