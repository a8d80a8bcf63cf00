"""`scangate parse --ndjson`: one line of JSON in, one line of JSON out, whatever the line holds.

An input line is a JSON string (the text of one symbol) or an object: `{"symbology": "]d2", "text": "..."}`, or
`{"symbols": [{...}, {...}]}` for the symbols of one item; `"today": "YYYY-MM-DD"` may be given with either. The
output line is a `gateway.model.Decoded` in JSON. A line that cannot be read is a finding like any other.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

import msgspec
from msgspec import Struct

from gateway.model import Decoded, Finding, Severity
from gateway.udi import decode, decode_symbols

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""Far above any label, every character escaped; a longer line is no label and is not kept in memory."""
MAX_SYMBOLS: Final = 64
"""Symbols of one item; the labels with the most, ISBT 128 with one structure a symbol, have some ten."""


class SymbolInput(Struct, frozen=True):
    """One symbol."""

    text: str
    symbology: str | None = None
    """AIM identifier; None or empty: the text may begin with one."""


class LineInput(Struct, frozen=True):
    """One line in the form of an object: either `text` or `symbols`."""

    text: str | None = None
    symbology: str | None = None
    symbols: tuple[SymbolInput, ...] | None = None
    today: date | None = None


_decoder: msgspec.json.Decoder[str | LineInput] = msgspec.json.Decoder(str | LineInput)
_encoder = msgspec.json.Encoder()


def answer(line: bytes | None, today: date) -> bytes:
    """Return the answer to one input line, without line end. None: a line longer than MAX_LINE_BYTES."""
    if line is None:
        return _encoder.encode(_unread("INPUT_TOO_LONG", f"the line is longer than {MAX_LINE_BYTES} bytes"))
    try:
        given = _read(line)
    except msgspec.ValidationError as error:
        return _encoder.encode(
            _unread("INPUT_FORM", f"a JSON string, or an object with text or symbols, expected: {error}")
        )
    except (ValueError, RecursionError) as error:
        cause = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return _encoder.encode(_unread("INPUT_NOT_JSON", f"the line is not JSON: {cause}"))
    return _encoder.encode(_decoded(given, today))


def split_lines(chunks: Iterable[bytes]) -> Iterator[list[bytes | None]]:
    r"""Turn chunks of a stream into lines, all that each chunk completes together; None for one that is too long.

    A last line without line end counts. `\n` ends a line; a `\r` before it is left out.
    """
    pending = bytearray()
    too_long = False
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        lines: list[bytes | None] = []
        for part in ended:
            fits = not too_long and len(pending) + len(part) <= MAX_LINE_BYTES
            lines.append(bytes(pending + part).removesuffix(b"\r") if fits else None)
            pending.clear()
            too_long = False
        too_long = too_long or len(pending) + len(rest) > MAX_LINE_BYTES
        if too_long:
            pending.clear()
        else:
            pending += rest
        yield lines
    if pending or too_long:
        yield [None if too_long else bytes(pending)]


def _read(line: bytes) -> str | LineInput:
    """Read a line. Raises msgspec.ValidationError for another form, ValueError or RecursionError for no JSON."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # msgspec stops at the first thing wrong, and refuses the escape of a lone surrogate, which JSON allows
        return _of_form(json.loads(line.decode()))


def _of_form(value: object) -> str | LineInput:
    given: str | LineInput = value if isinstance(value, str) else msgspec.convert(value, LineInput)
    return given


def _decoded(given: str | LineInput, today: date) -> Decoded:
    if isinstance(given, str):
        return decode(given, today=today)
    today = given.today or today
    if (given.text is None) == (given.symbols is None):
        return _unread("INPUT_FORM", "the object must have either text or symbols")
    if given.symbols is None:
        return decode(given.text or "", given.symbology or None, today=today)
    if len(given.symbols) > MAX_SYMBOLS:
        return _unread("INPUT_FORM", f"{len(given.symbols)} symbols, of which one item has {MAX_SYMBOLS} at most")
    return decode_symbols([(one.text, one.symbology or None) for one in given.symbols], today=today)


def _unread(code: str, message: str) -> Decoded:
    return Decoded(ok=False, findings=(Finding(code=code, severity=Severity.ERROR, message=message),))
