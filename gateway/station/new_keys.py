"""Making the keys of a site, with fresh random bytes of the system; a key that is there is never overwritten."""

import os
import re
from pathlib import Path
from typing import Final

from gateway.station.keys import MAX_KEY_FILE, KeyFileError
from gateway.system.atomic_file import whole_file

KEY_BYTES: Final = 32
"""256 bits: as many as HMAC-SHA-256 makes use of."""
KEY_ID: Final = re.compile(r"[A-Za-z0-9-]{1,32}", re.ASCII)
"""It stands in events."""
SECRET_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644


def make_control_key(path: Path) -> None:
    """Write a new key for control codes. Raises KeyFileError."""
    _write(path, os.urandom(KEY_BYTES).hex() + "\n", SECRET_MODE)


def add_hmac_key(path: Path, key_id: str) -> None:
    """Write a new key for pseudonyms behind those of the file, or the first one. Raises KeyFileError."""
    if not KEY_ID.fullmatch(key_id):
        raise KeyFileError(f"key id {key_id!r}: allowed: 1 to 32 letters, digits and -")
    present = ""
    if path.exists():
        present = _read(path)
        if any(line.split(" ")[0] == key_id for line in present.splitlines()):
            raise KeyFileError(f"{path}: has a key {key_id!r} already; give the new one another id")
        present = present if present.endswith("\n") else present + "\n"
    _write(path, f"{present}{key_id} {os.urandom(KEY_BYTES).hex()}\n", SECRET_MODE, replace=True)


def make_seal_keys(path: Path) -> Path:
    """Write a private key for the central system, and beside it the public one for the boxes. Raises KeyFileError.

    Returns the public key's path: the private key's with `.pub`.
    """
    from nacl.public import PrivateKey

    private = PrivateKey.generate()
    public = path.with_name(f"{path.name}.pub")
    for one in (path, public):  # before either is written: half a new pair beside half an old one opens nothing
        _refuse_present(one)
    _write(path, bytes(private).hex() + "\n", SECRET_MODE)
    _write(public, bytes(private.public_key).hex() + "\n", PUBLIC_MODE)
    return public


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_FILE).decode("ascii", errors="replace")
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from error


def _refuse_present(path: Path) -> None:
    if path.exists():
        raise KeyFileError(
            f"{path}: is there already: a key is never overwritten; move it away or name another file"
        )


def _write(path: Path, text: str, mode: int, *, replace: bool = False) -> None:
    if not replace:
        _refuse_present(path)
    try:
        with whole_file(path, mode) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written: {error.strerror}") from error
