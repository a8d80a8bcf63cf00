"""Opens sealed identities in memory, for a receiver that may know them; never for the database, a log or a file.

What a box seals (libsodium's sealed box: X25519, XSalsa20, Poly1305) only the central system's private key opens.
"""

import binascii
import hashlib
from base64 import b64decode
from pathlib import Path
from typing import Final

import msgspec

from gateway.events.cloudevent import ScanEvent
from intake.signing import read_seed

KID_BYTES: Final = 8
"""Of the SHA-256 of the public key, as boxes write it behind `sealed-`."""
OPENED: Final = "opened"
"""`kid` of an identity that has been opened."""


class Unsealer:
    """Opens what was sealed for one key; everything else stays as it came."""

    def __init__(self, private_key: bytes) -> None:
        from nacl.public import PrivateKey, SealedBox  # libsodium: only where a key is given

        key = PrivateKey(private_key)
        self._box = SealedBox(key)
        self.kid = f"sealed-{hashlib.sha256(bytes(key.public_key)).hexdigest()[: 2 * KID_BYTES]}"

    @classmethod
    def from_file(cls, name: str) -> "Unsealer":
        """Read a private key: 32 bytes, or the same in hex or base64. Raises SigningKeyError."""
        return cls(read_seed(Path(name)))

    def opened(self, event: ScanEvent) -> ScanEvent:
        """Return an event with the identities that this key opens in clear."""
        context = event.data.context
        case = context.case if isinstance(context.case, dict) else None
        replaced = msgspec.structs.replace(
            context,
            patient=self._open(context.patient),
            performer=self._open(context.performer),
            case=context.case if case is None else self._open(case),
        )
        return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, context=replaced))

    def _open(self, protected: dict[str, str] | None) -> dict[str, str] | None:
        if protected is None or protected.get("kid") != self.kid:
            return protected
        from nacl.exceptions import CryptoError

        try:
            text = self._box.decrypt(b64decode(protected["value"], validate=True)).decode()
        except (CryptoError, binascii.Error, ValueError, KeyError):
            return protected
        return {"scheme": protected["scheme"], "kid": OPENED, "value": text}
