"""The figures of the day, counted from the tables that list, notify and pay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from catalogue.database import SHANGHAI, db
from catalogue.funds.models import Award
from catalogue.listings.models import Listing
from catalogue.notices.models import Notice, NoticeItem
from catalogue.policies.models import Round


@dataclass(frozen=True)
class Today:
    """Counts as of now; money in fen."""

    listed: int
    first_purchase: int
    open_rounds: int
    on_notice: int
    awarded_fen: int


def today(now: datetime) -> Today:
    """Everything that the front page counts, in one read each."""
    day = now.astimezone(SHANGHAI).date()
    valid = (
        Listing.status == "listed",
        or_(Listing.valid_until.is_(None), Listing.valid_until >= day),
    )
    start = datetime(day.year, 1, 1, tzinfo=SHANGHAI)
    return Today(
        listed=_count(select(func.count(Listing.id)).where(*valid)),
        first_purchase=_count(
            select(func.count(Listing.id)).where(*valid, Listing.first_purchase.is_(True))
        ),
        open_rounds=_count(
            select(func.count(Round.id)).where(Round.opens_at <= now, Round.closes_at >= now)
        ),
        on_notice=_count(
            select(func.count(NoticeItem.id))
            .join(Notice)
            .where(NoticeItem.outcome.is_(None), Notice.closed_at.is_(None))
        ),
        awarded_fen=_count(
            select(func.coalesce(func.sum(Award.amount_fen), 0)).where(
                Award.state.in_(("committed", "paid")), Award.committed_at >= start
            )
        ),
    )


def _count(statement: object) -> int:
    return int(db.session.scalar(statement) or 0)  # type: ignore[call-overload]
