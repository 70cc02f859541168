"""The public objection form and the form that decides an objection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask_wtf.file import MultipleFileField
from wtforms import HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from catalogue.forms import PostedForm, visible_text
from catalogue.notices.rules import GROUNDS, MAX_FILES, SENT_KEY_LENGTH, new_sent_key
from catalogue.notices.wording import FIELDS, ITEM_FIELDS, said


class CorrectionForm(PostedForm):
    """New words for a notice; `correction_form` adds those of its items."""

    title = StringField("题目", [InputRequired("请写题目"), Length(max=200), visible_text])
    text = TextAreaField("正文", [InputRequired("请写正文"), Length(max=2000), visible_text])
    contact = TextAreaField(
        "异议怎样提", [InputRequired("请写异议怎样提"), Length(max=500), visible_text]
    )
    reason = TextAreaField(
        "更正的理由",
        [InputRequired("请写明更正的理由"), Length(max=500), visible_text],
        description="会写进新版公示，所有人看得到。写原来错在哪里、依据什么更正。",
    )


def correction_form(content: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> Any:
    """The form with today's words; ``items`` are those of the content that may be corrected."""
    members: dict[str, Any] = {}
    data = {key: said(content, key) for key in FIELDS}
    for item in items:
        for key, (label, longest) in ITEM_FIELDS.items():
            name = f"{key}-{item['position']}"
            members[name] = StringField(
                f"第 {item['position']} 件　{label}",
                [InputRequired("请填写"), Length(max=longest), visible_text],
            )
            data[name] = item[key]
    return type("CorrectionForm", (CorrectionForm,), members)(data=data)


def wanted_words(form: Any, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was posted, as wording.changes_of reads it."""
    words: dict[str, Any] = {key: form[key].data.replace("\r\n", "\n") for key in FIELDS}
    words["items"] = {
        str(item["position"]): {key: form[f"{key}-{item['position']}"].data for key in ITEM_FIELDS}
        for item in items
    }
    return words


class AnswerForm(PostedForm):
    """The word of the second person; a refusal needs a reason."""

    answer = TextAreaField("意见", [Optional(), Length(max=500), visible_text])


class ObjectionForm(PostedForm):
    """Ground, argument, remedy, contact: in that order, without an account."""

    item = SelectField("对哪一件", coerce=int, validators=[InputRequired("请选择对哪一件提异议")])
    ground = RadioField(
        "理由属于哪一类",
        choices=[SelectChoice(*pair) for pair in GROUNDS.items()],
        validators=[InputRequired("请选择一类理由")],
    )
    argument = TextAreaField(
        "事实和依据",
        [InputRequired("请写明事实和依据"), Length(max=2000), visible_text],
        description="写清什么时间、什么事实，依据哪份文件、哪条记录。写编号和出处，便于核查。",
    )
    remedy = TextAreaField(
        "您的请求",
        [InputRequired("请写明您的请求"), Length(max=500), visible_text],
        description="例如：不予入选、核减金额、更正公示内容。",
    )
    contact = StringField(
        "联系方式",
        [Optional(), Length(max=200), visible_text],
        description="只用于核实情况，不公开，不告知被异议的单位。不留也能凭查询码看结果。",
    )
    files = MultipleFileField("附件")
    sent_key = HiddenField(default=new_sent_key)

    def validate_files(self, field: Any) -> None:
        if len(field.data or ()) > MAX_FILES:
            raise ValidationError(f"最多 {MAX_FILES} 个附件")

    def validate_sent_key(self, field: Any) -> None:
        # Not ours: then this form only loses its protection against being sent twice.
        if not re.fullmatch(rf"[A-Za-z0-9_-]{{{SENT_KEY_LENGTH}}}", field.data or ""):
            field.data = None


class DecisionForm(PostedForm):
    """The reason is published beside the notice."""

    reason = TextAreaField(
        "处理理由",
        [InputRequired("请写明理由"), Length(max=1000), visible_text],
        description="会在公示页公布。不要写提出人的身份和联系方式。",
    )
