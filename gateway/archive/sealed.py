"""Bytes sealed by a passphrase.

Argon2id (RFC 9106) makes the key, XSalsa20-Poly1305 seals (libsodium's secretbox).
"""

from typing import Final

MAGIC: Final = b"scangate-sealed-1\n"
OPS: Final = 4
MEMORY_BYTES: Final = 64 * 1024 * 1024
"""For Argon2id: a second on a Raspberry Pi, within the memory of the smallest one."""
LEAST_PASSPHRASE: Final = 12
"""Characters: whoever finds the file can try passphrases for as long as they like."""


class SealError(ValueError):
    """A passphrase does not open the bytes, or is too short."""


def seal(data: bytes, passphrase: str) -> bytes:
    """Return the bytes sealed. Raises SealError for a passphrase that is too short."""
    from nacl import pwhash, secret, utils

    if len(passphrase) < LEAST_PASSPHRASE:
        raise SealError(f"the passphrase has {len(passphrase)} characters: at least {LEAST_PASSPHRASE} are needed")
    salt = utils.random(pwhash.argon2id.SALTBYTES)
    return MAGIC + salt + secret.SecretBox(_key(passphrase, salt)).encrypt(data)


def unseal(sealed: bytes, passphrase: str) -> bytes:
    """Return what was sealed. Raises SealError."""
    from nacl import pwhash, secret
    from nacl.exceptions import CryptoError

    if not sealed.startswith(MAGIC):
        raise SealError("these are no sealed credentials of scangate")
    body = sealed.removeprefix(MAGIC)
    salt, box = body[: pwhash.argon2id.SALTBYTES], body[pwhash.argon2id.SALTBYTES :]
    try:
        return secret.SecretBox(_key(passphrase, salt)).decrypt(box)
    except (CryptoError, ValueError) as error:
        raise SealError("the passphrase is wrong, or the file is damaged") from error


def _key(passphrase: str, salt: bytes) -> bytes:
    from nacl import pwhash, secret

    return pwhash.argon2id.kdf(
        secret.SecretBox.KEY_SIZE, passphrase.encode(), salt, opslimit=OPS, memlimit=MEMORY_BYTES
    )
