"""The questions that a policy's rules need, and their answers as facts; nothing is stored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import (
    FieldList,
    Form,
    FormField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from catalogue.enterprises.taxonomies import district_choices, honour_choices
from catalogue.forms import CountField, DayField, MoneyField, PostedForm, RateField, visible_text
from catalogue.policies.document import PolicyDocument
from catalogue.policies.expressions import Expression
from catalogue.policies.facts import Field, Group, as_date, as_day
from catalogue.products.models import KINDS, PATENT_KINDS
from catalogue.products.taxonomies import advancement_choices, domain_choices, novelty_choices

Choices = list[tuple[str, str]]

MOST_ROWS = 10
ROWS_SHOWN = {"contracts": 3, "patents": 2}
MOST_TEXT = 100
LACKING = "materials_lacking"
UNSURE = ("", "不清楚")
YES_NO: Choices = [("yes", "是"), ("no", "否"), UNSURE]
# Not a code of GB/T 2260, so that it equals no district.
ELSEWHERE = ("000000", "本市以外")
SIZES = [("large", "大型"), ("medium", "中型"), ("small", "小型"), ("micro", "微型")]
GROUPS = {
    "enterprise": "单位",
    "product": "产品",
    "patents": "知识产权",
    "contracts": "合同与到账",
    "declarations": "承诺与填报",
    "materials": "材料",
    "history": "以往的支持",
}
_PLACES = list(GROUPS)
# What the portal finds out by itself, or takes from the round.
_NOT_ASKED = frozenset(
    {"enterprise.credit_clear", "contracts.number", "contracts.buyer", "patents.number"}
    | {"patents.other_products"}
)
_ROW = re.compile(r"(contracts|patents)-(\d{1,2})-[a-z_0-9]{1,40}")


@dataclass(frozen=True)
class Asked:
    """One group of questions on the page: the names of its fields, the weightiest first."""

    id: str
    title: str
    names: tuple[str, ...]
    many: bool = False


@dataclass(frozen=True)
class Questions:
    """What one document asks: its form, and the groups in which the page shows it."""

    form: type[PostedForm]
    groups: tuple[Asked, ...]
    rows: Mapping[str, int]


def _options(pairs: Choices) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in pairs]


class ChecksField(SelectMultipleField):
    """Several boxes of which any may be ticked."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


# ------------------------------------------------------------------ which facts


def _expressions(document: PolicyDocument) -> Iterator[tuple[Expression, ...]]:
    parts: list[Any] = [*document.rules, *document.worksheet]
    for part in parts:
        values = [getattr(part, f.name) for f in fields(part)]
        yield tuple(value for value in values if isinstance(value, Expression))


def needed(document: PolicyDocument, *, for_money: bool = False) -> Counter[str]:
    """Dotted fact → how many rules depend on it; ``for_money`` takes the worksheet alone."""
    count: Counter[str] = Counter()
    parts = list(_expressions(document))
    if for_money:
        parts = parts[len(document.rules) :]
    for expressions in parts:
        count.update(
            {fact.replace("[]", "") for expression in expressions for fact in expression.facts}
        )
    return count


def questions(document: PolicyDocument) -> Questions:
    """The questions of a document: each fact that a rule needs and a person can state."""
    count = needed(document)
    made: dict[str, Any] = {}
    groups: dict[str, list[str]] = {}
    weight: Counter[str] = Counter()
    rows: dict[str, dict[str, Any]] = {}
    for fact, rules in count.most_common():
        root, _, name = fact.partition(".")
        if fact in _NOT_ASKED or root not in (*GROUPS, "answers", "listing"):
            continue
        place = {"answers": "declarations", "listing": "product"}.get(root, root)
        if root in ("contracts", "patents"):
            if name:
                rows.setdefault(root, {})[name] = _field(document, root, name)
            fields = {}
        elif root in ("materials", "history"):
            fields = _standing(document, root if root == "materials" else _history_question(name))
        else:
            fields = {f"{root}_{name}": _field(document, root, name)}
        groups.setdefault(place, []).extend(
            key for key in fields if key not in made and key != LACKING
        )
        made = {**fields, **made}
        weight[place] = max(weight[place], rules)
    most = {root: _most_rows(document, root) for root in rows}
    for root, columns in rows.items():
        row = FormField(type("Row", (Form,), _in_order(document, root, columns)))
        shown = min(ROWS_SHOWN[root], most[root])
        made[root] = FieldList(row, GROUPS[root], min_entries=shown, max_entries=most[root])
        groups[root] = [root]
    order = sorted((g for g in groups if groups[g]), key=lambda g: (-weight[g], _PLACES.index(g)))
    asked = tuple(Asked(g, GROUPS[g], tuple(groups[g]), g in rows) for g in order)
    return Questions(type("TrialForm", (_StatelessForm,), made), asked, most)


def _in_order(document: PolicyDocument, root: str, columns: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row in the order of the schema; WTForms counts as they are made."""
    group = document.schema[root]
    assert isinstance(group, Group)
    return {name: _field(document, root, name) for name in group.fields if name in columns}


def _most_rows(document: PolicyDocument, root: str) -> int:
    if root == "patents" or document.contracts is None:
        return ROWS_SHOWN["patents"]
    return min(document.contracts.max, MOST_ROWS)


class _StatelessForm(PostedForm):
    """A form that neither keeps nor changes anything, so that it needs no token and no cookie."""

    class Meta(PostedForm.Meta):
        csrf = False


# The lists of earlier support that one question stands for: "no" says that they are empty.
HISTORY = {
    "history_support": ("awards", "contracts", "pending"),
    "history_exclusions": ("exclusions",),
}


def _history_question(name: str) -> str:
    return "history_exclusions" if name.startswith("exclusions") else "history_support"


def _standing(document: PolicyDocument, name: str) -> dict[str, Any]:
    """The few questions that stand for a whole list of facts."""
    if name == "history_support":
        label = "单位或产品以前得过首台套、首版次、首批次等支持，或正在申报"
        hint = "答“是”或“不清楚”的，有关条件要对照本系统的记录，由人判断"
        return {name: _yes_no(label, hint)}
    if name == "history_exclusions":
        label = "单位现在处于不得申报的期间"
        return {name: _yes_no(label)}
    wanted = [m for m in document.materials if m.required]
    choices = [("all", f"{len(wanted)} 件都能备齐"), ("some", "还缺几件"), UNSURE]
    return {
        "materials": RadioField(
            "必交的材料",
            [Optional()],
            choices=_options(choices),
            default="",
            description="、".join(m.name for m in wanted),
        ),
        LACKING: ChecksField(
            "还缺哪几件",
            [Optional()],
            choices=[SelectChoice(m.id, m.name) for m in wanted],
            description="上面选了“还缺几件”时才要勾",
        ),
    }


def _field(document: PolicyDocument, root: str, name: str) -> Any:
    group = document.schema[root]
    assert isinstance(group, Group)
    field: Field = group.fields[name]
    label, hint = field.label, ""
    answer = next((a for a in document.answers if a.id == name), None)
    if root in ("answers", "declarations") and answer is not None:
        label, hint = answer.label, answer.hint
    if f"{root}.{name}" == "listing.number":
        label = "产品已列入《创新产品推荐目录》"
        return _yes_no(label)
    choices = _choices(document, root, name)
    label = re.sub(r"（[A-Za-z/0-9 ]+）", "", label)
    if field.kind == "boolean":
        return _yes_no(label, hint)
    if field.kind == "list":
        return ChecksField(label, [Optional()], choices=_options([*choices, ("none", "都没有")]))
    if choices:
        return SelectField(
            label,
            [Optional()],
            choices=_options([UNSURE, *choices]),
            invalid_choice_message="请从列表里选一项",
            description=hint,
        )
    kinds = {"date": DayField, "money": MoneyField, "count": CountField, "rate": RateField}
    if field.kind in kinds:
        return kinds[field.kind](label, [Optional()], description=hint)
    too_long = Length(max=MOST_TEXT, message=f"最多 {MOST_TEXT} 字")
    return StringField(label, [Optional(), too_long, visible_text], description=hint)


def _yes_no(label: str, hint: str = "") -> Any:
    return RadioField(label, [Optional()], choices=_options(YES_NO), default="", description=hint)


def _choices(document: PolicyDocument, root: str, name: str) -> Choices:
    """The options of a fact, out of the taxonomies or the policy's own questions."""
    fixed: dict[str, Callable[[], Choices]] = {
        "enterprise.district": lambda: [*district_choices(), ELSEWHERE],
        "enterprise.size": lambda: SIZES,
        "enterprise.honours": honour_choices,
        "product.kind": lambda: list(KINDS.items()),
        "product.domain": domain_choices,
        "product.novelty": novelty_choices,
        "product.advancement": advancement_choices,
        "patents.kind": lambda: list(PATENT_KINDS.items()),
        "contracts.buyer_district": lambda: [*district_choices(), ELSEWHERE],
    }
    if f"{root}.{name}" in fixed:
        return fixed[f"{root}.{name}"]()
    asked: list[Any] = list(document.answers)
    if root == "contracts":
        asked = list(document.contracts.columns) if document.contracts else []
    return next((list(question.options.items()) for question in asked if question.id == name), [])


# ------------------------------------------------------------------ answers


def posted(given: MultiDict[str, str], asked: Questions, *, more: bool = False) -> PostedForm:
    """The form filled from a query or a post; keys that no question has are dropped first."""
    names = {name for group in asked.groups for name in group.names} | {LACKING}
    kept: MultiDict[str, str] = MultiDict()
    for key, value in given.items(multi=True):
        row = _ROW.fullmatch(key)
        if key in names or (row and int(row[2]) < asked.rows.get(row[1], 0)):
            kept.add(key, value)
    form = asked.form(formdata=kept)
    rows = form._fields.get("contracts")
    if more and isinstance(rows, FieldList) and len(rows) < asked.rows["contracts"]:
        rows.append_entry()
    return form


def valid(form: Any) -> bool:
    """Whether the answers can be used; what is wrong stands at its field."""
    good = bool(form.validate())
    if form._fields.get("materials") is not None:
        lacking = form.materials_lacking
        if form.materials.data == "some" and not lacking.data:
            lacking.errors = ["请勾上还缺的材料"]
            good = False
    return good


def facts_from(document: PolicyDocument, form: Any) -> dict[str, Any]:
    """The answers as facts; what is not answered is not known."""
    facts: dict[str, Any] = {}
    for field in form:
        root, _, name = field.short_name.partition("_")
        if isinstance(field, FieldList):
            rows = list(_rows(root, field))
            # No contract is an answer; no patent may just as well be none stated.
            if rows or root == "contracts":
                facts[root] = rows
        elif root == "materials":
            if not name:
                facts |= _materials(document, form)
        elif root == "history":
            if field.data == "no":
                facts.setdefault(root, {}).update(
                    (list_, []) for list_ in HISTORY[field.short_name]
                )
        elif (value := _value(field)) is not None:
            facts.setdefault(root, {})[name] = value
    return facts


def _blank(row: Any) -> bool:
    return all(_value(field) is None for field in row)


def _rows(root: str, field: Any) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(field, 1):
        if _blank(row.form):
            continue
        held = {f.short_name: _value(f) for f in row.form}
        names = {"number": f"合同{number}", "buyer": f"买方{number}"} if root == "contracts" else {}
        yield {**names, **{name: value for name, value in held.items() if value is not None}}


def _value(field: Any) -> Any:
    """A field's answer as a fact, or None."""
    data = field.data
    if field.short_name == "listing_number":
        return "已列入" if data == "yes" else None
    if isinstance(field, RadioField) and data in ("yes", "no"):
        return data == "yes"
    if isinstance(field, ChecksField):
        return [value for value in data if value != "none"] if data else None
    if isinstance(data, date):
        return as_day(data)
    if data in ("", None):
        return None
    return {"millionths": data} if isinstance(field, RateField) else data


def _materials(document: PolicyDocument, form: Any) -> dict[str, Any]:
    if form.materials.data not in ("all", "some"):
        return {}
    lacking = set(form.materials_lacking.data or []) if form.materials.data == "some" else set()
    return {"materials": [m for m in document.required_materials if m not in lacking]}


def as_query(form: Any) -> list[tuple[str, str]]:
    """The answers as the pairs of a query, sorted, without what is not answered."""
    pairs = []
    for field in _plain(form):
        values = field.data if isinstance(field, ChecksField) else [_text(field)]
        pairs += [(field.name, value) for value in values or [] if value]
    return sorted(pairs)


def _plain(form: Any) -> Iterable[Any]:
    for field in form:
        if isinstance(field, FieldList):
            for row in field:
                yield from row.form
        else:
            yield field


def _text(field: Any) -> str:
    if isinstance(field.data, date):
        return field.data.isoformat()
    if isinstance(field, MoneyField | CountField | RateField):
        return "" if field.data is None else _unraw(field)
    return str(field.data or "")


def _unraw(field: Any) -> str:
    """The canonical text of a number, not as it was typed."""
    raw, field.raw_data = field.raw_data, None
    try:
        return str(field._value())  # noqa: SLF001, no public way to a field's text
    finally:
        field.raw_data = raw


def as_data(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as the data of an unposted form, to show what is known already."""
    data: dict[str, Any] = {}
    for root, held in facts.items():
        if root in ("patents", "contracts"):
            data[root] = [_row_data(item) for item in held]
        elif isinstance(held, Mapping) and root not in ("history", "round", "application"):
            data |= {f"{root}_{name}": _shown(name, value) for name, value in held.items()}
    return data


def _row_data(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _shown(name, value) for name, value in item.items()}


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return value["millionths"]
    return as_date(value) if name.endswith("_on") and isinstance(value, int) else value


def texts(row: Any) -> list[tuple[str, str]]:
    """The fields of a row with their canonical text."""
    return [(field.short_name, _text(field)) for field in row]


def words_of(field: Any) -> str:
    """An answer as its reader knows it: the label of a choice, else the text."""
    if getattr(field, "choices", None):
        given = field.data if isinstance(field, ChecksField) else [field.data]
        names = {choice.value: choice.label for choice in field.choices}
        return "、".join(str(names.get(value, value)) for value in given or [] if value)
    return _text(field)
