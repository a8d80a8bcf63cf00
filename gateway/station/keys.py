"""The key files of a station: read when the daemon starts and at each reload.

A key that cannot be read must not keep the station from recording articles: what needs it is refused, and the
reason stands in `trouble` for the health alarms.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from msgspec import Struct

from gateway.station.context_settings import ContextSettings
from gateway.station.control_codes import LEAST_KEY_BYTES, WHAT_TO_DO, Foreign
from gateway.station.protect import LEAST_HMAC_KEY_BYTES, SEAL_KEY_BYTES, Protector
from gateway.system.credentials import locate

MAX_KEY_FILE: Final = 4096
"""Bytes: some dozens of keys; keeps a wrong path from being read into memory."""

Key = TypeVar("Key")


class KeyFileError(ValueError):
    """A key file cannot be used. The message says which, why, and what to do; never what is in it."""


class StationKeys(Struct, frozen=True, kw_only=True):
    """What a station can sign, seal and hash with."""

    control: bytes | None
    """Of the control codes."""
    protector: Protector
    trouble: tuple[str, ...] = ()
    """Why a configured key is not there, one each."""


def read_keys(code_key_file: str | None, context: ContextSettings, session_key: bytes | None = None) -> StationKeys:
    """Read what is configured. Never raises: what cannot be used is missing, and `trouble` says why.

    `session_key`: of the machine's session; None: one of its own.
    """
    trouble: list[str] = []
    control = _attempt(code_key_file, "[station] code_key_file", read_control_key, trouble)
    seal = _attempt(context.seal_key_file, "[context] seal_key_file", read_seal_key, trouble)
    hmac = _attempt(
        context.hmac_key_file,
        "[context] hmac_key_file",
        lambda name: read_hmac_key(name, context.hmac_key_id),
        trouble,
    )
    return StationKeys(control=control, protector=Protector(seal, hmac, session_key), trouble=tuple(trouble))


def control_key_of(code_key_file: str | None) -> bytes:
    """Return the configured key of the control codes. Raises KeyFileError when it is not there."""
    if code_key_file is None:
        raise KeyFileError(WHAT_TO_DO[Foreign.NO_KEY])
    keys = read_keys(code_key_file, ContextSettings())
    if keys.control is None:
        raise KeyFileError(keys.trouble[0])
    return keys.control


def read_control_key(name: str) -> bytes:
    """Read the key of the control codes: hex digits on one line. Raises KeyFileError, OSError."""
    return _key(name, _lines(name)[-1], LEAST_KEY_BYTES)


def read_seal_key(name: str) -> bytes:
    """Read the central system's public key: 64 hex digits. Raises KeyFileError, OSError."""
    key = _key(name, _lines(name)[-1], SEAL_KEY_BYTES)
    if len(key) != SEAL_KEY_BYTES:
        raise KeyFileError(f"{name}: {len(key)} bytes; an X25519 public key has {SEAL_KEY_BYTES}")
    from nacl.exceptions import CryptoError

    try:
        Protector(key).seal("trial", "")
    except CryptoError as error:
        raise KeyFileError(f"{name}: no X25519 public key: {error}") from error
    return key


def read_hmac_key(name: str, key_id: str | None) -> tuple[str, bytes]:
    """Read a key for pseudonyms: the line `ID HEXDIGITS` of that id, else the last one.

    Raises KeyFileError, OSError.
    """
    keys: dict[str, str] = {}
    for line in _lines(name):
        kid, _, digits = line.partition(" ")
        if not digits or not kid.isascii() or not kid.replace("-", "").isalnum():
            raise KeyFileError(f"{name}: each line is `ID HEXDIGITS`, the id of letters, digits and -")
        keys[kid] = digits
    chosen = key_id if key_id is not None else list(keys)[-1]
    if chosen not in keys:
        raise KeyFileError(f"{name}: has no key {chosen!r}; it has {', '.join(keys)}")
    return chosen, _key(name, keys[chosen].strip(), LEAST_HMAC_KEY_BYTES)


def _attempt(name: str | None, where: str, read: Callable[[str], Key], trouble: list[str]) -> Key | None:
    if name is None:
        return None
    try:
        return read(name)
    except OSError as error:
        trouble.append(f"{where}: {locate(name)} cannot be read: {error.strerror}; put the file there and restart")
    except KeyFileError as error:
        trouble.append(f"{where}: {error}")
    return None


def _lines(name: str) -> list[str]:
    with locate(name).open("rb") as file:
        data = file.read(MAX_KEY_FILE + 1)
    if len(data) > MAX_KEY_FILE:
        raise KeyFileError(f"{name}: longer than {MAX_KEY_FILE} bytes: this is no key file")
    text = data.decode("ascii", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise KeyFileError(f"{name}: holds no key: make one with `scangate station key`")
    return lines


def _key(name: str, digits: str, least: int) -> bytes:
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        raise KeyFileError(f"{name}: holds no hex digits: make a key with `scangate station key`") from None
    if len(key) < least:
        raise KeyFileError(f"{name}: a key of {len(key)} bytes, at least {least} are needed")
    return key
