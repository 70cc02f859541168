"""The public append-only log: entering a hash, signing its root, proving, and verifying it all.

What is entered is the hash of something official (a certificate, a notice, a decision record, a
finance file), never its content. ``entry_bytes`` is the published form of a leaf.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import func, insert, select, tuple_

from catalogue.audit import merkle
from catalogue.audit.models import LogCheckpoint, LogEntry, LogNode
from catalogue.audit.operations import take_turn
from catalogue.database import db, utc_now
from catalogue.keys import SigningKey

Proof = TypeVar("Proof")
CHUNK = 5_000


def entry_bytes(kind: str, subject: str, sha256: str, at: datetime) -> bytes:
    """The leaf: canonical JSON (sorted keys, no spaces, UTF-8) of the four published values."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    content = {"at": moment, "kind": kind, "sha256": sha256, "subject": subject}
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def append(kind: str, subject: str, sha256: str) -> LogEntry:
    """Enter a hash in the caller's transaction; the same entry again gives the one that is there.

    ``kind`` is one of models.LOG_KINDS; ``subject`` is the public number of what was hashed.
    """
    # The chain's lock serves the log too: every act that enters something also records itself.
    take_turn()
    known = db.session.scalar(
        select(LogEntry).where(
            LogEntry.kind == kind, LogEntry.subject == subject, LogEntry.sha256 == sha256
        )
    )
    if known is not None:
        return known
    entry = LogEntry(position=size(), kind=kind, subject=subject, sha256=sha256, at=utc_now())
    db.session.add(entry)
    db.session.flush()
    leaf = merkle.leaf_hash(entry_bytes(kind, subject, sha256, entry.at))
    made = _reading(lambda node: merkle.completed(entry.position, leaf, node))
    db.session.execute(
        insert(LogNode),
        [{"level": level, "position": place, "digest": digest} for level, place, digest in made],
    )
    return entry


def size() -> int:
    """How many entries there are."""
    last = db.session.scalar(select(func.max(LogEntry.position)))
    return 0 if last is None else last + 1


def _reading(prove: Callable[[merkle.Node], Proof]) -> Proof:
    """Run ``prove`` on the stored tree, reading all the nodes it asks for in one query."""
    wanted: list[tuple[int, int]] = []

    def noted(level: int, position: int) -> bytes:
        wanted.append((level, position))
        return b""

    prove(noted)
    if not wanted:
        return prove(noted)
    rows = db.session.execute(
        select(LogNode.level, LogNode.position, LogNode.digest).where(
            tuple_(LogNode.level, LogNode.position).in_(wanted)
        )
    )
    stored = {(level, position): bytes(digest) for level, position, digest in rows}
    return prove(lambda level, position: stored[level, position])


# ------------------------------------------------------------------ checkpoints and proofs


def checkpoint_bytes(count: int, root: str, at: datetime) -> bytes:
    """What a checkpoint's signature covers: size, root and moment as canonical JSON."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    content = {"at": moment, "root": root, "size": count}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def as_signed(found: LogCheckpoint) -> dict[str, str]:
    """A checkpoint as it is published: the exact text that its signature covers, and by whom."""
    return {
        "checkpoint": checkpoint_bytes(found.size, found.root, found.at).decode(),
        "signature": found.signature,
        "certificate": found.certificate,
    }


def sign_checkpoint(key: SigningKey) -> LogCheckpoint | None:
    """Sign the root of today's log; None while it is empty. An unchanged log is signed once."""
    take_turn()
    count = size()
    newest = newest_checkpoint()
    if count == 0 or (newest is not None and newest.size == count):
        return newest
    root = root_of(count)
    at = utc_now()
    checkpoint = LogCheckpoint(
        size=count,
        root=root,
        at=at,
        signature=key.sign(checkpoint_bytes(count, root, at)),
        certificate=key.pem,
    )
    db.session.add(checkpoint)
    db.session.flush()
    return checkpoint


def newest_checkpoint() -> LogCheckpoint | None:
    """The checkpoint over the most entries."""
    return db.session.scalar(select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1))


def root_of(count: int) -> str:
    """The root over the first ``count`` entries, in hexadecimal."""
    return _reading(lambda node: merkle.root(node, count)).hex()


@dataclass(frozen=True)
class Inclusion:
    """That an entry is among the first ``size``: its place and the hashes beside its path."""

    entry: LogEntry
    size: int
    root: str
    path: tuple[str, ...]


def prove_inclusion(entry: LogEntry, count: int) -> Inclusion:
    """The proof for ``entry`` in the log of ``count``; raises IndexError when it came later."""
    path = _reading(lambda node: merkle.inclusion_path(node, entry.position, count))
    return Inclusion(entry, count, root_of(count), tuple(step.hex() for step in path))


def prove_consistency(old: int, count: int) -> tuple[str, ...]:
    """That the log of ``count`` continues the log of ``old``; raises IndexError outside them."""
    path = _reading(lambda node: merkle.consistency_path(node, old, count))
    return tuple(step.hex() for step in path)


# ------------------------------------------------------------------ reading


def find(question: str, limit: int = 50) -> list[LogEntry]:
    """Entries whose subject or hash is exactly ``question``, the newest first."""
    column = LogEntry.sha256 if len(question) == 64 else LogEntry.subject
    return list(
        db.session.scalars(
            select(LogEntry)
            .where(column == question)
            .order_by(LogEntry.position.desc())
            .limit(limit)
        )
    )


def newest(before: int | None = None, limit: int = 50) -> list[LogEntry]:
    """Entries from the newest down, or from those before position ``before``."""
    asked = select(LogEntry).order_by(LogEntry.position.desc()).limit(limit)
    if before is not None:
        asked = asked.where(LogEntry.position < before)
    return list(db.session.scalars(asked))


def entries(start: int = 0, end: int | None = None) -> Iterator[LogEntry]:
    """Every entry from ``start`` to before ``end``, in order, in bounded memory."""
    stop = size() if end is None else min(end, size())
    while start < stop:
        rows = db.session.scalars(
            select(LogEntry)
            .where(LogEntry.position >= start, LogEntry.position < min(start + CHUNK, stop))
            .order_by(LogEntry.position)
            .execution_options(populate_existing=True)
        ).all()
        if not rows:
            return
        yield from rows
        start = rows[-1].position + 1


def as_published(entry: LogEntry) -> dict[str, Any]:
    """An entry as the dump and the proofs give it."""
    content: dict[str, Any] = json.loads(
        entry_bytes(entry.kind, entry.subject, entry.sha256, entry.at)
    )
    return {"position": entry.position, **content}


def log_breaches() -> list[str]:
    """Every checkpoint whose root the entries no longer give, in words; empty when all hold."""
    signed = {c.size: c.root for c in db.session.scalars(select(LogCheckpoint))}
    found: list[str] = []
    peaks: list[tuple[int, bytes]] = []
    count = 0
    for entry in entries():
        data = entry_bytes(entry.kind, entry.subject, entry.sha256, entry.at)
        level, digest = 0, merkle.leaf_hash(data)
        while peaks and peaks[-1][0] == level:
            digest = merkle.node_hash(peaks.pop()[1], digest)
            level += 1
        peaks.append((level, digest))
        count += 1
        if count in signed and _over(peaks) != signed.pop(count):
            found.append(f"log: the first {count} entries do not give the signed root")
    found += [f"log: entries before checkpoint {lost} are missing" for lost in sorted(signed)]
    if count and not found and root_of(count) != _over(peaks):
        found.append("log: the stored tree does not follow from the entries")
    return found


def _over(peaks: list[tuple[int, bytes]]) -> str:
    """The root over a row of perfect subtrees, the largest first."""
    digest = peaks[-1][1]
    for _, left in reversed(peaks[:-1]):
        digest = merkle.node_hash(left, digest)
    return digest.hex()
