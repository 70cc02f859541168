"""The product form with its rows of specifications and patents; blank rows are left out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from wtforms import FieldList, Form, FormField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from catalogue.forms import DayField, PostedForm, visible_text
from catalogue.products.models import KINDS, PATENT_KINDS, Product
from catalogue.products.operations import patent_lines, specification_lines
from catalogue.products.rules import MAX_LINES, PatentLine, SpecificationLine, value_problem
from catalogue.products.taxonomies import (
    advancement_choices,
    domain_choices,
    novelty_choices,
)

BLANK_ROWS = 2
RELATION_CHOICES = [
    SelectChoice("eq", "等于 ＝"),
    SelectChoice("le", "不高于 ≤"),
    SelectChoice("ge", "不低于 ≥"),
    SelectChoice("text", "文字"),
]
CHOOSE = ("", "请选择")
NOT_LISTED = "请从列表里选一项"
PLAIN = (
    "name",
    "english_name",
    "model",
    "kind",
    "domain",
    "novelty",
    "advancement",
    "first_sold_on",
    "summary",
)


class RowForm(PostedForm):
    """One row of a list; a row of which nothing is typed is no row."""

    class Meta(PostedForm.Meta):
        csrf = False

    typed: tuple[str, ...] = ()

    @property
    def blank(self) -> bool:
        """Whether nothing was typed, not even something that could not be read."""
        return not any(self[n].data or any(self[n].raw_data or ()) for n in self.typed)

    def validate(self, extra_validators: Any = None) -> bool:
        return self.blank or (super().validate(extra_validators) and self.check())

    def check(self) -> bool:
        """What concerns several fields of the row."""
        return True


class SpecificationForm(RowForm):
    """One figure: what, how it relates, how much, in which unit."""

    typed = ("name", "value", "unit")
    name = StringField(
        "指标",
        [InputRequired("请填写指标名"), Length(max=60, message="不超过 60 字"), visible_text],
    )
    relation = SelectField(
        "关系", choices=RELATION_CHOICES, default="eq", invalid_choice_message=NOT_LISTED
    )
    value = StringField(
        "数值",
        [InputRequired("请填写数值"), Length(max=200, message="不超过 200 字"), visible_text],
    )
    unit = StringField("单位", [Length(max=20, message="不超过 20 字"), visible_text])

    def check(self) -> bool:
        problem = value_problem(self.relation.data, self.value.data)
        if problem:
            self.value.errors = [problem]
        return problem is None


class PatentForm(RowForm):
    """One right behind the product."""

    typed = ("number", "title", "holder", "granted_on")
    kind = SelectField(
        "类型",
        choices=[SelectChoice(key, label) for key, label in PATENT_KINDS.items()],
        default="invention",
        invalid_choice_message=NOT_LISTED,
    )
    number = StringField(
        "编号", [InputRequired("请填写编号"), Length(max=40, message="不超过 40 字"), visible_text]
    )
    title = StringField(
        "名称",
        [InputRequired("请填写名称"), Length(max=200, message="不超过 200 字"), visible_text],
    )
    holder = StringField(
        "权利人",
        [InputRequired("请填写权利人"), Length(max=100, message="不超过 100 字"), visible_text],
    )
    granted_on = DayField("授权或登记日期", [InputRequired("请填写日期")])


class ProductForm(PostedForm):
    """Everything that is known of one product."""

    name = StringField(
        "产品名称",
        [InputRequired("请填写产品名称"), Length(2, 120, "产品名称为 2 到 120 字"), visible_text],
    )
    english_name = StringField(
        "英文名称", [Optional(), Length(max=200, message="英文名称不超过 200 字"), visible_text]
    )
    model = StringField(
        "型号或版本号",
        [InputRequired("请填写型号或版本号"), Length(1, 60, "型号为 1 到 60 字"), visible_text],
    )
    kind = SelectField(
        "产品类别", [InputRequired("请选择产品类别")], invalid_choice_message=NOT_LISTED
    )
    domain = SelectField(
        "所属领域", [InputRequired("请选择所属领域")], invalid_choice_message=NOT_LISTED
    )
    novelty = SelectField(
        "创新档次", [InputRequired("请选择创新档次")], invalid_choice_message=NOT_LISTED
    )
    advancement = SelectField("先进性档次", [Optional()], invalid_choice_message=NOT_LISTED)
    first_sold_on = DayField("首次销售日期", [Optional()])
    summary = TextAreaField(
        "新在哪里",
        [InputRequired("请写明新在哪里"), Length(10, 600, "请写 10 到 600 字"), visible_text],
    )
    specifications = FieldList(FormField(SpecificationForm), "指标", max_entries=MAX_LINES)
    patents = FieldList(FormField(PatentForm), "知识产权", max_entries=MAX_LINES)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind.choices = [CHOOSE, *KINDS.items()]
        self.domain.choices = [CHOOSE, *domain_choices()]
        self.novelty.choices = [CHOOSE, *novelty_choices()]
        self.advancement.choices = [("", "还没有鉴定"), *advancement_choices()]

    def add_rows(self, rows: str, count: int = 1) -> None:
        """Append blank rows to ``specifications`` or ``patents``, up to the limit."""
        target = self[rows]
        for _ in range(min(count, MAX_LINES - len(target.entries))):
            target.append_entry()

    def facts(self) -> dict[str, Any]:
        """The arguments of the room's verbs; blank rows are dropped."""
        return {
            **{field: self[field].data for field in PLAIN},
            "specifications": [
                SpecificationLine(
                    row.name.data, row.relation.data, _compact(row), row.unit.data or ""
                )
                for row in self._filled("specifications")
            ],
            "patents": [
                PatentLine(
                    row.kind.data,
                    row.number.data,
                    row.title.data,
                    row.holder.data,
                    row.granted_on.data,
                )
                for row in self._filled("patents")
            ],
        }

    def _filled(self, rows: str) -> list[Form]:
        return [entry.form for entry in self[rows].entries if not entry.form.blank]


def _compact(row: Form) -> str:
    """The value as it is kept: a number loses its thousands separators."""
    text: str = row.value.data
    return text if row.relation.data == "text" else text.replace(",", "").replace("，", "")


def form_of(product: Product | None) -> ProductForm:
    """The form for a new product, or filled from a known one; what was posted wins."""
    if product is None:
        return ProductForm()
    return ProductForm(
        data={
            **{field: getattr(product, field) for field in PLAIN},
            "specifications": [asdict(line) for line in specification_lines(product)],
            "patents": [asdict(line) for line in patent_lines(product)],
        }
    )
