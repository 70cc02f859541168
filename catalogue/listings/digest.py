"""A digest: which changes of a search are real, for which period, how a mail says them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from catalogue.listings.frozen import Seen

FREQUENCIES = {"daily": "每天", "weekly": "每周"}
TITLES = {"new": "新列入", "gone": "不再列出", "changed": "状态变了"}


def period_of(frequency: str, day: date) -> date:
    """The first day of the period that ``day`` is in: itself, or its Monday."""
    return day if frequency == "daily" else day - timedelta(days=day.weekday())


def known(seen: Seen) -> dict[str, list[str]]:
    """What of an answer the next one is compared with: number → name, firm, state."""
    return {
        result["number"]: [result["name"], result["firm"], result["state"]]
        for result in seen.results
    }


def changes_between(before: Mapping[str, Sequence[str]], now: Seen) -> dict[str, Any]:
    """New, gone and of another state. Other words in an entry are no news.

    An answer too long to be kept whole says nothing of what is gone.
    """
    after = known(now)
    whole = len(now.results) == now.total
    return {
        "new": [[number, *facts] for number, facts in after.items() if number not in before],
        "gone": [
            [number, *facts] for number, facts in before.items() if whole and number not in after
        ],
        "changed": [
            [number, *facts, before[number][2]]
            for number, facts in after.items()
            if number in before and before[number][2] != facts[2]
        ],
    }


def sample(seen: Seen) -> dict[str, Any]:
    """Changes as they might be: shown before anybody agrees to get mail."""
    facts = [[number, *rest] for number, rest in known(seen).items()]
    return {
        "new": facts[:1],
        "gone": [],
        "changed": [[*each[:3], "即将到期", "有效"] for each in facts[1:2]],
    }


def told(changes: Mapping[str, Any], words: Sequence[str], frequency: str, base: str) -> str:
    """The body of the mail, in plain text."""
    lines = [f"您订的查找：{'；'.join(words)}（{frequency}有变化才发）"]
    for kind, title in TITLES.items():
        if not changes[kind]:
            continue
        lines += ["", f"{title} {len(changes[kind])} 件"]
        for number, name, firm, state, *old in changes[kind]:
            standing = f"{old[0]} → {state}" if old else state
            lines.append(f"　{name}　{firm}　{standing if kind != 'gone' else ''}".rstrip())
            lines.append(f"　{base}/catalogue/{number}")
    return "\n".join(lines)
