"""The forms of this room: a file to be checked, and a change of status asked and answered."""

from __future__ import annotations

from flask_wtf.file import FileRequired
from wtforms import RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from catalogue.certificates.rules import NAMES
from catalogue.forms import EvidenceField, PostedForm, visible_text

MOST = 1000


class FileCheckForm(PostedForm):
    """One file; it is compared, and never kept."""

    file = EvidenceField("证书文件（PDF）", validators=[FileRequired("请选择要核验的 PDF 文件")])


def _reason() -> TextAreaField:
    return TextAreaField(
        "理由",
        validators=[
            InputRequired("请写明理由"),
            Length(max=MOST, message=f"最多 {MOST} 字"),
            visible_text,
        ],
    )


class ChangeForm(PostedForm):
    """Which status, and why; the choices are those that may follow."""

    status = RadioField("改为", validators=[InputRequired("请选改为什么状态")])
    reason = _reason()


def _name(name: str) -> StringField:
    label, limit, needed = NAMES[name]
    return StringField(
        label,
        validators=[
            InputRequired(f"请填{label}") if needed else Optional(),
            Length(max=limit, message=f"最多 {limit} 字"),
            visible_text,
        ],
    )


class ReplaceForm(PostedForm):
    """The words of the new certificate, and why."""

    enterprise = _name("enterprise")
    enterprise_english = _name("enterprise_english")
    product = _name("product")
    product_english = _name("product_english")
    model = _name("model")
    reason = _reason()


class AnswerForm(PostedForm):
    """What the second person says."""

    answer = TextAreaField(
        "意见",
        validators=[Optional(), Length(max=MOST, message=f"最多 {MOST} 字"), visible_text],
    )
