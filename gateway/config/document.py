"""A configuration as it was written: the values of its files, and where each stands."""

import errno
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self

from msgspec import Struct

from gateway.config.positions import Key, key_lines
from gateway.config.values import Wrong

MAX_CONFIG_BYTES: Final = 1024 * 1024
"""Far above any station's file; keeps a wrong path (a log, a disk image) from being read into memory."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
SAVE_AS: Final = "save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8; on Linux: iconv -f {} -t utf-8)"


class Document(Struct, frozen=True, kw_only=True):
    """What was written, unchecked."""

    values: dict[str, Any]
    """As tomllib gives them, the site's file joined in."""
    places: dict[Key, tuple[str, int]]
    """File and line of each key."""
    file: str
    """The box's own file."""
    notes: tuple[str, ...] = ()
    """What is odd about the files and hinders nothing."""

    def over(self, site: "Document") -> Self:
        """Return this document with the site's values where it has none of its own."""
        values, places = _joined(self, site, (), self.values, site.values)
        return type(self)(values=values, places=places, file=self.file, notes=self.notes + site.notes)

    def place(self, key: Key) -> str:
        """Return `FILE:LINE` of a key or of the nearest thing it lies in, or the file where nothing leads to it."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.places:
                file, line = self.places[key[:length]]
                return f"{file}:{line}"
        return self.file


class ConfigError(ValueError):
    """The configuration cannot be used: a line for each thing, with file, line, key, value and what is allowed."""

    @classmethod
    def of(cls, document: Document, found: Iterable[Wrong]) -> Self:
        """Return the error that says all of this."""
        lines = {f"{document.place(one.key)}: {one.text()}": None for one in found}
        return cls("\n".join(lines))


def read_file(path: Path) -> Document:
    """Read one file as TOML, unchecked. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        hints = {
            errno.ENOENT: "make one with `scangate init`",
            errno.EISDIR: "give the path of a file",
            errno.EACCES: "its group must be able to read it (root:scangate, mode 0640), or run this as root",
        }
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; {hints.get(error.errno or 0, '')}") from error
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_CONFIG_BYTES} bytes: this is no scangate configuration")
    notes: tuple[str, ...] = ()
    if data.startswith(BYTE_ORDER_MARK):
        data = data.removeprefix(BYTE_ORDER_MARK)
        notes = (
            f"{path}:1: begins with a byte order mark (BOM), as some Windows editors write it: it is passed over",
        )
    text = _text(path, data)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_not_toml(path, text, str(error))) from error
    places = {key: (str(path), line) for key, line in key_lines(text).items()}
    return Document(values=values, places=places, file=str(path), notes=notes)


def _text(path: Path, data: bytes) -> str:
    if data.startswith(UTF_16):
        raise ConfigError(f"{path}:1: not valid TOML: the file is UTF-16, not UTF-8: {SAVE_AS.format('utf-16')}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        begin = data.rfind(b"\n", 0, error.start) + 1
        shown = data[begin:].split(b"\n", 1)[0].decode("cp1252", "replace").strip()[:60]
        raise ConfigError(
            f"{path}:{line}: not valid TOML: {shown!r} is not UTF-8; the file was probably saved as Windows-1252 "
            f"(ANSI): {SAVE_AS.format('cp1252')}"
        ) from error


def _not_toml(path: Path, text: str, message: str) -> str:
    """Say where a text stops being TOML, and show the line."""
    what, _, where = message.rpartition(" (at ")
    if where.startswith("line "):
        number = int("".join(one for one in where.split(",", 1)[0] if one.isdigit()))
    else:
        number = text.count("\n") + 1
        what = what or message
    lines = text.splitlines()
    shown = lines[number - 1].strip()[:60] if number <= len(lines) else ""
    secret = "password" in shown.lower()
    return f"{path}:{number}: not valid TOML: {what}" + (f": {shown}" if shown and not secret else "")


def _joined(
    own: Document, site: Document, key: Key, values: dict[str, Any], below: dict[str, Any]
) -> tuple[dict[str, Any], dict[Key, tuple[str, int]]]:
    """Join two tables; return the values with the places of everything in them."""
    joined: dict[str, Any] = {}
    places: dict[Key, tuple[str, int]] = {}
    for name in [*values, *(name for name in below if name not in values)]:
        at = (*key, name)
        mine, its = values.get(name), below.get(name)
        if isinstance(mine, dict) and isinstance(its, dict):
            joined[name], inner = _joined(own, site, at, mine, its)
            places |= inner
            places |= {at: own.places[at]} if at in own.places else {}
            continue
        source = own if name in values else site
        joined[name] = mine if name in values else its
        places |= {one: place for one, place in source.places.items() if one[: len(at)] == at}
    return joined, places
