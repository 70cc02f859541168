"""Decision records: one check as canonical JSON, hashed and signed, so that anyone can re-run it.

A record holds the facts and the whole report, word for word, besides the hash of the policy text
that gives them meaning. Values in, values out: the same check gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from catalogue import keys
from catalogue.policies.document import PolicyDocument
from catalogue.policies.rules import Report, evaluate

FORMAT = "portal-decision-1"
PARTS = ("certificate", "record", "sha256", "signature")
# A record of a full-sized case is 20 kB; one at every limit of the facts is far below this.
MAX_BYTES = 8 * 2**20
MAX_SHOWN = 20
ABSENT = "（没有）"
SHANGHAI = timezone(timedelta(hours=8))


class Unreadable(ValueError):
    """A file is not a decision record; the message says why."""


@dataclass(frozen=True)
class Difference:
    """One place where a record and its re-run part: the path, and both values as JSON."""

    path: str
    recorded: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.path}: 记录 recorded {self.recorded}，重算 recomputed {self.recomputed}"


@dataclass(frozen=True)
class Replayed:
    """What a re-run gave.

    ``same_bytes``: byte for byte. ``differences`` empty without it: another version of the engine
    wrote the record, and every value that it holds comes out the same.
    """

    same_bytes: bool
    differences: tuple[Difference, ...] = ()
    engine: int = 0

    @property
    def agrees(self) -> bool:
        """Whether nothing that was recorded comes out otherwise."""
        return not self.differences


def build(application: str, facts: Mapping[str, Any], report: Report) -> bytes:
    """The record of one check: ``facts`` as they were evaluated, and their ``report``.

    Raises TypeError or ValueError when the facts are not plain JSON (NaN is not).
    """
    return canonical(
        {"format": FORMAT, "application": application, "facts": facts, **_parts(report)}
    )


def canonical(value: Any) -> bytes:
    """JSON bytes: sorted keys, UTF-8, no spaces."""
    return json.dumps(
        value,
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
        default=_parts,
    ).encode()


def _parts(value: Any) -> dict[str, Any]:
    """A part of the report as a mapping; ``dataclasses.asdict`` would copy everything first."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def hash_of(record: bytes) -> str:
    """The SHA-256 of a record, hexadecimal."""
    return hashlib.sha256(record).hexdigest()


def envelope(record: bytes, signature: str, certificate: str) -> bytes:
    """The file that people get: record, hash, signature and certificate; canonical JSON too."""
    return canonical(
        {
            "record": json.loads(record),
            "sha256": hash_of(record),
            "signature": signature,
            "certificate": certificate,
        }
    )


def opened(text: str | bytes) -> tuple[dict[str, Any], bytes]:
    """The parts of an envelope, and the record's bytes; raises Unreadable.

    A key written twice is refused, not chosen.
    """
    if len(text) > MAX_BYTES:
        raise Unreadable(f"文件超过 {MAX_BYTES // 2**20} MB")
    try:
        parts = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"不是 JSON：{error}") from None
    if not isinstance(parts, dict) or any(part not in parts for part in PARTS):
        raise Unreadable(f"应有 {'、'.join(PARTS)} 四项")
    record = parts["record"]
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise Unreadable(f"不是 {FORMAT} 格式的核验记录")
    if not all(isinstance(parts[part], str) for part in PARTS if part != "record"):
        raise Unreadable("sha256、signature、certificate 应是文字")
    try:
        return parts, canonical(record)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"记录不能写成 UTF-8 的 JSON：{type(error).__name__}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("同一个键写了两次")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} 不是一个数")


def seal_differences(
    parts: Mapping[str, Any], record: bytes, root: str | None = None
) -> list[Difference]:
    """What is wrong with the hash, the signature, or (with ``root``, PEM) the signer."""
    found = []
    if parts["sha256"] != hash_of(record):
        found.append(Difference("sha256", parts["sha256"], hash_of(record)))
    certificate = parts["certificate"]
    if not keys.verify(record, parts["signature"], certificate):
        found.append(Difference("signature", "有", "与内容或证书不符 does not verify"))
    if root is not None:
        now = datetime.now(UTC)
        try:
            day = date.fromisoformat(parts["record"]["today"])
        except (ValueError, TypeError, KeyError):
            day = now.date()
        # A check is signed on its day or later: the signer was in force then, or came after.
        since = datetime.combine(day, time(0), SHANGHAI)
        if not keys.issued_under(certificate, root, since, max(since, now)):
            found.append(Difference("certificate", "有", "不是这个根证书签发 not under this root"))
    return found


def rerun(
    record: bytes, document: PolicyDocument, held: Mapping[str, Any] | None = None
) -> Replayed:
    """Evaluate the facts of ``record`` again under ``document`` and compare; never raises on facts.

    ``held`` is the record read, where the caller has it. Raises Unreadable when the record lacks
    what a re-run needs.
    """
    held = json.loads(record) if held is None else held
    try:
        application, facts = held["application"], held["facts"]
        today = date.fromisoformat(held["today"])
        report = evaluate(document, facts, today)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Unreadable(f"记录缺内容：{error!r}") from None
    again = build(application, facts, report)
    engine = held.get("engine", 0)
    if again == record:
        return Replayed(same_bytes=True, engine=engine)
    new = json.loads(again)
    if engine != report.engine:
        # A later engine may say more; what the record says must still come out.
        new = {**_restricted(new, held), "engine": engine}
    found = []
    for difference in _differences(held, new, ""):
        found.append(difference)
        if len(found) == MAX_SHOWN:
            break
    return Replayed(same_bytes=False, differences=tuple(found), engine=engine)


def _restricted(new: Any, held: Any) -> Any:
    """``new`` without the keys that ``held`` does not know, at every depth."""
    if isinstance(new, dict) and isinstance(held, dict):
        return {key: _restricted(new[key], held[key]) for key in new if key in held}
    if isinstance(new, list) and isinstance(held, list) and len(new) == len(held):
        return [_restricted(*pair) for pair in zip(new, held, strict=True)]
    return new


def _differences(held: Any, new: Any, path: str) -> Iterator[Difference]:
    """Where two JSON values part, the deepest paths."""
    if isinstance(held, dict) and isinstance(new, dict):
        for key in sorted({*held, *new}):
            inner = f"{path}.{key}" if path else key
            yield from _differences(held.get(key, _Absent), new.get(key, _Absent), inner)
    elif isinstance(held, list) and isinstance(new, list):
        for index in range(max(len(held), len(new))):
            one, other = (item[index] if index < len(item) else _Absent for item in (held, new))
            yield from _differences(one, other, f"{path}[{index}]")
    elif type(held) is not type(new) or held != new:
        yield Difference(path, _shown(held), _shown(new))


class _Absent:
    """Stands for a value that one side lacks."""


def _shown(value: Any) -> str:
    if value is _Absent:
        return ABSENT
    text = canonical(value).decode()
    return text if len(text) <= 200 else text[:200] + "…"
