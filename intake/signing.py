"""The central system's key: what boxes with `[central] key_file` demand on deltas, commands and acknowledgements.

Signed, the same bytes travel as `{"payload": base64, "signature": base64}`; the signature is Ed25519 (RFC 8032)
over exactly those bytes.
"""

import binascii
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

import msgspec

SEED_BYTES: Final = 32
"""An Ed25519 private key (RFC 8032, 5.1.5)."""
MAX_KEY_FILE: Final = 4096


class SigningKeyError(ValueError):
    """The key file cannot be used: file, cause, next step."""


class Signer:
    """Signs, or passes on as it is where there is no key."""

    def __init__(self, seed: bytes | None) -> None:
        self._key = None
        if seed is not None:
            from nacl.signing import SigningKey

            self._key = SigningKey(seed)

    @classmethod
    def from_file(cls, name: str | None) -> "Signer":
        """Read a private key: 32 bytes, or the same in hex or base64. Raises SigningKeyError."""
        return cls(None if name is None else read_seed(Path(name)))

    def signed(self, body: bytes) -> bytes:
        """Return what travels."""
        if self._key is None:
            return body
        envelope = {
            "payload": b64encode(body).decode(),
            "signature": b64encode(self._key.sign(body).signature).decode(),
        }
        return msgspec.json.encode(envelope)


def read_seed(path: Path) -> bytes:
    """Read the private key. Raises SigningKeyError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_KEY_FILE)
    except OSError as error:
        raise SigningKeyError(f"cannot read {path}: {error.strerror}; check --sign-key") from error
    if len(content) == SEED_BYTES:
        return content
    for read in (binascii.unhexlify, lambda text: b64decode(text, validate=True)):
        try:
            seed: bytes = read(content.strip())
        except ValueError:
            continue
        if len(seed) == SEED_BYTES:
            return seed
    raise SigningKeyError(
        f"{path} holds no Ed25519 private key: expected {SEED_BYTES} bytes, or the same in hex or base64; "
        "check --sign-key"
    )
