"""The content-addressed folder: a file lies under its own SHA-256 and is written once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 16


class TooLarge(ValueError):
    """More bytes arrived than the limit allows."""


def receive(folder: Path, stream: BinaryIO, limit: int) -> tuple[Path, str, int]:
    """Write ``stream`` to a staging file, stopping past ``limit`` bytes: path, SHA-256, size."""
    staging = folder / "staging"
    staging.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    handle, name = tempfile.mkstemp(dir=staging)
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as target:
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise TooLarge
                digest.update(chunk)
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path, digest.hexdigest(), size


def keep(folder: Path, staged: Path, sha256: str) -> None:
    """Move a staged file to its place; the rename is atomic and repeating it is harmless."""
    place = place_of(folder, sha256)
    place.parent.mkdir(parents=True, exist_ok=True)
    staged.replace(place)
    directory = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def place_of(folder: Path, sha256: str) -> Path:
    """Where the bytes with this SHA-256 lie."""
    return folder / sha256[:2] / sha256
