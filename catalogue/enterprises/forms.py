"""The forms of registration, profile, honours, bank account and its reveal."""

from __future__ import annotations

from typing import Any

from wtforms import EmailField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, Regexp

from catalogue.accounts.operations import MIN_PASSWORD
from catalogue.enterprises.models import GROUNDS, MEMBER_ROLES, SIZES, TIES
from catalogue.enterprises.rules import MIN_REASON
from catalogue.enterprises.taxonomies import district_choices, honour_choices
from catalogue.forms import CreditCodeField, DayField, PostedForm, visible_text


class AccountNumberField(StringField):
    """A bank account number; what was typed is never sent back in a page."""

    def _value(self) -> str:
        return ""


NOT_LISTED = "请从列表里选一项"


def _options(nothing: str, names: dict[str, str]) -> list[SelectChoice]:
    return [SelectChoice("", nothing), *(SelectChoice(key, label) for key, label in names.items())]


ROLE: dict[str, Any] = {
    "choices": [SelectChoice(key, label) for key, label in MEMBER_ROLES.items()],
    "default": "applicant",
    "invalid_choice_message": NOT_LISTED,
}


class RegisterForm(PostedForm):
    """A person and the firm that the person acts for."""

    credit_code = CreditCodeField("统一社会信用代码", [InputRequired("请填写统一社会信用代码")])
    firm_name = StringField(
        "单位名称",
        [InputRequired("请填写单位名称"), Length(2, 100, "单位名称为 2 到 100 字"), visible_text],
    )
    role = RadioField("您在单位的角色", [InputRequired("请选择您的角色")], **ROLE)
    name = StringField(
        "您的姓名",
        [InputRequired("请填写姓名"), Length(1, 50, "姓名不超过 50 字"), visible_text],
    )
    email = EmailField(
        "邮箱",
        [
            InputRequired("请填写邮箱"),
            Length(max=254, message="邮箱不超过 254 个字符"),
            Regexp(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", message="邮箱的格式不对，例如 wang@example.com"),
            visible_text,
        ],
    )
    password = PasswordField(
        "密码",
        [
            InputRequired("请填写密码"),
            Length(MIN_PASSWORD, 200, f"密码至少 {MIN_PASSWORD} 位，最多 200 位"),
        ],
    )


class FindFirmForm(PostedForm):
    """Which firm: its code, sent by GET, so that the page has an address."""

    class Meta(PostedForm.Meta):
        csrf = False

    code = CreditCodeField("统一社会信用代码", [InputRequired("请填写统一社会信用代码")])


class JoinForm(PostedForm):
    """In which role a person asks to join a known firm."""

    role = RadioField("您在单位的角色", [InputRequired("请选择您的角色")], **ROLE)


class FirmForm(JoinForm):
    """A firm that is not known yet."""

    firm_name = StringField(
        "单位名称",
        [InputRequired("请填写单位名称"), Length(2, 100, "单位名称为 2 到 100 字"), visible_text],
    )


class ProfileForm(PostedForm):
    """Facts that every application reads; nothing is asked twice."""

    name = StringField(
        "单位名称",
        [InputRequired("请填写单位名称"), Length(2, 100, "单位名称为 2 到 100 字"), visible_text],
    )
    english_name = StringField(
        "英文名称", [Optional(), Length(max=200, message="英文名称不超过 200 字"), visible_text]
    )
    district = SelectField(
        "所在区", [InputRequired("请选择所在区")], invalid_choice_message=NOT_LISTED
    )
    founded_on = DayField("成立日期", [InputRequired("请填写成立日期")])
    size = SelectField(
        "企业规模",
        choices=_options("不填", SIZES),
        coerce=lambda value: value or None,
        invalid_choice_message=NOT_LISTED,
    )
    address = StringField(
        "地址",
        [InputRequired("请填写地址"), Length(max=200, message="地址不超过 200 字"), visible_text],
    )
    contact_name = StringField(
        "联系人",
        [InputRequired("请填写联系人"), Length(max=50, message="联系人不超过 50 字"), visible_text],
    )
    contact_phone = StringField(
        "联系电话",
        [
            InputRequired("请填写联系电话"),
            Regexp(
                r"^\+?[0-9][0-9\- ]{5,28}$", message="电话只含数字、空格和连字符，例如 021-23110000"
            ),
        ],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.district.choices = [("", "请选择"), *district_choices()]


class HonourForm(PostedForm):
    """One title with its dates."""

    kind = SelectField("称号", [InputRequired("请选择称号")], invalid_choice_message=NOT_LISTED)
    granted_on = DayField("授予日期", [InputRequired("请填写授予日期")])
    expires_on = DayField("到期日期", [Optional()])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind.choices = [("", "请选择"), *honour_choices()]


class RelatedPartyForm(PostedForm):
    """One legal entity that is tied to the firm."""

    credit_code = CreditCodeField("统一社会信用代码", [InputRequired("请填写统一社会信用代码")])
    name = StringField(
        "单位名称",
        [InputRequired("请填写单位名称"), Length(2, 100, "单位名称为 2 到 100 字"), visible_text],
    )
    tie = SelectField(
        "关联关系",
        [InputRequired("请选择关联关系")],
        choices=_options("请选择", TIES),
        invalid_choice_message=NOT_LISTED,
    )


class ExclusionForm(PostedForm):
    """A ban on applying, with the decision it rests on."""

    credit_code = CreditCodeField(
        "单位的统一社会信用代码", [InputRequired("请填写统一社会信用代码")]
    )
    since = DayField("起始日", [InputRequired("请填写起始日")])
    until = DayField("截止日", [InputRequired("请填写截止日")])
    ground = SelectField(
        "事由",
        [InputRequired("请选择事由")],
        choices=_options("请选择", GROUNDS),
        invalid_choice_message=NOT_LISTED,
    )
    source = TextAreaField(
        "依据",
        [
            InputRequired("请写明依据的文书和查明的事实"),
            Length(MIN_REASON, 500, f"请写 {MIN_REASON} 到 500 个字"),
            visible_text,
        ],
    )


class LiftForm(PostedForm):
    """Why a ban ends before its day."""

    reason = TextAreaField(
        "解除理由",
        [
            InputRequired("请写明解除的理由"),
            Length(MIN_REASON, 500, f"请写 {MIN_REASON} 到 500 个字"),
            visible_text,
        ],
    )


class AccountForm(PostedForm):
    """Where the firm's money goes."""

    holder_name = StringField(
        "开户名",
        [
            InputRequired("请填写开户名"),
            Length(max=100, message="开户名不超过 100 字"),
            visible_text,
        ],
    )
    bank_name = StringField(
        "开户行",
        [InputRequired("请填写开户行"), Length(2, 100, "开户行为 2 到 100 字"), visible_text],
    )
    number = AccountNumberField(
        "账号", [InputRequired("请填写账号"), Length(max=60, message="账号最多 32 位数字")]
    )


class RevealForm(PostedForm):
    """Why somebody needs to see the full number."""

    reason = TextAreaField(
        "查看原因",
        [
            InputRequired("请写明查看的原因"),
            Length(MIN_REASON, 200, f"请写 {MIN_REASON} 到 200 个字"),
            visible_text,
        ],
    )
