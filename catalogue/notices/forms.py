"""The public objection form and the form that decides an objection."""

from __future__ import annotations

from wtforms import RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from catalogue.forms import PostedForm, visible_text
from catalogue.notices.rules import GROUNDS


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


class DecisionForm(PostedForm):
    """The reason is published beside the notice."""

    reason = TextAreaField(
        "处理理由",
        [InputRequired("请写明理由"), Length(max=1000), visible_text],
        description="会在公示页公布。不要写提出人的身份和联系方式。",
    )
