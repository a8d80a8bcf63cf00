"""The public key that deltas are signed for, and the check of a signature (Ed25519, RFC 8032), by libsodium."""

import binascii
from base64 import b64decode
from typing import Final

from gateway.articles.overlay.delta_message import KEY_BYTES, Verify
from gateway.system.credentials import locate

_MAX_KEY_FILE: Final = 4096
"""Bytes of a key on one line, with room for white space; keeps a wrong path from being read as one."""


class KeyFileError(ValueError):
    """The configured public key cannot be used: file, cause, next step."""


def read_public_key(name: str) -> bytes:
    """Read `[articles] delta_key_file`: 32 bytes, or the same in hex or base64. Raises KeyFileError."""
    path = locate(name)
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_KEY_FILE)
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}; check articles.delta_key_file") from error
    if len(content) == KEY_BYTES:
        return content
    text = content.strip()
    for read in (binascii.unhexlify, _from_base64):
        try:
            key = read(text)
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return key
    raise KeyFileError(
        f"{path} holds no Ed25519 public key: expected {KEY_BYTES} bytes, or the same in hex or base64; "
        "check articles.delta_key_file"
    )


def verifier(key: bytes) -> Verify:
    """Return what checks a signature by this public key."""
    from nacl.exceptions import BadSignatureError  # only where a key is configured
    from nacl.signing import VerifyKey

    public = VerifyKey(key)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            public.verify(message, signature)
        except BadSignatureError:
            return False
        return True

    return verify


def _from_base64(text: bytes) -> bytes:
    return b64decode(text, validate=True)
