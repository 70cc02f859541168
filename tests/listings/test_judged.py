"""The judged questions: the figures never fall below what they were."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tests.listings.judging import means, questions, scores

# Measured 0.97 and 0.95 when the file was made; the room beneath is for honest trade-offs.
NDCG, RECALL = 0.95, 0.93
# Whoever types a name, a firm or a model number must never look in vain.
SURE = ("names", "parts", "firms", "models", "pinyin")


def test_the_judged_questions_are_answered_as_well_as_ever(tmp_path: Path) -> None:
    found = scores(tmp_path)
    assert len(found) == len({judged.q for judged in questions()}) >= 200
    ndcg, recall = means(found)
    assert ndcg >= NDCG and recall >= RECALL, (ndcg, recall)
    for kind, scored in groupby(found, key=lambda score: score.judged.kind):
        if kind in SURE:
            assert means(list(scored))[0] >= 0.99, kind
