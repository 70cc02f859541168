"""The simulator: other numbers tried on past cases; every scenario is an address, none is kept."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, abort, render_template, request, url_for
from sqlalchemy import func, select
from werkzeug.datastructures import MultiDict
from wtforms import Form
from wtforms.validators import NumberRange, ValidationError

from catalogue.accounts.access import allow
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.taxonomies import district_name
from catalogue.forms import CountField, MoneyField, RateField, percent_text
from catalogue.money import money_text
from catalogue.policies import operations, simulator
from catalogue.policies.backtest_runs import budget_of
from catalogue.policies.document import SCHEMES, Parameter, PolicyDocument
from catalogue.policies.models import DecisionRecord, Policy
from catalogue.policies.operations import PastCase
from catalogue.policies.rules import with_parameters
from catalogue.policies.simulator import Simulated, Year

bp = Blueprint("simulator", __name__, url_prefix="/policies/simulator")

# Some five seconds on one core; the desk's back-test takes all of them.
MAX_CASES = 8_000
MAX_COMPARED = 4
MAX_QUERY = 3_000
MAX_GROWTH = 100
MILLION = 1_000_000
SIZES = {"large": "大型", "medium": "中型", "small": "小型", "micro": "微型", "": "没有填"}


def filled(form: Form, field: Any) -> None:
    """A number that was wiped is asked for; one that the address leaves out stands as it is."""
    if field.data is None and not field.errors:
        raise ValidationError("请填这一项")


class GrowthField(CountField):
    """A yearly growth in whole per cent."""


@dataclass(frozen=True)
class Knob:
    """One number that can be turned: its field, its parameter, and the ends of its slider."""

    name: str
    parameter: Parameter
    field: Any
    low: str
    high: str
    step: str
    unit: str

    @property
    def standing(self) -> str:
        """The number as the version has it."""
        return written(self.parameter.kind, self.field.default)


@dataclass(frozen=True)
class Scenario:
    """What was asked, read from an address; ``changes`` are in the author's units."""

    policy: Policy
    document: PolicyDocument
    form: Form
    knobs: tuple[Knob, ...]
    changes: Mapping[str, Any]

    @property
    def query(self) -> str:
        """The address of this scenario: the version, and only what differs from it."""
        asked = [("scheme", self.policy.scheme), ("version", self.policy.version)]
        asked += [
            (f"v_{k.name}", written(k.parameter.kind, k.field.data))
            for k in self.knobs
            if k.name in self.changes
        ]
        for name in ("budget", "growth", "budget_growth"):
            field = self.form[name]
            if field.data is not None and field.data != field.default:
                asked.append((name, written("money" if name == "budget" else "count", field.data)))
        return urlencode(asked)


def written(kind: str, value: int) -> str:
    """A field's data as a person types it: yuan, per cent, or a whole number."""
    if kind == "money":
        return f"{value // 100}.{value % 100:02d}"
    return percent_text(value) if kind == "rate" else str(value)


def _field(parameter: Parameter) -> Any:
    kinds = {"money": MoneyField, "rate": RateField}
    value = parameter.value["millionths"] if parameter.kind == "rate" else parameter.value
    return kinds.get(parameter.kind, CountField)(parameter.label, [filled], default=value)


def _authored(parameter: Parameter, value: int) -> Any:
    """A field's data in the author's units."""
    if parameter.kind == "money":
        return Decimal(value) / 100
    return Decimal(value) / MILLION if parameter.kind == "rate" else value


def _ends(parameter: Parameter) -> tuple[str, str, str, str]:
    """Low, high, step and unit of a slider."""
    if parameter.kind == "rate":
        return "0", "100", "0.5", "%"
    if parameter.kind == "money":
        top = max(parameter.value // 100 * 3, 1_000)
        return "0", str(top), str(10 ** max(len(str(top)) - 3, 0)), "元"
    return "0", str(max(parameter.value * 3, 10)), "1", parameter.unit


def _scenario(asked: MultiDict[str, str], today: date) -> Scenario:
    """The scenario of an address; faults stand at the fields of its form."""
    policy = db.session.scalar(
        select(Policy).where(
            Policy.scheme == asked.get("scheme", ""), Policy.version == asked.get("version", "")
        )
    ) or abort(404)
    document = operations.document_of(policy)
    turnable = simulator.turnable(document, today)
    known = budget_of(policy.scheme, today.year)
    fields = {f"v_{name}": _field(parameter) for name, parameter in turnable.items()} | {
        "budget": MoneyField("预算总额", default=known[0] if known else None),
        "growth": GrowthField("申报金额每年增长", [_most()], default=0),
        "budget_growth": GrowthField("预算每年增长", [_most()], default=0),
    }
    given = MultiDict((name, value) for name, value in asked.items(multi=True) if name in fields)
    made: Form = type("ScenarioForm", (Form,), fields)()
    for name in given:
        made[name].process(given)
    made.validate()
    knobs = tuple(
        Knob(name, parameter, made[f"v_{name}"], *_ends(parameter))
        for name, parameter in turnable.items()
    )
    changes = {
        k.name: _authored(k.parameter, k.field.data)
        for k in knobs
        if k.field.data is not None and k.field.data != k.field.default
    }
    return Scenario(policy, document, made, knobs, changes)


def _most() -> NumberRange:
    return NumberRange(0, MAX_GROWTH, f"每年增长 0 到 {MAX_GROWTH}%%")


# ------------------------------------------------------------------ trying


@dataclass(frozen=True)
class Tried:
    """A scenario with its figures."""

    scenario: Scenario
    figures: Simulated
    years: tuple[Year, ...]

    @property
    def used_up(self) -> tuple[int, date] | None:
        """Where the budget of the newest year ends."""
        budget = self.scenario.form["budget"].data
        return None if budget is None else self.figures.used_up(budget)


def _tried(scenario: Scenario, cases: list[PastCase], today: date) -> Tried:
    figures = simulator.simulate(with_parameters(scenario.document, scenario.changes), cases)
    form = scenario.form
    years = simulator.path(
        figures.year or today.year,
        figures.year_fen,
        form["budget"].data,
        simulator.NO_GROWTH + 10 * (form["growth"].data or 0),
        simulator.NO_GROWTH + 10 * (form["budget_growth"].data or 0),
    )
    return Tried(scenario, figures, years)


def _cases(scheme: str) -> tuple[list[PastCase], int]:
    """The newest cases of a scheme, and how many applications there are in all."""
    whole = (
        db.session.scalar(
            select(func.count(func.distinct(DecisionRecord.application_number))).where(
                DecisionRecord.scheme == scheme
            )
        )
        or 0
    )
    ids = (
        select(DecisionRecord.id)
        .where(DecisionRecord.scheme == scheme)
        .order_by(DecisionRecord.id.desc())
        .offset(MAX_CASES)
        .limit(1)
    )
    after = db.session.scalar(ids) or 0
    return list(operations.past_cases(scheme, after, MAX_CASES)), whole


def _today() -> date:
    return utc_now().astimezone(SHANGHAI).date()


def _compared() -> list[str]:
    kept = [query for query in request.args.getlist("s") if len(query) <= MAX_QUERY]
    return list(dict.fromkeys(kept))[:MAX_COMPARED]


@bp.get("")
@allow("administrator", "approver")
def page() -> Any:
    if "scheme" not in request.args:
        return render_template("policies/simulator_choice.html", schemes=_choices())
    if len(request.query_string) > MAX_QUERY * (MAX_COMPARED + 1):
        abort(404)
    today = _today()
    scenario = _scenario(request.args, today)
    compared = _compared()
    tried = None
    cases: list[PastCase] = []
    whole = 0
    if not scenario.form.errors:
        cases, whole = _cases(scenario.policy.scheme)
        tried = _tried(scenario, cases, today)
    shown = render_template(
        "policies/simulator.html",
        scenario=scenario,
        tried=tried,
        counted=len(cases),
        whole=whole,
        compared=compared,
        full=len(compared) >= MAX_COMPARED,
        districts=_groups(tried, "district"),
        sizes=_groups(tried, "firm_size"),
        named=simulator.FIRMS_NAMED,
        compare_url=url_for(".compare", s=[*compared, scenario.query][:MAX_COMPARED]),
        csv_url=f"{url_for('.figures')}?{scenario.query}",
    )
    return shown, 422 if scenario.form.errors else 200


def _choices() -> list[dict[str, Any]]:
    by_scheme = operations.all_versions()
    return [
        {"name": name, "versions": by_scheme[scheme]}
        for scheme, name in SCHEMES.items()
        if scheme in by_scheme
    ]


def _groups(tried: Tried | None, group: str) -> list[tuple[str, Any]]:
    if tried is None:
        return []
    cells = tried.figures.tally.groups.get(group, {})
    name = SIZES.get if group == "firm_size" else district_name
    return [(name(key) or key or "没有填", cell) for key, cell in sorted(cells.items())]


# ------------------------------------------------------------------ side by side


@bp.get("/compare")
@allow("administrator", "approver")
def compare() -> Any:
    today, tried = _today(), []
    by_scheme: dict[str, list[PastCase]] = {}
    queries = _compared()
    for query in queries:
        scenario = _scenario(MultiDict(parse_qsl(query)), today)
        if scenario.form.errors:
            abort(404)
        scheme = scenario.policy.scheme
        if scheme not in by_scheme:
            by_scheme[scheme] = _cases(scheme)[0]
        tried.append(_tried(scenario, by_scheme[scheme], today))
    return render_template(
        "policies/simulator_compare.html",
        tried=tried,
        rows=simulator.differing(_rows(tried)),
        links=[
            {
                "open": f"{url_for('.page')}?{query}",
                "drop": url_for(".compare", s=[other for other in queries if other != query]),
            }
            for query in queries
        ],
        more=url_for(
            ".page",
            scheme=tried[0].scenario.policy.scheme,
            version=tried[0].scenario.policy.version,
            s=queries,
        )
        if tried and len(tried) < MAX_COMPARED
        else None,
    )


def _rows(tried: list[Tried]) -> list[tuple[str, list[str]]]:
    """Every setting and every figure of the scenarios, as text, row by row."""
    labels: dict[str, str] = {}
    for each in tried:
        labels |= {knob.name: knob.parameter.label for knob in each.scenario.knobs}
    rows = [
        (label, [_turned(each.scenario, name) for each in tried]) for name, label in labels.items()
    ]
    figures = [dict(_figures(each)) for each in tried]
    names = list(dict.fromkeys(name for each in figures for name in each))
    return rows + [(name, [each.get(name, "—") for each in figures]) for name in names]


def _turned(scenario: Scenario, name: str) -> str:
    found = next((knob for knob in scenario.knobs if knob.name == name), None)
    return (
        "—"
        if found is None
        else f"{written(found.parameter.kind, found.field.data)} {found.unit}".strip()
    )


def _figures(tried: Tried) -> list[tuple[str, str]]:
    """The figures of a scenario, named, in the order in which pages and files give them."""
    form, figures = tried.scenario.form, tried.figures
    total = figures.tally.total
    budget = form["budget"].data
    told = [
        ("申报（件）", str(figures.tally.cases)),
        ("符合，当时（件）", str(total.old_eligible)),
        ("符合，照此方案（件）", str(total.new_eligible)),
        ("金额，当时（元）", money_text(total.old_fen)),
        ("金额，照此方案（元）", money_text(total.new_fen)),
        ("转人工的金额，照此方案（元）", money_text(total.new_pending_fen)),
        ("单位，当时（家）", str(figures.firms_before)),
        ("单位，照此方案（家）", str(figures.firms_after)),
        ("新增的单位（家）", str(len(figures.came_in))),
        ("减少的单位（家）", str(len(figures.fell_out))),
        ("预算总额（元）", "没有设定" if budget is None else money_text(budget)),
    ]
    used = tried.used_up
    told.append(("预算用完", "—" if budget is None else "够用" if used is None else f"{used[1]}"))
    for year in tried.years:
        told.append((f"{year.year} 年金额（元）", money_text(year.money_fen)))
        if year.left_fen is not None:
            told.append((f"{year.year} 年预算余额（元）", money_text(year.left_fen)))
    return told


@bp.get("/figures.csv")
@allow("administrator", "approver")
def figures() -> Any:
    """The scenario's settings and figures as CSV; every cell is ours or a checked number."""
    today = _today()
    scenario = _scenario(request.args, today)
    if scenario.form.errors:
        abort(404)
    cases, _ = _cases(scenario.policy.scheme)
    tried = _tried(scenario, cases, today)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["项目", "数值"])
    writer.writerow(["事项", SCHEMES[scenario.policy.scheme]])
    writer.writerow(["版本", scenario.policy.version])
    writer.writerows(
        (knob.parameter.label, _turned(scenario, knob.name)) for knob in scenario.knobs
    )
    writer.writerows(_figures(tried))
    for head, group in (("所在区", "district"), ("企业规模", "firm_size")):
        writer.writerows(
            (f"{head}：{name}，照此方案（元）", money_text(cell.new_fen))
            for name, cell in _groups(tried, group)
        )
    return Response(
        "\ufeff" + out.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="simulator.csv"'},
    )
