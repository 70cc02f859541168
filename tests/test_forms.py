"""What every posted form does with text before a room sees it."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired

from catalogue.forms import PostedForm, visible_text


class Needed(PostedForm):
    """A text that must be there."""

    text = TextAreaField("说明", [InputRequired("请写说明"), visible_text])


class Named(PostedForm):
    """A name on one line, and a text of several."""

    name = StringField("名称", [visible_text])
    text = TextAreaField("说明", [visible_text])


def _posted(app: Flask, **values: str) -> Named:
    with app.test_request_context("/", method="POST"):
        form = Named(formdata=MultiDict(values), meta={"csrf": False})
        form.validate()
        return form


@pytest.mark.parametrize("end", ["\n", "\r\n", "\t", "\u2028", "\u0085"])
def test_a_name_of_two_lines_is_one_of_one(app: Flask, end: str) -> None:
    form = _posted(app, name=f"光刻机{end}不想再收：http://example.test/")
    assert form.name.data == "光刻机 不想再收：http://example.test/" and not form.errors
    assert _posted(app, text="第一行\n第二行").text.data == "第一行\n第二行"


@pytest.mark.parametrize("blank", ["\n", "  ", "\u3000", "\t\r\n"])
def test_blanks_are_no_answer(app: Flask, blank: str) -> None:
    with app.test_request_context("/", method="POST"):
        form = Needed(formdata=MultiDict({"text": blank}), meta={"csrf": False})
        assert not form.validate() and form.text.errors == ["请写说明"]
        assert Needed(formdata=MultiDict({"text": "有"}), meta={"csrf": False}).validate()


@pytest.mark.parametrize(
    "sign", "\0\v\x9b\u061c\u200b\u200e\u202e\u2060\u2067\ufeff\uffff\U000e0041"
)
def test_signs_that_hide_or_turn_others_are_refused(app: Flask, sign: str) -> None:
    form = _posted(app, name=f"光刻{sign}机", text=f"光刻{sign}机")
    assert form.name.errors and form.text.errors
