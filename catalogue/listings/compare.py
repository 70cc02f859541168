"""Products side by side: what differs first, units aligned, what nobody stated named as such.

Values in, values out: no Flask, no database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from catalogue.listings.units import plain, unit_of

MAX_COMPARED = 4
NUMBER = re.compile(r"([≤≥<>]?)\s*([0-9]{1,12}(?:\.[0-9]{1,6})?)")


@dataclass(frozen=True)
class Row:
    """One line of the comparison; a value that nobody stated is None."""

    label: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        """Whether two products that state it state different things."""
        return len({value for value in self.values if value is not None}) > 1

    @property
    def lacking(self) -> bool:
        """Whether some product does not state it."""
        return None in self.values


def figure_rows(products: Sequence[Sequence[Mapping[str, Any]]]) -> list[Row]:
    """A row per figure that any product states, in the unit of the first that states it."""
    names = list(dict.fromkeys(figure["name"] for figures in products for figure in figures))
    rows = []
    for name in names:
        found = [
            next((figure for figure in figures if figure["name"] == name), None)
            for figures in products
        ]
        unit = next((figure["unit"] for figure in found if figure), "")
        rows.append(Row(name, tuple(None if f is None else aligned(f, unit) for f in found)))
    return rows


def aligned(figure: Mapping[str, Any], unit: str) -> str | None:
    """A figure in ``unit`` when both are of one family, with what was stated behind it."""
    stated = " ".join(part for part in (str(figure["value"]), figure["unit"]) if part).strip()
    if not stated:
        return None
    own, wanted = unit_of(figure["unit"]), unit_of(unit)
    number = NUMBER.fullmatch(str(figure["value"]).strip())
    if own == wanted or number is None or own.family != wanted.family:
        return stated
    turned = plain(Decimal(number[2]) * own.size / wanted.size)
    return f"{number[1]} {turned} {unit}（{stated}）".strip()


def ordered(rows: Sequence[Row]) -> list[Row]:
    """What differs first, then what some do not state, then what all share."""
    return sorted(rows, key=lambda row: (not row.differs, not row.lacking))
