#!/usr/bin/env python3
"""Checks the portal's certificates, records and log without the portal: a file of its own.

It needs Python 3.11 or later with the packages `cryptography` and `asn1crypto`, and nothing of
the portal. Keep root.pem from a source you trust, and take the signed status file of the day:

    python verifier.py --root root.pem --status status.json FILE...

A FILE is a certificate (PDF); a signed JSON file of the portal (decision record, notice, status
file); a proof of the public log (inclusion.json, consistency.json); or the whole log
(entries.jsonl), which is rebuilt and compared with the root in the status file.
Exit code: 0 everything holds, 1 something does not, 2 a file could not be read.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PDF_MOMENT = re.compile(rb"/M\s*\(([^()]{1,60})\)")
OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
BYTE_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]")
# The field in which the portal signs printed answers of its check page.
ANSWER_FIELD = b"/T (Answer)"
# Where signed contents state their moment: status files, roots, frozen searches, notices, records.
MOMENTS = ("made_at", "at", "frozen_at", "opens_at", "today")
SHANGHAI = timezone(timedelta(hours=8))
SIGNED_PARTS = {"sha256", "signature", "certificate"}
STATUS_FORMAT = "portal-status-1"
STATES = {
    "valid": "有效",
    "suspended": "暂停",
    "revoked": "已撤销",
    "expired": "已到期",
    "replaced": "已换发",
    "registered": "正在签发",
    "early": "尚未生效",
}


class Fault(Exception):
    """What does not hold, in words."""


class Unreadable(Exception):
    """Why a file cannot be judged at all."""


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8: the form in which the portal signs objects."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def parsed(data: bytes | str) -> Any:
    """A JSON text; raises ValueError. A key written twice is refused: readers differ on which."""
    try:
        return json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is written twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


# ------------------------------------------------------------------ signatures


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether ``issuer`` signed ``certificate``."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def under_root(
    chain: list[x509.Certificate], roots: list[x509.Certificate], since: datetime, until: datetime
) -> None:
    """Raise Fault unless ``chain`` (the signer first) leads to a root.

    All of it was in force together at some moment from ``since`` to ``until``.
    """
    anchors = [root for root in roots if issued(chain[-1], root)]
    if not anchors or not all(issued(*pair) for pair in pairwise(chain)):
        raise Fault("签名证书不是这个根证书签发的")
    for issuer in (*chain[1:], anchors[0]):
        try:
            authority = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            authority = False
        if not authority:
            raise Fault("签名证书的上级不是签发机构")
    began = max(c.not_valid_before_utc for c in chain)
    ended = min(c.not_valid_after_utc for c in chain)
    if max(began, since) > min(ended, until):
        raise Fault("签名证书在签名时不在有效期内")


def signed_by(key: Any, signature: bytes, data: bytes) -> None:
    """Raise Fault unless ``signature`` over ``data`` was made with ``key`` (ECDSA, SHA-256)."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Fault("签名算法不是 ECDSA")
    try:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Fault("签名与内容不符，文件被改动过") from None


def stated(content: dict[str, Any]) -> datetime:
    """The moment that a signed content states of itself; the present when it states none.

    A day (of Shanghai) stands for its beginning. Content is signed at that moment or later.
    """
    found = next((content[name] for name in MOMENTS if name in content), None)
    if found is None:
        return datetime.now(UTC)
    moment = datetime.fromisoformat(found)
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)


def check_signed(
    data: bytes, signature: str, pem: str, roots: list[x509.Certificate], since: datetime
) -> None:
    """Raise Fault unless the base64 ``signature`` over ``data`` holds under one of ``roots``.

    ``since`` is what the data states of its moment: it holds although its signer expired later.
    """
    try:
        chain = x509.load_pem_x509_certificates(pem.encode())
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        raise Fault("签名或签名证书读不出来") from None
    under_root(chain, roots, since, max(since, datetime.now(UTC)))
    signed_by(chain[0].public_key(), raw, data)


def check_pdf_signature(data: bytes, roots: list[x509.Certificate]) -> datetime:
    """When the one signature of a PDF was made; raise Fault unless it covers the whole file.

    The moment is the one that the file states beside its signature, which covers it too. Nothing
    that the signature leaves open (the form of its own bytes, certificates packed with it) may
    differ from how the portal writes it.
    """
    ranges = BYTE_RANGE.findall(data)
    if not ranges:
        raise Fault("文件没有签名；平台的公示、冻结检索等 PDF 不带签名，请验同页的签名 JSON 文件")
    if len(ranges) != 1:
        raise Fault(f"文件里有 {len(ranges)} 处签名，应当正好一处")
    start, first, second, last = (int(number) for number in ranges[0])
    if start != 0 or second + last != len(data) or not first < second:
        raise Fault("签名没有盖住整个文件，前后或末尾有添加")
    if data[first : first + 1] != b"<" or data[second - 1 : second] != b">":
        raise Fault("签名的位置不对")
    try:
        hole = data[first + 1 : second - 1]
        packed = bytes.fromhex(hole.decode("ascii"))
        outer = cms.ContentInfo.load(packed)
        written = outer.dump()
        content = outer["content"]
        (signer,) = content["signer_infos"]
        attributes = {item["type"].native: item["values"][0] for item in signer["signed_attrs"]}
        chosen = [item.chosen for item in content["certificates"]]
        chain = ordered(signer["sid"].chosen["serial_number"].native, chosen, roots)
        told = attributes["message_digest"].native
        signature, signed = signer["signature"].native, signer["signed_attrs"].untag().dump()
        plain = plain_signature(content, signer, chain, roots)
        exact = outer.dump(force=True) == written and packed.hex().upper().encode() == hole
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Fault("签名的内容读不出来") from None
    if packed[len(written) :].strip(b"\x00"):
        raise Fault("签名后面的填充被改动过")
    if not plain or not exact:
        raise Fault("签名的写法不是平台的，签名里有改动")
    if told != hashlib.sha256(data[:first] + data[second:]).digest():
        raise Fault("签名与内容不符，文件被改动过")
    moment = pdf_moment(data[data.rfind(b" obj", 0, first) : first] + data[second:])
    under_root(chain, roots, moment, moment)
    signed_by(chain[0].public_key(), signature, signed)
    return moment


def plain_signature(
    content: Any, signer: Any, chain: list[x509.Certificate], roots: list[x509.Certificate]
) -> bool:
    """Whether a PDF's signature holds what the portal writes into one, and nothing else."""
    packed = {
        x509.load_der_x509_certificate(item.chosen.dump()) for item in content["certificates"]
    }
    return (
        content["version"].native == signer["version"].native == "v1"
        and [item["algorithm"].native for item in content["digest_algorithms"]] == ["sha256"]
        and content["encap_content_info"]["content_type"].native == "data"
        and signer["digest_algorithm"]["algorithm"].native == "sha256"
        and signer["signature_algorithm"]["algorithm"].native == "sha256_ecdsa"
        and signer["sid"].chosen["issuer"].dump() == chain[0].issuer.public_bytes()
        and not content["crls"]
        and not signer["unsigned_attrs"]
        and packed <= {*chain, *roots}
    )


def pdf_moment(around: bytes) -> datetime:
    """The moment that a signature's dictionary states; raise Fault when it states none."""
    found = PDF_MOMENT.search(around)
    if found is None:
        raise Fault("签名没有写明时间")
    text = OCTAL.sub(lambda code: bytes([int(code[1], 8)]), found[1]).decode("ascii", "replace")
    try:
        return datetime.strptime(text.replace("'", ""), "D:%Y%m%d%H%M%S%z")
    except ValueError:
        raise Fault("签名的时间读不出来") from None


def ordered(
    serial: int, chosen: Iterable[Any], roots: list[x509.Certificate]
) -> list[x509.Certificate]:
    """The signer's certificate and what stands above it, without the root."""
    known = [x509.load_der_x509_certificate(item.dump()) for item in chosen]
    chain = [item for item in known if item.serial_number == serial][:1]
    subjects = [root.subject for root in roots]
    while chain and chain[-1].issuer not in subjects:
        above = [c for c in known if c.subject == chain[-1].issuer and c not in chain]
        if not above:
            break
        chain.append(above[0])
    if not chain:
        raise ValueError(serial)
    return chain


# ------------------------------------------------------------------ the public log (RFC 9162)


def leaf_hash(data: bytes) -> bytes:
    """The hash of one entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def rebuilt(entries: Iterator[dict[str, Any]], size: int) -> bytes:
    """The root over the first ``size`` entries; raise Fault when some are missing."""
    peaks: list[tuple[int, bytes]] = []
    count = 0
    for entry in islice(entries, size):
        if entry.pop("position", None) != count:
            raise Fault(f"第 {count} 条缺失或次序不对")
        level, digest, count = 0, leaf_hash(canonical(entry)), count + 1
        while peaks and peaks[-1][0] == level:
            digest, level = node_hash(peaks.pop()[1], digest), level + 1
        peaks.append((level, digest))
    if count < size or not peaks:
        raise Fault(f"只有 {count} 条，签名的树根说有 {size} 条")
    digest = peaks[-1][1]
    for _, left in reversed(peaks[:-1]):
        digest = node_hash(left, digest)
    return digest


def climb(index: int, size: int, start: bytes, path: list[bytes]) -> tuple[bytes, bytes]:
    """The roots of the older and of the whole tree that ``path`` leads to (2.1.3.2, 2.1.4.2)."""
    position, last, old, new = index, size - 1, start, start
    for sibling in path:
        if last == 0:
            raise Fault("证明过长")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise Fault("证明不完整")
    return old, new


def checkpoint(part: dict[str, Any], roots: list[x509.Certificate]) -> dict[str, Any]:
    """The size and root of a signed checkpoint."""
    data = part["checkpoint"].encode()
    content: dict[str, Any] = parsed(data)
    check_signed(data, part["signature"], part["certificate"], roots, stated(content))
    return content


def check_inclusion(part: dict[str, Any], roots: list[x509.Certificate]) -> str:
    """That an entry stands under its signed root."""
    signed, entry = checkpoint(part, roots), dict(part["entry"])
    position, path = entry.pop("position"), [bytes.fromhex(step) for step in part["path"]]
    if not 0 <= position < signed["size"]:
        raise Fault("条目不在这个树根之下")
    if (
        climb(position, signed["size"], leaf_hash(canonical(entry)), path)[1].hex()
        != signed["root"]
    ):
        raise Fault("包含证明与签名的树根不符")
    return f"{entry['kind']} {entry['subject']} 在公开存证簿第 {position} 条，{entry['at']} 记入"


def check_consistency(part: dict[str, Any], roots: list[x509.Certificate]) -> str:
    """That a log continues an older one."""
    old, new = checkpoint(part["from"], roots), checkpoint(part["to"], roots)
    path = [bytes.fromhex(step) for step in part["path"]]
    size, whole = old["size"], new["size"]
    if size == whole:
        same = old["root"] == new["root"]
    else:
        if not size & (size - 1):
            path.insert(0, bytes.fromhex(old["root"]))
        position, last = size - 1, whole - 1
        while position & 1:
            position, last = position >> 1, last >> 1
        if not path:
            raise Fault("证明不完整")
        told = climb(position, last + 1, path[0], path[1:])
        same = [item.hex() for item in told] == [old["root"], new["root"]]
    if not same:
        raise Fault("新的存证簿不是旧的接着写的")
    return f"{whole} 条的存证簿是 {size} 条那本接着写的，没有改动"


# ------------------------------------------------------------------ files


def envelope_name(part: Any) -> str | None:
    """The name of the object that a signed JSON file holds, such as record, notice or status."""
    if not isinstance(part, dict) or not part.keys() >= SIGNED_PARTS:
        return None
    names = part.keys() - SIGNED_PARTS
    return next(iter(names)) if len(names) == 1 else None


def check_envelope(part: dict[str, Any], name: str, roots: list[x509.Certificate]) -> str:
    """That a signed JSON file is as it was signed."""
    data = canonical(part[name])
    if hashlib.sha256(data).hexdigest() != part["sha256"]:
        raise Fault("内容与它自己写的哈希不符，文件被改动过")
    check_signed(data, part["signature"], part["certificate"], roots, stated(part[name]))
    return f"{name}：签名有效，内容与签发时一致（SHA-256 {part['sha256'][:16]}…）"


def check_certificate(
    data: bytes, roots: list[x509.Certificate], status: dict[str, Any] | None
) -> str:
    """What a PDF is: the list of hashes decides first, then its signature."""
    sha256 = hashlib.sha256(data).hexdigest()
    entry = next((c for c in (status or {}).get("certificates", ()) if c["sha256"] == sha256), None)
    moment = check_pdf_signature(data, roots)
    if ANSWER_FIELD in data:
        return f"签名有效，是平台 {moment:%Y-%m-%d} 出的核验答复（不是证书），与签名时一致"
    if status is None:
        return f"签名有效，盖住整个文件，{moment:%Y-%m-%d} 签发；没有状态文件，不能说今天是否有效"
    if entry is None:
        raise Fault("签名有效，但状态文件里没有这个文件：签发晚于状态文件，或不是发出的原件")
    state = STATES.get(entry["status"], entry["status"])
    says = f"{entry['number']} 是平台发出的原件；{status['date']} 的状态：{state}"
    if entry["status"] != "valid":
        raise Fault(says)
    return says


def check(path: Path, roots: list[x509.Certificate], status: dict[str, Any] | None) -> str:
    """What holds of one file; raises Fault or Unreadable."""
    data = path.read_bytes()
    if data.startswith(b"%PDF"):
        return check_certificate(data, roots, status)
    try:
        if path.suffix == ".jsonl":
            if status is None or status.get("checkpoint") is None:
                raise Unreadable("验整本存证簿要有状态文件里的树根")
            signed = checkpoint(status["checkpoint"], roots)
            entries, size = map(parsed, data.splitlines()), signed["size"]
            if rebuilt(entries, size).hex() != signed["root"]:
                raise Fault("由条目重建的树根与签名的树根不符")
            later = sum(1 for _ in entries)
            return f"{size} 条重建出签名的树根，没有改动" + (
                f"；其后 {later} 条晚于这个树根，没有验，请用更新的状态文件" if later else ""
            )
        part = parsed(data)
        if (name := envelope_name(part)) is not None:
            return check_envelope(part, name, roots)
        if "entry" in part:
            return check_inclusion(part, roots)
        return check_consistency(part, roots)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"不认得这种文件（{type(error).__name__}）") from None


def status_of(path: Path, roots: list[x509.Certificate]) -> dict[str, Any]:
    """The content of a signed status file; raises Fault or Unreadable."""
    try:
        part = parsed(path.read_bytes())
        check_envelope(part, "status", roots)
        content: dict[str, Any] = part["status"]
        if content.get("format") != STATUS_FORMAT:
            raise Unreadable("这不是状态文件")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"状态文件读不出来（{type(error).__name__}）") from None
    return content


def main() -> int:
    """Check every file that was named; print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--root", required=True, type=Path, help="the portal's root, and those of its earlier keys"
    )
    parser.add_argument("--status", type=Path, help="a signed status file")
    asked = parser.parse_args()
    worst = 0
    try:
        roots = x509.load_pem_x509_certificates(asked.root.read_bytes())
        status = status_of(asked.status, roots) if asked.status else None
    except (OSError, ValueError, Unreadable, Fault) as error:
        print(f"不能开始：{error}", file=sys.stderr)
        return 2
    for path in asked.files:
        try:
            print(f"✓ {path.name}：{check(path, roots, status)}")
        except Fault as fault:
            print(f"✗ {path.name}：{fault}")
            worst = max(worst, 1)
        except (OSError, Unreadable) as error:
            print(f"? {path.name}：{error}")
            worst = 2
    return worst


if __name__ == "__main__":
    sys.exit(main())
