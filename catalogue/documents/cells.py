"""Text in cells of a spreadsheet: what a program might run is shown instead."""

from __future__ import annotations

# What a spreadsheet may take for a formula or a command (OWASP CSV injection), full width too.
DANGEROUS = tuple("=+-@\t\r\n\x00＝＋－＠｜|%")


def looks_like_formula(text: str) -> bool:
    """Whether a spreadsheet might run ``text`` instead of showing it."""
    return text.startswith(DANGEROUS) or text.lstrip().startswith(DANGEROUS)


def text_cell(value: str) -> str:
    """``value`` for a CSV cell: formula-looking text gets an apostrophe, NUL never passes."""
    value = value.replace("\x00", "")
    return f"'{value}" if looks_like_formula(value) else value
