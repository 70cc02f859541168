"""What the public pages show of a round."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from catalogue.database import SHANGHAI
from catalogue.policies.models import Round
from catalogue.working_days import UnknownYear, working_days_between


def deadline_of(opened: Round, now: datetime) -> dict[str, Any] | None:
    """What the deadline macro shows of a round; None while it is not open yet."""
    if opened.opens_at > now:
        return None
    closes, local = opened.closes_at.astimezone(SHANGHAI), now.astimezone(SHANGHAI)
    seconds = max(0, int((opened.closes_at - now).total_seconds()))
    today = closes.date() == local.date()
    return {
        "left": _working_days_left(local.date(), closes.date()),
        "closes_at": closes,
        "today": today,
        "closed": opened.closes_at < now,
        "note": f"还有 {seconds // 3600} 小时 {seconds % 3600 // 60} 分" if today else None,
    }


def _working_days_left(start: date, end: date) -> int:
    """Working days to the deadline; calendar days when the year's calendar is not out yet."""
    try:
        return max(0, working_days_between(start, end))
    except UnknownYear:
        return max(0, (end - start).days)
