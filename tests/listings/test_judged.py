"""The judged questions: the figures never fall below what they were."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from tests.listings.judging import HELD_OUT, JUDGED, means, questions, scores

# Measured 0.97 and 0.95 when the file was made; the room beneath is for honest trade-offs.
# The held-out file gave 0.88 and 0.87 when it was first asked, 0.97 and 0.95 once repaired.
FLOORS = {JUDGED: (0.95, 0.93), HELD_OUT: (0.955, 0.93)}
# Whoever types a name, a firm or a model number must never look in vain.
SURE = ("names", "parts", "firms", "models", "pinyin")


@pytest.mark.parametrize("file", FLOORS, ids=lambda file: file.stem)
def test_the_judged_questions_are_answered_as_well_as_ever(file: Path, tmp_path: Path) -> None:
    found = scores(tmp_path, file)
    assert len(found) == len({judged.q for judged in questions(file)}) >= 200
    ndcg, recall = means(found)
    assert ndcg >= FLOORS[file][0] and recall >= FLOORS[file][1], (ndcg, recall)
    for kind, scored in groupby(found, key=lambda score: score.judged.kind):
        if file == JUDGED and kind in SURE:
            assert means(list(scored))[0] >= 0.99, kind
