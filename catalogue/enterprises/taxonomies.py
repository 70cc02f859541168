"""The names that the portal offers and shows: districts and honours, out of one YAML file."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from catalogue.config import ROOT

SOURCE = ROOT / "seeds" / "taxonomies.yaml"


@cache
def taxonomy(key: str) -> Any:
    """One top-level entry of ``seeds/taxonomies.yaml``; raises KeyError when it is not there."""
    return _document()[key]


@cache
def _document() -> dict[str, Any]:
    with SOURCE.open(encoding="utf-8") as file:
        return yaml.safe_load(file)


@cache
def names(key: str, code: str = "id") -> dict[str, str]:
    """Code → name of the items of one taxonomy, in the order of the file."""
    return {item[code]: item["name"] for item in taxonomy(key)["items"]}


def districts() -> dict[str, str]:
    """GB/T 2260 code → name of the districts that take applications."""
    return names("districts", "code")


def honours() -> dict[str, str]:
    """Id → name of the honours that a firm may hold."""
    return names("honours")


def district_name(code: str | None) -> str:
    """The name of a district; an unknown code is shown as it is, None as nothing."""
    return districts().get(code, code) if code else ""


def honour_name(honour_id: str) -> str:
    """The name of an honour; an unknown id is shown as it is."""
    return honours().get(honour_id, honour_id)


def honour_validity(honour_id: str) -> int | None:
    """Years for which the honour is valid, where the source states it."""
    for item in taxonomy("honours")["items"]:
        if item["id"] == honour_id:
            return item.get("validity_years")
    return None


def district_choices() -> list[tuple[str, str]]:
    """Options of a select: code and name."""
    return list(districts().items())


def honour_choices() -> list[tuple[str, str]]:
    """Options of a select: id and name with its level."""
    return [(i["id"], f"{i['name']}（{i['level']}级）") for i in taxonomy("honours")["items"]]
