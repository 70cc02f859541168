"""The forms of the formal check, of the experts' opinion, of overrides and of the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wtforms import IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, InputRequired, Length, Optional

from catalogue.forms import DayField, PostedForm, visible_text
from catalogue.reviews.rules import VALUES, Criterion, Item, Judgement, Opinion


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


RECOMMENDED = {"yes": "推荐", "no": "不推荐"}


class VotesForm(PostedForm):
    """The meeting of the experts; the criteria are added by ``opinion_form``."""

    met_on = DayField("评审会日期")
    experts = IntegerField("专家人数", [Optional()])
    votes_for = IntegerField("推荐票", [Optional()])
    votes_against = IntegerField("不推荐票", [Optional()])
    summary = TextAreaField("专家组意见", [Length(max=1000), visible_text])


def opinion_form(wanted: Sequence[Criterion]) -> Any:
    """A form with the votes and, per criterion, recommended or not and why."""
    members: dict[str, Any] = {}
    for criterion in wanted:
        members[f"r-{criterion.key}"] = RadioField(
            criterion.text,
            choices=[SelectChoice(*pair) for pair in RECOMMENDED.items()],
            validate_choice=False,
        )
        members[f"w-{criterion.key}"] = TextAreaField(
            f"{criterion.text}：理由", [Length(max=500), visible_text]
        )
    return type("OpinionOfExpertsForm", (VotesForm,), members)()


def opinion_of(form: Any, wanted: Sequence[Criterion]) -> Opinion:
    """The posted opinion."""
    answers = {"yes": True, "no": False}
    return Opinion(
        met_on=form.met_on.data,
        experts=form.experts.data,
        votes_for=form.votes_for.data,
        votes_against=form.votes_against.data,
        summary=form.summary.data or "",
        lines={
            c.key: (answers.get(form[f"r-{c.key}"].data), form[f"w-{c.key}"].data or "")
            for c in wanted
        },
    )


COUNTS_AS = {"pass": "按符合计", "fail": "按不符计"}


class OverrideForm(PostedForm):
    """Asking that a finding be set aside."""

    counts_as = RadioField("不予采用后", validate_choice=False)
    reason = TextAreaField("理由", [InputRequired("请写明理由"), Length(max=1000), visible_text])


class AnswerForm(PostedForm):
    """The second person's words; needed for a refusal only."""

    answer = TextAreaField("意见", [Optional(), Length(max=1000), visible_text])
