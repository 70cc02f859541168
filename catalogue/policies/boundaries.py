"""Whether the examples try each threshold exactly on it and exactly one unit beyond it.

A unit is one fen, one day, one piece: what a wrong ``>`` for ``>=`` would get wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cel

from catalogue.policies.case import Case
from catalogue.policies.document import PolicyDocument
from catalogue.policies.source import Problem
from catalogue.policies.syntax import Node

# On which side of the threshold the result turns: the first difference with the other result.
TURNS = {">=": -1, "<": -1, ">": 1, "<=": 1}
MEASURES = {"at_least": ("over_at_least", -1), "at_most": ("over_at_most", 1)}
SIDES = {-1: "差一个单位（一分、一天、一个）", 1: "多一个单位（一分、一天、一个）"}


@dataclass
class Threshold:
    """One comparison of facts with a parameter, and the differences that examples have shown."""

    rule: str
    line: int
    text: str
    beyond: int
    program: Any
    seen: set[int]

    def measure(self, case: Case) -> None:
        """Note how far from the threshold the case lies; a case without the facts says nothing."""
        found = case.measured(self.program)
        self.seen.update(found)

    def lacks(self) -> list[str]:
        """What the examples do not show."""
        sides = ((0, "正好在门槛上"), (self.beyond, SIDES[self.beyond]))
        return [words for difference, words in sides if difference not in self.seen]


def thresholds_of(document: PolicyDocument) -> list[Threshold]:
    """Every comparison of size in a rule where facts stand against a parameter."""
    return [
        Threshold(rule.id, rule.line, text, beyond, cel.compile(difference), set())
        for rule in document.rules
        for expression in (rule.applies, rule.require)
        if expression is not None
        for text, difference, beyond in _differences(expression.tree, expression.text, str)
    ]


def lacking(thresholds: list[Threshold]) -> list[Problem]:
    """One problem for each threshold that is not tried on both sides."""
    return [
        Problem(t.line, f"规则 {t.rule} 的门槛 {t.text} 缺例子：{'；'.join(t.lacks())}")
        for t in thresholds
        if t.lacks()
    ]


def _differences(
    node: Node, text: str, around: Callable[[str], str]
) -> Iterator[tuple[str, str, int]]:
    """Each comparison as written, its difference as an expression, and where it turns.

    A comparison within a walk over a list is measured for every item: ``around`` puts the
    difference into the walks that stand around it.
    """
    if node.form == "macro":
        base, variable, body = node.parts
        listed = text[base.start : base.end]
        yield from _differences(base, text, around)
        yield from _differences(
            body, text, lambda inner: around(f"{listed}.map({variable.word}, {inner})")
        )
        return
    written = text[node.start : node.end]
    sides = [f"({text[part.start : part.end]})" for part in node.parts]
    if node.form == "binary" and node.word in TURNS and _against_parameter(node):
        yield written, around(" - ".join(sides)), TURNS[node.word]
    elif node.form == "call" and node.word in MEASURES:
        measure, beyond = MEASURES[node.word]
        yield written, around(f"{measure}({', '.join(sides)})"), beyond
    for part in node.parts:
        yield from _differences(part, text, around)


def _against_parameter(node: Node) -> bool:
    """Whether a parameter and something besides parameters stand in a comparison."""
    roots = {part.word for part in node.walk() if part.form == "name"}
    return "p" in roots and len(roots) > 1
