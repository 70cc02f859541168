"""Guilloche, rosettes and seal as PDF path operators; units are picture pixels, y upwards."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from math import cos, pi, sin
from typing import Any

# A curve is cut into this many cubic pieces per wave; at 8 the error is under a printer's dot.
PIECES = 8


@lru_cache(maxsize=1)
def glyphs() -> dict[str, str]:
    """Outlines of the fixed serif words, 1000 units per em, made once from Noto Serif CJK SC."""
    data: dict[str, Any] = json.loads(
        files("catalogue.certificates").joinpath("outlines.json").read_text("utf-8")
    )
    found: dict[str, str] = data["glyphs"]
    return found


@lru_cache(maxsize=4)
def swell(length: float, amplitude: float, sines: int = 10, waves: int = 3) -> str:
    """One swell of a guilloche strip from x = 0 to ``length``: sines in a breathing envelope."""

    def height(x: float, phase: float) -> float:
        breath = 0.63 - 0.37 * cos(2 * pi * x / length)
        return amplitude * breath * sin(2 * pi * waves * x / length + phase)

    def slope(x: float, phase: float) -> float:
        step = length / 1e5
        return (height(x + step, phase) - height(x - step, phase)) / (2 * step)

    step = length / (waves * PIECES)
    lines = []
    for index in range(sines):
        phase = 2 * pi * index / sines
        points = [
            ((i * step, height(i * step, phase)), (step, step * slope(i * step, phase)))
            for i in range(waves * PIECES + 1)
        ]
        lines.append(_through(points))
    return " ".join(lines)


@lru_cache(maxsize=4)
def lobe(radius: float, depth: float, lobes: int, turns: int) -> str:
    """One wave of a rosette that closes after ``turns`` rounds; turn it ``lobes`` times."""
    span = 2 * pi * turns / lobes
    step = span / PIECES
    points = []
    for index in range(PIECES + 1):
        angle = index * step
        wave = 2 * pi * index / PIECES
        r, growth = radius + depth * sin(wave), depth * cos(wave) * 2 * pi / span
        points.append(
            (
                (r * cos(angle), r * sin(angle)),
                (
                    step * (growth * cos(angle) - r * sin(angle)),
                    step * (growth * sin(angle) + r * cos(angle)),
                ),
            )
        )
    return _through(points)


def turned(lobes: int, turns: int, draw: str) -> str:
    """``draw`` once for every lobe, each time turned to its place."""
    steps = []
    for index in range(lobes):
        angle = 2 * pi * turns * index / lobes
        c, s = cos(angle), sin(angle)
        steps.append(f"q {c:.4f} {s:.4f} {-s:.4f} {c:.4f} 0 0 cm {draw} Q")
    return " ".join(steps)


def _through(points: list[tuple[tuple[float, float], tuple[float, float]]]) -> str:
    """A curve through points with given derivatives (Hermite), as cubic Bézier pieces."""
    (x, y), _ = points[0]
    out = [f"{x:.2f} {y:.2f} m"]
    for ((x0, y0), (u0, v0)), ((x1, y1), (u1, v1)) in pairwise(points):
        out.append(
            f"{x0 + u0 / 3:.2f} {y0 + v0 / 3:.2f} {x1 - u1 / 3:.2f} {y1 - v1 / 3:.2f}"
            f" {x1:.2f} {y1:.2f} c"
        )
    return " ".join(out) + " S"
