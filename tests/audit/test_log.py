"""The public log: proofs from the stored tree, signed roots, and what tampering breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from catalogue import keys
from catalogue.audit import log, merkle


def _hash(number: int) -> str:
    return f"{number:064x}"


def _fill(count: int) -> None:
    for number in range(count):
        log.append("certificate", f"SHCP-2026-{number:04d}", _hash(number))


@pytest.fixture
def key(tmp_path: Path) -> keys.SigningKey:
    return keys.load(tmp_path)


def test_entries_are_proven_by_their_published_bytes_alone(
    session: Any, key: keys.SigningKey
) -> None:
    _fill(11)
    checkpoint = log.sign_checkpoint(key)
    assert checkpoint is not None
    (entry,) = log.find("SHCP-2026-0006")
    proof = log.prove_inclusion(entry, checkpoint.size)
    published = log.as_published(entry)
    position = published.pop("position")
    data = json.dumps(published, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert merkle.includes(
        merkle.leaf_hash(data.encode()),
        position,
        proof.size,
        [bytes.fromhex(step) for step in proof.path],
        bytes.fromhex(checkpoint.root),
    )
    assert keys.verify(
        log.checkpoint_bytes(checkpoint.size, checkpoint.root, checkpoint.at),
        checkpoint.signature,
        checkpoint.certificate,
    )
    _fill(14)
    assert log.size() == 14, "the same entry is entered once"
    path = [bytes.fromhex(step) for step in log.prove_consistency(11, 14)]
    old, new = bytes.fromhex(checkpoint.root), bytes.fromhex(log.root_of(14))
    assert merkle.consistent(11, 14, old, new, path)
    with pytest.raises(IndexError):
        log.prove_inclusion(log.find("SHCP-2026-0013")[0], 11)


@pytest.mark.parametrize(
    "act",
    [
        "UPDATE log_entry SET at = at - interval '1 day' WHERE position = 3",
        "DELETE FROM log_entry WHERE position = 4",
        "INSERT INTO log_entry VALUES (9, 'notice', 'GS-1', repeat('0', 64), now())",
        "INSERT INTO log_entry VALUES (5, 'gossip', 'GS-1', repeat('0', 64), now())",
        "UPDATE log_node SET digest = repeat('x', 32)::bytea WHERE level = 1",
        "DELETE FROM log_checkpoint",
        "TRUNCATE log_checkpoint",
    ],
)
def test_the_database_keeps_the_log(session: Any, key: keys.SigningKey, act: str) -> None:
    _fill(5)
    log.sign_checkpoint(key)
    session.commit()
    with pytest.raises(DatabaseError):
        session.execute(text(act))


@pytest.mark.parametrize(
    ("act", "says"),
    [
        ("UPDATE log_entry SET at = at - interval '1 day' WHERE position = 3", "signed root"),
        ("DELETE FROM log_entry WHERE position = 4", "are missing"),
        (
            "UPDATE log_node SET digest = decode(repeat('ab', 32), 'hex') WHERE level = 2",
            "stored tree",
        ),
    ],
)
def test_tampering_below_the_triggers_breaks_a_signed_root(
    session: Any, key: keys.SigningKey, act: str, says: str
) -> None:
    _fill(5)
    log.sign_checkpoint(key)
    assert log.log_breaches() == []
    session.execute(text("SET LOCAL session_replication_role = replica"))
    session.execute(text(act))
    session.expire_all()
    (breach,) = log.log_breaches()
    assert says in breach
