"""Ask: one question to the catalogue, answered by the index, or by the database without it."""

from __future__ import annotations

from datetime import date

from catalogue.listings import fallback
from catalogue.listings.candidates import Candidates, from_database, from_index
from catalogue.listings.follow import follower
from catalogue.listings.index import Reader
from catalogue.listings.near import near
from catalogue.listings.need import Need
from catalogue.listings.search import Hit, Page, Search, search
from catalogue.listings.suggest import alike as like
from catalogue.listings.suggest import suggestions
from catalogue.listings.synonyms import Thesaurus

# Answers of about 40 kB each, per process.
REMEMBERED = 256


def ask(asked: Search, today: date) -> Page:
    """The answer as of ``today`` (the day in Shanghai); never fails for the index's sake."""
    following = follower()
    reader = following.reader()
    if reader is not None:
        try:
            return _remembered(reader, asked, today, following.thesaurus)
        except BaseException as error:
            if not _damaged(error):
                raise
            following.give_up(error, reader)
    return fallback.search(asked, today, following.thesaurus)


def suggest(q: str, today: date) -> tuple[Hit, ...]:
    """Products that go on as typed; none while the index cannot be asked."""
    following = follower()
    reader = following.reader()
    if reader is None or not q:
        return ()
    try:
        return suggestions(reader, q, today, following.thesaurus)
    except BaseException as error:
        if not _damaged(error):
            raise
        following.give_up(error, reader)
        return ()


def alike(number: str, name: str) -> tuple[Hit, ...]:
    """Products like this one, from the index as this process last saw it; none without one."""
    following = follower()
    reader = following.replica.reader()
    if reader is None:
        return ()
    try:
        return like(reader, number, name)
    except BaseException as error:
        if not _damaged(error):
            raise
        following.give_up(error, reader)
        return ()


def nearest(need: Need, today: date) -> Candidates:
    """The products that come nearest to a need; never fails for the index's sake."""
    following = follower()
    reader = following.reader()
    if reader is not None:
        try:
            return from_index(reader, need, today)
        except BaseException as error:
            if not _damaged(error):
                raise
            following.give_up(error, reader)
    return from_database(need, today)


def _remembered(reader: Reader, asked: Search, today: date, thesaurus: Thesaurus) -> Page:
    """The answer, kept until the index or a synonym changes: most ask what others just asked."""
    key = (asked.key, today, thesaurus.version)
    page = reader.answers.get(key)
    if page is None:
        page = near(reader, search(reader, asked, today, thesaurus), today, thesaurus)
        if len(reader.answers) >= REMEMBERED:
            reader.answers.clear()
        reader.answers[key] = page
    return page


def _damaged(error: BaseException) -> bool:
    # tantivy reports a damaged folder as ValueError or OSError, and worse damage as a panic,
    # which its binding raises beside Exception.
    return isinstance(error, (ValueError, OSError)) or type(error).__name__ == "PanicException"
