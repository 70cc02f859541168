"""What the demo buyer did: froze a search and a need, and has a search by mail."""

from __future__ import annotations

from datetime import timedelta

from werkzeug.datastructures import MultiDict

from catalogue.database import utc_now
from catalogue.listings import digests, freezing
from catalogue.listings.need import BOXES
from catalogue.listings.operations import shanghai_day
from catalogue.listings.seeing import see
from seeds import people

NEED = [
    ("kind", "equipment"),
    *zip(BOXES, ("平均无故障时间", "ge", "300", "", "h"), strict=True),
    *zip(BOXES, ("片内均匀性", "le", "2", "", "%"), strict=True),
]
SEARCH = [("q", "刻蚀")]


def save() -> None:
    """Last week, before anything was listed, the buyer asked for mails."""
    day = shanghai_day() - timedelta(days=8)
    seen = see("search", MultiDict(SEARCH), day)
    if seen is not None:
        digests.save(people.staff("buyer"), seen, "weekly", day)


def seed() -> None:
    """Freeze both, as the demo buyer, with what the catalogue holds now."""
    buyer = people.staff("buyer")
    for kind, pairs, purpose in (
        ("search", SEARCH, "示例：了解刻蚀设备"),
        ("need", NEED, "示例项目：采购刻蚀装备一台"),
    ):
        seen = see(kind, MultiDict(pairs), shanghai_day())
        if seen is not None and seen.results:
            freezing.freeze(buyer, seen, purpose, utc_now())
    digests.enqueue_due(shanghai_day())
