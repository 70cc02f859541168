"""Products side by side: what differs first, units aligned, what nobody stated named as such.

Values in, values out: no Flask, no database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MAX_COMPARED = 4

# A unit's family and how many of the family's first unit it holds; signs as people type them.
UNITS: dict[str, tuple[str, Decimal]] = {
    unit: (family, Decimal(size))
    for family, units in {
        "length": {"m": "1", "dm": "0.1", "cm": "0.01", "mm": "0.001", "μm": "1e-6", "nm": "1e-9"},
        "mass": {"kg": "1", "g": "0.001", "mg": "1e-6", "t": "1000", "吨": "1000"},
        "pressure": {"Pa": "1", "kPa": "1e3", "MPa": "1e6", "GPa": "1e9", "bar": "1e5"},
        "power": {"W": "1", "kW": "1e3", "MW": "1e6"},
        "time": {"s": "1", "ms": "0.001", "μs": "1e-6", "min": "60", "h": "3600"},
        "frequency": {"Hz": "1", "kHz": "1e3", "MHz": "1e6", "GHz": "1e9"},
        "voltage": {"V": "1", "kV": "1e3", "mV": "0.001"},
        "share": {"%": "1", "％": "1", "‰": "0.1"},
    }.items()
    for unit, size in units.items()
}
# The two signs for micro, and capitals that people drop.
ALIASES = {"um": "μm", "us": "μs", "µm": "μm", "µs": "μs", "KPa": "kPa", "Mpa": "MPa", "KW": "kW"}
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
    own = ALIASES.get(figure["unit"], figure["unit"])
    wanted = ALIASES.get(unit, unit)
    number = NUMBER.fullmatch(str(figure["value"]).strip())
    if own == wanted or number is None or own not in UNITS or wanted not in UNITS:
        return stated
    (family, size), (other, whole) = UNITS[own], UNITS[wanted]
    if family != other:
        return stated
    turned = plain(Decimal(number[2]) * size / whole)
    return f"{number[1]} {turned} {unit}（{stated}）".strip()


def plain(value: Decimal) -> str:
    """A number without an exponent and without idle zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def ordered(rows: Sequence[Row]) -> list[Row]:
    """What differs first, then what some do not state, then what all share."""
    return sorted(rows, key=lambda row: (not row.differs, not row.lacking))
