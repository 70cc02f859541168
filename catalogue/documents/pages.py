"""Pages of stored files as pictures with marks: drawn by a bounded program, kept by content."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import current_app

from catalogue.documents import drawing
from catalogue.documents import store as files
from catalogue.documents.models import Document
from catalogue.documents.rules import JPEG, PDF, PNG

SHOWN = (PDF, PNG, JPEG)
# Part of every kept name: raise it when the drawing changes.
EDITION = 1
MAX_MARKS = 40
MAX_MARK_LENGTH = 160
MAX_PAGE = 2000
SECONDS = 10
KEPT_FILES = 2000
# Of all requests of this process, so many may draw at once; the rest wait a little, then give up.
_places = threading.BoundedSemaphore(2)


class Unshowable(Exception):
    """The page cannot be shown; the text says what the reader can do."""


@dataclass(frozen=True)
class Mark:
    """Something typed that the file should say: its value, and the word that stands before it."""

    value: str
    label: str = ""

    def __str__(self) -> str:
        return f"{self.label}={self.value}"


def mark_of(text: str) -> Mark:
    """A mark out of an address: ``label=value``, or the value alone."""
    label, equals, value = text.partition("=")
    return Mark(value.strip(), label.strip()) if equals else Mark(label.strip())


def bounded(marks: Sequence[Mark]) -> bool:
    """Whether so many and so long marks are drawn at all."""
    return len(marks) <= MAX_MARKS and all(len(str(mark)) <= MAX_MARK_LENGTH for mark in marks)


def read(document: Document, marks: Sequence[Mark]) -> dict[str, Any]:
    """What the file says: pages, read, text, and per mark its pages or what stands there.

    Raises Unshowable for a kind of file that has no pages and for one that cannot be read.
    """
    if document.media_type not in SHOWN:
        raise Unshowable("这种文件不能预览，请下载")
    found: dict[str, Any] = json.loads(_answer(document, "read", 0, marks))
    return found


def draw(document: Document, page: int, marks: Sequence[Mark]) -> bytes:
    """One page (from 1) as PNG, with the marks; raises Unshowable."""
    if document.media_type not in SHOWN:
        raise Unshowable("这种文件不能预览，请下载")
    return _answer(document, "draw", page, marks)


def name_of(document: Document, task: str, page: int, marks: Sequence[Mark]) -> str:
    """What the answer is kept under, and its ETag: equal for equal content and marks."""
    words = [EDITION, document.sha256, task, page, [str(mark) for mark in marks]]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _answer(document: Document, task: str, page: int, marks: Sequence[Mark]) -> bytes:
    kept = _folder() / name_of(document, task, page, marks)
    try:
        return kept.read_bytes()
    except OSError:
        answer = _ask(document, task, page, marks)
    _keep(kept, answer)
    return answer


def _ask(document: Document, task: str, page: int, marks: Sequence[Mark]) -> bytes:
    order = {
        "task": task,
        "path": str(files.place_of(Path(current_app.config["STORAGE_DIR"]), document.sha256)),
        "media_type": document.media_type,
        "page": page,
        "marks": [{"value": mark.value, "label": mark.label} for mark in marks],
        "font": _font(),
    }
    if not _places.acquire(timeout=SECONDS):
        raise Unshowable("预览正忙，请稍后刷新，或先下载")
    try:
        done = subprocess.run(
            [sys.executable, "-I", drawing.__file__],
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=SECONDS,
            env={"PATH": os.environ.get("PATH", "")},
            check=True,
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise Unshowable("不能预览，请下载") from error
    finally:
        _places.release()
    return done.stdout


def _font() -> str | None:
    found = sorted(Path(current_app.config["FONTS_DIR"]).glob("sans-*-400.ttf"))
    return str(found[0]) if found else None


def _folder() -> Path:
    return Path(current_app.config["VAR_DIR"]) / "pages"


def _keep(kept: Path, answer: bytes) -> None:
    """Keep an answer for the next reader; a full disk only makes the next one wait."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        staged = kept.with_name(f"{kept.name}.{os.getpid()}.{threading.get_ident()}")
        staged.write_bytes(answer)
        staged.replace(kept)
        present = sorted(kept.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for old in present[: max(0, len(present) - KEPT_FILES)]:
            old.unlink(missing_ok=True)
    except OSError:
        return
