"""A policy file in memory: its articles, parameters, rules, questions, materials and worksheet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

from catalogue.policies.expressions import Expression, all_hold
from catalogue.policies.facts import CONTRACTS, SCHEMA, Field, Group, Words
from catalogue.policies.kinds import Kind
from catalogue.policies.wording import Sentence, shown

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
# How a question or a contract column is answered, and the kind that rules read.
ANSWER_KINDS = {
    "text": "text",
    "textarea": "text",
    "boolean": "boolean",
    "date": "date",
    "money": "money",
    "count": "count",
    "rate": "rate",
    "choice": "text",
}
COLUMN_TYPES = frozenset({"text", "date", "money", "count", "boolean", "choice"})
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
    """One number, date, yes/no, list or table of the text.

    ``value`` has the form that expressions read (fen, days, millionths in a map); ``formula``
    computes it from the round instead. ``kind`` says what each value is; ``shape`` is one, list,
    classes (by product class, ``other`` for the rest) or steps (from a value on, of kind ``by``).
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
    shape: str = "one"
    by: str = ""

    @property
    def gives(self) -> Kind:
        """The kind of value that expressions read."""
        if self.shape in ("classes", "steps"):
            return Kind(self.shape, of=self.kind, by=self.by)
        name = "text" if self.kind == "words" else self.kind
        return Kind(name, many=self.shape == "list")

    def shown(self, terms: Mapping[str, str]) -> str:
        """The value as the rules page prints it; a formula prints its words."""
        if self.formula is not None:
            return self.words
        text = shown(self.value, self.gives.shown_as, terms)
        if self.kind == "count" and self.unit:
            return f"{text} {self.unit}"
        return text


@dataclass(frozen=True)
class Rule:
    """One condition: what must hold, how it reads, and what follows when it does not.

    Where ``applies`` is false the rule does not concern the case. ``unknown`` is ask (for the
    missing fact) or needs_person; ``otherwise`` is ineligible or needs_person.
    """

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
    applies: Expression | None = None
    applies_words: Sentence | None = None
    unknown: str = "ask"
    line: int = 1

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The parameters by which it is decided and told."""
        scope = self.applies.parameters if self.applies else ()
        return frozenset((*self.require.parameters, *scope)) | self.words.parameters


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
class Portion:
    """Whom a part of the amount goes to; without ``value`` it is what the others leave."""

    id: str
    label: str
    value: Expression | None
    article: str
    placeholder: bool


@dataclass(frozen=True)
class Answer:
    """One question of the form, its type one of ANSWER_KINDS; a choice has ``options``."""

    id: str
    label: str
    hint: str
    type: str
    max_length: int
    required: bool
    article: str
    options: Mapping[str, str] = field(default_factory=dict)


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
class Ruling:
    """A yes or no with its standing, such as whether a corrected notice runs anew."""

    value: bool
    placeholder: bool

    @property
    def on_notice(self) -> str:
        """What it means for a notice."""
        return "更正后重新计算公示期" if self.value else "更正后公示期不变"


@dataclass(frozen=True)
class Column:
    """One more thing that this policy asks of each contract, read as ``contracts[].id``."""

    id: str
    label: str
    type: str
    required: bool
    hint: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ContractLimits:
    """How many contracts the form takes, and what else it asks of each."""

    min: int
    max: int
    article: str
    columns: tuple[Column, ...] = ()


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
    shares: Mapping[str, int] = field(default_factory=dict)


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
    notice_restarts: Ruling
    validity_years: Quantity | None
    promised_days: Mapping[str, Quantity]
    worksheet: tuple[Line, ...]
    examples: tuple[Example, ...]
    sha256: str
    text: str = field(repr=False)
    split: tuple[Portion, ...] = ()
    # Whether the worksheet ends in money that is paid; a quota, for one, is worked out but not.
    pays: bool = True

    @cached_property
    def schema(self) -> Mapping[str, Group | Words]:
        """The facts that this policy may read: the common ones and its own questions."""
        return schema_with(self.answers, self.contracts.columns if self.contracts else ())

    @cached_property
    def required_materials(self) -> tuple[str, ...]:
        """Ids of the materials without which an application is incomplete."""
        return tuple(material.id for material in self.materials if material.required)

    @cached_property
    def deciding(self) -> tuple[Expression, ...]:
        """The expressions on which verdict and amounts rest; the others only tell of them."""
        conditions = [e for rule in self.rules for e in (rule.applies, rule.require) if e]
        portions = [portion.value for portion in self.split if portion.value]
        return (*conditions, *(line.value for line in self.worksheet), *portions)

    @cached_property
    def deciding_reads(self) -> Mapping[str, Any]:
        """The facts that ``deciding`` reads: root → its fields, those of list items nested."""
        wanted: dict[str, Any] = {}
        for path in (path for expression in self.deciding for path in expression.paths):
            place = wanted
            for part in path.replace("[]", "").split("."):
                place = place.setdefault(part, {})
        return wanted

    @cached_property
    def deciding_schema(self) -> Mapping[str, Group | Words]:
        """The part of ``schema`` that ``deciding`` reads, and the round."""
        found: dict[str, Group | Words] = {"round": self.schema["round"]}
        for name, wanted in self.deciding_reads.items():
            root = self.schema.get(name)
            if isinstance(root, Group) and name != "round":
                fields = {key: root.fields[key] for key in root.fields if key in wanted}
                found[name] = replace(root, fields=fields)
            elif root is not None:
                found[name] = root
        return found

    @cached_property
    def all_rules(self) -> Any:
        """One program that is true when every rule passes; None when there is none."""
        return all_hold((rule.applies, rule.require) for rule in self.rules)

    @cached_property
    def has_formulas(self) -> bool:
        """Whether a parameter is computed from the round."""
        continued = self.continued.parameters.values() if self.continued else ()
        return any(p.formula is not None for p in (*self.parameters.values(), *continued))

    @cached_property
    def kept(self) -> dict[str, Any]:
        """What the engine keeps from case to case; nothing of it changes a result."""
        return {}

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


def schema_with(
    answers: tuple[Answer, ...], columns: tuple[Column, ...] = ()
) -> Mapping[str, Group | Words]:
    """The common schema; yes/no questions are ``declarations``, all others ``answers``."""
    declared: dict[str, Field] = {}
    answered: dict[str, Field] = {}
    for answer in answers:
        kept = declared if answer.type == "boolean" else answered
        kept[answer.id] = Field(answer.label, ANSWER_KINDS[answer.type], "申报表")
    common = SCHEMA["contracts"]
    assert isinstance(common, Group)
    asked = {c.id: Field(c.label, ANSWER_KINDS[c.type], CONTRACTS) for c in columns}
    return {
        **SCHEMA,
        "declarations": Group("申报承诺", declared),
        "answers": Group("申报填写", answered),
        "contracts": Group(common.label, {**asked, **common.fields}, many=True),
    }
