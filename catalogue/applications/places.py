"""Where a fact can be changed or read: the page and the field, by the fact's path.

Values in, values out: a path such as ``contracts[2].received`` (counted from one, as the form
does) gives an endpoint and the anchor on its page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from catalogue.policies.wording import UNFILLED

_PATH = re.compile(r"(\w+)(?:\[(\d+)\])?(?:\.(\w+))?")


@dataclass(frozen=True)
class Place:
    """A page and where on it; ``reading`` is the page where the same is only read."""

    endpoint: str
    reading: str
    anchor: str = ""


FIRM = Place("enterprises.edit", "enterprises.profile")
PRODUCT = Place("products.edit", "products.show")
ANSWERS = Place("applications.answers", "applications.check")
CONTRACTS = Place("applications.contracts", "applications.check")
ROOTS = {
    "enterprise": FIRM,
    "product": PRODUCT,
    "patents": replace(PRODUCT, anchor="patents"),
    "contracts": CONTRACTS,
    "materials": Place("applications.materials", "applications.check"),
    "answers": ANSWERS,
    "declarations": ANSWERS,
}
# Facts that stand elsewhere than the others of their root; None is known to no form of the firm.
APART: dict[tuple[str, str], Place | None] = {
    ("enterprise", "honours"): replace(FIRM, endpoint="enterprises.honours"),
    ("enterprise", "credit_code"): replace(FIRM, endpoint="enterprises.profile"),
    ("enterprise", "credit_clear"): None,
    ("patents", "other_products"): None,
    ("contracts", "buyer_related"): replace(FIRM, endpoint="enterprises.related"),
}
# Facts that go by another name than their field.
FIELDS = {("contracts", "buyer"): "buyer_name"}


def place_of(path: str) -> Place | None:
    """The place of a fact; None when only the portal or a person knows it."""
    found = _PATH.match(path.replace("[]", ""))
    if found is None:
        return None
    root, number, name = found.group(1), found.group(2), found.group(3)
    if (root, name) in APART:
        return APART[root, name]
    place = ROOTS.get(root)
    if place is None or place.anchor or name is None:
        return place
    field = FIELDS.get((root, name), name)
    if root == "contracts":
        return replace(place, anchor=f"field-rows-{int(number) - 1}-{field}") if number else place
    return replace(place, anchor=f"field-{field}")


def linked(finding: Mapping[str, Any], address: Callable[[Place], str]) -> dict[str, Any]:
    """A finding whose values read carry the ``url`` of their place, and which says where to fix.

    An unknown finding that asks leads to the first fact that is missing; one that a person
    decides leads nowhere; one that is not met leads to the first fact that the firm can change.
    """
    read = []
    for fact in finding.get("facts", ()):
        place = place_of(fact["path"])
        read.append({**fact, "url": address(place) if place else None})
    cure: dict[str, Any] = {}
    missing = [fact for fact in read if fact["url"] and fact["value"] == UNFILLED]
    if finding["result"] == "unknown" and finding.get("unknown_asks", True) and missing:
        cure = {"fix_url": missing[0]["url"], "fix_label": f"补填{missing[0]['label']}"}
    elif finding["result"] == "fail":
        stated = next((fact for fact in read if fact["url"]), None)
        cure = {"fix_url": stated["url"], "fix_label": f"去看{stated['label']}"} if stated else {}
    return {**finding, "facts": read, **cure}
