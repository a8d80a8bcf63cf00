"""Making the identity of a person unreadable for this box, before it is kept anywhere.

Sealed: a sealed box of libsodium (X25519, XSalsa20, Poly1305; `crypto_box_seal`) for the central system's public
key. It is made with a key pair that exists for this one box and is forgotten, so that what was sealed cannot be
opened here, and the same identity looks different each time. Every language has a binding of libsodium to open it.

Hashed: HMAC-SHA-256, the same for the same identity, with the id of its key. For linking only; the key lies on the
box, and a person number is found by trying all.
"""

import os
from base64 import b64encode
from typing import Final, Literal

from msgspec import Struct

SEAL_KEY_BYTES: Final = 32
"""An X25519 public key."""
LEAST_HMAC_KEY_BYTES: Final = 16
"""128 bits."""
KID_BYTES: Final = 8
"""Of the SHA-256 of a public key: tells the few keys of one central system apart."""

Mode = Literal["clear", "sealed", "hmac"]


class PersonRef(Struct, frozen=True, kw_only=True):
    """An identity that this box cannot read. Exactly the object of the event."""

    scheme: str
    """Which numbering: `gsrn`, or the `scheme` of a configured pattern."""
    kid: str
    """How and with which key: `sealed-` and the first 16 hex digits of the SHA-256 of the public key, or `hmac-`
    and the key's id."""
    value: str
    """Base64: the sealed box, or the 32 bytes of the HMAC."""


class Protector:
    """Seals and hashes with the keys of this station, as far as it has them."""

    def __init__(
        self,
        seal_key: bytes | None = None,
        hmac_key: tuple[str, bytes] | None = None,
        session_key: bytes | None = None,
    ) -> None:
        """`seal_key`: the public key. `hmac_key`: (id, secret). `session_key`: of the marks; None: of this object."""
        self._seal_key = seal_key
        self._hmac_key = hmac_key
        self._session_key = session_key or os.urandom(LEAST_HMAC_KEY_BYTES)

    def can(self, mode: Mode) -> bool:
        """Return whether there is a key for a mode."""
        return {"clear": True, "sealed": self._seal_key is not None, "hmac": self._hmac_key is not None}[mode]

    def seal(self, scheme: str, identity: str) -> PersonRef:
        """Seal an identity. Raises ValueError without a key, or with one that is no point of the curve."""
        if self._seal_key is None:
            raise ValueError("an identity cannot be sealed: there is no seal key")
        import hashlib

        from nacl.public import PublicKey, SealedBox  # libsodium: only where a key is configured

        sealed = SealedBox(PublicKey(self._seal_key)).encrypt(identity.encode())
        kid = hashlib.sha256(self._seal_key).hexdigest()[: 2 * KID_BYTES]
        return PersonRef(scheme=scheme, kid=f"sealed-{kid}", value=b64encode(sealed).decode())

    def mark(self, scheme: str, identity: str) -> str:
        """Return what is the same for the same identity as long as the session's key is there: HMAC-SHA-256."""
        import hmac

        return b64encode(hmac.digest(self._session_key, f"{scheme}\0{identity}".encode(), "sha256")).decode()

    def pseudonym(self, scheme: str, identity: str) -> PersonRef:
        """Hash an identity: HMAC-SHA-256 over scheme, NUL and identity. Raises ValueError without a key."""
        if self._hmac_key is None:
            raise ValueError("an identity cannot be hashed: there is no HMAC key")
        import hmac

        kid, key = self._hmac_key
        value = hmac.digest(key, f"{scheme}\0{identity}".encode(), "sha256")
        return PersonRef(scheme=scheme, kid=f"hmac-{kid}", value=b64encode(value).decode())
