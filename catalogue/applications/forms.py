"""The forms of an application; the questions come from its policy."""

from __future__ import annotations

from typing import Any

from flask_wtf.file import FileAllowed
from wtforms import BooleanField, FieldList, Form, FormField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from catalogue.forms import (
    CreditCodeField,
    DayField,
    EvidenceField,
    MoneyField,
    PostedForm,
    normalised,
    visible_text,
)
from catalogue.policies.document import Answer, PolicyDocument

YES_NO = [("yes", "是"), ("no", "否")]


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


def answers_form(document: PolicyDocument, answers: dict[str, Any], only: set[str] | None) -> Any:
    """A form with the policy's questions, filled from ``answers``; ``only`` limits to open ones.

    Nothing is required here: a draft is saved as it stands, and what is missing is told on the
    task list and refused on submit.
    """
    fields = {
        answer.id: _field_of(answer)
        for answer in document.answers
        if only is None or answer.id in only
    }
    form_class = type("AnswersForm", (PostedForm,), fields)
    return form_class(data={a.id: _shown(a, answers.get(a.id)) for a in document.answers})


def _field_of(answer: Answer) -> Any:
    if answer.type == "boolean":
        return RadioField(answer.label, [Optional()], choices=YES_NO, description=answer.hint)
    if answer.type == "date":
        return DayField(answer.label, [Optional()], description=answer.hint)
    if answer.type == "money":
        return MoneyField(answer.label, [Optional()], description=answer.hint)
    kind = TextAreaField if answer.type == "textarea" else StringField
    limit = Length(max=answer.max_length, message=f"最多 {answer.max_length} 字")
    return kind(answer.label, [Optional(), limit, visible_text], description=answer.hint)


def _shown(answer: Answer, value: Any) -> Any:
    if answer.type == "boolean" and isinstance(value, bool):
        return "yes" if value else "no"
    if answer.type == "date" and isinstance(value, str):
        from datetime import date

        return date.fromisoformat(value)
    return value


def kept_answers(document: PolicyDocument, form: Any) -> dict[str, Any]:
    """The form's answers as an application keeps them: dates ISO, money fen, yes/no booleans."""
    kept: dict[str, Any] = {}
    for answer in document.answers:
        field = getattr(form, answer.id, None)
        if field is None:
            continue
        value = field.data
        if answer.type == "boolean":
            kept[answer.id] = {"yes": True, "no": False}.get(value or "")
        elif answer.type == "date":
            kept[answer.id] = value.isoformat() if value else None
        else:
            kept[answer.id] = value if value != "" else None
    return kept


class ContractRow(Form):
    """One contract; a row left empty is left out."""

    number = StringField("合同编号", [Length(max=60, message="最多 60 字"), visible_text])
    buyer_name = StringField("买方", [Length(max=100, message="最多 100 字"), visible_text])
    buyer_credit_code = CreditCodeField("买方统一社会信用代码")
    signed_on = DayField("签订日期")
    invoiced_on = DayField("发票日期")
    amount = MoneyField("合同金额")
    received = MoneyField("到账金额")

    @property
    def empty(self) -> bool:
        """Whether nothing was typed into the row."""
        return not any((f.raw_data or [""])[0] for f in self if f.raw_data)

    def validate(self, extra_validators: Any = None) -> bool:
        if self.empty:
            return True
        good = bool(super().validate(extra_validators))
        for name, words in (
            ("number", "请填合同编号"),
            ("buyer_name", "请填买方全称"),
            ("signed_on", "请填签订日期"),
            ("amount", "请填合同金额"),
        ):
            field = self[name]
            if field.data in (None, "") and not field.errors:
                field.errors = [words]
                good = False
        if self.amount.data == 0:
            self.amount.errors = ["合同金额要大于 0"]
            good = False
        if self.buyer_name.data and len(normalised(self.buyer_name.data)) < 2:
            self.buyer_name.errors = ["请填买方全称"]
            good = False
        return good

    def columns(self) -> dict[str, Any]:
        """The row as the columns of a contract."""
        return {
            "number": normalised(self.number.data),
            "buyer_name": normalised(self.buyer_name.data),
            "buyer_credit_code": self.buyer_credit_code.data or None,
            "signed_on": self.signed_on.data,
            "invoiced_on": self.invoiced_on.data,
            "amount_fen": self.amount.data,
            "received_fen": self.received.data,
        }


class ContractsForm(PostedForm):
    """All contracts of one application."""

    rows = FieldList(FormField(ContractRow), min_entries=1, max_entries=50)
