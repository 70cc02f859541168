"""The public log: who looks, searches, and takes the proofs and the whole of it away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    render_template,
    request,
    stream_with_context,
)

from catalogue.accounts.access import public
from catalogue.audit import log
from catalogue.audit.models import LOG_KINDS, LogCheckpoint, LogEntry
from catalogue.database import db

bp = Blueprint("log", __name__, url_prefix="/log")

PER_PAGE = 50
MAX_QUESTION = 80


@bp.get("")
@public
def entries() -> Any:
    typed = request.args.get("q", "").strip()
    before = request.args.get("before", type=int)
    if len(typed) > MAX_QUESTION or not 0 <= (before or 0) < 2**63:
        abort(404)
    shown = log.find(typed) if typed else log.newest(before, PER_PAGE)
    return render_template(
        "certificates/log.html",
        typed=typed,
        entries=shown,
        kinds=LOG_KINDS,
        size=log.size(),
        checkpoint=log.newest_checkpoint(),
        older=shown[-1].position if shown and not typed and shown[-1].position else None,
        paged=before is not None,
    )


@bp.get("/<int:position>")
@public
def entry(position: int) -> Any:
    found = _entry(position)
    checkpoint = log.newest_checkpoint()
    proven = checkpoint is not None and position < checkpoint.size
    return render_template(
        "certificates/log_entry.html",
        entry=found,
        kind=LOG_KINDS[found.kind],
        checkpoint=checkpoint,
        proof=log.prove_inclusion(found, checkpoint.size) if checkpoint and proven else None,
        leaf=log.entry_bytes(found.kind, found.subject, found.sha256, found.at).decode(),
    )


def _entry(position: int) -> LogEntry:
    found: LogEntry | None = db.session.get(LogEntry, position) if position < 2**63 else None
    return found or abort(404)


@bp.get("/checkpoint.json")
@public
def checkpoint() -> Any:
    return jsonify(log.as_signed(_checkpoint(request.args.get("size", type=int))))


def _checkpoint(size: int | None) -> LogCheckpoint:
    if size is None:
        return log.newest_checkpoint() or abort(404)
    found: LogCheckpoint | None = db.session.get(LogCheckpoint, size) if size < 2**63 else None
    return found or abort(404)


@bp.get("/inclusion.json")
@public
def inclusion() -> Any:
    """The proof that one entry stands under a signed root; ``size`` defaults to the newest."""
    found = _entry(request.args.get("position", default=-1, type=int))
    signed = _checkpoint(request.args.get("size", type=int))
    if found.position >= signed.size:
        abort(404)
    proof = log.prove_inclusion(found, signed.size)
    return jsonify(
        {"entry": log.as_published(found), "path": list(proof.path), **log.as_signed(signed)}
    )


@bp.get("/consistency.json")
@public
def consistency() -> Any:
    """The proof that a signed log continues an older signed one."""
    old = _checkpoint(request.args.get("from", default=-1, type=int))
    new = _checkpoint(request.args.get("to", type=int))
    if old.size > new.size:
        abort(404)
    path = log.prove_consistency(old.size, new.size)
    return jsonify({"from": log.as_signed(old), "to": log.as_signed(new), "path": list(path)})


@bp.get("/entries.jsonl")
@public
def dump() -> Any:
    """Every entry from ``from`` to before ``to``, one JSON object a line, as a download."""
    start, end = request.args.get("from", 0, type=int), request.args.get("to", type=int)
    if not 0 <= start <= (start if end is None else end) < 2**63:
        abort(404)

    def lines() -> Iterator[str]:
        for found in log.entries(start, end):
            yield json.dumps(log.as_published(found), ensure_ascii=False) + "\n"

    return Response(
        stream_with_context(lines()),
        mimetype="application/jsonl",
        headers={"Content-Disposition": 'attachment; filename="log-entries.jsonl"'},
    )
