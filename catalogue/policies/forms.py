"""The form by which an administrator opens a round."""

from __future__ import annotations

from datetime import date, datetime, time

from wtforms import IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from catalogue.database import SHANGHAI
from catalogue.forms import DayField, PostedForm, visible_text

OPENING = time(9)
CLOSINGS = {"17:00": time(17), "24:00": time(23, 59, 59)}
ASKED = "请填写这一项"


class RoundForm(PostedForm):
    """A policy version, a name, and the window in Shanghai time."""

    policy_id = SelectField("政策版本", coerce=int, validators=[InputRequired(ASKED)])
    title = StringField("批次名称", validators=[InputRequired(ASKED), Length(2, 80), visible_text])
    year = IntegerField("申报年度", validators=[InputRequired(ASKED), NumberRange(2000, 2100)])
    batch = IntegerField("第几批", validators=[InputRequired(ASKED), NumberRange(1, 99)])
    opens_on = DayField("开放日期", validators=[InputRequired(ASKED)])
    closes_on = DayField("截止日期", validators=[InputRequired(ASKED)])
    closes_time = SelectField("截止时刻", choices=[(key, key) for key in CLOSINGS])

    def window(self) -> tuple[datetime, datetime]:
        """The two moments, aware: opening at 9:00, closing at the chosen hour."""
        opens_on, closes_on = self.opens_on.data, self.closes_on.data
        assert isinstance(opens_on, date)
        assert isinstance(closes_on, date)
        closing = CLOSINGS[self.closes_time.data]
        return (
            datetime.combine(opens_on, OPENING, SHANGHAI),
            datetime.combine(closes_on, closing, SHANGHAI),
        )

    def refused_field(self, field: str | None) -> str | None:
        """The form's field for a verb's field."""
        return {"opens_at": "opens_on", "closes_at": "closes_on"}.get(field or "", field)
