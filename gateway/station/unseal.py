"""Opening what a station has sealed, on the machine of who has the private key. Never on a box that scans."""

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

from gateway.station.keys import MAX_KEY_FILE, KeyFileError
from gateway.station.protect import KID_BYTES, SEAL_KEY_BYTES


class Unsealer:
    """Opens sealed identities with the private keys of a file, one a line (`scangate station key seal`)."""

    def __init__(self, path: Path) -> None:
        """Raises KeyFileError, OSError."""
        from nacl.public import PrivateKey, SealedBox

        text = path.read_bytes()[: MAX_KEY_FILE + 1].decode("ascii", errors="replace")
        self._boxes: dict[str, SealedBox[PrivateKey]] = {}
        for line in text.split():
            try:
                key = bytes.fromhex(line)
            except ValueError:
                raise KeyFileError(f"{path}: holds no hex digits: name the private key, without `.pub`") from None
            if len(key) != SEAL_KEY_BYTES:
                raise KeyFileError(f"{path}: a key of {len(key)} bytes; an X25519 private key has {SEAL_KEY_BYTES}")
            private = PrivateKey(key)
            kid = hashlib.sha256(bytes(private.public_key)).hexdigest()[: 2 * KID_BYTES]
            self._boxes[f"sealed-{kid}"] = SealedBox(private)
        if not self._boxes:
            raise KeyFileError(f"{path}: holds no key")

    def open(self, reference: Mapping[str, str]) -> str | None:
        """Return the identity that a reference of an event seals; None for one of another key, or a damaged one."""
        from nacl.exceptions import CryptoError

        box = self._boxes.get(reference.get("kid", ""))
        if box is None:
            return None
        try:
            return box.decrypt(b64decode(reference["value"])).decode()
        except (CryptoError, binascii.Error, KeyError, UnicodeDecodeError):
            return None
