"""A policy told without a case: its rules, worksheet, numbers and stages in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from catalogue.policies.document import STAGES, Line, Parameter, PolicyDocument
from catalogue.policies.expressions import Run
from catalogue.policies.wording import Hole, Sentence, shown


class Telling:
    """Sentences of one document with the parameters in force on a day, and no case."""

    def __init__(self, document: PolicyDocument, day: date) -> None:
        self.terms = document.terms
        self.parameters = document.in_force(day)
        values = {name: p.value for name, p in self.parameters.items() if p.formula is None}
        self.run = Run({}, {}, {"p": values})

    def hole(self, hole: Hole) -> str:
        """One value; a parameter computed from the round is told in words."""
        name = hole.expression.text.strip().removeprefix("p.")
        if name in self.parameters:
            parameter = self.parameters[name]
            # The author writes the unit beside a bare number.
            return (
                str(parameter.value)
                if (parameter.kind, parameter.shape) == ("count", "one")
                else parameter.shown(self.terms)
            )
        outcome = self.run.run(hole.expression)
        return shown(outcome.value, hole.kind, self.terms) if outcome.known else "…"

    def __call__(self, sentence: Sentence) -> str:
        """The sentence in words."""
        values = [self.hole(hole) for hole in sentence.holes]
        pairs = zip(values, sentence.pieces[1:], strict=True)
        return sentence.pieces[0] + "".join(value + piece for value, piece in pairs)

    def placeholder(self, *sentences: Sentence) -> bool:
        """Whether a number in the sentences is a placeholder."""
        names = {n for s in sentences for h in s.holes for n in h.expression.parameters}
        return any(self.parameters[name].placeholder for name in names)


ANSWERED = {
    "text": "文字",
    "textarea": "一段文字",
    "boolean": "是或否",
    "date": "日期",
    "money": "金额",
    "count": "个数",
    "rate": "比例",
    "choice": "选一项",
}


def rules_in_words(document: PolicyDocument, day: date) -> list[dict[str, Any]]:
    """Every rule as a sentence, with its article, whom it concerns, and what a failure does."""
    words = Telling(document, day)
    return [
        {
            "id": rule.id,
            "title": rule.title,
            "words": words(rule.words),
            "scope": words(rule.applies_words) if rule.applies_words else "",
            "article": rule.article,
            "slug": document.articles[rule.article].slug,
            "otherwise": "不符合" if rule.otherwise == "ineligible" else "转人工审查",
            "placeholder": rule.placeholder or words.placeholder(rule.words),
        }
        for rule in document.rules
    ]


def worksheet_in_words(document: PolicyDocument, day: date) -> list[dict[str, Any]]:
    """Every worksheet step as a sentence with its article."""
    words = Telling(document, day)
    return [
        {
            "id": line.id,
            "words": words(line.words),
            "article": line.article,
            "slug": document.articles[line.article].slug,
            "placeholder": line.placeholder or words.placeholder(line.words),
        }
        for line in document.worksheet
    ]


def question_rows(document: PolicyDocument) -> list[dict[str, Any]]:
    """What the form asks, and beside each question the article that wants to know."""
    return [
        {
            "id": answer.id,
            "label": answer.label,
            "hint": answer.hint,
            "answered": "、".join(answer.options.values()) or ANSWERED[answer.type],
            "required": answer.required,
            "article": answer.article,
            "slug": document.articles[answer.article].slug,
        }
        for answer in document.answers
    ]


def resting_on(document: PolicyDocument) -> dict[str, list[dict[str, str]]]:
    """Article → what rests on it: conditions, steps, numbers, questions and materials."""
    found: dict[str, list[dict[str, str]]] = {key: [] for key in document.articles}
    parts = (
        ("条件", "rule", [(r.id, r.title, r.article) for r in document.rules]),
        ("测算", "step", [(w.id, f"第 {i} 步", w.article) for i, w in _numbered(document)]),
        ("数", "parameter", [(n, p.label, p.article) for n, p in document.parameters.items()]),
        ("问题", "question", [(a.id, a.label, a.article) for a in document.answers]),
        ("材料", "material", [(m.id, m.name, m.article) for m in document.materials]),
    )
    for kind, place, items in parts:
        for key, label, article in items:
            found[article].append({"kind": kind, "anchor": f"{place}-{key}", "label": label})
    return found


def _numbered(document: PolicyDocument) -> list[tuple[int, Line]]:
    return list(enumerate(document.worksheet, 1))


def parameter_rows(document: PolicyDocument) -> list[dict[str, Any]]:
    """Every number with its standing; what a continued round uses instead stands beneath it."""
    changed: Mapping[str, Parameter] = document.continued.parameters if document.continued else {}
    rows = []
    for name, parameter in document.parameters.items():
        rows.append(_row(document, parameter, ""))
        if name in changed:
            rows.append(_row(document, changed[name], "示范沿用时"))
    return rows


def _row(document: PolicyDocument, parameter: Parameter, when: str) -> dict[str, Any]:
    article = document.articles[parameter.article]
    return {
        "name": parameter.name,
        "label": parameter.label,
        "when": when,
        "value": parameter.shown(document.terms),
        "article": article.key,
        "slug": article.slug,
        "source": article.source,
        "confidence": parameter.confidence,
        "placeholder": parameter.placeholder,
        "note": parameter.note,
    }


def stage_rows(document: PolicyDocument) -> list[dict[str, Any]]:
    """The stages in order, with promised working days where the policy states them."""
    return [
        {
            "name": STAGES[stage],
            "promised": document.promised_days.get(stage)
            or (document.notice_working_days if stage == "notice" else None),
        }
        for stage in document.stages
    ]
