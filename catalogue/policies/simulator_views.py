"""The simulator: other numbers tried on past cases; every scenario is an address, none is kept.

An address names the text, what was turned, the budget, the growths, the day and the last record
counted, so that it gives the same answer later, whatever has been decided or set meanwhile.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from io import StringIO
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from wtforms import Form

from catalogue.accounts.access import allow
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.taxonomies import district_name
from catalogue.errors import Refused
from catalogue.money import money_text
from catalogue.policies import operations, simulator
from catalogue.policies.backtest_runs import Budget, budget_of, text_of_draft
from catalogue.policies.document import SCHEMES, PolicyDocument
from catalogue.policies.models import Policy, PolicyDraft
from catalogue.policies.simulator import Side, Simulated, Year
from catalogue.policies.simulator_cases import MAX_CASES, CaseSet, case_set, simulated
from catalogue.policies.simulator_forms import Turned, growth_text, turned, written
from catalogue.policies.source import PolicyRefused

bp = Blueprint("simulator", __name__, url_prefix="/policies/simulator")

MAX_COMPARED = 4
MAX_QUERY = 4_000
HASH_SHOWN = 16
MOST_DRAFTS = 10
SIZES = {"large": "大型", "medium": "中型", "small": "小型", "micro": "微型", "": "没有填"}
# What a spreadsheet may take for a formula.
FORMULA = tuple("=+-@\t＝＋－＠|%")


@dataclass(frozen=True)
class Subject:
    """The text that is turned: a published version, or a draft as it stood at some saving."""

    document: PolicyDocument
    policy: Policy | None
    draft: PolicyDraft | None
    address: tuple[tuple[str, str], ...]

    @property
    def scheme(self) -> str:
        """The scheme."""
        return self.document.scheme

    @property
    def name(self) -> str:
        """What it is called beside its scheme."""
        if self.draft is not None:
            return f"底稿“{self.draft.title}”"
        return f"{self.document.version} 版"

    @property
    def has_amounts(self) -> bool:
        """Whether something is worked out in yuan."""
        return bool(self.document.worksheet)

    @property
    def has_money(self) -> bool:
        """Whether what is worked out is paid, so that a budget means something."""
        return self.document.pays and self.has_amounts

    @property
    def amount(self) -> str:
        """What the amount is called."""
        return "金额" if self.document.pays else "核定额度"


def _subject(asked: MultiDict[str, str]) -> Subject:
    """The text that an address names."""
    if "draft" in asked:
        return _drafted(asked)
    named = operations.version_named(asked.get("scheme", ""), asked.get("version", ""))
    policy = named or abort(404)
    address = ("scheme", policy.scheme), ("version", policy.version)
    return Subject(operations.document_of(policy), policy, None, address)


def _drafted(asked: MultiDict[str, str]) -> Subject:
    number, digest = asked["draft"], asked.get("text", "")
    known = re.fullmatch(r"[0-9]{1,9}", number) and re.fullmatch(r"[0-9a-f]{16}|", digest)
    draft = db.session.get(PolicyDraft, int(number)) if known else None
    if draft is None or not current_user.has_role("administrator"):
        abort(404)
    try:
        document = text_of_draft(draft, digest)
    except PolicyRefused as error:
        raise Refused("这份底稿还有要改的地方，改好以后才能模拟") from error
    if document is None:
        raise Refused(
            "这份底稿此后又存过，链接里的那一份没有留下（回测过的才留）。请从底稿重新打开"
        )
    address = ("draft", str(draft.id)), ("text", document.sha256[:HASH_SHOWN])
    return Subject(document, None, draft, address)


@dataclass(frozen=True)
class Scenario:
    """What was asked, read from an address.

    ``complete`` says whether the address itself fixes day, cases and budget.
    """

    subject: Subject
    turned: Turned
    day: date
    cases: CaseSet
    complete: bool

    @property
    def form(self) -> Form:
        """The form with its faults."""
        return self.turned.form

    @property
    def budget(self) -> int | None:
        """The budget used, in fen."""
        return self.form["budget"].data if self.subject.has_money else None

    @cached_property
    def figures(self) -> Simulated:
        """What comes out."""
        policy = self.subject.policy
        return simulated(
            self.subject.document, self.turned.document, policy and policy.id, self.cases
        )

    @property
    def start(self) -> int:
        """The year of the cases' money: the newest among them."""
        return self.figures.year or self.day.year

    @cached_property
    def budget_set(self) -> Budget | None:
        """The budget that stands today for the year shown, and whether it is a placeholder."""
        return budget_of(self.subject.scheme, self.start) if self.subject.has_money else None

    @property
    def query(self) -> str:
        """The address of this scenario; it gives the same answer later."""
        return urlencode([*self._asked, ("day", self.day), ("until", self.cases.until_id)])

    @property
    def query_today(self) -> str:
        """The same with the cases of whichever day it is opened."""
        return urlencode(self._asked)

    @property
    def _asked(self) -> list[tuple[str, str]]:
        asked = list(self.subject.address)
        asked += [(n.name, written(n.kind, data)) for n, data in self.turned.changed]
        if self.subject.has_money:
            budget = self.budget
            asked.append(("budget", "" if budget is None else written("money", budget)))
            for name in ("growth", "budget_growth"):
                if self.form[name].data:
                    asked.append((name, growth_text(self.form[name].data)))
        return asked

    @property
    def years(self) -> tuple[Year, ...]:
        """The money of three years."""
        growths = (simulator.NO_GROWTH + self.form[n].data for n in ("growth", "budget_growth"))
        return simulator.path(self.start, self.figures.year_fen, self.budget, *growths)

    @property
    def used_up(self) -> tuple[int, date] | None:
        """Where the budget of the newest year ends."""
        return None if self.budget is None else self.figures.used_up(self.budget)

    @property
    def sides(self) -> tuple[Side, Side, Side]:
        """Turned, unchanged, recorded."""
        return self.figures.turned, self.figures.unchanged, self.figures.recorded


def _scenario(asked: MultiDict[str, str]) -> Scenario:
    """The scenario of an address; faults stand at the fields of its form.

    A budget that the address leaves out is that of the year whose money is shown; one that it
    names as empty stays empty.
    """
    subject = _subject(asked)
    today = utc_now().astimezone(SHANGHAI).date()
    day = _day(asked["day"], today) if "day" in asked else today
    cases = case_set(subject.scheme, _number(asked["until"]) if "until" in asked else None)
    if cases is None:
        abort(404)
    made = turned(subject.document, day, asked)
    complete = {"day", "until"} <= asked.keys() and ("budget" in asked or not subject.has_money)
    scenario = Scenario(subject, made, day, cases, complete)
    if "budget" not in asked and not made.form.errors and scenario.budget_set:
        made.form["budget"].data = scenario.budget_set[0]
    return scenario


def _day(text: str, today: date) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        abort(404)
    return day if date(2000, 1, 1) <= day <= today else abort(404)


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else abort(404)


def _compared() -> list[str]:
    kept = [query for query in request.args.getlist("s") if len(query) <= MAX_QUERY]
    return list(dict.fromkeys(kept))[:MAX_COMPARED]


# ------------------------------------------------------------------ one scenario


@bp.get("")
@allow("administrator", "approver")
def page() -> Any:
    if not {"scheme", "draft"} & request.args.keys():
        return render_template(
            "policies/simulator_choice.html", schemes=_choices(), drafts=_drafts()
        )
    if len(request.query_string) > MAX_QUERY * (MAX_COMPARED + 1):
        abort(404)
    scenario, compared = _scenario(request.args), _compared()
    sound = not scenario.form.errors
    address = f"{url_for('.page')}?{scenario.query}" if sound else ""
    beside = "".join(f"&{urlencode({'s': query})}" for query in compared)
    by_htmx = "HX-Request" in request.headers
    if sound and not scenario.complete and not by_htmx:
        # What is copied from the address bar has to hold the cases and the budget too.
        return redirect(address + beside)
    shown = render_template(
        "policies/simulator.html",
        scenario=scenario,
        subject=scenario.subject,
        figures=scenario.figures if sound else None,
        most=MAX_CASES,
        compared=compared,
        full=len(compared) >= MAX_COMPARED,
        districts=_groups(scenario, "district") if sound else [],
        sizes=_groups(scenario, "firm_size") if sound else [],
        address=address,
        today_url=f"{url_for('.page')}?{scenario.query_today}{beside}" if sound else "",
        compare_url=url_for(".compare", s=[*compared, scenario.query]) if sound else "",
        csv_url=f"{url_for('.figures')}?{scenario.query}" if sound else "",
    )
    told = {"HX-Push-Url": address + beside} if sound and by_htmx else {}
    return shown, 200 if sound else 422, told


def _choices() -> list[dict[str, Any]]:
    by_scheme = operations.all_versions()
    return [
        {"name": name, "versions": by_scheme[scheme]}
        for scheme, name in SCHEMES.items()
        if scheme in by_scheme
    ]


def _drafts() -> list[PolicyDraft]:
    """The newest open drafts that can be read, for those who may see drafts."""
    if not current_user.has_role("administrator"):
        return []
    newest = (
        select(PolicyDraft)
        .where(PolicyDraft.state == "draft")
        .order_by(PolicyDraft.saved_at.desc(), PolicyDraft.id)
        .limit(MOST_DRAFTS)
    )
    return [draft for draft in db.session.scalars(newest) if _readable(draft)]


def _readable(draft: PolicyDraft) -> bool:
    try:
        return text_of_draft(draft) is not None
    except PolicyRefused:
        return False


def _groups(scenario: Scenario, group: str) -> list[tuple[str, Any]]:
    cells = scenario.figures.groups.get(group, {})
    name = SIZES.get if group == "firm_size" else district_name
    return [(name(key) or key or "没有填", cell) for key, cell in sorted(cells.items())]


# ------------------------------------------------------------------ side by side


@bp.get("/compare")
@allow("administrator", "approver")
def compare() -> Any:
    queries = _compared()
    scenarios = [_scenario(MultiDict(parse_qsl(q, keep_blank_values=True))) for q in queries]
    if any(scenario.form.errors for scenario in scenarios):
        abort(404)
    first = scenarios[0] if scenarios else None
    return render_template(
        "policies/simulator_compare.html",
        scenarios=scenarios,
        rows=simulator.differing(_rows(scenarios)),
        links=[
            {
                "open": f"{url_for('.page')}?{query}",
                "drop": url_for(".compare", s=[other for other in queries if other != query]),
            }
            for query in queries
        ],
        more=_another(first, queries) if first and len(queries) < MAX_COMPARED else None,
    )


def _another(first: Scenario, queries: list[str]) -> str:
    """Where one more scenario starts: the text and the cases of the first."""
    asked = [*first.subject.address, ("day", first.day), ("until", first.cases.until_id)]
    return f"{url_for('.page')}?{urlencode([*asked, *(('s', query) for query in queries)])}"


def _rows(scenarios: list[Scenario]) -> list[tuple[str, list[str]]]:
    """Every setting and every figure of the scenarios, as text, row by row."""
    told = [_settings(each) | _totals(each) for each in scenarios]
    labels = dict.fromkeys(label for each in told for label in each)
    return [(label, [each.get(label, "—") for each in told]) for label in labels]


def _settings(scenario: Scenario) -> dict[str, str]:
    """What a scenario sets, by name."""
    told = {
        number.label: f"{written(number.kind, field.data)} {number.unit}".strip()
        for number, field in scenario.turned.rows
    }
    told["案件"] = f"{scenario.figures.cases} 件，截至记录 {scenario.cases.until_id}"
    if scenario.subject.has_money:
        budget = scenario.budget
        told["预算总额（元）"] = "没有填" if budget is None else money_text(budget)
        told["申报金额每年增长（示范参数）"] = f"{growth_text(scenario.form['growth'].data)} %"
        told["预算每年增长（示范参数）"] = f"{growth_text(scenario.form['budget_growth'].data)} %"
    return told


def _totals(scenario: Scenario) -> dict[str, str]:
    """What comes out of a scenario, by name."""
    told = {}
    for label, unit, *values in _lines(scenario):
        for side, value in zip(("照此方案", "这一版不改", "当时记下"), values, strict=True):
            if value is not None:
                told[f"{label}，{side}（{unit}）"] = (
                    money_text(value) if unit == "元" else str(value)
                )
    if scenario.subject.has_money:
        used = scenario.used_up
        told["预算用完"] = (
            "—" if scenario.budget is None else "够用" if used is None else f"{used[1]}"
        )
        for year in scenario.years:
            told[f"{year.year} 年金额（元）"] = money_text(year.money_fen)
            if year.left_fen is not None:
                told[f"{year.year} 年预算余额（元）"] = money_text(year.left_fen)
    return told


Figure = tuple[str, str, int, int | None, int | None]


def _lines(scenario: Scenario) -> list[Figure]:
    """The totals: name, unit, and value of each side; money in fen."""
    figures, amount = scenario.figures, scenario.subject.amount

    def sides(label: str, unit: str, read: Callable[[Side], int]) -> Figure:
        now, unchanged, recorded = scenario.sides
        return label, unit, read(now), read(unchanged), read(recorded)

    told = [
        sides("符合", "件", lambda side: side.eligible),
        sides("单位", "家", lambda side: side.firms),
        ("新增的单位", "家", figures.firms_in, None, None),
        ("减少的单位", "家", figures.firms_out, None, None),
        ("结论改变", "件", figures.flipped, None, None),
    ]
    if scenario.subject.has_amounts:
        told += [
            sides(amount, "元", lambda side: side.fen),
            sides(f"转人工的{amount}", "元", lambda side: side.pending_fen),
        ]
    return told


# ------------------------------------------------------------------ the file


@bp.get("/figures.csv")
@allow("administrator", "approver")
def figures() -> Any:
    """A scenario's settings and figures as CSV: money in yuan with two decimals, no separators."""
    scenario = _scenario(request.args)
    if scenario.form.errors:
        abort(404)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["项目", "单位", "照此方案", "这一版不改", "当时记下"])
    writer.writerows([_cell(value) for value in row] for row in _sheet(scenario))
    return Response(
        "\ufeff" + out.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="simulator.csv"'},
    )


def _cell(value: str | int | None) -> str | int:
    """A cell that no spreadsheet takes for a formula."""
    ours = value == "%" or isinstance(value, Raw)
    if isinstance(value, str) and value.startswith(FORMULA) and not ours:
        return f"'{value}"
    return "" if value is None else value


def _sheet(scenario: Scenario) -> list[list[Any]]:
    subject = scenario.subject
    rows: list[list[Any]] = [
        ["事项", "", SCHEMES[subject.scheme]],
        ["版本", "", subject.name],
        ["全文 SHA-256", "", subject.document.sha256],
        ["基准日", "", scenario.day.isoformat()],
        ["截至记录", "", scenario.cases.until_id],
        ["申报（件）", "件", scenario.figures.cases],
        ["以往申报共", "件", scenario.cases.whole],
    ]
    for number, field in scenario.turned.rows:
        turned_to = Raw(written(number.kind, field.data)), Raw(number.standing)
        rows.append([number.label, number.unit, *turned_to])
    for label, unit, *values in _lines(scenario):
        rows.append([label, unit, *(_raw(unit, value) for value in values)])
    if subject.has_money:
        rows.append(["预算总额", "元", _raw("元", scenario.budget)])
        for label, name in (("申报金额每年增长", "growth"), ("预算每年增长", "budget_growth")):
            rows.append([f"{label}（示范参数）", "%", Raw(growth_text(scenario.form[name].data))])
        for position, year in enumerate(scenario.years):
            note = "（示范参数）" if position else ""
            for label, fen in (
                ("金额", year.money_fen),
                ("预算", year.budget_fen),
                ("预算余额", year.left_fen),
            ):
                rows.append([f"{year.year} 年{label}{note}", "元", _raw("元", fen)])
    for head, group in (("所在区", "district"), ("企业规模", "firm_size")):
        for name, cell in _groups(scenario, group):
            rows.append([f"{head}：{name}，申报", "件", cell.cases, cell.cases])
            rows.append([f"{head}：{name}，符合", "件", cell.new_eligible, cell.old_eligible])
            if subject.has_amounts:
                sums = (_raw("元", cell.new_fen), _raw("元", cell.old_fen))
                rows.append([f"{head}：{name}，{subject.amount}", "元", *sums])
    return rows


class Raw(str):
    """The text of a number that we wrote ourselves; a minus before it is no formula."""

    __slots__ = ()


def _raw(unit: str, value: int | None) -> Any:
    """A value as a file holds it: yuan with two decimals, else a whole number."""
    if value is None or unit != "元":
        return value
    return Raw(f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}")
