"""Proofs from a public log of 1,000,000 entries against the bare hashes of the same path."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from catalogue.audit import log, merkle
from catalogue.audit.models import LogEntry
from catalogue.database import db

COUNT = int(os.environ.get("BENCH_LOG", "1000000"))
PROOFS = 200
AT = datetime(2026, 1, 1, tzinfo=UTC)


def _rows(stored: dict[tuple[int, int], bytes]) -> Iterator[tuple[Any, ...]]:
    for position in range(COUNT):
        subject, sha256 = f"SHCP-2026-{position:07d}", f"{position:064x}"
        leaf = merkle.leaf_hash(log.entry_bytes("certificate", subject, sha256, AT))
        for level, place, digest in merkle.completed(
            position, leaf, lambda level, place: stored[level, place]
        ):
            stored[level, place] = digest
        yield position, "certificate", subject, sha256, AT


def _filled() -> None:
    """Copied in, since a million appends one by one are not what is measured here."""
    stored: dict[tuple[int, int], bytes] = {}
    connection = db.session.connection().connection.driver_connection
    assert connection is not None
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL session_replication_role = replica; SET LOCAL statement_timeout = 0"
        )
        with cursor.copy("COPY log_entry (position, kind, subject, sha256, at) FROM STDIN") as copy:
            for row in _rows(stored):
                copy.write_row(row)
        with cursor.copy("COPY log_node (level, position, digest) FROM STDIN") as copy:
            for (level, position), digest in stored.items():
                copy.write_row((level, position, digest))
        cursor.execute("ANALYZE log_entry; ANALYZE log_node")
    db.session.commit()


def test_proofs_of_a_long_log(session: Any) -> None:
    began = time.perf_counter()
    _filled()
    print(f"\nlog of {COUNT:,} entries loaded in {time.perf_counter() - began:.0f} s")
    taken, bare = [], []
    for number in range(PROOFS):
        position = number * 4_999 % COUNT
        began = time.perf_counter()
        entry = db.session.get_one(LogEntry, position)
        proof = log.prove_inclusion(entry, COUNT)
        taken.append(time.perf_counter() - began)
        path = [bytes.fromhex(step) for step in proof.path]
        leaf = merkle.leaf_hash(log.entry_bytes(entry.kind, entry.subject, entry.sha256, entry.at))
        began = time.perf_counter()
        assert merkle.includes(leaf, position, COUNT, path, bytes.fromhex(proof.root))
        bare.append(time.perf_counter() - began)
    p50, p95 = statistics.median(taken), sorted(taken)[int(PROOFS * 0.95)]
    print(
        f"inclusion proof: p50 {p50 * 1000:.2f} ms, p95 {p95 * 1000:.2f} ms;"
        f" checking one takes {statistics.median(bare) * 1e6:.0f} µs (path of {len(path)})"
    )
    began = time.perf_counter()
    log.prove_consistency(COUNT // 3, COUNT)
    print(f"consistency proof: {(time.perf_counter() - began) * 1000:.2f} ms")
    began = time.perf_counter()
    log.append("notice", "GS-2026-0001", "0" * 64)
    db.session.commit()
    print(f"append and commit: {(time.perf_counter() - began) * 1000:.2f} ms")
    began = time.perf_counter()
    assert log.log_breaches() == []
    print(f"whole log verified in {time.perf_counter() - began:.0f} s")
