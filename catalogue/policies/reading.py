"""Turning the YAML of a policy file into a PolicyDocument, and naming every fault by its line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from catalogue.policies.document import (
    CONFIDENCE,
    SCHEMES,
    STAGES,
    Answer,
    Article,
    Continuation,
    ContractLimits,
    Example,
    Line,
    Material,
    Parameter,
    PolicyDocument,
    Quantity,
    Rule,
    schema_with,
)
from catalogue.policies.example_facts import merged, with_units
from catalogue.policies.expressions import (
    MILLION,
    BadExpression,
    Names,
    compiled,
)
from catalogue.policies.facts import as_day, as_fen
from catalogue.policies.source import PolicyRefused, Problem, Source, read
from catalogue.policies.wording import Sentence, sentence

Made = TypeVar("Made")
Path = tuple[Any, ...]

TOP = frozenset(
    [
        "scheme",
        "version",
        "title",
        "summary",
        "documents",
        "effective",
        "continued",
        "articles",
        "parameters",
        "terms",
        "rules",
        "people",
        "gaps",
        "answers",
        "materials",
        "contracts",
        "stages",
        "notice",
        "validity_years",
        "promised_days",
        "worksheet",
        "base_facts",
        "examples",
    ]
)
REQUIRED = ("scheme", "version", "title", "effective", "articles", "rules", "stages", "examples")
ENTRY_KEYS = {
    "parameters": "value formula words unit label article confidence placeholder note",
    "rules": "id title article require words read threshold says gap remedy otherwise placeholder",
    "worksheet": "id words label value operands note article placeholder",
    "answers": "id label hint type max_length required article",
    "materials": "id name required hint article placeholder",
    "examples": "name facts today expect verdict amount",
    "people": "article text",
    "documents": "no title confidence source",
    "articles": "text source confidence",
}
RESULTS = frozenset({"pass", "fail", "unknown"})
VERDICTS = frozenset({"eligible", "ineligible", "needs_person"})
UNIT_KINDS = {"元": "money", "比例": "rate", "天": "days"}
ID = re.compile(r"[a-z][a-z0-9_-]{0,40}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,30}")
MAX_ENTRIES = 200


class Reader:
    """Reads one file; collects problems, so that an author sees all of them at once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def fault(self, reason: str, *path: Any) -> None:
        """Note a problem at the line of ``path``."""
        self.problems.append(Problem(self.source.line(*path), reason))

    def stop_if_faulty(self) -> None:
        """Raise PolicyRefused when there are problems so far."""
        if self.problems:
            raise PolicyRefused(self.problems)

    def typed(self, value: Any, kind: type[Made], what: str, default: Made, path: Path) -> Made:
        """``value`` when it is of ``kind``; absent gives the default, else a problem."""
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fault(f"{what} 的写法不对", *path)
            return default
        return value

    def text(
        self, entry: Mapping[str, Any], key: str, path: Path, default: str | None = None
    ) -> str:
        """A text; numbers and dates are not silently taken for text."""
        value = entry.get(key)
        if value is None:
            if default is None:
                self.fault(f"缺 {key}", *path)
            return default or ""
        return self.typed(value, str, key, "", (*path, key))

    def flag(self, entry: Mapping[str, Any], key: str, path: Path) -> bool:
        """A yes or no; absent means no."""
        return self.typed(entry.get(key), bool, key, False, (*path, key))

    def entries(self, key: str) -> list[tuple[Path, Mapping[str, Any]]]:
        """The mappings of a list section, each with its path, its keys checked."""
        items = self.typed(self.source.data.get(key), list, key, [], (key,))
        if len(items) > MAX_ENTRIES:
            self.fault(f"{key} 超过 {MAX_ENTRIES} 项", key)
            items = []
        return [
            ((key, i), item) for i, item in enumerate(items) if self.keys_fit(item, key, (key, i))
        ]

    def named(self, key: str, *parents: str) -> list[tuple[str, Path, Mapping[str, Any]]]:
        """The mappings of a section that is itself a mapping: name, path, entry."""
        section: Any = self.source.data
        for part in (*parents, key):
            section = section.get(part) or {} if isinstance(section, dict) else {}
        path = (*parents, key)
        if not isinstance(section, dict) or len(section) > MAX_ENTRIES:
            self.fault(f"{key} 应是至多 {MAX_ENTRIES} 项的“名: 内容”", *path)
            return []
        return [
            (name, (*path, name), entry)
            for name, entry in section.items()
            if self.keys_fit(entry, key, (*path, name))
        ]

    def keys_fit(self, entry: Any, section: str, path: Path) -> bool:
        """Whether ``entry`` is a mapping; keys that its section does not have are problems."""
        if not isinstance(entry, dict):
            self.fault(f"{section} 的这一项应是“键: 值”", *path)
            return False
        for key in entry.keys() - set(ENTRY_KEYS[section].split()):
            self.fault(f"{section} 里没有 {key} 这个键", *path, key)
        return True

    def compile(
        self, make: Callable[[str, Names], Made], text: str, names: Names, path: Path
    ) -> Any:
        """An expression or sentence, or None with a problem noted."""
        try:
            return make(text, names)
        except BadExpression as error:
            self.fault(str(error), *path)
            return None


# ------------------------------------------------------------------ articles and parameters


def _articles(reader: Reader) -> dict[str, Article]:
    section = reader.typed(reader.source.data.get("articles"), dict, "articles", {}, ("articles",))
    made = {}
    for position, (key, entry) in enumerate(section.items(), 1):
        path = ("articles", key)
        if not reader.keys_fit(entry, "articles", path):
            continue
        made[key] = Article(
            key,
            f"article-{position}",
            reader.text(entry, "text", path),
            reader.text(entry, "source", path),
            _confidence(reader, entry, path),
        )
    return made


def _confidence(reader: Reader, entry: Mapping[str, Any], path: Path) -> str:
    value = reader.text(entry, "confidence", path)
    if value and value not in CONFIDENCE:
        reader.fault(f"confidence 只能是 {'、'.join(CONFIDENCE)}", *path, "confidence")
    return value


def _article_key(
    reader: Reader, entry: Mapping[str, Any], articles: Mapping[str, Article], path: Path
) -> str:
    key = reader.text(entry, "article", path)
    if key and key not in articles:
        reader.fault(f"没有条文“{key}”", *path, "article")
    return key


def parameter_value(value: Any, unit: str) -> tuple[Any, str]:  # noqa: PLR0911  one return per kind
    """The value as expressions read it and its kind; raises ValueError in words."""
    if unit == "元":
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise ValueError("元的值应是数字")
        return as_fen(value), "money"
    if unit == "比例":
        return _rate(value), "rate"
    if isinstance(value, bool):
        return value, "boolean"
    if isinstance(value, int):
        if value < 0:
            raise ValueError("不能是负数")
        return value, UNIT_KINDS.get(unit, "count")
    if isinstance(value, date):
        return as_day(value), "date"
    if isinstance(value, str):
        return value, "text"
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return value, "words"
    raise ValueError(
        "value 应是整数、金额（unit: 元）、比例（unit: 比例）、日期、是否、文字或文字列表"
    )


def _rate(value: Any) -> dict[str, int]:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("比例的值应是数字")  # noqa: TRY004  words for an author
    if not 0 <= value <= 1:
        raise ValueError("比例写成 0 到 1 的小数，例如 0.20")
    millionths = Decimal(value) * MILLION
    if millionths != millionths.to_integral_value():
        raise ValueError("比例最多六位小数")
    return {"millionths": int(millionths)}


def _parameter(
    reader: Reader,
    name: str,
    path: Path,
    entry: Mapping[str, Any],
    articles: Mapping[str, Article],
) -> Parameter | None:
    if not NAME.fullmatch(name):
        reader.fault("参数名用小写字母、数字和下划线", *path)
        return None
    unit = reader.text(entry, "unit", path, "")
    formula, value, kind = None, None, "date"
    if ("value" in entry) == ("formula" in entry):
        reader.fault("value 与 formula 写且只写一个", *path)
    elif "formula" in entry:
        kind = UNIT_KINDS.get(unit, "date" if unit in ("", "日期") else "count")
        names = Names({"round": schema_with(())["round"]}, {})
        text = reader.text(entry, "formula", path)
        formula = reader.compile(compiled, text, names, (*path, "formula"))
        reader.text(entry, "words", path)
    else:
        try:
            value, kind = parameter_value(entry["value"], unit)
        except ValueError as error:
            reader.fault(f"{name}：{error}", *path, "value")
    return Parameter(
        name=name,
        label=reader.text(entry, "label", path),
        kind=kind,
        unit=unit,
        value=value,
        formula=formula,
        words=reader.text(entry, "words", path, ""),
        article=_article_key(reader, entry, articles, path),
        confidence=_confidence(reader, entry, path),
        placeholder=reader.flag(entry, "placeholder", path),
        note=reader.text(entry, "note", path, ""),
    )


def _parameters(
    reader: Reader, articles: Mapping[str, Article], *parents: str
) -> dict[str, Parameter]:
    made = {
        name: _parameter(reader, name, path, entry, articles)
        for name, path, entry in reader.named("parameters", *parents)
    }
    return {name: parameter for name, parameter in made.items() if parameter is not None}


def _continued(
    reader: Reader, articles: Mapping[str, Article], parameters: Mapping[str, Parameter]
) -> Continuation | None:
    path = ("continued",)
    entry = reader.typed(reader.source.data.get("continued"), dict, "continued", {}, path)
    if not entry:
        return None
    for key in entry.keys() - {"from", "placeholder", "note", "parameters"}:
        reader.fault(f"continued 里没有 {key} 这个键", *path, key)
    if entry.get("placeholder") is not True:
        reader.fault("沿用已到期的政策没有公开依据，须写 placeholder: true", *path)
    since = reader.typed(entry.get("from"), date, "from", date.max, (*path, "from"))
    changed = _parameters(reader, articles, "continued")
    for name, parameter in changed.items():
        known = parameters.get(name)
        if known is None or known.kind != parameter.kind:
            reader.fault(
                f"参数 {name} 在 parameters 里没有，或类型不同", "continued", "parameters", name
            )
        if not parameter.placeholder:
            reader.fault(f"沿用参数 {name} 须写 placeholder: true", "continued", "parameters", name)
    return Continuation(since, reader.text(entry, "note", path), changed)


# ------------------------------------------------------------------ rules and worksheet


def _sentence(
    reader: Reader, entry: Mapping[str, Any], key: str, names: Names, path: Path
) -> Sentence | None:
    text = reader.text(entry, key, path, "")
    return reader.compile(sentence, text, names, (*path, key)) if text else None


def _rule(
    reader: Reader,
    path: Path,
    entry: Mapping[str, Any],
    names: Names,
    articles: Mapping[str, Article],
) -> Rule | None:
    rule_id = reader.text(entry, "id", path)
    if not ID.fullmatch(rule_id):
        reader.fault("规则的 id 用小写字母、数字和短横线", *path, "id")
    article = _article_key(reader, entry, articles, path)
    require = reader.compile(
        compiled, reader.text(entry, "require", path), names, (*path, "require")
    )
    only_parameters = Names({}, names.parameters)
    words = _sentence(reader, entry, "words", only_parameters, path)
    read_ = _sentence(reader, entry, "read", names, path)
    threshold = _sentence(reader, entry, "threshold", names, path)
    says = _sentence(reader, entry, "says", names, path)
    otherwise = reader.text(entry, "otherwise", path)
    if otherwise not in ("ineligible", "needs_person"):
        reader.fault(
            "otherwise 写 ineligible（不符合）或 needs_person（转人工）", *path, "otherwise"
        )
    if words is None or not (read_ or says):
        reader.fault("规则要写 words（这一条用白话怎么说）和 read（读到什么）", *path)
    if require is None or words is None:
        return None
    read_ = read_ or says or words
    return Rule(
        id=rule_id,
        title=reader.text(entry, "title", path),
        article=article,
        require=require,
        words=words,
        read=read_,
        threshold=threshold or words,
        says=says,
        gap=_sentence(reader, entry, "gap", names, path),
        remedy=_sentence(reader, entry, "remedy", names, path),
        otherwise=otherwise,
        placeholder=reader.flag(entry, "placeholder", path),
    )


def _line(
    reader: Reader,
    path: Path,
    entry: Mapping[str, Any],
    names: Names,
    articles: Mapping[str, Article],
) -> Line | None:
    line_id = reader.text(entry, "id", path)
    taken = line_id in names.schema or line_id in names.lines or line_id in ("p", "today")
    if not NAME.fullmatch(line_id) or taken:
        reader.fault("测算步骤的 id 用小写字母和下划线，且不与事实或别的步骤同名", *path, "id")
    article = _article_key(reader, entry, articles, path)
    value = reader.compile(compiled, reader.text(entry, "value", path), names, (*path, "value"))
    label = _sentence(reader, entry, "label", names, path)
    if value is None or label is None:
        reader.fault("测算步骤要写 label 和 value", *path)
        return None
    operands = _sentence(reader, entry, "operands", names, path)
    # Without words of its own a step is told by its label, which then may not read facts.
    told = "words" if "words" in entry else "label"
    words = _sentence(reader, entry, told, Names({}, names.parameters), path)
    return Line(
        id=line_id,
        words=words or label,
        label=label,
        value=value,
        operands=operands or Sentence("", ("",), ()),
        # A note is written after the step has its value and may speak of it.
        note=_sentence(reader, entry, "note", names.with_line(line_id), path),
        article=article,
        placeholder=reader.flag(entry, "placeholder", path),
    )


def _worksheet(
    reader: Reader, names: Names, articles: Mapping[str, Article]
) -> tuple[tuple[Line, ...], Names]:
    lines = []
    for path, entry in reader.entries("worksheet"):
        line = _line(reader, path, entry, names, articles)
        if line is not None:
            lines.append(line)
            # A step sees only the steps above it, so a circle cannot be written.
            names = names.with_line(line.id)
    return tuple(lines), names


def _unique(reader: Reader, items: list[Any], section: str) -> None:
    seen: set[str] = set()
    for position, item in enumerate(items):
        if item.id in seen:
            reader.fault(f"{section} 的 id “{item.id}” 写了两次", section, position)
        seen.add(item.id)


# ------------------------------------------------------------------ form, materials, stages


def _answers(reader: Reader, articles: Mapping[str, Article]) -> list[Answer]:
    made = []
    for path, entry in reader.entries("answers"):
        kind = reader.text(entry, "type", path)
        if kind not in ("text", "textarea", "boolean", "date", "money"):
            reader.fault("type 只能是 text、textarea、boolean、date、money", *path, "type")
            kind = "text"
        answer_id = reader.text(entry, "id", path)
        if not NAME.fullmatch(answer_id):
            reader.fault("id 用小写字母、数字和下划线", *path, "id")
        longest = reader.typed(entry.get("max_length"), int, "max_length", 200, path)
        if not 1 <= longest <= 4000:
            reader.fault("max_length 在 1 到 4000 之间", *path, "max_length")
        made.append(
            Answer(
                answer_id,
                reader.text(entry, "label", path),
                reader.text(entry, "hint", path, ""),
                kind,
                longest,
                reader.flag(entry, "required", path),
                _article_key(reader, entry, articles, path),
            )
        )
    return made


def _materials(reader: Reader, articles: Mapping[str, Article]) -> list[Material]:
    return [
        Material(
            reader.text(entry, "id", path),
            reader.text(entry, "name", path),
            reader.flag(entry, "required", path),
            reader.text(entry, "hint", path, ""),
            _article_key(reader, entry, articles, path),
            reader.flag(entry, "placeholder", path),
        )
        for path, entry in reader.entries("materials")
    ]


def _contracts(reader: Reader, articles: Mapping[str, Article]) -> ContractLimits | None:
    path = ("contracts",)
    entry = reader.typed(reader.source.data.get("contracts"), dict, "contracts", {}, path)
    if not entry:
        return None
    least = reader.typed(entry.get("min"), int, "min", 0, path)
    most = reader.typed(entry.get("max"), int, "max", 0, path)
    if not 0 <= least <= most <= 100:
        reader.fault("contracts 的 min、max 应满足 0 ≤ min ≤ max ≤ 100", *path)
    return ContractLimits(least, most, _article_key(reader, entry, articles, path))


def _stages(reader: Reader) -> tuple[str, ...]:
    stages = reader.typed(reader.source.data.get("stages"), list, "stages", [], ("stages",))
    for position, stage in enumerate(stages):
        if stage not in STAGES:
            reader.fault(f"没有环节 {stage}，可用：{'、'.join(STAGES)}", "stages", position)
    known = [stage for stage in STAGES if stage in stages]
    if known != stages:
        reader.fault(f"环节须依次写：{'、'.join(STAGES)}", "stages")
    return tuple(known)


def _quantity(reader: Reader, entry: Any, key: str, path: Path) -> Quantity:
    if isinstance(entry, int) and not isinstance(entry, bool):
        entry = {key: entry}
    if not isinstance(entry, dict):
        reader.fault(f"应写成 {{{key}: 数, placeholder: …}}", *path)
        return Quantity(0, False)
    value = reader.typed(entry.get(key), int, key, 0, path)
    if not 1 <= value <= 1000:
        reader.fault(f"{key} 应在 1 到 1000 之间", *path)
    return Quantity(
        value, reader.flag(entry, "placeholder", path), reader.text(entry, "note", path, "")
    )


# ------------------------------------------------------------------ examples


def _examples(reader: Reader, answers: tuple[Answer, ...], known: set[str]) -> list[Example]:
    schema = schema_with(answers)
    base = reader.typed(reader.source.data.get("base_facts"), dict, "base_facts", {}, ())
    made = []
    for path, entry in reader.entries("examples"):
        changed = reader.typed(entry.get("facts"), dict, "facts", {}, (*path, "facts"))
        try:
            facts = with_units(merged(base, changed), schema)
        except ValueError as error:
            reader.fault(str(error), *path)
            continue
        expect = reader.typed(entry.get("expect"), dict, "expect", {}, (*path, "expect"))
        for rule, result in expect.items():
            if rule not in known or result not in RESULTS:
                reader.fault(
                    f"没有规则 {rule}，或结果不是 pass、fail、unknown", *path, "expect", rule
                )
        verdict = entry.get("verdict")
        if verdict is not None and verdict not in VERDICTS:
            reader.fault(f"verdict 只能是 {'、'.join(sorted(VERDICTS))}", *path, "verdict")
        made.append(
            Example(
                name=reader.text(entry, "name", path),
                facts=facts,
                today=reader.typed(entry.get("today"), date, "today", date(2026, 6, 1), path),
                expect=expect,
                verdict=verdict,
                amount_fen=_example_amount(reader, entry, path),
                line=reader.source.line(*path),
            )
        )
    return made


def _example_amount(reader: Reader, entry: Mapping[str, Any], path: Path) -> int | None:
    amount = entry.get("amount")
    if amount is None:
        return None
    try:
        return as_fen(amount)
    except (ValueError, TypeError, ArithmeticError):
        reader.fault("amount 应是元，最多两位小数", *path, "amount")
        return None


# ------------------------------------------------------------------ the whole file


def _top(reader: Reader) -> None:
    data = reader.source.data
    for key in data.keys() - TOP:
        reader.fault(f"没有 {key} 这一节", key)
    for key in REQUIRED:
        if not data.get(key):
            reader.fault(f"缺 {key} 这一节")
    if data.get("scheme") not in SCHEMES:
        reader.fault(f"scheme 只能是 {'、'.join(SCHEMES)}", "scheme")
    if not isinstance(data.get("version"), str) or not VERSION.fullmatch(data["version"]):
        reader.fault("version 用引号括起，字母、数字、点和短横线", "version")
    reader.stop_if_faulty()


def _effective(reader: Reader) -> tuple[date, date | None, str]:
    path = ("effective",)
    entry = reader.typed(reader.source.data["effective"], dict, "effective", {}, path)
    start = reader.typed(entry.get("from"), date, "from", date.max, (*path, "from"))
    end = reader.typed(entry.get("to"), date, "to", date.max, (*path, "to"))
    if entry.get("from") is None:
        reader.fault("effective 要写 from", *path)
    if end < start:
        reader.fault("effective 的 to 早于 from", *path, "to")
    return start, None if entry.get("to") is None else end, reader.text(entry, "note", path, "")


def _texts(reader: Reader, key: str) -> tuple[str, ...]:
    items = reader.typed(reader.source.data.get(key), list, key, [], (key,))
    if not all(isinstance(item, str) for item in items):
        reader.fault(f"{key} 应是文字的列表", key)
        return ()
    return tuple(items)


def _terms(reader: Reader) -> dict[str, str]:
    terms = reader.typed(reader.source.data.get("terms"), dict, "terms", {}, ("terms",))
    return {key: reader.typed(name, str, key, "", ("terms", key)) for key, name in terms.items()}


def _promised(reader: Reader) -> dict[str, Quantity]:
    path = ("promised_days",)
    section = reader.typed(reader.source.data.get("promised_days"), dict, "promised_days", {}, path)
    for stage in section:
        if stage not in STAGES:
            reader.fault(f"没有环节 {stage}", *path, stage)
    return {
        stage: _quantity(reader, entry, "working_days", (*path, stage))
        for stage, entry in section.items()
    }


def parse(text: str) -> PolicyDocument:
    """Read and check a file without running its examples; raises PolicyRefused."""
    source = read(text)
    reader = Reader(source)
    _top(reader)
    data = source.data
    effective_from, effective_to, effective_note = _effective(reader)
    articles = _articles(reader)
    parameters = _parameters(reader, articles)
    continued = _continued(reader, articles, parameters)
    answers = tuple(_answers(reader, articles))
    materials = _materials(reader, articles)
    reader.stop_if_faulty()
    names = Names(schema_with(answers), {name: p.kind for name, p in parameters.items()})
    rules = [_rule(reader, path, entry, names, articles) for path, entry in reader.entries("rules")]
    kept = [rule for rule in rules if rule is not None]
    worksheet, _ = _worksheet(reader, names, articles)
    for section, items in (("rules", kept), ("answers", list(answers)), ("materials", materials)):
        _unique(reader, items, section)
    for path, entry in reader.entries("people"):
        _article_key(reader, entry, articles, path)
        reader.text(entry, "text", path)
    examples = _examples(reader, answers, {rule.id for rule in kept})
    validity = data.get("validity_years")
    document = PolicyDocument(
        scheme=data["scheme"],
        version=data["version"],
        title=reader.text(data, "title", ()),
        summary=_texts(reader, "summary"),
        documents=tuple(entry for _, entry in reader.entries("documents")),
        effective_from=effective_from,
        effective_to=effective_to,
        effective_note=effective_note,
        continued=continued,
        articles=articles,
        parameters=parameters,
        terms=_terms(reader),
        rules=tuple(kept),
        people=tuple(entry for _, entry in reader.entries("people")),
        gaps=_texts(reader, "gaps"),
        answers=answers,
        materials=tuple(materials),
        contracts=_contracts(reader, articles),
        stages=_stages(reader),
        notice_working_days=_quantity(reader, data.get("notice"), "working_days", ("notice",)),
        validity_years=validity and _quantity(reader, validity, "years", ("validity_years",)),
        promised_days=_promised(reader),
        worksheet=worksheet,
        examples=tuple(examples),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
    )
    reader.stop_if_faulty()
    return document
