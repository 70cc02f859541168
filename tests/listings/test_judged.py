"""The judged questions: the figures never fall below what they were."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from catalogue.listings.search import Search, search
from tests.listings.judging import (
    EXAMINED,
    HELD_OUT,
    JUDGED,
    TODAY,
    found,
    means,
    questions,
    ready,
    scores,
)

# Measured 0.97 and 0.95 when the file was made; the room beneath is for honest trade-offs.
# The held-out file gave 0.88 and 0.87 when it was first asked, 0.97 and 0.95 once repaired; the
# third 0.962 and 0.954, then 0.977 and 0.969.
FLOORS = {JUDGED: (0.95, 0.93), HELD_OUT: (0.955, 0.93), EXAMINED: (0.96, 0.95)}
# Whoever types a name, a firm or a model number must never look in vain.
SURE = ("names", "parts", "firms", "models", "pinyin")


@pytest.mark.parametrize("file", FLOORS, ids=lambda file: file.stem)
def test_the_judged_questions_are_answered_as_well_as_ever(file: Path, tmp_path: Path) -> None:
    answered = scores(tmp_path, file)
    assert len(answered) == len({judged.q for judged in questions(file)}) >= 160
    ndcg, recall = means(answered)
    assert ndcg >= FLOORS[file][0] and recall >= FLOORS[file][1], (ndcg, recall)
    for kind, scored in groupby(answered, key=lambda score: score.judged.kind):
        if file == JUDGED and kind in SURE:
            assert means(list(scored))[0] >= 0.99, kind


def test_an_exact_name_or_model_comes_first_however_it_is_typed(tmp_path: Path) -> None:
    reader, thesaurus = ready(tmp_path, HELD_OUT)
    cards = [card.facts for card in search(reader, Search(), TODAY).hits]
    assert len(cards) == 20
    for card in cards:
        for said in filter(None, (card["name"], card["model"])):
            wide = "".join(chr(ord(s) + 0xFEE0) if "!" <= s <= "~" else s for s in said)
            for typed in (said, said.upper(), said.lower(), wide, " ".join(said)):
                first = next(iter(found(reader, typed, thesaurus)), None)
                assert first == card["name"], typed
