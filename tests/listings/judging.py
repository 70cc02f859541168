"""Judging: nDCG@10 and recall@20 of the judged questions, asked of the real product list."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from catalogue.listings.index import Reader, Replica
from catalogue.listings.near import near
from catalogue.listings.search import Search, search
from catalogue.listings.synonyms import Thesaurus

JUDGED = Path(__file__).parent / "judged.yaml"
PRODUCTS = Path("seeds/products.csv")
SYNONYMS = Path("seeds/synonyms.yaml")
TODAY = date(2026, 11, 24)


class Judged(NamedTuple):
    """One question: of which kind, and product name → grade from 1 to 3."""

    kind: str
    q: str
    grades: Mapping[str, int]


class Score(NamedTuple):
    """How well a question was answered; both from 0 to 1."""

    judged: Judged
    ndcg: float
    recall: float


def questions() -> list[Judged]:
    """Every judged question of the file."""
    kinds = yaml.safe_load(JUDGED.read_text(encoding="utf-8"))
    return [
        Judged(kind, case["q"], {n: g for g in (1, 2, 3) for n in case.get(g, ())})
        for kind, cases in kinds.items()
        for case in cases
    ]


def scores(folder: Path) -> list[Score]:
    """Every question asked of an index of the product list, with the seeded synonyms."""
    replica = Replica(folder)
    with replica.writing():
        replica.rebuild(_entries(), "judged", 1)
    reader = replica.reader()
    assert reader is not None
    groups = yaml.safe_load(SYNONYMS.read_text(encoding="utf-8"))["synonyms"]
    thesaurus = Thesaurus([[str(word) for word in group["words"]] for group in groups])
    return [_score(judged, found(reader, judged.q, thesaurus)) for judged in questions()]


def found(reader: Reader, q: str, thesaurus: Thesaurus) -> list[str]:
    """The names on the first page of the answer, as the portal gives it."""
    page = near(reader, search(reader, Search(q), TODAY, thesaurus), TODAY, thesaurus)
    return [hit.facts["name"] for hit in page.hits]


def means(found: Sequence[Score]) -> tuple[float, float]:
    """Mean nDCG@10 and mean recall@20."""
    return sum(s.ndcg for s in found) / len(found), sum(s.recall for s in found) / len(found)


def _score(judged: Judged, names: Sequence[str]) -> Score:
    gains = [judged.grades.get(name, 0) for name in names[:10]]
    best = sorted(judged.grades.values(), reverse=True)[:10]
    got = sum(name in judged.grades for name in names[:20])
    return Score(judged, _dcg(gains) / _dcg(best), got / min(20, len(judged.grades)))


def _dcg(gains: Sequence[int]) -> float:
    return sum((2**gain - 1) / math.log2(place + 2) for place, gain in enumerate(gains))


def _entries() -> Iterator[dict[str, Any]]:
    with PRODUCTS.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            yield {
                "id": number,
                "number": f"SL-2026-{number:04d}",
                "name": row["product_name"],
                "firm_name": row["firm_name"],
                "model": None,
                "kind": "other",
                "domain": None,
                "novelty": None,
                "advancement": None,
                "district": None,
                "region": row["region"],
                "year": None,
                "summary": "",
                "specifications": [],
                "listed_on": TODAY,
                "valid_until": None,
                "first_purchase": False,
                "sample": True,
                "source_list": row["list"],
                "status": "listed",
            }
