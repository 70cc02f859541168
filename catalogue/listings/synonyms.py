"""Synonyms: words that mean the same, kept by staff, and how they widen a question.

Pure: the thesaurus is handed in. The index never holds synonyms, so that a change needs no
rebuilding: only questions are widened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import rjieba

from catalogue.listings.words import Term, is_han, question, runs

MIN_WORDS, MAX_WORDS = 2, 12
MAX_WORD = 40
# The other words of one question part that are tried; a group is rarely longer.
MAX_VARIANTS = 16


@dataclass(frozen=True, slots=True)
class Variant:
    """The same need in another word: ``of`` was typed, ``word`` means the same."""

    of: str
    word: str
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """What a product must meet: all ``terms`` as typed, or all terms of one variant."""

    terms: tuple[Term, ...]
    variants: tuple[Variant, ...] = ()

    @property
    def text(self) -> str:
        """What was typed."""
        return " ".join(term.text for term in self.terms)


def same(word: str) -> str:
    """The form in which words are compared: folded, one space between runs, English singular."""
    return " ".join(_singular(run) for run in runs(word))


def _singular(run: str) -> str:
    if len(run) > 3 and run.isascii() and run.isalpha() and run[-1] == "s" and run[-2] not in "su":
        return run[:-1]
    return run


class Thesaurus:
    """Groups of words with one meaning, ready to be asked; never changes, so threads share it."""

    def __init__(self, groups: Iterable[Sequence[str]] = (), version: str = "") -> None:
        self.version = version
        self._others: dict[str, list[str]] = {}
        for group in groups:
            for word in group:
                if key := same(word):
                    mine = self._others.setdefault(key, [])
                    mine.extend(other for other in group if same(other) != key)
        self._longest = max((len(key) for key in self._others), default=0)
        self._most_runs = max((key.count(" ") + 1 for key in self._others), default=0)

    def others(self, word: str) -> list[str]:
        """The words that mean the same as ``word``, each once."""
        return list(dict.fromkeys(self._others.get(same(word), ())))

    def needs(self, terms: Sequence[Term], dropped: Sequence[str] = ()) -> tuple[Need, ...]:
        """The question as needs; ``dropped`` words are not put in for any other."""
        needs: list[Need] = []
        place = 0
        while place < len(terms):
            taken = self._words_from(terms, place)
            if taken:
                group = tuple(terms[place : place + taken])
                of = " ".join(term.text for term in group)
                needs.append(Need(group, self._variants("", of, "", dropped)))
                place += taken
                continue
            needs.append(Need((terms[place],), self._within(terms[place], dropped)))
            place += 1
        return tuple(needs)

    def parts(
        self, terms: Sequence[Term], dropped: Sequence[str] = ()
    ) -> tuple[tuple[Need, ...], list[str]]:
        """The question word by word, for when no product meets all of it, and what is left out.

        Runs of Han signs are cut at words that the thesaurus knows, else as the dictionary cuts;
        single signs beside longer words (的, 用) are left out.
        """
        parts: list[Need] = []
        left: list[str] = []
        for need in self.needs(terms, dropped):
            (first, *rest) = need.terms
            pieces = [need.text] if rest or not first.han else self._pieces(first.text)
            longer = [piece for piece in pieces if len(piece) > 1]
            left += [piece for piece in pieces if longer and len(piece) == 1]
            for piece in longer or pieces:
                parts += self.needs(question(piece), dropped)
        return tuple(dict.fromkeys(parts)), left

    def _pieces(self, text: str) -> list[str]:
        pieces: list[str] = []
        start = done = 0
        while start < len(text):
            length = self._known_at(text, start)
            if length:
                pieces += [*rjieba.cut(text[done:start]), text[start : start + length]]
                start = done = start + length
            else:
                start += 1
        return [*pieces, *rjieba.cut(text[done:])]

    def _words_from(self, terms: Sequence[Term], place: int) -> int:
        """How many terms from here on are one known word, such as ``wind turbine``."""
        for count in range(min(self._most_runs, len(terms) - place), 0, -1):
            word = " ".join(_singular(term.text) for term in terms[place : place + count])
            if word in self._others:
                return count
        return 0

    def _within(self, term: Term, dropped: Sequence[str]) -> tuple[Variant, ...]:
        """Known words inside one run of Han signs, the longest first, none overlapping."""
        if not term.han:
            return ()
        text, start = term.text, 0
        found: list[Variant] = []
        while start < len(text) - 1:
            length = self._known_at(text, start)
            if length:
                end = start + length
                found += self._variants(text[:start], text[start:end], text[end:], dropped)
                start = end
            else:
                start += 1
        return tuple(found[:MAX_VARIANTS])

    def _known_at(self, text: str, start: int) -> int:
        for length in range(min(self._longest, len(text) - start), 1, -1):
            if text[start : start + length] in self._others:
                return length
        return 0

    def _variants(
        self, before: str, of: str, after: str, dropped: Sequence[str]
    ) -> tuple[Variant, ...]:
        variants = []
        for word in self.others(of)[:MAX_VARIANTS]:
            if word in dropped:
                continue
            # Han signs on both sides stay one run, so that the phrase is found as it stands.
            joint = "" if is_han(same(word)) else " "
            variants.append(Variant(of, word, question(f"{before}{joint}{word}{joint}{after}")))
        return tuple(variants)


NOTHING = Thesaurus()


def check(words: Sequence[str]) -> list[str]:
    """What is wrong with a group of words, in sentences; empty when nothing is."""
    faults = []
    if not MIN_WORDS <= len(words) <= MAX_WORDS:
        faults.append(f"一组应有 {MIN_WORDS} 到 {MAX_WORDS} 个词，现在是 {len(words)} 个")
    faults += [f"“{word[:20]}”没有字或字母" for word in words if not same(word)]
    faults += [f"“{word[:20]}…”超过 {MAX_WORD} 个字" for word in words if len(word) > MAX_WORD]
    seen: dict[str, str] = {}
    for word in words:
        first = seen.setdefault(same(word), word)
        if first is not word and same(word):
            faults.append(f"“{word[:20]}”与“{first[:20]}”是同一个词")
    return faults
