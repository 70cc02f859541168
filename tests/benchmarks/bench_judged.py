"""How well judged questions are answered: nDCG@10 and recall@20, by kind and over all."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tests.listings.judging import means, scores


def test_judged_questions(tmp_path: Path) -> None:
    found = scores(tmp_path)
    print(f"\n{len(found)} judged questions: nDCG@10 {means(found)[0]:.3f},", end="")
    print(f" recall@20 {means(found)[1]:.3f}")
    for kind, scored in groupby(found, key=lambda score: score.judged.kind):
        each = list(scored)
        ndcg, recall = means(each)
        print(f"  {kind:9} {len(each):3}   nDCG@10 {ndcg:.3f}   recall@20 {recall:.3f}")
