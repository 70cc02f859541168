"""The forms of the formal check and of the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, InputRequired, Length, Optional

from catalogue.forms import PostedForm, visible_text
from catalogue.reviews.rules import VALUES, Item, Judgement


class ReasonForm(PostedForm):
    """A decision that needs its reason in words."""

    reason = TextAreaField("理由", [InputRequired("请写明理由"), Length(max=1000), visible_text])


class OpinionForm(PostedForm):
    """A decision that may carry an opinion."""

    reason = TextAreaField("审定意见", [Optional(), Length(max=1000), visible_text])


def check_form(
    items: Sequence[Item], fields: Mapping[str, str], sheet: Mapping[str, Judgement]
) -> Any:
    """A form with a value, a note and (where it is not fixed) a field per item."""
    members: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for item in items:
        kept = sheet.get(item.key, Judgement())
        members[f"v-{item.key}"] = StringField(
            item.title, [Optional(), AnyOf(list(VALUES), "请选通过、补正或不适用")]
        )
        members[f"n-{item.key}"] = StringField(
            f"{item.title}：补正意见", [Optional(), Length(max=500), visible_text]
        )
        data |= {f"v-{item.key}": kept.value, f"n-{item.key}": kept.note}
        if item.choose:
            members[f"f-{item.key}"] = SelectField(
                f"{item.title}：退回哪一项",
                choices=[
                    SelectChoice("", "选退回哪一项"),
                    *(SelectChoice(*pair) for pair in fields.items()),
                ],
            )
            data[f"f-{item.key}"] = kept.field or item.field or ""
    return type("CheckForm", (PostedForm,), members)(data=data)


def judgements(form: Any, items: Sequence[Item]) -> dict[str, Judgement]:
    """The posted judgements by item key."""
    read = {}
    for item in items:
        field = form[f"f-{item.key}"].data if item.choose else ""
        value = form[f"v-{item.key}"].data
        read[item.key] = Judgement(
            value=value if value in VALUES else None,
            note=form[f"n-{item.key}"].data or "",
            field=field or "",
        )
    return read
