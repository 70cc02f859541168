"""The sign-in form."""

from __future__ import annotations

from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from catalogue.forms import PostedForm, visible_text


class SignInForm(PostedForm):
    """Who are you."""

    email = StringField("邮箱", [InputRequired("请填写邮箱"), Length(max=254), visible_text])
    password = PasswordField("密码", [InputRequired("请填写密码"), Length(max=200)])
