"""The signed file of every certificate's status on a day, which the stand-alone verifier reads."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from catalogue.audit import log
from catalogue.certificates.models import Certificate, StatusFile
from catalogue.database import db, utc_now
from catalogue.documents.operations import store_generated
from catalogue.keys import SigningKey

FORMAT = "portal-status-1"


def make(day: date, key: SigningKey) -> StatusFile:
    """Sign and keep the statuses of ``day`` together with the newest root of the public log."""
    signed = log.sign_checkpoint(key)
    rows = db.session.scalars(
        select(Certificate)
        .where(Certificate.file_sha256.is_not(None))
        .options(selectinload(Certificate.follower))
        .order_by(Certificate.number)
        .execution_options(yield_per=1000)
    )
    certificates = [_line(certificate, day) for certificate in rows]
    content = {
        "format": FORMAT,
        "date": day.isoformat(),
        "made_at": utc_now().astimezone(UTC).isoformat(timespec="seconds"),
        "certificates": certificates,
        "checkpoint": None if signed is None else log.as_signed(signed),
    }
    data = _canonical(content)
    envelope = {
        "status": content,
        "sha256": hashlib.sha256(data).hexdigest(),
        "signature": key.sign(data),
        "certificate": key.pem,
    }
    document = store_generated(
        _canonical(envelope), f"status-{day.isoformat()}.json", "application/json"
    )
    made = StatusFile(day=day, certificates=len(certificates), document=document)
    db.session.add(made)
    db.session.flush()
    return made


def make_missing(day: date, key: SigningKey) -> StatusFile | None:
    """The first file of ``day``, unless there is one already."""
    return None if of_day(day) else make(day, key)


def _line(certificate: Certificate, day: date) -> dict[str, Any]:
    return {
        "number": certificate.number,
        "sha256": certificate.file_sha256,
        "status": certificate.standing(day).id,
        "valid_from": certificate.valid_from.isoformat(),
        "valid_until": certificate.valid_until.isoformat(),
    }


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def of_day(day: date) -> StatusFile | None:
    """The last file made for ``day``."""
    return db.session.scalar(
        select(StatusFile).where(StatusFile.day == day).order_by(StatusFile.id.desc()).limit(1)
    )


def newest(limit: int = 30) -> list[StatusFile]:
    """The newest files, newest first."""
    return list(db.session.scalars(select(StatusFile).order_by(StatusFile.id.desc()).limit(limit)))
