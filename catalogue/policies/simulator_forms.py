"""The simulator's form: every number of a policy as a field with its slider, budget and growth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import Field, Form
from wtforms.validators import ValidationError
from wtforms.widgets import TextInput

from catalogue.forms import CountField, MoneyField, RateField, percent_text
from catalogue.policies.document import Parameter, PolicyDocument
from catalogue.policies.facts import MILLION
from catalogue.policies.scenarios import with_parameters
from catalogue.policies.source import PolicyRefused

TURNED = ("money", "rate", "count", "days")
MAX_KNOBS = 120
OTHER = "其他"


class GrowthField(Field):
    """A yearly growth in per cent, one decimal, negative too; ``data`` is tenths, 0 for none."""

    widget = TextInput()
    data: Any = 0

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.process_errors else growth_text(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        typed = (valuelist[0] if valuelist else "").strip().rstrip("%％").strip()
        self.data = 0
        if not re.fullmatch(r"[-−]?[0-9]{1,3}(\.[0-9])?|", typed):
            raise ValueError("请填百分数，最多一位小数，例如 5 或 -3.5")
        tenths = int(Decimal(typed.replace("−", "-") or 0) * 10)
        if not -1000 < tenths <= 1000:
            raise ValueError("每年增长要高于 -100%，不超过 100%")
        self.data = tenths


def growth_text(tenths: int) -> str:
    """Tenths of a per cent as typed: -35 is -3.5."""
    text = f"{Decimal(tenths) / 10:f}"
    return text.removesuffix(".0")


def filled(form: Form, field: Any) -> None:
    """A number that was wiped is asked for; one that the address leaves out stands as it is."""
    if field.data is None and not field.errors:
        raise ValidationError("请填这一项")


@dataclass(frozen=True)
class Number:
    """One number of a policy, alone or within a list or table.

    ``place`` leads to it within the parameter's value; ``value`` has the form of field data: fen,
    millionths, or a whole number.
    """

    name: str
    parameter: Parameter
    place: tuple[Any, ...]
    label: str
    kind: str
    unit: str
    value: int

    @property
    def ends(self) -> tuple[str, str, str]:
        """Low, high and step of its slider."""
        if self.kind == "rate":
            return "0", "100", "0.5"
        if self.kind == "money":
            top = max(self.value // 100 * 3, 1_000)
            return "0", str(top), str(10 ** max(len(str(top)) - 3, 0))
        return "0", str(max(self.value * 3, 10)), "1"

    @property
    def standing(self) -> str:
        """The number as the text has it."""
        return written(self.kind, self.value)

    def field(self) -> Any:
        """Its unbound field."""
        kinds = {"money": MoneyField, "rate": RateField}
        return kinds.get(self.kind, CountField)(self.label, [filled], default=self.value)


def written(kind: str, value: int) -> str:
    """A field's data as a person types it: yuan, per cent, or a whole number."""
    if kind == "money":
        return f"{value // 100}.{value % 100:02d}"
    return percent_text(value) if kind == "rate" else str(value)


def numbers_of(document: PolicyDocument, day: date) -> list[Number]:
    """Every number that a policy computes with on a day, those of lists and tables among them."""
    found = []
    for name, parameter in document.in_force(day).items():
        if parameter.formula is not None:
            continue
        for position, (place, label, kind) in enumerate(_places(parameter, document.terms)):
            if kind not in TURNED:
                continue
            value = parameter.value
            for part in place:
                value = value[part]
            unit = {"money": "元", "rate": "%", "days": "天"}.get(kind, "")
            if not unit and place[-1:] != ("from",):
                unit = parameter.unit
            found.append(
                Number(
                    name=f"v_{name}-{position}" if place else f"v_{name}",
                    parameter=parameter,
                    place=place,
                    label=label,
                    kind=kind,
                    unit=unit,
                    value=value["millionths"] if kind == "rate" else value,
                )
            )
    return found


def _places(
    parameter: Parameter, terms: Mapping[str, str]
) -> Iterator[tuple[tuple[Any, ...], str, str]]:
    """Where the values of a parameter stand, what they are called, and of which kind they are."""
    label, kind, value = parameter.label, parameter.kind, parameter.value
    if parameter.shape == "list":
        for i in range(len(value)):
            yield (i,), f"{label}　第 {i + 1} 项", kind
    elif parameter.shape == "classes":
        for key in value:
            yield (key,), f"{label}　{terms.get(key, OTHER if key == 'other' else key)}", kind
    elif parameter.shape == "steps":
        for i in range(len(value)):
            yield (i, "from"), f"{label}　第 {i + 1} 档起点", parameter.by
            yield (i, "then"), f"{label}　第 {i + 1} 档", kind
    else:
        yield (), label, kind


def _authored(value: Any, kind: str) -> Any:
    """A value as expressions read it, in the author's units."""
    if kind == "money":
        return Decimal(value) / 100
    return Decimal(value["millionths"]) / MILLION if kind == "rate" else value


@dataclass(frozen=True)
class Turned:
    """A form with the numbers it turns: ``numbers`` with their fields, ``document`` as turned.

    ``document`` is the unchanged one where the form has errors.
    """

    form: Form
    numbers: tuple[Number, ...]
    document: PolicyDocument
    left_out: int

    @property
    def rows(self) -> list[tuple[Number, Any]]:
        """Each number with its field."""
        return [(number, self.form[number.name]) for number in self.numbers]

    @property
    def changed(self) -> list[tuple[Number, int]]:
        """The numbers that differ from the text, with what they are turned to."""
        return [
            (number, field.data)
            for number, field in self.rows
            if field.data is not None and field.data != number.value
        ]


def turned(document: PolicyDocument, day: date, asked: MultiDict[str, str]) -> Turned:
    """Read the numbers of an address; faults stand at the fields of the form."""
    every = numbers_of(document, day)
    numbers = tuple(every[:MAX_KNOBS])
    fields: dict[str, Any] = {number.name: number.field() for number in numbers} | {
        "budget": MoneyField("预算总额"),
        "growth": GrowthField("申报金额每年增长", default=0),
        "budget_growth": GrowthField("预算每年增长", default=0),
    }
    given = MultiDict((name, value) for name, value in asked.items(multi=True) if name in fields)
    form: Form = type("ScenarioForm", (Form,), fields)()
    for name in given:
        form[name].process(given)
    form.validate()
    made = Turned(form, numbers, document, len(every) - len(numbers))
    if form.errors:
        return made
    values: dict[str, Any] = {}
    for number, data in made.changed:
        _put(values, number, data)
    try:
        other = with_parameters(document, values)
    except PolicyRefused:
        _blame(document, made, values)
        return made
    return Turned(form, numbers, other, made.left_out)


def _put(values: dict[str, Any], number: Number, data: int) -> None:
    """Put a turned number into the whole value of its parameter, in the author's units."""
    parameter = number.parameter
    one = _authored({"millionths": data} if number.kind == "rate" else data, number.kind)
    if not number.place:
        values[parameter.name] = one
        return
    if parameter.name not in values:
        values[parameter.name] = _whole(parameter)
    target = values[parameter.name]
    for part in number.place[:-1]:
        target = target[part]
    target[number.place[-1]] = one


def _whole(parameter: Parameter) -> Any:
    """The value of a list or table in the author's units."""
    value, kind = deepcopy(parameter.value), parameter.kind
    if parameter.shape == "list":
        return [_authored(item, kind) for item in value]
    if parameter.shape == "classes":
        return {key: _authored(item, kind) for key, item in value.items()}
    return [
        {"from": _authored(step["from"], parameter.by), "then": _authored(step["then"], kind)}
        for step in value
    ]


def _blame(document: PolicyDocument, made: Turned, values: Mapping[str, Any]) -> None:
    """Put what the language refuses about a parameter at its first turned number."""
    for name, value in values.items():
        try:
            with_parameters(document, {name: value})
        except PolicyRefused as error:
            reason = error.problems[0].reason.partition("：")[2] or error.problems[0].reason
            first = next(n for n, _ in made.changed if n.parameter.name == name)
            made.form[first.name].errors = [reason]
