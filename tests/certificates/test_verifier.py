"""The stand-alone verifier, run as a stranger would, on true and on false files."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import current_app
from flask.testing import FlaskClient
from sqlalchemy import select

from catalogue import keys
from catalogue.audit import log
from catalogue.certificates import status_files, verifier
from catalogue.certificates.operations import of_application
from catalogue.database import SHANGHAI, utc_now
from catalogue.notices.models import Notice
from catalogue.policies import record as decision
from tests import builders
from tests.certificates.specimen import NOW, signer


@pytest.fixture
def kit(session: Any, client: FlaskClient, tmp_path: Path) -> Path:
    """A folder with everything that a stranger downloads."""
    key = keys.of(current_app.config)
    application = builders.concluded()
    log.append("notice", "GS-2026-9999", "0" * 64)
    log.sign_checkpoint(key)
    session.commit()
    log.append("notice", "GS-2026-9998", "1" * 64)
    status_files.make(utc_now().astimezone(SHANGHAI).date(), key)
    session.commit()
    sizes = [c.size for c in session.query(log.LogCheckpoint).order_by(log.LogCheckpoint.size)]
    certificate = of_application(application.id)
    assert certificate is not None
    pages = {
        "verifier.py": "/verifier/verifier.py",
        "root.pem": "/verifier/root.pem",
        "status.json": "/verifier/status.json",
        "entries.jsonl": "/log/entries.jsonl",
        "inclusion.json": "/log/inclusion.json?position=1",
        "consistency.json": f"/log/consistency.json?from={sizes[0]}&to={sizes[-1]}",
    }
    for name, address in pages.items():
        answer = client.get(address, follow_redirects=True)
        assert answer.status_code == 200, address
        (tmp_path / name).write_bytes(answer.data)
    builders.sign_in(client, builders.clerk_of(application.enterprise))
    paper = client.get(f"/certificates/{certificate.number}/pdf", follow_redirects=True)
    assert paper.data.startswith(b"%PDF"), paper.status
    (tmp_path / "certificate.pdf").write_bytes(paper.data)
    notice = session.scalars(select(Notice)).one()
    (tmp_path / "notice.json").write_bytes(client.get(f"/notices/{notice.id}/signed.json").data)
    assert log.find(notice.number)[0].sha256 == notice.newest.sha256
    record = client.get(f"/applications/{application.number}/record.json")
    (tmp_path / "record.json").write_bytes(record.data)
    assert key.root_pem == (tmp_path / "root.pem").read_text()
    return tmp_path


def run(kit: Path, *names: str, status: bool = True) -> tuple[int, str]:
    given = ["--status", "status.json"] if status else []
    done = subprocess.run(
        [sys.executable, "-I", "verifier.py", "--root", "root.pem", *given, *names],
        cwd=kit,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def altered(kit: Path, name: str, change: Any) -> str:
    """A changed copy of a file; its name."""
    path = kit / f"altered-{name}"
    path.write_bytes(change((kit / name).read_bytes()))
    return path.name


def test_what_is_true_holds_and_what_was_touched_does_not(kit: Path) -> None:
    true = ("certificate.pdf", "record.json", "notice.json", "inclusion.json", "consistency.json")
    code, said = run(kit, *true, "entries.jsonl", "status.json")
    assert code == 0, said
    assert said.count("✓") == 7
    assert "是平台发出的原件" in said

    def flipped(data: bytes) -> bytes:
        place = data.index(b"stream") + 40
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    def padded(data: bytes) -> bytes:
        place = data.index(b"00>", data.index(b"/Contents <")) - 20
        return data[:place] + b"01" + data[place + 2 :]

    def backdated(data: bytes) -> bytes:
        lines = data.splitlines()
        entry = json.loads(lines[0])
        lines[0] = json.dumps({**entry, "at": "2020-01-01T00:00:00.000000+00:00"}).encode()
        return b"\n".join(lines)

    def other_amount(data: bytes) -> bytes:
        part = json.loads(data)
        part["record"]["application"] = "SB-2026-9999"
        return json.dumps(part, ensure_ascii=False).encode()

    false = [
        altered(kit, "certificate.pdf", flipped),
        altered(kit, "record.json", other_amount),
        altered(kit, "entries.jsonl", backdated),
        altered(kit, "inclusion.json", lambda data: data.replace(b'"sha256":"', b'"sha256":"0')),
    ]
    code, said = run(kit, *false)
    assert code == 1 and said.count("✗") == len(false), said
    for change in (lambda data: data + b"\n%% more", padded):
        code, said = run(kit, altered(kit, "certificate.pdf", change), status=False)
        assert code == 1, said
    # A key written twice, of which another reader may take the first.
    twice = b'{"record":{"application":"SB-2026-9999"},'
    unreadable = [
        altered(kit, "record.json", lambda data: twice + data[1:]),
        altered(kit, "status.json", lambda _: b"[" * 100_000),
    ]
    code, said = run(kit, *unreadable)
    assert code == 2 and said.count("?") == 2, said
    # What was entered after the signed root is not passed off as proven.
    code, said = run(kit, altered(kit, "entries.jsonl", lambda data: data + b'{"kind":"forged"}\n'))
    assert code == 0 and "其后 1 条" in said, said


def test_no_other_signed_file_passes_for_a_status_file(kit: Path) -> None:
    part = json.loads((kit / "notice.json").read_bytes())
    part["status"] = part.pop("notice")
    (kit / "status.json").write_text(json.dumps(part))
    code, said = run(kit, "certificate.pdf")
    assert code == 2 and "不是状态文件" in said, said


def test_a_look_alike_authority_is_refused(kit: Path, tmp_path_factory: Any) -> None:
    other = keys.load(tmp_path_factory.mktemp("other-keys"))
    (kit / "root.pem").write_text(other.root_pem)
    code, said = run(kit, "certificate.pdf", "record.json", "inclusion.json", status=False)
    assert code == 1 and said.count("✗") == 3, said


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("status", "made_at"),
        ("frozen", "frozen_at"),
        ("notice", "opens_at"),
        ("record", "today"),
        ("checkpoint", "at"),
    ],
)
@pytest.mark.parametrize(
    ("days_ago", "holds"),
    # The signer served from 800 to 400 days ago; signing comes after the stated moment.
    [(600, True), (900, True), (300, False), (1, False)],
)
def test_an_expired_signer_is_judged_at_the_moment_that_the_content_states(
    name: str, field: str, days_ago: int, holds: bool
) -> None:
    old = signer(NOW - timedelta(days=800), NOW - timedelta(days=400))
    moment = NOW - timedelta(days=days_ago)
    content = {field: moment.date().isoformat() if field == "today" else moment.isoformat()}
    data = verifier.canonical(content)
    sealed = {
        "sha256": sha256(data).hexdigest(),
        "signature": old.sign(data),
        "certificate": old.pem,
    }

    def judge() -> None:
        if name == "checkpoint":
            verifier.checkpoint({**sealed, "checkpoint": data.decode()}, [old.root])
        else:
            verifier.check_envelope({name: content, **sealed}, name, [old.root])

    if holds:
        judge()
    else:
        with pytest.raises(verifier.Fault, match="有效期"):
            judge()
    if name == "record":
        found = decision.seal_differences({"record": content, **sealed}, data, old.root_pem)
        assert [difference.path for difference in found] == ([] if holds else ["certificate"])
