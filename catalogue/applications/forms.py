"""The forms of an application; the questions come from its policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from flask_wtf.file import FileAllowed
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError

from catalogue.applications.drafts import storable
from catalogue.enterprises.taxonomies import district_choices
from catalogue.forms import (
    CountField,
    CreditCodeField,
    DayField,
    EvidenceField,
    MoneyField,
    PostedForm,
    RateField,
    normalised,
    visible_text,
)
from catalogue.policies.document import Answer, Column, PolicyDocument

YES_NO = [SelectChoice("yes", "是"), SelectChoice("no", "否")]
PLAIN = {"date": DayField, "money": MoneyField, "count": CountField, "rate": RateField}
MOST_RADIOS = 6
# The longest text in a column that a policy adds to contracts.
MAX_COLUMN = 200
# Not a code of GB/T 2260, so that it equals no district.
ELSEWHERE = "000000"


class StartForm(PostedForm):
    """Which product is it about."""

    product = RadioField("产品", coerce=int, validators=[InputRequired("请选一个产品")])


class ReasonForm(PostedForm):
    """A reason for an act that wants one."""

    reason = TextAreaField(
        "理由", [InputRequired("请写明理由"), Length(max=500, message="最多 500 字"), visible_text]
    )


class DeclarationForm(PostedForm):
    """The declaration before submitting."""

    declared = BooleanField(
        "以上内容和材料真实，愿意承担相应责任",
        [InputRequired("提交前请确认内容真实")],
    )


class UploadForm(PostedForm):
    """One file for one material."""

    file = EvidenceField(
        "文件",
        [
            FileAllowed(
                ["pdf", "png", "jpg", "jpeg", "xlsx", "docx"], "只收 PDF、PNG、JPEG、XLSX、DOCX"
            )
        ],
    )

    def validate_file(self, field: Any) -> None:
        if not field.data or not field.data.filename:
            raise ValidationError("请选择文件")


def answers_form(
    document: PolicyDocument,
    answers: Mapping[str, Any],
    typed: Mapping[str, str],
    only: set[str] | None,
    *,
    posted: bool = True,
) -> Any:
    """A form with the policy's questions, filled from ``answers``; ``only`` limits to open ones.

    ``typed`` is faulty text that was kept; it is shown again with what is wrong with it. With
    ``posted`` false the form holds what is stored, whatever the request brings.
    Nothing is required here: a draft is saved as it stands, and what is missing is told on the
    task list and refused on submit.
    """
    asked = [answer for answer in document.answers if only is None or answer.id in only]
    fields = {name_in(PostedForm, answer.id): question_field(answer) for answer in asked}
    form_class = type("AnswersForm", (PostedForm,), fields)
    data = {name_in(PostedForm, a.id): shown(a.type, answers.get(a.id)) for a in asked}
    form = form_class(data=data) if posted else form_class(formdata=None, data=data)
    if not (posted and form.is_submitted()):
        retype(form, {name_in(PostedForm, question): text for question, text in typed.items()})
    return form


def name_in(form_class: type, question: str) -> str:
    """The field's name of a question, whose id may be a word that forms use themselves."""
    return f"{question}_" if hasattr(form_class, question) else question


def questions(document: PolicyDocument, form: Any) -> list[tuple[Answer, Any]]:
    """The questions that a form asks, each with its field."""
    named = ((answer, name_in(PostedForm, answer.id)) for answer in document.answers)
    return [(answer, form[name]) for answer, name in named if name in form]


def retype(form: Any, typed: Mapping[str, str]) -> None:
    """Put kept text into the fields it was typed into, and check it again."""
    for name, text in typed.items():
        if name in form:
            field = form[name]
            field.process(MultiDict({field.name: text}))
            field.validate(form)


def question_field(question: Answer | Column) -> Any:
    """The field of a question of the policy, or of a column that it adds to contracts."""
    label, hint = question.label, {"description": question.hint}
    if question.type == "boolean":
        return RadioField(label, [Optional()], choices=YES_NO, **hint)
    if question.type == "choice":
        return _choice(label, question.options, hint)
    if question.type in PLAIN:
        return PLAIN[question.type](label, [Optional()], **hint)
    most = getattr(question, "max_length", MAX_COLUMN)
    kind = TextAreaField if question.type == "textarea" else StringField
    limit = Length(max=most, message=f"最多 {most} 字")
    return kind(label, [Optional(), limit, visible_text], **hint)


def _choice(label: str, options: Mapping[str, str], hint: dict[str, str]) -> Any:
    choices = [SelectChoice(key, name) for key, name in options.items()]
    if len(choices) <= MOST_RADIOS:
        return RadioField(label, [Optional()], choices=choices, **hint)
    return SelectField(
        label,
        [Optional()],
        choices=[SelectChoice("", "请选择"), *choices],
        invalid_choice_message="请从列表里选一项",
        **hint,
    )


def shown(kind: str, kept: Any) -> Any:
    """A kept value as its field takes it."""
    if kind == "boolean" and isinstance(kept, bool):
        return "yes" if kept else "no"
    if kind == "date" and isinstance(kept, str):
        return date.fromisoformat(kept)
    if kind == "rate" and isinstance(kept, dict):
        return kept["millionths"]
    return kept


def kept_value(kind: str, data: Any) -> Any:
    """A field's value as it is kept and as rules read it, but for dates, which are kept ISO."""
    if data in (None, ""):
        return None
    if kind == "boolean":
        return {"yes": True, "no": False}.get(data)
    if kind == "date":
        return data.isoformat()
    return {"millionths": data} if kind == "rate" else data


def read_answers(document: PolicyDocument, form: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """What a checked form holds: the right values (None is emptied), and the faulty text."""
    kept: dict[str, Any] = {}
    faulty: dict[str, str] = {}
    for answer, field in questions(document, form):
        kept[answer.id] = None if field.errors else kept_value(answer.type, field.data)
        if field.errors and answer.type not in ("boolean", "choice"):
            faulty[answer.id] = typed_text(field)
    return kept, faulty


def field_words(field: Any) -> str:
    """What a field holds, for a person to compare."""
    if choices := getattr(field, "choices", None):
        names = {choice.value: choice.label for choice in choices}
        return str(names.get(field.data, "没有选"))
    return str(field._value()) or "空"  # noqa: SLF001, no public way to a field's text


def typed_text(field: Any) -> str:
    """What was typed into a field, letter by letter."""
    return storable(str(field.raw_data[0])) if field.raw_data else ""


class ContractRow(Form):
    """One contract; a row left empty is left out."""

    number = StringField("合同编号", [Length(max=60, message="最多 60 字"), visible_text])
    buyer_name = StringField("买方", [Length(max=100, message="最多 100 字"), visible_text])
    buyer_credit_code = CreditCodeField("买方统一社会信用代码")
    signed_on = DayField("签订日期")
    invoiced_on = DayField("发票日期")
    amount = MoneyField("合同金额")
    received = MoneyField("到账金额")
    # The policy's own columns, and those of ours that it reads; see contracts_form.
    asked: tuple[str, ...] = ()
    added: tuple[Column, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing was typed into the row."""
        return not any((f.raw_data or [""])[0] for f in self if f.raw_data)

    @property
    def extra(self) -> list[Any]:
        """The fields beyond those of every contract, in the order of the policy."""
        return [self[name] for name in (*self.asked, *map(self.name_of, self.added))]

    @staticmethod
    def name_of(column: Column) -> str:
        """The field's name of a column that the policy adds."""
        return name_in(ContractRow, column.id)

    def validate(self, extra_validators: Any = None) -> bool:
        if self.empty:
            return True
        good = bool(super().validate(extra_validators))
        wanted = [*REQUIRED_OF_CONTRACTS, *(self.name_of(c) for c in self.added if c.required)]
        for name in wanted:
            field = self[name]
            if field.data in (None, "") and not field.errors:
                field.errors = [f"请填{REQUIRED_OF_CONTRACTS.get(name, field.label.text)}"]
                good = False
        if self.amount.data == 0:
            self.amount.errors = ["合同金额要大于 0"]
            good = False
        if self.buyer_name.data and len(normalised(self.buyer_name.data)) < 2:
            self.buyer_name.errors = ["请填买方全称"]
            good = False
        return good

    def columns(self) -> dict[str, Any]:
        """The row as the columns of a contract; a column that the form does not ask is left out."""
        asked = {name: self[name].data for name in self.asked}
        if "buyer_is_trader" in asked:
            asked["buyer_is_trader"] = kept_value("boolean", asked["buyer_is_trader"])
        return {
            "number": normalised(self.number.data),
            "buyer_name": normalised(self.buyer_name.data),
            "buyer_credit_code": self.buyer_credit_code.data or None,
            "signed_on": self.signed_on.data,
            "invoiced_on": self.invoiced_on.data,
            "amount_fen": self.amount.data,
            "received_fen": self.received.data,
            **{name: None if value == "" else value for name, value in asked.items()},
            "details": {
                column.id: value
                for column in self.added
                if (value := kept_value(column.type, self[self.name_of(column)].data)) is not None
            },
        }

    def typed(self) -> dict[str, str]:
        """The row as it was typed, letter by letter."""
        return {f.short_name: text for f in self if (text := typed_text(f))}


def read_contracts(form: Any) -> tuple[list[dict[str, Any]], dict[int, dict[str, str]]]:
    """What a checked form holds: the right rows, and the faulty ones as typed, by position."""
    rows, faulty = [], {}
    for position, entry in enumerate(form.rows, start=1):
        if entry.form.empty:
            continue
        if entry.form.errors:
            faulty[position] = entry.form.typed()
        else:
            rows.append({"position": position, **entry.form.columns()})
    return rows, faulty


def row_data(document: PolicyDocument, contract: Any) -> dict[str, Any]:
    """A kept contract as the fields of its row take it."""
    added = document.contracts.columns if document.contracts else ()
    data = {name: getattr(contract, column) for name, column in ROW_COLUMNS.items()}
    data["buyer_is_trader"] = shown("boolean", contract.buyer_is_trader)
    for column in added:
        data[ContractRow.name_of(column)] = shown(column.type, contract.details.get(column.id))
    return data


ROW_COLUMNS = {
    "number": "number",
    "buyer_name": "buyer_name",
    "buyer_credit_code": "buyer_credit_code",
    "signed_on": "signed_on",
    "invoiced_on": "invoiced_on",
    "amount": "amount_fen",
    "received": "received_fen",
    "quantity": "quantity",
    "accepted_on": "accepted_on",
    "buyer_district": "buyer_district",
}
REQUIRED_OF_CONTRACTS = {
    "number": "合同编号",
    "buyer_name": "买方全称",
    "signed_on": "签订日期",
    "amount": "合同金额",
}


def _asked_columns() -> dict[str, Any]:
    districts = [*district_choices(), (ELSEWHERE, "本市以外")]
    return {
        "quantity": CountField("数量", [Optional(), NumberRange(1, message="数量至少为 1")]),
        "accepted_on": DayField("验收日期", [Optional()]),
        "buyer_district": SelectField(
            "买方所在区",
            [Optional()],
            choices=[SelectChoice("", "请选择"), *(SelectChoice(*pair) for pair in districts)],
            invalid_choice_message="请从列表里选一项",
        ),
        "buyer_is_trader": RadioField("买方是否贸易商", [Optional()], choices=YES_NO),
    }


def contracts_form(document: PolicyDocument, rows: Mapping[int, Mapping[str, Any]]) -> Any:
    """The contracts of one application: ``rows`` by the number of the row, from 1.

    A row holds ``kept`` (values of its fields) or ``typed`` (text that is not right yet). Beyond
    what every contract has, the form asks what the policy's text reads or adds.
    """
    most = document.contracts.max if document.contracts else 0
    added = document.contracts.columns if document.contracts else ()
    ours = {n: f for n, f in _asked_columns().items() if re.search(rf"\b{n}\b", document.text)}
    fields = {**ours, **{name_in(ContractRow, c.id): question_field(c) for c in added}}
    row = type("PolicyContractRow", (ContractRow,), {**fields, "asked": (*ours,), "added": added})
    entries = FieldList(FormField(row), "合同", min_entries=1, max_entries=max(most, 1))
    form_class = type("ContractsForm", (PostedForm,), {"rows": entries})
    last = max(rows, default=0)
    data = [rows.get(number, {}).get("kept", {}) for number in range(1, last + 1)]
    form = form_class(data={"rows": data})
    if not form.is_submitted():
        for number, entry in enumerate(form.rows, start=1):
            if typed := rows.get(number, {}).get("typed"):
                retype(entry.form, typed)
                entry.form.validate()
        if any(entry.errors for entry in form.rows):
            form.rows.errors = [entry.errors for entry in form.rows]
    return form
