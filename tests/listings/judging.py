"""Judging: nDCG@10 and recall@20 of judged questions, asked of the real product list and more."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from werkzeug.datastructures import MultiDict

from catalogue.listings.filters import read
from catalogue.listings.index import Reader, Replica
from catalogue.listings.near import near
from catalogue.listings.search import search
from catalogue.listings.synonyms import Thesaurus

JUDGED = Path(__file__).parent / "judged.yaml"
HELD_OUT = Path(__file__).parent / "held_out.yaml"
EXAMINED = Path(__file__).parent / "examined.yaml"
PRODUCTS = Path("seeds/products.csv")
SYNONYMS = Path("seeds/synonyms.yaml")
TODAY = date(2026, 11, 24)
BLANK: dict[str, Any] = {
    **dict.fromkeys(("model", "domain", "novelty", "advancement", "district", "year")),
    "kind": "other",
    "region": "",
    "summary": "",
    "specifications": [],
    "listed_on": TODAY,
    "valid_until": None,
    "first_purchase": False,
    "sample": True,
    "source_list": None,
    "status": "listed",
}


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


def questions(file: Path = JUDGED) -> list[Judged]:
    """Every judged question of the file."""
    kinds = yaml.safe_load(file.read_text(encoding="utf-8"))["questions"]
    return [
        Judged(kind, case["q"], {n: g for g in (1, 2, 3) for n in case.get(g, ())})
        for kind, cases in kinds.items()
        for case in cases
    ]


def scores(folder: Path, file: Path = JUDGED) -> list[Score]:
    """Every question asked of the product list and the file's own products, with synonyms."""
    reader, thesaurus = ready(folder, file)
    return [_score(judged, found(reader, judged.q, thesaurus)) for judged in questions(file)]


def ready(folder: Path, file: Path) -> tuple[Reader, Thesaurus]:
    """An index of the product list and the file's own products, and the seeded synonyms."""
    replica = Replica(folder)
    with replica.writing():
        replica.rebuild(_entries(file), "judged", 1)
    reader = replica.reader()
    assert reader is not None
    groups = yaml.safe_load(SYNONYMS.read_text(encoding="utf-8"))["synonyms"]
    return reader, Thesaurus([[str(word) for word in group["words"]] for group in groups])


def found(reader: Reader, q: str, thesaurus: Thesaurus) -> list[str]:
    """The names on the first page of the answer to what was typed, as the portal gives it."""
    asked = read(MultiDict({"q": q})).search
    page = near(reader, search(reader, asked, TODAY, thesaurus), TODAY, thesaurus)
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


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    with PRODUCTS.open(encoding="utf-8", newline="") as stream:
        rows = [
            {
                "name": row["product_name"],
                "firm_name": row["firm_name"],
                "region": row["region"],
                "source_list": row["list"],
            }
            for row in csv.DictReader(stream)
        ]
    for product in yaml.safe_load(file.read_text(encoding="utf-8")).get("products", ()):
        figures = product.pop("specifications", ())
        named = [dict(zip(("name", "value", "unit"), figure, strict=True)) for figure in figures]
        rows.append({**product, "specifications": named})
    for number, row in enumerate(rows, 1):
        yield {**BLANK, "id": number, "number": f"SL-2026-{number:04d}", **row}
