"""A policy file in memory: its articles, parameters, rules, questions, materials and worksheet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from catalogue.policies.expressions import Expression
from catalogue.policies.facts import SCHEMA, Field, Group, Words
from catalogue.policies.wording import Sentence, rate_text, shown

SCHEMES = {
    "catalogue": "创新产品推荐目录",
    "first_set": "首台套装备",
    "first_version": "首版次软件",
    "first_batch": "首批次新材料",
    "insurance_equipment": "首台套保险补偿",
    "insurance_material": "首批次保险补偿",
    "first_purchase": "首购资格",
    "first_use_risk": "首购首用风险补偿",
}
# What these give is a standing, not money: no budget, no worksheet total to reserve.
WITHOUT_MONEY = frozenset({"catalogue", "first_purchase"})
STAGES = {
    "signing": "签章",
    "formal_check": "形式审查",
    "expert_review": "专家评审",
    "committee": "审定",
    "notice": "公示",
}
CONFIDENCE = {
    "见": "在政府网站摘录里看到",
    "转": "在转载或新闻摘录里看到",
    "二手": "第三方整理或概括",
    "推": "由已见文字推断",
    "缺": "没有找到公开文字",
}
ROUNDING = "比例乘得的金额四舍五入到分（半分进一），其余各步为分的整数运算。"


@dataclass(frozen=True)
class Article:
    """One article in our own words; ``slug`` is its anchor on the rules page."""

    key: str
    slug: str
    text: str
    source: str
    confidence: str


@dataclass(frozen=True)
class Parameter:
    """One number, date, list or yes/no of the text.

    ``value`` has the form that expressions read (fen, days, millionths in a map); ``formula``
    computes it from the round instead. ``kind`` says how it is written.
    """

    name: str
    label: str
    kind: str
    unit: str
    value: Any
    formula: Expression | None
    words: str
    article: str
    confidence: str
    placeholder: bool
    note: str

    def shown(self, terms: Mapping[str, str]) -> str:
        """The value as the rules page prints it; a formula prints its words."""
        if self.formula is not None:
            return self.words
        text = shown(self.value, self.kind, terms)
        if self.kind == "rate":
            return rate_text(self.value)
        if self.kind == "count" and self.unit:
            return f"{text} {self.unit}"
        return text


@dataclass(frozen=True)
class Rule:
    """One condition: what must hold, how it reads, and what follows when it does not."""

    id: str
    title: str
    article: str
    require: Expression
    words: Sentence
    read: Sentence
    threshold: Sentence
    says: Sentence | None
    gap: Sentence | None
    remedy: Sentence | None
    otherwise: str
    placeholder: bool

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The parameters by which it is decided and told."""
        return frozenset(self.require.parameters) | self.words.parameters


@dataclass(frozen=True)
class Line:
    """One step of the worksheet; ``value`` gives fen, ``words`` say it without a case."""

    id: str
    words: Sentence
    label: Sentence
    value: Expression
    operands: Sentence
    note: Sentence | None
    article: str
    placeholder: bool

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The parameters by which it is worked out and told."""
        return frozenset(self.value.parameters) | self.label.parameters


@dataclass(frozen=True)
class Answer:
    """One question of the form: type text, textarea, boolean, date or money."""

    id: str
    label: str
    hint: str
    type: str
    max_length: int
    required: bool
    article: str


@dataclass(frozen=True)
class Material:
    """One kind of evidence that an application brings."""

    id: str
    name: str
    required: bool
    hint: str
    article: str
    placeholder: bool


@dataclass(frozen=True)
class Quantity:
    """A whole number with its standing, such as working days of a notice."""

    value: int
    placeholder: bool
    note: str = ""


@dataclass(frozen=True)
class ContractLimits:
    """How many contracts the form takes."""

    min: int
    max: int
    article: str


@dataclass(frozen=True)
class Continuation:
    """From when the portal goes on using an expired text, and the parameters that then differ."""

    since: date
    note: str
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True)
class Example:
    """A case with the results its author expects; ``expect`` maps rule ids to results."""

    name: str
    facts: Mapping[str, Any]
    today: date
    expect: Mapping[str, str]
    verdict: str | None
    amount_fen: int | None
    line: int


@dataclass(frozen=True)
class PolicyDocument:
    """One version of one scheme's rules, ready to evaluate."""

    scheme: str
    version: str
    title: str
    summary: tuple[str, ...]
    documents: tuple[Mapping[str, Any], ...]
    effective_from: date
    effective_to: date | None
    effective_note: str
    continued: Continuation | None
    articles: Mapping[str, Article]
    parameters: Mapping[str, Parameter]
    terms: Mapping[str, str]
    rules: tuple[Rule, ...]
    people: tuple[Mapping[str, str], ...]
    gaps: tuple[str, ...]
    answers: tuple[Answer, ...]
    materials: tuple[Material, ...]
    contracts: ContractLimits | None
    stages: tuple[str, ...]
    notice_working_days: Quantity
    validity_years: Quantity | None
    promised_days: Mapping[str, Quantity]
    worksheet: tuple[Line, ...]
    examples: tuple[Example, ...]
    sha256: str
    text: str = field(repr=False)

    @cached_property
    def schema(self) -> Mapping[str, Group | Words]:
        """The facts that this policy may read: the common ones and its own questions."""
        return schema_with(self.answers)

    @cached_property
    def required_materials(self) -> tuple[str, ...]:
        """Ids of the materials without which an application is incomplete."""
        return tuple(material.id for material in self.materials if material.required)

    @property
    def scheme_name(self) -> str:
        """The scheme as pages call it."""
        return SCHEMES[self.scheme]

    @property
    def address(self) -> str:
        """The path of this version's rules page."""
        return f"/schemes/{self.scheme}/{self.version}"

    def article_url(self, key: str) -> str:
        """Where an article can be read: this version's page, at its anchor."""
        return f"{self.address}#{self.articles[key].slug}"

    def is_continued(self, opens_on: date) -> bool:
        """Whether a round opening on that day runs under the continued parameters."""
        return self.continued is not None and opens_on >= self.continued.since

    def covers(self, opens_on: date) -> bool:
        """Whether a round may open on that day under this version."""
        ended = self.effective_to is not None and opens_on > self.effective_to
        return (opens_on >= self.effective_from and not ended) or self.is_continued(opens_on)

    def in_force(self, opens_on: date) -> Mapping[str, Parameter]:
        """The parameters for a round that opens on that day."""
        if self.continued is None or not self.is_continued(opens_on):
            return self.parameters
        return {**self.parameters, **self.continued.parameters}


def schema_with(answers: tuple[Answer, ...]) -> Mapping[str, Group | Words]:
    """The common schema; yes/no questions are ``declarations``, all others ``answers``."""
    kinds = {"text": "text", "textarea": "text", "date": "date", "money": "money"}
    declared = {a.id: Field(a.label, "boolean", "申报表") for a in answers if a.type == "boolean"}
    answered = {
        a.id: Field(a.label, kinds[a.type], "申报表") for a in answers if a.type != "boolean"
    }
    return {
        **SCHEMA,
        "declarations": Group("申报承诺", declared),
        "answers": Group("申报填写", answered),
    }
