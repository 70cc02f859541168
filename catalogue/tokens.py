"""A private key inside a PKCS#11 token (HSM, smart card): asked for signatures, never read."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

# Both halves of an ECDSA P-256 signature as a token gives them: r, then s, 32 bytes each.
HALF = 32


class KeyUnusable(RuntimeError):
    """The signing key cannot be used; the message names the cure, and neither key nor PIN."""


@dataclass(frozen=True)
class Reference:
    """Which key of which token, through which module (the vendor's shared library)."""

    module: str
    token: str
    label: str


def reference_of(text: str) -> Reference:
    """A ``pkcs11:`` address (RFC 7512) as its parts.

    Like ``pkcs11:token=portal;object=signer?module-path=/usr/lib/softhsm/libsofthsm2.so``. Raises
    KeyUnusable, also for a PIN in it: addresses are written into logs and listings of processes.
    """
    scheme, _, rest = text.partition(":")
    path, _, query = rest.partition("?")
    parts = [part.partition("=") for part in (*path.split(";"), *query.split("&"))]
    named = {name: unquote(value) for name, _, value in parts if name}
    if "pin-value" in named or "pin-source" in named:
        raise KeyUnusable("SIGNING_PKCS11 must carry no PIN; give SIGNING_PIN_FILE instead.")
    wanted = [named.get(name, "") for name in ("module-path", "token", "object")]
    if scheme != "pkcs11" or len(named) != len(wanted) or not all(wanted):
        raise KeyUnusable(
            "SIGNING_PKCS11 must read pkcs11:token=LABEL;object=LABEL?module-path=/path/of/module."
        )
    return Reference(*wanted)


@dataclass(frozen=True)
class TokenKey:
    """An ECDSA P-256 key that stays in its token."""

    reference: Reference
    pin: str = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """The DER form of an ECDSA signature over the SHA-256 of ``data``.

        Raises KeyUnusable when the token does not answer, also not when opened anew.
        """
        from pkcs11 import Mechanism, PKCS11Error

        digest = hashlib.sha256(data).digest()
        with _lock, _worded():
            try:
                raw = self._opened().sign(digest, mechanism=Mechanism.ECDSA)
            except PKCS11Error:
                # A token that was pulled or restarted has forgotten the session.
                raw = self._open().sign(digest, mechanism=Mechanism.ECDSA)
        if len(raw) != 2 * HALF:
            raise KeyUnusable("SIGNING_PKCS11 must name an ECDSA P-256 key.")
        halves = (int.from_bytes(half, "big") for half in (raw[:HALF], raw[HALF:]))
        return encode_dss_signature(*halves)

    def certificates(self) -> list[bytes]:
        """Every X.509 certificate that the token holds, as DER; raises KeyUnusable."""
        from pkcs11 import Attribute, ObjectClass

        with _lock, _worded():
            session = self._opened().session
            found = session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE})
            return [item[Attribute.VALUE] for item in found]

    def _opened(self) -> Any:
        """The private key in the session of this process."""
        if _session is not None and _session[:2] == (os.getpid(), self):
            return _session[2]
        return self._open()

    def _open(self) -> Any:
        """The private key in a new session; raises KeyUnusable."""
        global _session
        _session = None
        with _worded():
            key = self._found()
        _session = (os.getpid(), self, key)
        return key

    def _found(self) -> Any:
        import pkcs11

        if not Path(self.reference.module).is_file():
            raise KeyUnusable("SIGNING_PKCS11: there is no file at its module-path.")
        module = pkcs11.lib(self.reference.module)
        # A forked child, and a module whose token was restarted, must begin from nothing.
        module.reinitialize()
        session = module.get_token(token_label=self.reference.token).open(user_pin=self.pin)
        return session.get_key(
            object_class=pkcs11.ObjectClass.PRIVATE_KEY,
            key_type=pkcs11.KeyType.EC,
            label=self.reference.label,
        )


# A module knows one login per process, so there is one session, with the key that it found.
_lock = threading.Lock()
_session: tuple[int, TokenKey, Any] | None = None


@contextmanager
def _worded() -> Iterator[None]:
    """Say what the module's refusals mean for who set it up; none of them carries the PIN."""
    from pkcs11 import exceptions as refused

    try:
        yield
    except (refused.NoSuchToken, refused.MultipleTokensReturned):
        told = "no token, or more than one, bears the label that it names as token"
    except (refused.NoSuchKey, refused.MultipleObjectsReturned):
        told = "the token holds no ECDSA key, or more than one, under the label named as object"
    except (refused.PinIncorrect, refused.PinInvalid, refused.PinLenRange):
        told = "the token refuses the PIN; check SIGNING_PIN before it locks itself"
    except refused.PinLocked:
        told = "the token has locked itself after wrong PINs; its officer must unlock it"
    except (refused.PKCS11Error, OSError) as error:
        told = f"the module or its token does not serve ({type(error).__name__})"
    else:
        return
    raise KeyUnusable(f"SIGNING_PKCS11: {told}.")
