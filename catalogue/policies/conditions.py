"""Reading the rules, the worksheet and the split of a policy file, and checking their sense."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from catalogue.policies.document import Article, Line, Parameter, Portion, Rule
from catalogue.policies.expressions import Expression, compiled
from catalogue.policies.kinds import Names
from catalogue.policies.reader import ID, NAME, Path, Reader
from catalogue.policies.wording import Sentence, sentence

ARTICLES = Mapping[str, Article]


def _sentence(
    reader: Reader, entry: Mapping[str, Any], key: str, names: Names, path: Path
) -> Sentence | None:
    text = reader.text(entry, key, path, "")
    return reader.compile(sentence, text, names, (*path, key)) if text else None


def _condition(
    reader: Reader, entry: Mapping[str, Any], key: str, names: Names, path: Path
) -> Expression | None:
    """An expression that answers yes or no out of at least one fact."""
    made = reader.compile(compiled, reader.text(entry, key, path), names, (*path, key))
    if made is None:
        return None
    if (made.gives.name, made.gives.many) != ("boolean", False):
        reader.fault(f"{key} 应是一个成立或不成立的条件，写的是{made.gives}", *path, key)
    elif not made.facts:
        reader.fault(f"{key} 没有读任何事实，结果永远一样", *path, key)
    return made


def _one_of(reader: Reader, entry: Mapping[str, Any], key: str, path: Path, *known: str) -> str:
    value = reader.text(entry, key, path, known[0] if key == "unknown" else None)
    if value not in known:
        reader.fault(f"{key} 写 {' 或 '.join(known)}", *path, key)
    return value


def _rule(
    reader: Reader, path: Path, entry: Mapping[str, Any], names: Names, articles: ARTICLES
) -> Rule | None:
    rule_id = reader.text(entry, "id", path)
    if not ID.fullmatch(rule_id):
        reader.fault("规则的 id 用小写字母、数字和短横线", *path, "id")
    article = reader.article(entry, articles, path)
    require = _condition(reader, entry, "require", names, path)
    applies = _condition(reader, entry, "applies", names, path) if "applies" in entry else None
    if ("applies" in entry) != ("applies_words" in entry):
        reader.fault("applies（何时适用）与 applies_words（用白话怎么说）要一起写", *path)
    only_parameters = Names({}, names.parameters)
    words = _sentence(reader, entry, "words", only_parameters, path)
    read = _sentence(reader, entry, "read", names, path)
    threshold = _sentence(reader, entry, "threshold", names, path)
    says = _sentence(reader, entry, "says", names, path)
    if words is None or not (read or says):
        reader.fault("规则要写 words（这一条用白话怎么说）和 read（读到什么）", *path)
    made: dict[str, Any] = {
        "title": reader.text(entry, "title", path),
        "otherwise": _one_of(reader, entry, "otherwise", path, "ineligible", "needs_person"),
        "unknown": _one_of(reader, entry, "unknown", path, "ask", "needs_person"),
        "placeholder": reader.flag(entry, "placeholder", path),
        "gap": _sentence(reader, entry, "gap", names, path),
        "remedy": _sentence(reader, entry, "remedy", names, path),
        "applies_words": _sentence(reader, entry, "applies_words", only_parameters, path),
    }
    if require is None or words is None:
        return None
    return Rule(
        id=rule_id,
        article=article,
        require=require,
        applies=applies,
        words=words,
        read=read or says or words,
        threshold=threshold or words,
        says=says,
        line=reader.source.line(*path),
        **made,
    )


def rules_of(reader: Reader, names: Names, articles: ARTICLES) -> tuple[Rule, ...]:
    """The rules in their order; one that says what an earlier one says is a fault."""
    made = []
    seen: dict[tuple[str, str], str] = {}
    for path, entry in reader.entries("rules"):
        rule = _rule(reader, path, entry, names, articles)
        if rule is None:
            continue
        made.append(rule)
        scope = rule.applies.text if rule.applies else ""
        same = (_bare(rule.require.text), _bare(scope))
        if same in seen:
            reader.fault(f"规则 {rule.id} 与 {seen[same]} 的条件一模一样", *path, "require")
        seen.setdefault(same, rule.id)
    return tuple(made)


def _bare(text: str) -> str:
    return re.sub(r"\s", "", text)


# ------------------------------------------------------------------ worksheet


def _line_ids(reader: Reader, names: Names) -> frozenset[str]:
    """The ids of all steps that can be one, so that a reference ahead is told as such."""
    found = set()
    for path, entry in reader.entries("worksheet"):
        line_id = reader.text(entry, "id", path)
        if not NAME.fullmatch(line_id) or names.knows(line_id):
            reader.fault("测算步骤的 id 用小写字母和下划线，且不与事实或别的步骤同名", *path, "id")
        else:
            found.add(line_id)
    return frozenset(found)


def _amount(
    reader: Reader, entry: Mapping[str, Any], names: Names, path: Path
) -> Expression | None:
    value = reader.compile(compiled, reader.text(entry, "value", path), names, (*path, "value"))
    if value is not None and (value.gives.many or value.gives.name not in ("money", "zero")):
        reader.fault(f"value 应得出金额，写的是{value.gives}", *path, "value")
    return value


def _line(
    reader: Reader, path: Path, entry: Mapping[str, Any], names: Names, articles: ARTICLES
) -> Line | None:
    line_id = reader.text(entry, "id", path)
    article = reader.article(entry, articles, path)
    value = _amount(reader, entry, names, path)
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


def worksheet_of(
    reader: Reader, names: Names, articles: ARTICLES
) -> tuple[tuple[Line, ...], Names]:
    """The steps in their order, and the names with all of them."""
    lines = []
    names = replace(names, later=_line_ids(reader, names))
    for path, entry in reader.entries("worksheet"):
        line = _line(reader, path, entry, names, articles)
        if line is not None:
            lines.append(line)
        # A step sees only the steps above it, so a circle cannot be written.
        names = names.with_line(reader.text(entry, "id", path, "") or "?")
    return tuple(lines), names


def split_of(
    reader: Reader, names: Names, articles: ARTICLES, worksheet: tuple[Line, ...]
) -> tuple[Portion, ...]:
    """Who gets which part of the amount; the last one without a value takes the rest."""
    made = []
    entries = reader.entries("split")
    if entries and not worksheet:
        reader.fault("有 worksheet 才能写 split", "split")
    for path, entry in entries:
        portion_id = reader.text(entry, "id", path)
        if not NAME.fullmatch(portion_id):
            reader.fault("id 用小写字母、数字和下划线", *path, "id")
        last = path == entries[-1][0]
        if "value" not in entry and not last:
            reader.fault("只有最后一份可以不写 value（拿余下的）", *path)
        value = _amount(reader, entry, names, path) if "value" in entry else None
        made.append(
            Portion(
                portion_id,
                reader.text(entry, "label", path),
                value,
                reader.article(entry, articles, path),
                reader.flag(entry, "placeholder", path),
            )
        )
    return tuple(made)


# ------------------------------------------------------------------ what nothing uses


def _sentences(rules: Iterable[Rule], lines: Iterable[Line]) -> Iterable[Sentence | None]:
    for rule in rules:
        yield from (rule.words, rule.read, rule.threshold, rule.says, rule.gap, rule.remedy)
        yield rule.applies_words
    for line in lines:
        yield from (line.words, line.label, line.operands, line.note)


def unused_parameters(
    parameters: Mapping[str, Parameter],
    rules: tuple[Rule, ...],
    lines: tuple[Line, ...],
    split: tuple[Portion, ...],
) -> list[str]:
    """The parameters that no rule, step, portion or sentence reads."""
    used = {name for s in _sentences(rules, lines) if s for name in s.parameters}
    values = [line.value for line in lines] + [p.value for p in split if p.value]
    conditions = [rule.require for rule in rules] + [r.applies for r in rules if r.applies]
    used.update(name for expression in (*values, *conditions) for name in expression.parameters)
    return [name for name in parameters if name not in used]
