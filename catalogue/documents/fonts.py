"""The two typefaces of every PDF: Noto Sans SC 400 and 700, cut once from the variable font."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path

from fontTools.ttLib import TTFont

# Part of every file name: raise it when the cut changes, and each host cuts anew.
CUT = 1
WEIGHTS = {400: "Regular", 700: "Bold"}
# Nothing that ReportLab reads; without them the cut is three times as fast.
UNUSED_TABLES = (
    "BASE", "GDEF", "GPOS", "GSUB", "HVAR", "STAT", "gasp", "prep", "vhea", "vmtx",
)  # fmt: skip
# Latin, Greek, Cyrillic; punctuation, units, arrows, signs; Chinese punctuation and full width.
SCRIPTS = ((0x20, 0x52F), (0x1E00, 0x1EFF), (0x2000, 0x27BF), (0x3000, 0x33FF), (0xFF00, 0xFFEF))
# Characters without a shape of their own: printing one as a blank would hide it.
SHAPELESS = ("Cc", "Cf", "Cs", "Co", "Cn")


@dataclass(frozen=True)
class Fonts:
    """Where the two static TrueType files lie, and what else can be cut beside them."""

    regular_path: Path
    bold_path: Path

    @property
    def folder(self) -> Path:
        """The cache folder."""
        return self.regular_path.parent


def prepare(folder: Path) -> Fonts:
    """The fonts in ``folder`` (FONTS_DIR); cut there on first use, ten to twenty seconds.

    A file appears complete or not at all, so a killed first start leaves nothing to trip over.
    """
    return _cut_pair(folder, f"sans-{CUT}", None)


def rare(fonts: Fonts, characters: frozenset[str]) -> Fonts:
    """A small extra pair for characters that the common cut lacks and the source has."""
    name = hashlib.sha256("".join(sorted(characters)).encode()).hexdigest()[:16]
    return _cut_pair(fonts.folder, f"sans-{CUT}-rare-{name}", characters)


def printable(text: str) -> str:
    """``text`` on one line, with every character that has no glyph named as 〔U+20BB7〕."""
    marked = (
        character if _has_shape(character) else f"〔U+{ord(character):04X}〕"
        for character in " ".join(text.split())
    )
    return "".join(marked)


def beyond_common(text: str) -> frozenset[str]:
    """The characters of ``text`` that the common cut does not hold."""
    return frozenset(c for c in text if ord(c) not in _common())


def _has_shape(character: str) -> bool:
    if unicodedata.category(character) in SHAPELESS:
        return False
    return ord(character) in _source_characters()


def _cut_pair(folder: Path, stem: str, characters: frozenset[str] | None) -> Fonts:
    paths = {weight: folder / f"{stem}-{weight}.ttf" for weight in WEIGHTS}
    missing = [weight for weight, path in paths.items() if not path.is_file()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        points = _common() if characters is None else frozenset(map(ord, characters))
        _cut_all([(weight, paths[weight], points) for weight in missing])
    return Fonts(paths[400], paths[700])


def _cut_all(orders: list[tuple[int, Path, frozenset[int]]]) -> None:
    # A worker's child process may have no children of its own; a small cut gains nothing by them.
    small = len(orders[0][2]) < 500
    if small or len(orders) == 1 or multiprocessing.current_process().daemon:
        for order in orders:
            _cut(*order)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(orders), mp_context=context) as pool:
        for done in [pool.submit(_cut, *order) for order in orders]:
            done.result()


def _cut(weight: int, path: Path, points: frozenset[int]) -> None:
    """Write the static font of ``weight`` that holds ``points``; equal input, equal bytes."""
    # Cutting happens once in the life of a folder; every other start goes without these.
    from fontTools import subset
    from fontTools.varLib import instancer

    font = _open_source()
    for tag in UNUSED_TABLES:
        if tag in font:
            del font[tag]
    options = subset.Options(glyph_names=False, hinting=False, notdef_outline=True)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=points)
    subsetter.subset(font)
    instancer.instantiateVariableFont(font, {"wght": weight}, inplace=True, optimize=False)
    _rename(font, path.stem, WEIGHTS[weight])
    _write_whole(path, font.save)


def _rename(font: TTFont, stem: str, style: str) -> None:
    # ReportLab tells the fonts of one document apart by their PostScript name alone.
    family = "NotoSansSC" + "".join(part.title() for part in stem.split("-")[2:-1])
    names = {1: "Noto Sans SC", 2: style, 4: f"Noto Sans SC {style}", 6: f"{family}-{style}"}
    for record in list(font["name"].names):
        if record.nameID in names:
            font["name"].setName(
                names[record.nameID],
                record.nameID,
                record.platformID,
                record.platEncID,
                record.langID,
            )


def _write_whole(path: Path, write: Callable[[str], None]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        write(str(draft))
        with draft.open("rb") as content:
            os.fsync(content.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _open_source() -> TTFont:
    source = files("justmytype_intl_cjk").joinpath("fonts/ofl/notosanssc/NotoSansSC[wght].ttf")
    with as_file(source) as path:
        return TTFont(path, lazy=True, recalcTimestamp=False)


@lru_cache(maxsize=1)
def _source_characters() -> frozenset[int]:
    """Every character of Noto Sans SC: 30,890 of them."""
    return frozenset(_open_source().getBestCmap())


@lru_cache(maxsize=1)
def _common() -> frozenset[int]:
    """The 6,763 Han of GB/T 2312 and SCRIPTS, so far as the source holds them."""
    gb2312 = {
        ord(character)
        for row in range(0xA1, 0xFF)
        for cell in range(0xA1, 0xFF)
        for character in bytes((row, cell)).decode("gb2312", "ignore")
    }
    return frozenset(
        point
        for point in _source_characters()
        if point in gb2312 or any(low <= point <= high for low, high in SCRIPTS)
    )
