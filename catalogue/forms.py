"""The posted form, and the field types that this field of work needs."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from stdnum.cn import uscc
from wtforms import DateField, Field, HiddenField, PasswordField, StringField, TextAreaField
from wtforms.validators import InputRequired, ValidationError
from wtforms.widgets import TextInput

MAX_FEN = 10**15

# Bidirectional overrides and control characters hide what a reader should see.
_UNSEEN = re.compile(
    r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff"
    r"\U000e0000-\U000e007f]"
)
# What ends a line; a browser's one-line box lets none through, a program's post may hold one.
_BREAKS = re.compile(r"[\t\n\r\u0085\u2028\u2029]+")


class PostedForm(FlaskForm):
    """A form whose messages are Chinese and whose text is normalised before it is checked."""

    class Meta(FlaskForm.Meta):
        locales = ["zh_CN", "zh"]

        def bind_field(self, form: Any, unbound_field: Any, options: Any) -> Any:
            filters = [*unbound_field.kwargs.get("filters", [])]
            kind = unbound_field.field_class
            if issubclass(kind, StringField):
                filters.insert(0, normalised)
                if not issubclass(kind, (TextAreaField, HiddenField, PasswordField)):
                    filters.insert(1, on_one_line)
            return unbound_field.bind(form=form, **{**options, "filters": filters})

    def validate(self, extra_validators: Any = None) -> bool:
        """InputRequired looks at what was sent; of spaces alone nothing is left to keep."""
        good = bool(super().validate(extra_validators))
        for field in self:
            if isinstance(field, StringField) and not field.data and not field.errors:
                field.errors = [
                    rule.message for rule in field.validators if isinstance(rule, InputRequired)
                ]
                good = good and not field.errors
        return good

    def refuse(self, refused: Any) -> None:
        """Show a verb's refusal at the field it names, or at the head of the form."""
        target = getattr(self, refused.field, None) if refused.field else None
        if target is not None:
            target.errors = [*target.errors, refused.reason]
        else:
            self.form_errors.append(refused.reason)


def normalised(value: Any) -> Any:
    """NFC, with trimmed ends; other values pass through."""
    return unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else value


def on_one_line(value: Any) -> Any:
    """Breaks as spaces: a name of two lines would forge a line of a mail, a list or a paper."""
    return _BREAKS.sub(" ", value) if isinstance(value, str) else value


def visible_text(form: Any, field: Field) -> None:
    """Refuse control, zero-width and direction-turning characters."""
    if field.data and _UNSEEN.search(field.data):
        raise ValidationError("含有看不见的控制字符，请重新输入这一项")


def parse_fen(value: str) -> int:
    """Whole fen of a plain amount in yuan, such as 1234.50; raises ValueError otherwise."""
    if not re.fullmatch(r"[0-9]{1,13}(\.[0-9]{1,2})?", value):
        raise ValueError("not a plain amount")
    try:
        fen = int(Decimal(value) * 100)
    except InvalidOperation as error:
        raise ValueError("not a plain amount") from error
    if fen >= MAX_FEN:
        raise ValueError("out of range")
    return fen


class MoneyField(Field):
    """An amount in yuan with at most two decimals; ``data`` is whole fen or None."""

    widget = TextInput()
    data: Any = None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else f"{self.data // 100}.{self.data % 100:02d}"

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        if not valuelist or not valuelist[0].strip():
            return
        try:
            self.data = parse_fen(valuelist[0].strip().replace(",", ""))
        except ValueError as error:
            raise ValueError("请填金额，单位元，最多两位小数，例如 186000.00") from error


class CountField(Field):
    """A whole number of things; ``data`` is an int from 0 below a billion, or None."""

    widget = TextInput()
    data: Any = None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else str(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        text = valuelist[0].strip() if valuelist else ""
        if not text:
            return
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise ValueError("请填整数，例如 12")
        self.data = int(text)


class RateField(Field):
    """A share typed in per cent, such as 12.5; ``data`` is whole millionths or None."""

    widget = TextInput()
    data: Any = None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else percent_text(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        text = (valuelist[0] if valuelist else "").strip().rstrip("%％").rstrip()
        if not text:
            return
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", text) or Decimal(text) > 100:
            raise ValueError("请填百分比，0 到 100，最多四位小数，例如 12.5")
        self.data = int(Decimal(text) * 10_000)


def percent_text(millionths: int) -> str:
    """A share in per cent without idle zeros: 125000 is 12.5."""
    text = f"{Decimal(millionths) / 10_000:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class CreditCodeField(StringField):
    """统一社会信用代码 (GB 32100-2015), upper case, with its check digit."""

    data: Any

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0] if valuelist else ""
        self.data = unicodedata.normalize("NFKC", text).strip().upper() or None

    def pre_validate(self, form: Any) -> None:
        if not self.data:
            return
        if problem := credit_code_problem(self.data):
            raise ValidationError(problem)


def credit_code_problem(code: str) -> str | None:
    """What is wrong with a credit code, in words for its holder; None when it is right."""
    if len(code) != 18:
        return f"应为 18 位，现在是 {len(code)} 位。请对照营业执照"
    if bad := sorted({c for c in code if c in "IOSVZ" or not (c.isascii() and c.isalnum())}):
        return f"代码里不会有 {'、'.join(bad)}。请对照营业执照"
    if uscc.is_valid(code):
        return None
    try:
        digit = uscc.calc_check_digit(code[:-1])
    except Exception:  # stdnum raises several kinds for malformed prefixes
        return "代码的格式不对。请对照营业执照"
    if digit == code[-1]:
        return "代码前 8 位的登记机关部分不对。请对照营业执照"
    return f"第 18 位校验码应为 {digit}，现在是 {code[-1]}。请对照营业执照"


class DayField(DateField):
    """A calendar day; ``data`` is a date."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist or not valuelist[0].strip():
            self.data = None
            return
        text = valuelist[0].strip()
        self.data = None
        match = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text)
        try:
            if match is None:
                raise ValueError
            self.data = date(*(int(part) for part in match.groups()))
            if not 1900 <= self.data.year <= 2100:
                raise ValueError
        except ValueError as error:
            # A date box of the browser would show nothing of what was typed.
            self.widget = TextInput()
            raise ValueError("请填日期，例如 2026-11-20") from error


class EvidenceField(FileField):
    """One uploaded file; what it really is, is decided by content when it is stored."""
