"""The form of a group of synonyms."""

from __future__ import annotations

from wtforms import RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from catalogue.forms import PostedForm, visible_text


class SynonymForm(PostedForm):
    """The words, one a line, and what they mean."""

    words = TextAreaField(
        "同义的词",
        [
            InputRequired("请填写意思相同的词"),
            Length(max=600, message="最多 600 个字"),
            visible_text,
        ],
    )
    note = StringField("说明", [Length(max=200, message="最多 200 个字"), visible_text])

    @property
    def lines(self) -> list[str]:
        """The words as typed, one a line."""
        return (self.words.data or "").splitlines()


class FreezeForm(PostedForm):
    """What the frozen search is for, in the owner's own words."""

    purpose = StringField("用途", [Length(max=120, message="最多 120 个字"), visible_text])


class DigestForm(PostedForm):
    """How often a saved search may write."""

    frequency = RadioField(
        "多久一次",
        choices=[SelectChoice("weekly", "每周一"), SelectChoice("daily", "每天")],
        default="weekly",
        validators=[InputRequired("请选择每天或每周")],
        validate_choice=True,
    )
