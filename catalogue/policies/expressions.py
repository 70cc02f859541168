"""CEL expressions: compiled after every check, and run over facts of which some are missing."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import cel

from catalogue.policies.facts import MAX_ITEMS, Field, Group, Words
from catalogue.policies.functions import FUNCTIONS, MEASURES, Missing
from catalogue.policies.kinds import Kind, Names, checked
from catalogue.policies.syntax import BadExpression, Node, tree

__all__ = [
    "BadExpression",
    "Expression",
    "Machine",
    "Names",
    "Outcome",
    "Run",
    "all_hold",
    "compiled",
]

MOST_LABELS = 8
# What a function failed on is in the outcome, and an error of a rule is an alarm of its own; the
# library's line per call would stand in the logs once for every case of a back-test.
logging.getLogger("cel").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Expression:
    """A compiled expression and what its tree says about it.

    ``paths`` are the facts and worksheet lines that it reads, in their order, fields of list
    items as ``contracts[].amount``; ``walks`` is how many lists it goes through one within the
    other; ``kind`` is how a sentence writes its value.
    """

    text: str
    program: Any
    tree: Node
    gives: Kind
    paths: tuple[str, ...]
    facts: tuple[str, ...]
    parameters: tuple[str, ...]
    walks: int
    # Root and key when the expression is one plain name: most holes of sentences are, and a
    # look-up is far cheaper than asking CEL.
    direct: tuple[str, str] | None = None

    @property
    def kind(self) -> str:
        """How a sentence writes the value when nothing else is said."""
        return self.gives.shown_as


def _syntax_reason(error: Exception) -> str:
    match = re.search(r"<input>:(\d+):(\d+):\s*(.*)", str(error)[:2_000])
    if not match:
        return "表达式写法有误"
    return f"表达式第 {match.group(2)} 列写法有误：{match.group(3)[:80]}"


def _lowered(node: Node, text: str) -> str:
    """The expression as CEL runs it: what CEL can count itself is not handed to a function."""
    if node.form == "call" and node.word == "count":
        return f"size({_lowered(node.parts[0], text)})"
    made, at = [], node.start
    for part in node.parts:
        made += [text[at : part.start], _lowered(part, text)]
        at = part.end
    return "".join(made) + text[at : node.end]


def compiled(text: str, names: Names) -> Expression:
    """Compile ``text`` after checking its form, its names, its kinds and its functions.

    Raises BadExpression with the column and a reason for the author.
    """
    node = tree(text)
    gives, reading = checked(node, names)
    try:
        program = cel.compile(_lowered(node, text))
    except Exception as error:
        raise BadExpression(_syntax_reason(error)) from None
    direct = None
    if node.form == "member" and node.parts[0].form == "name":
        direct = (node.parts[0].word, node.word)
    return Expression(
        text=text,
        program=program,
        tree=node,
        gives=gives,
        paths=tuple(reading.paths),
        facts=reading.facts(names),
        parameters=tuple(reading.parameters),
        walks=reading.walks,
        direct=direct,
    )


def all_hold(conditions: Iterable[tuple[Expression | None, Expression]]) -> Any:
    """One program that is true when every condition is, or does not apply; None without any.

    A condition is where it applies (None: everywhere) and what it requires. An error anywhere
    makes the whole an error, so only *true* says something about each of them.
    """
    parts = []
    for applies, require in conditions:
        must = f"({_lowered(require.tree, require.text)})"
        parts.append(
            must
            if applies is None
            else f"(({_lowered(applies.tree, applies.text)}) ? {must} : true)"
        )
    try:
        return cel.compile(" && ".join(parts)) if parts else None
    except Exception:
        # Together they may be more than the compiler takes; each by itself was accepted.
        return None


# ------------------------------------------------------------------ running


class Outcome(NamedTuple):
    """What running an expression gave: a value, or the facts missing, a reason, or an error.

    ``reason`` is why these facts have no answer, in words; ``error`` is a fault of the rule.
    """

    value: Any = None
    missing: tuple[str, ...] = ()
    reason: str = ""
    error: str | None = None

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not self.missing and not self.reason and self.error is None


class Machine:
    """A CEL context with the functions and the values that stay the same from case to case.

    Handing values to CEL costs more than most rules, so parameters are handed over once and one
    machine runs many cases, one after another. Worksheet lines are looked up, not handed over.
    """

    def __init__(self, constants: Mapping[str, Any]) -> None:
        self.missing = Missing()
        self.lines: dict[str, int] = {}
        functions = {name: item.build(self.missing) for name, item in FUNCTIONS.items()}
        functions.update(MEASURES)
        self.context = cel.Context(variables=dict(constants), functions=functions)
        self.context.set_variable_resolver(self.lines.get)

    def take(self, facts: dict[str, Any]) -> None:
        """Replace the facts of the case before by these; they must have the same roots."""
        self.lines.clear()
        self.context.update(facts)


class Run:
    """One evaluation of a case: its facts, and a machine that has taken them.

    Without a machine one is made for ``facts`` and ``variables``. ``too_long`` are lists that
    were not taken because they have too many items.
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        schema: Mapping[str, Group | Words],
        variables: Mapping[str, Any],
        machine: Machine | None = None,
        too_long: frozenset[str] = frozenset(),
    ) -> None:
        self._facts = facts
        self._schema = schema
        self._too_long = too_long
        self._variables = {**facts, **variables} if machine is None else variables
        self._machine = machine or Machine(self._variables)
        self._lines_missing: dict[str, Outcome] = {}
        # Facts do not change during an evaluation, and a worksheet line is only read once it is
        # set, so the same text has the same outcome wherever it stands.
        self._known: dict[str, Outcome] = {}

    def remember(self, name: str, value: int) -> None:
        """Make a worksheet line readable by the lines after it."""
        self._machine.lines[name] = value

    def remember_missing(self, name: str, outcome: Outcome) -> None:
        """Remember why a worksheet line has no value."""
        self._lines_missing[name] = outcome

    def run(self, expression: Expression) -> Outcome:
        """The outcome of ``expression``; never raises."""
        outcome = self._known.get(expression.text)
        if outcome is None:
            outcome = self._known[expression.text] = self._run(expression)
        return outcome

    def true(self, program: Any) -> bool:
        """Whether a program gives *true* without lacking anything; never raises."""
        missing = self._machine.missing
        missing.clear()
        try:
            return program.execute(self._machine.context) is True and not missing
        except Exception:
            return False

    def _run(self, expression: Expression) -> Outcome:
        if expression.direct is not None:
            root, key = expression.direct
            found = self._variables.get(root)
            if isinstance(found, Mapping) and key in found:
                return Outcome(value=found[key])
        if self._lines_missing:
            for path in expression.paths:
                if path in self._lines_missing:
                    return self._lines_missing[path]
        missing = self._machine.missing
        missing.clear()
        try:
            value = expression.program.execute(self._machine.context)
        except KeyError as error:
            missing.keys.append(str(error.args[0]))
            return self._lacking(expression, missing, error)
        except Exception as error:
            return self._lacking(expression, missing, error)
        return self._lacking(expression, missing, None) if missing else Outcome(value=value)

    # ---- naming what is missing

    def _lacking(
        self, expression: Expression, missing: Missing, error: Exception | None
    ) -> Outcome:
        keys = set(missing.keys)
        labels = [label for path in expression.paths for label in self._labels(path, keys)]
        if missing.empty and not labels:
            labels = [self._list_label(path) for path in expression.paths if self._is_list(path)]
        if labels:
            known = list(dict.fromkeys(labels))
            more = [f"等 {len(known)} 项"] if len(known) > MOST_LABELS else []
            return Outcome(missing=(*known[:MOST_LABELS], *more))
        if missing.reason:
            return Outcome(reason=missing.reason)
        return Outcome(error=f"{type(error).__name__}: {error}" if error else "缺少事实")

    def _labels(self, path: str, keys: set[str]) -> list[str]:
        """What a path lacks: the whole list, one fact, or a field of some items."""
        base, _, name = path.partition("[]")
        root, _, rest = base.partition(".")
        group = self._schema.get(root)
        if group is None:
            return []
        if root not in self._facts:
            return [self._list_label(root)]
        if name:
            return self._item_labels(base, name[1:], keys)
        if isinstance(group, Words) or rest not in group.fields or rest in self._facts[root]:
            return []
        wanted = group.fields[rest]
        return [self._list_label(base) if wanted.fields else wanted.label] if rest in keys else []

    def _item_labels(self, base: str, name: str, keys: set[str]) -> list[str]:
        """Items that lack a field, counted from one as on the form."""
        items, fields = self._items(base)
        if name not in keys or items is None:
            return []
        label = fields[name].label
        lacking = [i for i, item in enumerate(items, 1) if name not in item]
        found = [f"{self._list_label(base)} {i} 的{label}" for i in lacking]
        return found if items else [f"{self._list_label(base)}的{label}"]

    def _items(self, base: str) -> tuple[list[Mapping[str, Any]] | None, Mapping[str, Field]]:
        """The items of a list of things and their fields; None when nobody gave the list."""
        root, _, rest = base.partition(".")
        group = self._schema[root]
        assert isinstance(group, Group)
        if not rest:
            return self._facts.get(root), group.fields
        return self._facts.get(root, {}).get(rest), group.fields[rest].fields

    def _is_list(self, path: str) -> bool:
        root, _, rest = path.partition(".")
        group = self._schema.get(root)
        if isinstance(group, Group) and rest:
            return rest in group.fields and bool(group.fields[rest].fields)
        return isinstance(group, Words) or (isinstance(group, Group) and group.many)

    def _list_label(self, base: str) -> str:
        root, _, rest = base.partition(".")
        group = self._schema[root]
        label = group.fields[rest].label if rest and isinstance(group, Group) else group.label
        return f"{label}（超过 {MAX_ITEMS} 项）" if base in self._too_long else label
