"""Receiving, keeping and opening files."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from flask import current_app
from sqlalchemy import select

from catalogue.accounts.models import User
from catalogue.audit.operations import record
from catalogue.database import db
from catalogue.documents import store as files
from catalogue.documents.models import Document
from catalogue.documents.rules import Unacceptable, media_type_of, safe_filename
from catalogue.errors import Refused


def _folder() -> Path:
    return Path(current_app.config["STORAGE_DIR"])


@dataclass(frozen=True)
class Arrived:
    """A file that passed the checks and lies in the store, but is nobody's yet; size in bytes."""

    sha256: str
    filename: str
    media_type: str
    size: int


def receive(
    stream: BinaryIO, filename: str, field: str | None = None, limit: int | None = None
) -> Arrived:
    """Check an uploaded file of at most ``limit`` bytes (else MAX_UPLOAD_BYTES) and keep it.

    Raises Refused (413 too large, 422 not acceptable) with the reason in words.
    """
    largest = current_app.config["MAX_UPLOAD_BYTES"]
    limit = largest if limit is None else min(limit, largest)
    try:
        staged, sha256, size = files.receive(_folder(), stream, limit)
    except files.TooLarge as error:
        raise Refused(f"单个文件不超过 {limit // 2**20} MB", field, 413) from error
    except OSError as error:
        raise Refused("文件没有存下来，存储暂时不可用，请稍后再传", field, 503) from error
    try:
        if size == 0:
            raise Refused("这个文件是空的，请重新选择", field, 422)
        with staged.open("rb") as content:
            media_type = media_type_of(content)
        files.keep(_folder(), staged, sha256)
    except Unacceptable as error:
        raise Refused(str(error), field, 422) from error
    finally:
        staged.unlink(missing_ok=True)
    return Arrived(sha256, safe_filename(filename or "文件", media_type), media_type, size)


def store(
    stream: BinaryIO, filename: str, uploader: User, enterprise_id: int, field: str | None = None
) -> Document:
    """Keep an uploaded file of a firm and return its row; the same bytes return the same row.

    Raises Refused as `receive` does.
    """
    arrived = receive(stream, filename, field)
    known = db.session.scalar(
        select(Document).where(
            Document.sha256 == arrived.sha256, Document.enterprise_id == enterprise_id
        )
    )
    return known or _kept(arrived, uploader, enterprise_id=enterprise_id)


def confine(arrived: Arrived, only_role: str, uploader: User | None = None) -> Document:
    """The row of a file that only staff with ``only_role`` may see, whoever sent it."""
    return _kept(arrived, uploader, only_role=only_role)


def _kept(arrived: Arrived, uploader: User | None, **owned: Any) -> Document:
    document = Document(
        sha256=arrived.sha256,
        filename=arrived.filename,
        media_type=arrived.media_type,
        size=arrived.size,
        uploaded_by_id=uploader.id if uploader else None,
        **owned,
    )
    db.session.add(document)
    record("document.store", document, uploader, sha256=arrived.sha256, size=arrived.size)
    return document


def store_generated(
    data: bytes | BinaryIO, filename: str, media_type: str, enterprise_id: int | None = None
) -> Document:
    """Keep a file that the portal itself made; one too large for the memory comes as a stream."""
    stream = BytesIO(data) if isinstance(data, bytes) else data
    staged, sha256, size = files.receive(_folder(), stream, limit=2**31)
    files.keep(_folder(), staged, sha256)
    document = Document(
        sha256=sha256,
        filename=safe_filename(filename, media_type),
        media_type=media_type,
        size=size,
        uploaded_by_id=None,
        enterprise_id=enterprise_id,
    )
    db.session.add(document)
    record("document.store", document, None, sha256=sha256, size=size)
    return document


def open_document(document: Document) -> BinaryIO:
    """The bytes, open for reading; raises Refused when the store has lost them."""
    try:
        return files.place_of(_folder(), document.sha256).open("rb")
    except OSError as error:
        raise Refused("文件暂时取不出来，存储不可用，请稍后再试", status=503) from error


def storage_works() -> bool:
    """Whether the store takes a write now."""
    try:
        staged, _, _ = files.receive(_folder(), BytesIO(b"probe"), limit=16)
    except OSError:
        return False
    staged.unlink(missing_ok=True)
    return True


def missing_files() -> list[str]:
    """Rows whose bytes are not in the store."""
    rows = db.session.execute(select(Document.id, Document.sha256))
    return [
        f"documents: the file of document {key} is missing"
        for key, sha256 in rows
        if not files.place_of(_folder(), sha256).is_file()
    ]
