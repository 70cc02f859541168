"""How well judged questions are answered: nDCG@10 and recall@20, by kind and over all."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from tests.listings.judging import EXAMINED, HELD_OUT, JUDGED, means, scores


@pytest.mark.parametrize("file", [JUDGED, HELD_OUT, EXAMINED])
def test_judged_questions(file: Path, tmp_path: Path) -> None:
    found = scores(tmp_path, file)
    print(f"\n{file.stem}: {len(found)} questions: nDCG@10 {means(found)[0]:.3f},", end="")
    print(f" recall@20 {means(found)[1]:.3f}")
    for kind, scored in groupby(found, key=lambda score: score.judged.kind):
        each = list(scored)
        ndcg, recall = means(each)
        print(f"  {kind:11} {len(each):3}   nDCG@10 {ndcg:.3f}   recall@20 {recall:.3f}")
