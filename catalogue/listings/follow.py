"""Following: keeps this host's index at most two seconds behind the database, by itself.

Each web process looks at most every quarter of a second, when somebody searches. A change is a row
whose ``revision`` (the transaction that wrote it) is at or past the index's horizon; the horizon
moves only to the oldest transaction still running, so that one that commits late is never
missed, whatever the order of commits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import Connection, Engine, func, select, text

from catalogue.database import db
from catalogue.listings.building import built
from catalogue.listings.index import CARD, Busy, Entry, Reader, Replica, State
from catalogue.listings.models import Listing, Synonym
from catalogue.listings.synonyms import NOTHING, Thesaurus

log = structlog.get_logger(__name__)

LOOK_EVERY = 0.25
# So long old answers serve without a folder: a whole build takes less, and a full disk more.
KEPT_FOR = 180
# Up to so many listings are read within the request; more are read beside it, while searching
# falls back to the database.
AT_ONCE = 1_000
BATCH = 2_000
# More late transactions than these are read again rather than remembered.
REMEMBERED = 5_000

# A table that was emptied, restored or belongs to another database has another identity.
IDENTITY = text(
    "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' ||"
    " (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' ||"
    " pg_relation_filenode('listing') AS identity,"
    " pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon,"
    # Every change of a row gives it another xmin: one word that differs when any synonym does.
    " (SELECT md5(string_agg(id || ':' || xmin, ',' ORDER BY id)) FROM synonym) AS synonyms"
)
COLUMNS = tuple(getattr(Listing, name) for name in ("id", *CARD, "status"))


@dataclass(frozen=True, slots=True)
class Source:
    """Which database this is, the oldest transaction that may still write, which synonyms."""

    identity: str
    horizon: int
    synonyms: str


class Follower:
    """One process's hold on the host's index."""

    def __init__(self, replica: Replica, look_every: float = LOOK_EVERY) -> None:
        self.replica = replica
        self.look_every = look_every
        self.thesaurus = NOTHING
        self._looked = 0.0
        self._kept: Reader | None = None
        self._lost: float | None = None
        self._lock = threading.Lock()
        self._builder: threading.Thread | None = None

    def reader(self) -> Reader | None:
        """An opened index that is fresh enough; None while there is none to be had.

        When the folder is lost, what this process has open answers until another is built.
        """
        due = time.monotonic() - self._looked >= self.look_every
        if due and self._lock.acquire(blocking=False):
            try:
                self._follow()
            finally:
                self._looked = time.monotonic()
                self._lock.release()
        found = self.replica.reader()
        if found is not None:
            self._kept, self._lost = found, None
        elif self._lost is None:
            self._lost = time.monotonic()
        elif time.monotonic() - self._lost > KEPT_FOR:
            self._kept = None
        return self._kept

    def look_again(self) -> None:
        """Make the next search look at the database at once."""
        self._looked = 0.0

    def give_up(self, error: BaseException, reader: Reader | None = None) -> None:
        """Drop the folder, so that the next look builds it again, and ``reader`` that failed.

        Another reader that this process has open is whole and goes on answering.
        """
        log.warning("index_unreadable", error=type(error).__name__, reason=str(error)[:200])
        self.replica.discard()
        if reader is not None and self._kept is reader:
            self._kept = None
        self.look_again()

    def _follow(self) -> None:
        try:
            connection = db.session.connection()
            source = _source(connection)
            if source.synonyms != self.thesaurus.version:
                self.thesaurus = _thesaurus(connection, source.synonyms)
            if self._kept is not None and self._kept.state.identity != source.identity:
                self._kept = None
            state = self.replica.state() if self.replica.reader() else None
            if state is None or state.identity != source.identity:
                self._start_over(connection, source)
            else:
                self._catch_up(connection, source, state)
        except Busy:
            return
        except (OSError, ValueError) as error:
            # A full disk or a damaged folder never stops a search.
            self.give_up(error)

    def _catch_up(self, connection: Connection, source: Source, state: State) -> None:
        late = _written_since(connection, state.horizon)
        fresh = [key for key, revision in late.items() if state.recent.get(key) != revision]
        recent = {key: value for key, value in late.items() if value >= source.horizon}
        if not fresh and source.horizon <= state.horizon:
            return
        if len(fresh) > AT_ONCE:
            self._build_beside()
            return
        target = replace(
            state, horizon=source.horizon, recent=recent if len(recent) <= REMEMBERED else {}
        )
        with self.replica.writing():
            if self.replica.state() != state:
                return
            if fresh:
                self.replica.apply(_entries(connection, [int(key) for key in fresh]), target)
            elif source.horizon - state.horizon > 1_000 or state.recent:
                # Writing the pointer for every step of an idle horizon would be for nothing.
                self.replica.note(target)

    def rebuild(self, connection: Connection, tell: Callable[[int], object] = int) -> None:
        """Build the index anew, telling how many rows were read; raises Busy while another does.

        The old one answers until the new one is whole.
        """
        with self.replica.writing():
            source = _source(connection)
            entries = _told(_entries(connection), tell)
            self.replica.rebuild(entries, source.identity, source.horizon, built)

    def _start_over(self, connection: Connection, source: Source) -> None:
        count = connection.scalar(select(func.count()).select_from(Listing)) or 0
        if count > AT_ONCE:
            self._build_beside()
            return
        with self.replica.writing():
            self.replica.rebuild(_entries(connection), source.identity, source.horizon)

    def _build_beside(self) -> None:
        if self._builder is None or not self._builder.is_alive():
            self._builder = threading.Thread(
                target=self._build, args=(db.engine,), name="listings-index", daemon=True
            )
            self._builder.start()

    def _build(self, engine: Engine) -> None:
        began = time.monotonic()
        try:
            with engine.connect() as connection:
                self.rebuild(connection)
        except Busy:
            return
        except Exception:  # a daemon thread has nobody above it; the next search starts another
            log.exception("index_build_failed")
            return
        log.info("index_built", seconds=round(time.monotonic() - began, 1))


def follower() -> Follower:
    """The follower of this process, over the folder that INDEX_DIR names."""
    found: Follower | None = current_app.extensions.get("listings_follower")
    if found is None:
        found = Follower(Replica(current_app.config["INDEX_DIR"]))
        current_app.extensions["listings_follower"] = found
    return found


def _source(connection: Connection) -> Source:
    row = connection.execute(IDENTITY).one()
    return Source(row.identity, row.horizon, row.synonyms or "")


def _thesaurus(connection: Connection, version: str) -> Thesaurus:
    used = select(Synonym.words).where(Synonym.retired_at.is_(None)).order_by(Synonym.id)
    return Thesaurus(connection.scalars(used), version)


def _written_since(connection: Connection, horizon: int) -> dict[str, int]:
    rows = connection.execute(
        select(Listing.id, Listing.revision).where(Listing.revision >= horizon)
    )
    return {str(key): revision for key, revision in rows}


def _told(entries: Iterator[Entry], tell: Callable[[int], object]) -> Iterator[Entry]:
    for count, entry in enumerate(entries, 1):
        yield entry
        if count % BATCH == 0:
            tell(count)


def _entries(connection: Connection, ids: list[int] | None = None) -> Iterator[Entry]:
    """Rows as the index wants them, by number, in batches that fit into memory."""
    statement = select(*COLUMNS).order_by(Listing.id)
    if ids is not None:
        statement = statement.where(Listing.id.in_(ids))
    rows: Any = connection.execute(statement.execution_options(yield_per=BATCH))
    yield from rows.mappings()
