"""The forms of finance: a budget's total, and the reason for full account numbers."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField, IntegerField, SelectField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, ValidationError

from catalogue.forms import MoneyField, PostedForm, visible_text
from catalogue.funds.lists import CLAIMS
from catalogue.funds.rules import MIN_REASON

MAX_REASON = 300


def reason_field(label: str, description: str) -> Any:
    """A reason that will be read by others: long enough to mean something, and bounded."""
    return TextAreaField(
        label,
        [
            InputRequired(f"请写明{label}"),
            Length(MIN_REASON, MAX_REASON, f"{label}为 {MIN_REASON} 到 {MAX_REASON} 字"),
            visible_text,
        ],
        description=description,
    )


class YearField(IntegerField):
    """A calendar year; WTForms' own words for a wrong number are not for readers."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata([v.strip() for v in valuelist if v.strip()])
        except ValueError as error:
            raise ValueError("请填四位年份，例如 2026") from error


class BudgetForm(PostedForm):
    """The total of one scheme in one year."""

    scheme = SelectField("事项", [InputRequired("请选择事项")], choices=list(CLAIMS.items()))
    year = YearField(
        "年度",
        [InputRequired("请填写年度"), NumberRange(2000, 2100, "请填四位年份，例如 2026")],
    )
    total = MoneyField(
        "预算总额",
        [InputRequired("请填写预算总额")],
        description="不低于已预留、已核定和已拨付之和",
    )
    placeholder = BooleanField("这是示范参数，不是批复的预算")
    reason = reason_field("依据", "例如批复文号。会记入操作留痕，改前改后都可查")

    def validate_total(self, field: MoneyField) -> None:
        """Blanks are no amount: they must not set a budget to nothing."""
        if field.data is None:
            raise ValidationError("请填写预算总额")


class ReasonForm(PostedForm):
    """Why somebody needs a full account number."""

    reason = reason_field("原因", "会与您的姓名、时间一起留痕")


class TakeAccountForm(PostedForm):
    """Why an award shall use the account that the firm has on record now."""

    reason = reason_field("改用的原因", "例如单位已更正户名，附来文日期")


class ExportForm(PostedForm):
    """A list with full account numbers: in which format, and what for."""

    format = SelectField(
        "格式", [InputRequired("请选择格式")], choices=[("xlsx", "XLSX"), ("csv", "CSV")]
    )
    reason = reason_field("用途", "例如第几批拨付、交哪家银行。会与文件的 SHA-256 一起留痕")
