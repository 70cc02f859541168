"""Signing a PDF with the portal's key."""

from __future__ import annotations

from io import BytesIO

from asn1crypto import algos
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore

from catalogue.keys import SigningKey

# The name of the signature's field tells a checker without our software what was signed.
FIELD = "Issuer"
ANSWER_FIELD = "Answer"
REASONS = {FIELD: "证书签发", ANSWER_FIELD: "核验答复"}
# A chain of two and an ECDSA signature take 3,000 hexadecimal digits; a longer chain fits too.
RESERVED = 12_288


class _Signer(signers.Signer):
    """pyHanko's signer over our key, which itself never leaves its module."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        store = SimpleCertificateStore()
        store.register_multiple([certificate_of(item) for item in (*key.chain, key.root)])
        super().__init__(
            signing_cert=certificate_of(key.certificate),
            cert_registry=store,
            signature_mechanism=algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
        )

    async def async_sign_raw(
        self,
        data: bytes,
        digest_algorithm: str,
        dry_run: bool = False,  # noqa: FBT001 (pyHanko's signature)
    ) -> bytes:
        """The DER signature over ``data``; SHA-256 is the only digest that `sign` asks for."""
        return self.key.sign_raw(data)


def certificate_of(certificate: x509.Certificate) -> asn1_x509.Certificate:
    """A certificate in the form that pyHanko reads."""
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def sign(pdf: bytes, key: SigningKey, field: str = FIELD) -> bytes:
    """``pdf`` with an invisible PAdES B-B signature over all of it, permitting no change."""
    meta = signers.PdfSignatureMetadata(
        field_name=field,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
        reason=REASONS[field],
        location="上海",
    )
    output = signers.PdfSigner(meta, _Signer(key)).sign_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf)), bytes_reserved=RESERVED
    )
    signed: bytes = output.getvalue()
    return signed
