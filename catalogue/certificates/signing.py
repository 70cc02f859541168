"""The signing key: made once for a demonstration, given as PKCS#12 in production."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.fields import SigSeedSubFilter

DEMO_FOLDER = "demo"
DEMO_SERIAL = 1
ALGORITHM = "ECDSA P-256"
FIELD = "Issuer"
# A chain of two and an ECDSA signature take 3,000 hexadecimal digits; a longer chain fits too.
RESERVED = 12_288


class KeyUnusable(RuntimeError):
    """The signing key cannot be used; the message names the cure and never the key."""


@dataclass(frozen=True)
class Signatory:
    """Who signs: the loaded key with its chain, the pinned root, and the words for the page."""

    signer: signers.SimpleSigner
    root: asn1_x509.Certificate
    label: str


@lru_cache(maxsize=4)
def load(keys_dir: Path, archive: Path | None = None, passphrase: str = "") -> Signatory:
    """The signatory of this installation, loaded once per process.

    Without ``archive`` (PKCS#12: key, certificate, chain up to the root) demonstration keys are
    made in ``keys_dir`` on first use. Raises KeyUnusable when the archive cannot serve.
    """
    demo = archive is None
    if archive is None:
        archive, passphrase = _demo_archive(keys_dir), ""
    try:
        data = archive.read_bytes()
        key, certificate, chain = pkcs12.load_key_and_certificates(
            data, passphrase.encode() or None
        )
    except (OSError, ValueError) as error:
        raise KeyUnusable(
            "SIGNING_PKCS12 cannot be opened; check the path and SIGNING_PASSPHRASE."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise KeyUnusable("SIGNING_PKCS12 must hold an ECDSA P-256 key.")
    roots = [item for item in chain if item.issuer == item.subject]
    if certificate is None or not roots:
        raise KeyUnusable("SIGNING_PKCS12 must hold the certificate and its root.")
    signer = signers.SimpleSigner.load_pkcs12_data(data, [], passphrase.encode() or None)
    root = asn1_x509.Certificate.load(roots[0].public_bytes(serialization.Encoding.DER))
    serial = f"{certificate.serial_number:X}"[-8:]
    label = f"示 {DEMO_SERIAL:02d}" if demo else serial
    return Signatory(signer, root, f"{label} ・ {ALGORITHM}")


def sign(pdf: bytes, signatory: Signatory) -> bytes:
    """``pdf`` with an invisible PAdES B-B signature over all of it, permitting no change."""
    meta = signers.PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
        reason="证书签发",
        location="上海",
    )
    output = signers.PdfSigner(meta, signatory.signer).sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)), bytes_reserved=RESERVED
    )
    signed: bytes = output.getvalue()
    return signed


def _demo_archive(keys_dir: Path) -> Path:
    """The demonstration archive; of two processes that make one together, one wins."""
    folder = keys_dir / DEMO_FOLDER
    archive = folder / "signer.p12"
    if archive.is_file():
        return archive
    keys_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = keys_dir / f".{DEMO_FOLDER}.{os.getpid()}.{secrets.token_hex(4)}"
    draft.mkdir(mode=0o700)
    try:
        _make_demo_keys(draft)
        draft.rename(folder)
    except OSError:
        if not archive.is_file():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return archive


def _make_demo_keys(folder: Path) -> None:
    now = datetime.now(UTC)
    root_key, signer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name = _name("示范根证书（不作任何证明）")
    root = (
        _builder(root_name, root_name, root_key, now, years=30)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certify=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    certificate = (
        _builder(_name("示范发证机关"), root_name, signer_key, now, years=15)
        .serial_number(DEMO_SERIAL)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certify=False), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False
        )
        .sign(root_key, hashes.SHA256())
    )
    no_secret = serialization.NoEncryption()
    archive = pkcs12.serialize_key_and_certificates(
        b"signer", signer_key, certificate, [root], no_secret
    )
    _keep(folder / "signer.p12", archive)
    _keep(
        folder / "root-key.pem",
        root_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_secret
        ),
    )
    _keep(folder / "root.pem", root.public_bytes(serialization.Encoding.PEM))


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "示范环境"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    *,
    years: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        # A day back, so that a host whose clock lags a little still accepts it.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * years))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, certify: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certify,
        content_commitment=not certify,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certify,
        crl_sign=certify,
        encipher_only=False,
        decipher_only=False,
    )


def _keep(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
