"""Building: the fields of many listings, cut into words by several processes at once.

Cutting and spelling take four fifths of a build, and one Python process has one core. The helpers
are plain processes that read batches and write fields; whatever becomes of them, the builder
goes on alone.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import structlog

from catalogue.listings.index import CARD, Entry, Fields, fields_of

log = structlog.get_logger(__name__)

BATCH = 500
# Fewer listings are built sooner than a helper starts.
ALONE = 8_000
_NEEDED = ("id", *CARD)

_ROOT = Path(__file__).resolve().parents[2]

Helper = subprocess.Popen[bytes]


def built(entries: Iterable[Entry], helpers: int | None = None) -> Iterator[Fields]:
    """The fields of every listed entry, in any order; ``helpers`` is one a core when not given."""
    listed = (entry for entry in entries if entry["status"] == "listed")
    yield from map(fields_of, islice(listed, ALONE))
    batches = iter(lambda: list(islice(listed, BATCH)), [])
    first = next(batches, None)
    if first is None:
        return
    hands = _started((os.cpu_count() or 1) if helpers is None else helpers)
    try:
        yield from _by(hands, chain([first], batches))
    finally:
        for hand in hands:
            hand.kill()
            hand.communicate()


def _by(hands: Iterable[Helper], batches: Iterator[list[Entry]]) -> Iterator[Fields]:
    """Each helper has one batch at a time, and the next before its answer is used."""
    held: deque[tuple[Helper, list[Entry]]] = deque()
    for hand in hands:
        yield from _handed(hand, next(batches, []), held)
    while held:
        hand, batch = held.popleft()
        found = _answer(hand)
        if found is None:
            yield from map(fields_of, batch)
            continue
        yield from _handed(hand, next(batches, []), held)
        yield from found
    for batch in batches:
        yield from map(fields_of, batch)


def _handed(
    hand: Helper, batch: list[Entry], held: deque[tuple[Helper, list[Entry]]]
) -> Iterable[Fields]:
    """Nothing when the helper took the batch; its fields, made here, when it is gone."""
    if not batch:
        return ()
    assert hand.stdin is not None
    try:
        pickle.dump([{key: entry[key] for key in _NEEDED} for entry in batch], hand.stdin)
        hand.stdin.flush()
    except OSError:
        return map(fields_of, batch)
    held.append((hand, batch))
    return ()


def _answer(hand: Helper) -> list[Fields] | None:
    """What the helper made of its batch; None when it is gone."""
    assert hand.stdout is not None
    try:
        found: list[Fields] = pickle.load(hand.stdout)  # noqa: S301 - our own child
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        log.warning("index_helper_lost", reason=type(error).__name__)
        return None
    return found


def _started(count: int) -> list[Helper]:
    command = [sys.executable, "-m", "catalogue.listings.building"]
    hands: list[Helper] = []
    try:
        for _ in range(count):
            pipe = subprocess.PIPE
            hands.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=_ROOT))
    except OSError as error:
        log.warning("index_helper_missing", reason=str(error)[:200])
    return hands


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer batches of entries with their fields until there are no more."""
    while True:
        try:
            batch = pickle.load(source)  # noqa: S301 - our own parent
        except EOFError:
            return
        pickle.dump(list(map(fields_of, batch)), target)
        target.flush()


if __name__ == "__main__":
    # Searches come first.
    os.nice(5)
    serve(sys.stdin.buffer, sys.stdout.buffer)
