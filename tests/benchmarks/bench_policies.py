"""Checks and decisions a second against the bare CEL evaluations that they need, in one run.

``python -m tests.benchmarks.bench_policies`` prints one line per policy; it never fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cel

from catalogue.policies.document import PolicyDocument
from catalogue.policies.facts import as_day, cleaned
from catalogue.policies.functions import FUNCTIONS, Missing
from catalogue.policies.rules import decide, evaluate, load

SECONDS = 1.0


def rate(call: Callable[[], object]) -> float:
    """Calls per second of processor time."""
    call()
    done, started = 0, time.process_time()
    while (spent := time.process_time() - started) < SECONDS:
        call()
        done += 1
    return done / spent


def bare(document: PolicyDocument) -> Callable[[], object]:
    """Only the rules' own expressions on a ready context: no words, no worksheet, no facts made."""
    example = document.examples[0]
    facts, _ = cleaned(example.facts, document.schema)
    functions = {name: item.build(Missing()) for name, item in FUNCTIONS.items()}
    values = {
        name: p.value if p.formula is None else as_day(example.today)
        for name, p in document.parameters.items()
    }
    materials = list(document.required_materials)
    variables = {**facts, "p": values, "required_materials": materials}
    context = cel.Context(variables=variables, functions=functions)
    programs = [rule.require.program for rule in document.rules]
    return lambda: [program.execute(context) for program in programs]


def main() -> None:
    """Print checks a second, decisions a second, the bare rate, and their shares of it."""
    print(
        f"{'policy':<26}{'checks/s':>10}{'share':>7}{'decisions/s':>13}{'share':>7}"
        f"{'bare CEL/s':>12}{'rules':>7}"
    )
    for path in sorted(Path("seeds/policies").glob("*.yaml")):
        document = load(path.read_text("utf-8"), run_examples=False)
        example = document.examples[0]
        checks = rate(lambda: evaluate(document, example.facts, example.today))  # noqa: B023
        clean, _ = cleaned(example.facts, document.schema)
        decisions = rate(lambda: decide(document, clean, example.today, clean=True))  # noqa: B023
        limit = rate(bare(document))
        print(
            f"{path.stem:<26}{checks:>10.0f}{checks / limit:>7.2f}{decisions:>13.0f}"
            f"{decisions / limit:>7.2f}{limit:>12.0f}{len(document.rules):>7}"
        )


if __name__ == "__main__":
    main()
