"""Kept: whole result pages for visitors who are nobody in particular, until a change."""

from __future__ import annotations

from collections.abc import Callable

from flask import session

from catalogue.database import utc_now
from catalogue.listings.filters import Asked
from catalogue.listings.follow import follower

# Pages of about 20 kB each, per process.
KEPT = 256


def kept(asked: Asked, render: Callable[[], str]) -> str | bytes:
    """The page that answers ``asked``, rendered only when no earlier visitor saw the same.

    It is the same for one search in one size of type, within one minute (the page tells the
    server's time) and one state of the index; with the state its pages go too. Whoever is signed
    in, has a message waiting, or typed an address with faults gets a page of their own.
    """
    following = follower()
    reader = following.reader()
    if reader is None or asked.faults or "_user_id" in session or "_flashes" in session:
        return render()
    minute = int(utc_now().timestamp()) // 60
    key = (asked.search.key, session.get("elder", False), minute, following.thesaurus.version)
    found: bytes | None = reader.pages.get(key)
    if found is not None:
        return found
    page = render()
    # A page that wrote to the visitor's session may hold what only that visitor should have.
    if not session.modified:
        if len(reader.pages) >= KEPT:
            reader.pages.clear()
        reader.pages[key] = page.encode()
    return page
