"""Keys, signatures, and what the verifier says of files that somebody touched."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from catalogue import keys
from catalogue.certificates import signing, verifier
from catalogue.certificates.pdf import draw
from catalogue.certificates.verify import embedded_words, signature_fault, verify
from catalogue.documents.fonts import Fonts
from tests.certificates.specimen import words


@pytest.fixture(scope="module")
def signed(fonts: Fonts, signatory: keys.SigningKey) -> bytes:
    return signing.sign(draw(words(), fonts), signatory)


class Register:
    """What the table of certificates answers, for one file."""

    def __init__(self, data: bytes) -> None:
        self.hash = sha256(data).hexdigest()

    def by_hash(self, asked: str) -> Any:
        return "entry" if asked == self.hash else None

    def by_number(self, number: str) -> Any:
        return "entry" if number == words().number else None


def kind(data: bytes, register: Register, signatory: keys.SigningKey) -> str:
    return verify(data, register.by_hash, register.by_number, [signatory.root]).kind


def test_own_signature_holds(signed: bytes, signatory: keys.SigningKey) -> None:
    assert signature_fault(signed, [signatory.root]) is None
    assert embedded_words(signed) == words().as_json()


def test_demo_keys_are_made_once_and_private(tmp_path: Path) -> None:
    keys.load.cache_clear()
    first = keys.load(tmp_path)
    keys.load.cache_clear()
    again = keys.load(tmp_path)
    assert first.root == again.root
    assert first.label == "示 01 ・ ECDSA P-256"
    for path in (tmp_path / "demo").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_half_made_key_folder_is_recovered(tmp_path: Path) -> None:
    (tmp_path / ".demo.1.dead").mkdir()
    assert keys.load(tmp_path).label


def test_an_archive_that_cannot_serve_names_the_cure(tmp_path: Path) -> None:
    broken = tmp_path / "signer.p12"
    broken.write_bytes(b"nonsense")
    with pytest.raises(keys.KeyUnusable, match="SIGNING_PASSPHRASE"):
        keys.load(tmp_path, broken, "hunter2-hunter2")


def test_the_file_itself_is_unchanged(signed: bytes, signatory: keys.SigningKey) -> None:
    assert kind(signed, Register(signed), signatory) == "unchanged"


def test_flipped_bits_are_refused_everywhere(signed: bytes, signatory: keys.SigningKey) -> None:
    register = Register(signed)
    # Every k-th bit, k odd, so that each of the eight places of a byte has its turn.
    for bit in range(0, 8 * len(signed), 8 * len(signed) // 60 | 1):
        changed = bytearray(signed)
        changed[bit // 8] ^= 1 << bit % 8
        assert kind(bytes(changed), register, signatory) != "unchanged", bit
        assert signature_fault(bytes(changed), [signatory.root]) is not None, bit


def test_padding_inside_the_signature_is_refused_by_the_ledger(
    signed: bytes, signatory: keys.SigningKey
) -> None:
    hole = signed.rindex(b"00>")
    changed = signed[:hole] + b"01>" + signed[hole + 3 :]
    assert kind(changed, Register(signed), signatory) == "altered"


def test_what_no_signature_covers_is_refused_too(signed: bytes, signatory: keys.SigningKey) -> None:
    start = signed.index(b"/Contents <") + len(b"/Contents <")
    # The same bytes in small letters, and another bit in the root that is packed with them.
    letter = next(
        place for place in range(start, start + 99) if signed[place : place + 1].isalpha()
    )
    root = signatory.root.public_bytes(serialization.Encoding.DER).hex().upper().encode()
    packed = signed.index(root, start) + len(root) - 1
    for place, byte in ((letter, signed[letter] | 0x20), (packed, signed[packed] ^ 1)):
        changed = signed[:place] + bytes([byte]) + signed[place + 1 :]
        assert signature_fault(changed, [signatory.root]) is not None, place
        with pytest.raises(verifier.Fault):
            verifier.check_pdf_signature(changed, [signatory.root])


def test_a_paper_outlives_its_key(
    signed: bytes, signatory: keys.SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 2060 the key has expired: what says that it was made before still holds."""
    content = {"made_at": datetime.now(UTC).isoformat()}
    parts = [{"status": c, **_sealed(c, signatory)} for c in (content, {})]

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls(2060, 1, 1, tzinfo=tz)

    monkeypatch.setattr(verifier, "datetime", Later)
    moment = verifier.check_pdf_signature(signed, [signatory.root])
    assert abs(moment.timestamp() - datetime.now(UTC).timestamp()) < 3600
    assert verifier.check_envelope(parts[0], "status", [signatory.root])
    with pytest.raises(verifier.Fault, match="有效期"):
        verifier.check_envelope(parts[1], "status", [signatory.root])


def _sealed(content: Any, key: keys.SigningKey) -> dict[str, str]:
    data = verifier.canonical(content)
    return {
        "sha256": sha256(data).hexdigest(),
        "signature": key.sign(data),
        "certificate": key.pem,
    }


def test_bytes_after_the_end_are_refused(signed: bytes, signatory: keys.SigningKey) -> None:
    assert kind(signed + b"\n", Register(signed), signatory) == "altered"
    fault = signature_fault(signed + b"\n", [signatory.root])
    assert fault == "签名没有盖住整个文件，前后或末尾有添加"


def test_an_incremental_update_is_refused(signed: bytes, signatory: keys.SigningKey) -> None:
    writer = IncrementalPdfFileWriter(BytesIO(signed))
    writer.root["/Lang"] = generic.pdf_string("en")
    writer.update_root()
    updated = BytesIO()
    writer.write(updated)
    assert updated.getvalue().startswith(signed)
    assert kind(updated.getvalue(), Register(signed), signatory) == "altered"
    assert "签名" in str(signature_fault(updated.getvalue(), [signatory.root]))


def test_another_signed_document_behind_or_before_it_is_refused(
    fonts: Fonts, signed: bytes, signatory: keys.SigningKey, tmp_path: Path
) -> None:
    forged = signing.sign(draw(words(product="别的产品"), fonts), keys.load(tmp_path))
    for data in (signed + forged, forged + signed):
        assert kind(data, Register(signed), signatory) != "unchanged"
        assert signature_fault(data, [signatory.root]) is not None


def test_the_same_layout_signed_by_another_root_is_not_ours(
    fonts: Fonts, signed: bytes, signatory: keys.SigningKey, tmp_path: Path
) -> None:
    forged = signing.sign(draw(words(), fonts), keys.load(tmp_path))
    assert signature_fault(forged, [signatory.root]) is not None
    assert kind(forged, Register(signed), signatory) == "altered"


def test_our_key_over_words_never_issued_is_misuse(
    fonts: Fonts, signed: bytes, signatory: keys.SigningKey
) -> None:
    other = signing.sign(draw(words(number="SHCP-2026-9999"), fonts), signatory)
    assert kind(other, Register(signed), signatory) == "misuse"


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"\x00" * 2000, b"%PDF-1.4\n%%EOF"])
def test_other_files_are_unknown(data: bytes, signed: bytes, signatory: keys.SigningKey) -> None:
    assert kind(data, Register(signed), signatory) == "unknown"
