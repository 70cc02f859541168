"""Policy files changed at random: each loads or is refused in words, at once, and never crashes."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.policies.rules import PolicyRefused, load
from catalogue.policies.source import Problem, read
from tests.policies.small import TEXT

TEXTS = [path.read_text("utf-8") for path in sorted(Path("seeds/policies").glob("*.yaml"))]
FILES = [read(text).data for text in TEXTS] + [read(TEXT).data] * 3
ODD: list[Any] = [
    None, True, -1, 10**14, 20, Decimal("0.5"), "", "x", "9" * 17, [], {}, [1], ["a"], {"a": 1},
    [[]], [None], date(1, 1, 1), date(9999, 12, 31), {"from": 0, "then": 1}, "{today}", "p.rate",
    "contracts", "total(contracts)", "{", "count(contracts) > 0 &&", "catalogue", "other",
    [{"from": 0, "then": Decimal("0.1")}], ("(" * 30), "!" * 400 + "true", "a." * 250 + "a",
    "x" * 5000, "add_months(today, 999999999) > today", "-" * 500 + "1", "|" * 500,
    "contracts.all(a, contracts.all(b, contracts.all(c, a.amount > b.amount)))",
]  # fmt: skip
SPLICES = [
    "[", "{", "}", ": ", "\n- ", "&a ", "*a", "!!x ", "'", '"', "\x00", "\t", "#", "|\n",
    "2024-02-30", ".nan", "1e9", "0x1F", "\u2028", "? ", "%", "{p.", "<<: ",
]  # fmt: skip


def emitted(value: Any) -> str:
    """YAML of the data of a file, on one line."""
    if isinstance(value, dict):
        inner = ", ".join(f"{emitted(str(k))}: {emitted(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(emitted(item) for item in value)}]"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def holders(value: Any) -> list[tuple[Any, Any]]:
    """Every mapping and list in the data, with each of its keys."""
    found = []
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += holders(value[key])
    return found


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A seeded file with up to two values or a few characters changed."""
    if draw(st.booleans()):
        text = draw(st.sampled_from(TEXTS))
        for _ in range(draw(st.integers(1, 3))):
            at = draw(st.integers(0, len(text)))
            text = text[:at] + draw(st.sampled_from(SPLICES)) + text[at + draw(st.integers(0, 9)) :]
        return text
    data = deepcopy(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 2))):
        holder, key = draw(st.sampled_from(holders(data)))
        if draw(st.integers(0, 5)):
            holder[key] = deepcopy(draw(st.sampled_from(ODD)))
        else:
            del holder[key]
            break
    return emitted(data)


def refusals(text: str) -> tuple[Problem, ...] | None:
    """Why a text is refused, or nothing."""
    try:
        load(text)
    except PolicyRefused as refused:
        return refused.problems
    return None


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
@given(mutated())
def test_any_changed_file_loads_or_is_refused_in_words(text: str) -> None:
    started = time.process_time()
    problems = refusals(text)
    assert problems is None or problems
    assert all(problem.line >= 1 and problem.reason for problem in problems or ())
    assert time.process_time() - started < 1
