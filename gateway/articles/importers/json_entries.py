"""The entries of a JSON document one by one: a list of them at the top, in a wrapper, or an object a line.

Each entry is decoded whole by the standard library's decoder, from a buffer that holds little more than it. So a
document of any size takes a few megabytes, and there is no parser of our own.
"""

import codecs
import re
from collections.abc import Collection, Iterator
from json import JSONDecoder
from typing import BinaryIO, Final, NamedTuple

MAX_ENTRY_CHARACTERS: Final = 4 * 1024 * 1024
"""Of one entry, or of one value beside the entries; the longest device of EUDAMED takes a hundredth."""
READ_BYTES: Final = 256 * 1024
"""Read at a time, at least; as much again as is held already, so that a long entry is not decoded over and over."""
_SPACE: Final = re.compile(r"[ \t\r\n]*")


class JsonEntriesError(ValueError):
    """The document cannot be read on; the message says where and why."""


class Entry(NamedTuple):
    """One entry of the document."""

    number: int
    """Counted from 1."""
    value: object


def entries(stream: BinaryIO, lists: Collection[str]) -> Iterator[Entry]:
    """Yield the entries. `lists`: under which keys of a wrapper they stand. Raises JsonEntriesError.

    A wrapper may also be an entry of a list, or one of several objects: pages put together.
    """
    reader = _Reader(stream)
    number = 0
    try:
        for value in _documents(reader, lists):
            inner = _unwrapped(value, lists)
            for one in [value] if inner is None else inner:
                number += 1
                yield Entry(number, one)
    except UnicodeDecodeError as error:
        raise JsonEntriesError(f"after entry {number}: it is not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise JsonEntriesError(f"after entry {number}: it is nested too deep") from error
    except ValueError as error:
        raise JsonEntriesError(f"after entry {number}: {error}") from error


def _unwrapped(value: object, lists: Collection[str]) -> list[object] | None:
    if isinstance(value, dict):
        for key in lists:
            inner = value.get(key)
            if isinstance(inner, list):
                return inner
    return None


def _documents(reader: "_Reader", lists: Collection[str]) -> Iterator[object]:
    if not reader.next():
        raise ValueError("it is empty")
    while character := reader.next():
        if character == "[":
            yield from _array(reader)
        elif character == "{":
            yield from _object(reader, lists)
        else:
            raise ValueError(f"expected an object or a list, got {character!r}")


def _array(reader: "_Reader") -> Iterator[object]:
    reader.take("[")
    if reader.next() == "]":
        reader.take("]")
        return
    while True:
        yield reader.value()
        if reader.next() == "]":
            reader.take("]")
            return
        reader.take(",")


def _object(reader: "_Reader", lists: Collection[str]) -> Iterator[object]:
    """Yield the entries of a wrapper, or the object itself where it is none."""
    reader.take("{")
    pairs: dict[str, object] = {}
    wrapper = False
    begun = reader.position
    while reader.next() != "}":
        key = reader.value()
        if not isinstance(key, str):
            raise ValueError(f"expected a key, got {str(key)[:40]}")  # noqa: TRY004 - the document is wrong, no argument
        reader.take(":")
        if key in lists and reader.next() == "[":
            wrapper = True
            yield from _array(reader)
        else:
            value = reader.value()
            if not wrapper:
                pairs[key] = value
                if reader.position - begun > MAX_ENTRY_CHARACTERS:
                    raise ValueError(f"an object is longer than {MAX_ENTRY_CHARACTERS} characters")
        if reader.next() != "}":
            reader.take(",")
    reader.take("}")
    if not wrapper:
        yield pairs


class _Reader:
    """The document's text from where it has been read to, as far as it has been needed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._scan = JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._before = 0
        self._ended = False

    @property
    def position(self) -> int:
        """Characters read so far."""
        return self._before + self._at

    def next(self) -> str:
        """Return the next character that is no space, without taking it; "" at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = self._at if space is None else space.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> None:
        """Take the next character, which must be this one. Raises ValueError."""
        found = self.next()
        if found != wanted:
            raise ValueError(f"expected {wanted!r}, got {found!r}" if found else "it ends in the middle: cut short")
        self._at += 1

    def value(self) -> object:
        """Take the next value. Raises ValueError, RecursionError."""
        self.next()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except ValueError:
                # the rest of it may not have been read yet
                if len(self._text) - self._at > MAX_ENTRY_CHARACTERS or not self._more():
                    raise
                continue
            if end - self._at > MAX_ENTRY_CHARACTERS:
                raise ValueError(f"an entry is longer than {MAX_ENTRY_CHARACTERS} characters")
            if end < len(self._text) or not self._more():  # a number may go on behind what was read
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on; return whether there was more."""
        if self._ended:
            return False
        data = self._stream.read(max(READ_BYTES, len(self._text) - self._at))
        self._ended = not data
        self._before += self._at
        self._text = self._text[self._at :] + self._decode(data, final=self._ended)
        self._at = 0
        return not self._ended
