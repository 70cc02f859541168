"""The portal's signing key: made once for a demonstration; in production a PKCS#12 or a token.

The private key stays inside this module: others ask for signatures and certificates.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from catalogue.tokens import KeyUnusable, TokenKey, reference_of

DEMO_FOLDER = "demo"
DEMO_SERIAL = 1
ALGORITHM = "ECDSA P-256"
MAX_CHAIN = 4
# Signed once at the start: it shows which certificate of a token belongs to its key.
PROBE = b"the portal asks whether this key signs"


@dataclass(frozen=True)
class SigningKey:
    """A key that signs, its certificate with the chain above it, and the words for the page.

    ``sign_raw`` gives the DER form of an ECDSA signature over the SHA-256 of its argument.
    ``chain`` holds the certificates between ``certificate`` and ``root``, the nearest first.
    """

    sign_raw: Callable[[bytes], bytes] = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    root: x509.Certificate
    label: str

    def sign(self, data: bytes) -> str:
        """What ``sign_raw`` gives, as base64 text."""
        return base64.b64encode(self.sign_raw(data)).decode("ascii")

    @property
    def pem(self) -> str:
        """The certificate and its chain without the root, as PEM: what a signature travels with."""
        return "".join(_pem(item) for item in (self.certificate, *self.chain))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the signing certificate, by which keys are told apart."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def root_pem(self) -> str:
        """The root as PEM: what a checker pins."""
        return _pem(self.root)


def of(config: Mapping[str, Any]) -> SigningKey:
    """The key that the settings of this process name; raises KeyUnusable."""
    if config["SIGNING_PKCS11"]:
        return load_token(config["SIGNING_PKCS11"], config["SIGNING_PIN"])
    return load(config["KEYS_DIR"], config["SIGNING_PKCS12"], config["SIGNING_PASSPHRASE"])


@lru_cache(maxsize=4)
def load(keys_dir: Path, archive: Path | None = None, passphrase: str = "") -> SigningKey:
    """The signing key of this installation, loaded once per process.

    Without ``archive`` (PKCS#12: key, certificate, chain up to the root) demonstration keys are
    made in ``keys_dir`` on first use. Raises KeyUnusable when the archive cannot serve.
    """
    demo = archive is None
    if archive is None:
        archive, passphrase = _demo_archive(keys_dir), ""
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(
            archive.read_bytes(), passphrase.encode() or None
        )
    except (OSError, ValueError) as error:
        raise KeyUnusable(
            "SIGNING_PKCS12 cannot be opened; check the path and SIGNING_PASSPHRASE."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise KeyUnusable("SIGNING_PKCS12 must hold an ECDSA P-256 key.")
    if certificate is None:
        raise KeyUnusable("SIGNING_PKCS12 must hold the certificate of its key.")
    return _joined(
        lambda data: key.sign(data, ec.ECDSA(hashes.SHA256())),
        certificate,
        others,
        setting="SIGNING_PKCS12",
        label=f"示 {DEMO_SERIAL:02d}" if demo else None,
    )


@lru_cache(maxsize=4)
def load_token(reference: str, pin: str) -> SigningKey:
    """The signing key inside the PKCS#11 token that ``reference`` (RFC 7512) names.

    The token also holds the key's certificate and those above it up to the root; labels of
    certificates do not matter. Raises KeyUnusable when it cannot serve.
    """
    token = TokenKey(reference_of(reference), pin)
    proof = base64.b64encode(token.sign(PROBE)).decode("ascii")
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in token.certificates()]
    except ValueError as error:
        raise KeyUnusable("The token of SIGNING_PKCS11 holds an unreadable certificate.") from error
    own = next((item for item in certificates if verify(PROBE, proof, _pem(item))), None)
    if own is None:
        raise KeyUnusable("The token of SIGNING_PKCS11 must hold the certificate of its key.")
    others = [item for item in certificates if item != own]
    return _joined(token.sign, own, others, setting="SIGNING_PKCS11")


def _joined(
    sign_raw: Callable[[bytes], bytes],
    certificate: x509.Certificate,
    others: list[x509.Certificate],
    *,
    setting: str,
    label: str | None = None,
) -> SigningKey:
    """The key with the chain above its certificate; raises KeyUnusable when no root is held."""
    roots = [item for item in others if item.issuer == item.subject]
    chain = _ordered(certificate, [item for item in others if item not in roots])
    top = (certificate, *chain)[-1]
    root = next((item for item in roots if item.subject == top.issuer), None)
    if root is None:
        raise KeyUnusable(f"{setting} must hold every certificate from the key's own to its root.")
    serial = f"{certificate.serial_number:X}"[-8:]
    key = SigningKey(sign_raw, certificate, chain, root, f"{label or serial} ・ {ALGORITHM}")
    if _window(key.pem, key.root_pem) is None:
        raise KeyUnusable(f"The certificates of {setting} do not lead from its key to the root.")
    return key


def _ordered(
    certificate: x509.Certificate, others: list[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """The issuers above ``certificate``, the nearest first."""
    chain: list[x509.Certificate] = []
    issuer = certificate.issuer
    while found := next((c for c in others if c.subject == issuer and c not in chain), None):
        chain.append(found)
        issuer = found.issuer
    return tuple(chain)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def verify(data: bytes, signature: str, certificate: str) -> bool:
    """Whether ``signature`` (base64 DER) over ``data`` was made with the key of ``certificate``.

    ``certificate`` is PEM, the signer's own first. Whom the certificate belongs to is another
    question: see ``issued_under``. Anything unreadable is False.
    """
    try:
        key = _public_key(certificate)
        key.verify(base64.b64decode(signature, validate=True), data, ec.ECDSA(hashes.SHA256()))
    except (ValueError, TypeError, binascii.Error, InvalidSignature):
        return False
    return True


@lru_cache(maxsize=16)
def _public_key(certificate: str) -> ec.EllipticCurvePublicKey:
    key = x509.load_pem_x509_certificates(certificate.encode())[0].public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("not an elliptic curve key")
    return key


def issued_under(
    certificate: str, root: str, moment: datetime, until: datetime | None = None
) -> bool:
    """Whether ``certificate`` leads to ``root`` (both PEM), every link in force at ``moment``.

    With ``until``: in force together at some moment from ``moment`` to ``until``. What states a
    moment was signed then or later, and holds although its signer has expired since.
    """
    window = _window(certificate, root)
    return window is not None and window[0] <= (until or moment) and moment <= window[1]


@lru_cache(maxsize=16)
def _window(certificate: str, root: str) -> tuple[datetime, datetime] | None:
    """When every link from ``certificate`` to ``root`` is in force; None when it does not lead."""
    try:
        links = x509.load_pem_x509_certificates(certificate.encode())
        anchor = x509.load_pem_x509_certificate(root.encode())
        if len(links) > MAX_CHAIN:
            return None
        for link, issuer in zip(links, [*links[1:], anchor], strict=True):
            link.verify_directly_issued_by(issuer)
            if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
                return None
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return None
    every = (*links, anchor)
    return max(c.not_valid_before_utc for c in every), min(c.not_valid_after_utc for c in every)


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
