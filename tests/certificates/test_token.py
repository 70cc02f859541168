"""A signing key inside a PKCS#11 token: SoftHSM stands for the device."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from catalogue import keys, tokens
from catalogue.certificates import signing
from catalogue.certificates.pdf import draw
from catalogue.certificates.verify import signature_fault
from catalogue.documents.fonts import Fonts
from tests.certificates.specimen import issued, words

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
# Of the token that this test makes; no number of another kind holds it by chance.
PIN = "7493-0626-5518"


@pytest.fixture(scope="module")
def module() -> str:
    """The path of SoftHSM; without one these tests are skipped, or fail if they are required."""
    found = next((path for path in MODULES if Path(path).is_file()), None)
    if found is None:
        reason = f"no SoftHSM: looked for {', '.join(MODULES)}"
        if os.environ.get("TOKEN_REQUIRED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def reference(module: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A token whose key cannot be taken out, with its certificate and root under other labels."""
    import pkcs11
    from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        made = f"softhsm2-util --init-token --free --label portal --pin {PIN} --so-pin 0815-4711"
        subprocess.run(made.split(), check=True, capture_output=True)
        library = pkcs11.lib(module)
        library.reinitialize()
        session = library.get_token(token_label="portal").open(rw=True, user_pin=PIN)
        curve = encode_named_curve_parameters("secp256r1")
        for label in ("signer", "stranger"):
            public, _ = session.create_domain_parameters(
                pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True
            ).generate_keypair(store=True, label=label)
            if label == "signer":
                told = serialization.load_der_public_key(encode_ec_public_key(public))
        for position, certificate in enumerate(authority(told)):
            session.create_object(
                {
                    pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
                    pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    pkcs11.Attribute.TOKEN: True,
                    pkcs11.Attribute.LABEL: f"certificate {position}",
                    pkcs11.Attribute.SUBJECT: certificate.subject.public_bytes(),
                    pkcs11.Attribute.VALUE: certificate.public_bytes(serialization.Encoding.DER),
                }
            )
        session.close()
        yield f"pkcs11:token=%70ortal;object=signer?module-path={module}"


def authority(public: Any) -> list[x509.Certificate]:
    """A root of others; the root, the certificate of ``public`` and the authority between them."""
    root_key, middle_key, other_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    return [
        issued("别的根", other_key.public_key(), "别的根", other_key, ca=True),
        issued("根", root_key.public_key(), "根", root_key, ca=True),
        issued("签发", public, "中间", middle_key, ca=False),
        issued("中间", middle_key.public_key(), "根", root_key, ca=True),
    ]


@pytest.fixture
def key(reference: str) -> keys.SigningKey:
    keys.load_token.cache_clear()
    return keys.of({"SIGNING_PKCS11": reference, "SIGNING_PIN": PIN})


def test_a_token_signs_texts_and_certificates(key: keys.SigningKey, fonts: Fonts) -> None:
    assert [len(key.chain), key.label.endswith("ECDSA P-256")] == [1, True]
    assert keys.verify(b"a record", key.sign(b"a record"), key.pem)
    assert not keys.verify(b"another", key.sign(b"a record"), key.pem)
    assert keys.issued_under(key.pem, key.root_pem, datetime.now(UTC))
    signed = signing.sign(draw(words(), fonts), key)
    assert signature_fault(signed, [key.root]) is None


def test_neither_pin_nor_key_is_shown(key: keys.SigningKey, reference: str) -> None:
    token = tokens.TokenKey(tokens.reference_of(reference), PIN)
    assert PIN not in repr(key) + repr(token)


def test_a_restarted_token_is_opened_anew(key: keys.SigningKey, module: str) -> None:
    import pkcs11

    pkcs11.lib(module).reinitialize()
    assert keys.verify(b"again", key.sign(b"again"), key.pem)


def _sign_in_child(key: keys.SigningKey, answers: Any) -> None:
    answers.put(key.sign(b"from a child"))


def test_a_forked_worker_signs_and_so_does_its_parent(key: keys.SigningKey) -> None:
    key.sign(b"opened before the fork")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_sign_in_child, args=(key, answers))
    child.start()
    signature = answers.get(timeout=20)
    child.join(20)
    assert child.exitcode == 0
    assert keys.verify(b"from a child", signature, key.pem)
    assert keys.verify(b"after it", key.sign(b"after it"), key.pem)


@pytest.mark.parametrize(
    ("change", "pin", "says"),
    [
        (("", ""), "000000", "refuses the PIN"),
        (("token=%70ortal", "token=other"), PIN, "no token"),
        (("object=signer", "object=nobody"), PIN, "no ECDSA key"),
        (("object=signer", "object=stranger"), PIN, "must hold the certificate of its key"),
        (("libsofthsm2.so", "missing.so"), PIN, "no file at its module-path"),
        (("pkcs11:", "file:"), PIN, "must read pkcs11:token=LABEL"),
        ((";object=signer", ""), PIN, "must read pkcs11:token=LABEL"),
        (("?", f"?pin-value={PIN}&"), PIN, "must carry no PIN"),
    ],
)
def test_what_cannot_serve_names_the_cure_and_no_pin(
    reference: str, change: tuple[str, str], pin: str, says: str
) -> None:
    keys.load_token.cache_clear()
    with pytest.raises(keys.KeyUnusable, match=says) as caught:
        keys.load_token(reference.replace(*change), pin)
    assert pin not in str(caught.value)


def test_a_library_that_is_no_module_is_refused(reference: str) -> None:
    import _ctypes

    other = reference.partition("module-path=")[0] + f"module-path={_ctypes.__file__}"
    with pytest.raises(keys.KeyUnusable, match="does not serve"):
        keys.load_token(other, PIN)
