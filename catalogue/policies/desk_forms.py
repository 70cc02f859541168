"""The forms of the policy desk: values one by one, the whole text, and a new draft."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from wtforms import (
    BooleanField,
    Field,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional
from wtforms.widgets import TextInput

from catalogue.forms import DayField, MoneyField, PostedForm, visible_text
from catalogue.policies.desk_text import Path, Place, percent
from catalogue.policies.document import SCHEMES

ASKED = "请填写这一项"
MAX_ITEMS = 200
TITLE = Length(1, 80, "名称 1 至 80 个字")


class PercentField(Field):
    """A share typed as a percentage; ``data`` is the fraction, a Decimal, or None."""

    widget = TextInput()
    data: Any = None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else percent(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        typed = valuelist[0].strip().rstrip("%％").strip() if valuelist else ""
        if not typed:
            return
        try:
            share = Decimal(typed)
        except InvalidOperation as error:
            raise ValueError("请填百分数，例如 20 表示 20%") from error
        if not share.is_finite() or not 0 <= share <= 100:
            raise ValueError("百分数在 0 到 100 之间，例如 20 表示 20%")
        if share != share.quantize(Decimal("0.0001")):
            raise ValueError("百分数最多四位小数")
        self.data = share / 100


class LinesField(TextAreaField):
    """A list, one item a line; ``data`` is the list of ids, names typed in Chinese among them."""

    def __init__(self, *args: Any, terms: Mapping[str, str], **kwargs: Any) -> None:
        self.names = {name: key for key, name in terms.items()}
        self.terms = terms
        super().__init__(*args, **kwargs)

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "\n".join(self.terms.get(item, item) for item in self.data or [])

    def process_formdata(self, valuelist: list[str]) -> None:
        lines = [line.strip() for line in (valuelist[0] if valuelist else "").splitlines()]
        self.data = [self.names.get(line, line) for line in lines if line]
        if not self.data:
            raise ValueError("至少写一项，一行一项")
        if len(self.data) > MAX_ITEMS:
            raise ValueError(f"至多 {MAX_ITEMS} 项")
        if len(set(self.data)) < len(self.data):
            raise ValueError("有一项写了两次")
        if not all(item.isprintable() for item in self.data):
            raise ValueError("含有看不见的控制字符，请重新输入这一项")


class ValuesForm(PostedForm):
    """Every place of a draft as a field of its own; made by ``values_form``."""

    version = HiddenField(validators=[InputRequired()])
    move = BooleanField("例子里正好在门槛上的数跟着新门槛移动", default=True)
    _places: tuple[Place, ...] = ()

    def rows(self) -> list[tuple[Place, Any]]:
        """Each place with its field."""
        return [(place, self[f"v{i}"]) for i, place in enumerate(self._places)]

    def changes(self) -> dict[Path, Any]:
        """The plain values that differ from those in the text, by path."""
        typed = {place.path: _plain(place, field.data) for place, field in self.rows()}
        return {
            place.path: typed[place.path]
            for place in self._places
            if typed[place.path] != place.value
        }


def values_form(places: list[Place], terms: Mapping[str, str], version: int) -> ValuesForm:
    """A form with one field per place, filled with what the text says."""
    fields = {f"v{i}": _field(place, terms) for i, place in enumerate(places)}
    made: ValuesForm = type("DraftValuesForm", (ValuesForm,), {**fields, "_places": tuple(places)})(
        data={"version": version, "move": True}
        | {f"v{i}": _form_value(place) for i, place in enumerate(places)}
    )
    return made


def _field(place: Place, terms: Mapping[str, str]) -> Any:  # noqa: PLR0911  one per kind
    optional = place.path == ("effective", "to")
    asked = [Optional() if optional else InputRequired(ASKED)]
    if place.kind == "money":
        return MoneyField(place.label, validators=asked)
    if place.kind == "rate":
        return PercentField(place.label, validators=asked)
    if place.kind == "number":
        most = NumberRange(0, 10**12, "请填 0 以上的整数")
        return IntegerField(place.label, validators=[*asked, most])
    if place.kind == "boolean":
        return SelectField(place.label, choices=[("yes", "是"), ("no", "否")])
    if place.kind == "list":
        return LinesField(place.label, terms=terms)
    if place.kind == "date" or optional:
        return DayField(place.label, validators=asked)
    return StringField(place.label, validators=[*asked, Length(1, 400), visible_text])


def _form_value(place: Place) -> Any:
    if place.kind == "money":
        return int(Decimal(place.value) * 100)
    if place.kind == "boolean":
        return "yes" if place.value else "no"
    return place.value


def _plain(place: Place, data: Any) -> Any:
    """What the file says for what the field holds."""
    if place.kind == "money":
        return place.value if data is None else (Decimal(data) / 100).quantize(Decimal("0.01"))
    if place.kind == "boolean":
        return data == "yes"
    return data


class TextForm(PostedForm):
    """The whole file."""

    version = HiddenField(validators=[InputRequired()])
    text = TextAreaField("政策文件全文", validators=[InputRequired("请贴入政策文件的全文")])


class NewDraftForm(PostedForm):
    """A draft without a version beneath it."""

    scheme = SelectField("事项", choices=list(SCHEMES.items()))
    title = StringField("底稿名称", validators=[InputRequired(ASKED), TITLE, visible_text])
    text = TextAreaField("政策文件全文", validators=[InputRequired("请贴入政策文件的全文")])


class PublishForm(PostedForm):
    """The second person's word."""

    version = HiddenField(validators=[InputRequired()])
    sure = BooleanField(
        "我看过改动和回测结果，知道发布后不能再改",
        validators=[InputRequired("请先勾选这一句")],
    )
