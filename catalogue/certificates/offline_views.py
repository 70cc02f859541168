"""What one needs to check our papers without us: the verifier, the root, the status files."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    send_file,
    url_for,
)

from catalogue import keys
from catalogue.accounts.access import public
from catalogue.certificates import operations, status_files
from catalogue.documents.operations import open_document

bp = Blueprint("offline", __name__, url_prefix="/verifier")


@cache
def _program() -> bytes:
    return (Path(__file__).parent / "verifier.py").read_bytes()


@bp.get("")
@public
def page() -> Any:
    return render_template(
        "certificates/verifier.html",
        sha256=hashlib.sha256(_program()).hexdigest(),
        size=len(_program()),
        files=status_files.newest(),
        signers=operations.signers(),
        current=keys.of(current_app.config).fingerprint,
    )


@bp.get("/verifier.py")
@public
def program() -> Any:
    return _download(_program(), "verifier.py", "text/x-python; charset=utf-8")


@bp.get("/root.pem")
@public
def root() -> Any:
    """Today's root first, then those of earlier keys: papers outlive the key that signed them."""
    pem = "".join(item.public_bytes(Encoding.PEM).decode("ascii") for item in operations.roots())
    return _download(pem.encode(), "root.pem", "application/x-pem-file")


def _download(data: bytes, filename: str, media_type: str) -> Response:
    return Response(
        data,
        content_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )


@bp.get("/status.json")
@public
def newest_status() -> Any:
    files = status_files.newest(1) or abort(404)
    return redirect(url_for(".status", day=files[0].day.isoformat()))


@bp.get("/status/<day>.json")
@public
def status(day: str) -> Any:
    try:
        found = status_files.of_day(date.fromisoformat(day))
    except ValueError:
        found = None
    document = (found or abort(404)).document
    return send_file(
        open_document(document),
        mimetype="application/json",
        as_attachment=True,
        download_name=document.filename,
    )
