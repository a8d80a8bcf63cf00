"""Lines of UTF-8 text in blocks, for files of millions of lines: a line costs next to nothing, however it ends."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

BLOCK_BYTES: Final = 256 * 1024
"""Read at a time; what a block costs once does not show."""
MAX_LINE_BYTES: Final = 65_536
"""A longer line, where a block ends in it, is no row: what goes on past this is thrown away as it comes."""


class Block(NamedTuple):
    """Lines that follow one another, without their ends."""

    first: int
    """Number of the first, counted from 1."""
    lines: list[str]


class BadLine(NamedTuple):
    """A line that cannot be read."""

    number: int
    problem: str


def blocks(stream: BinaryIO) -> Iterator[Block | BadLine]:
    """Yield all lines; a byte order mark is none of the first's text."""
    number = 1
    rest = b""
    while data := stream.read(BLOCK_BYTES):
        data = rest + data
        end = data.rfind(b"\n") + 1
        whole, rest = data[:end], data[end:]
        if whole:
            yield from _decoded(whole, number)
            number += whole.count(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            yield BadLine(number, f"the line is longer than {MAX_LINE_BYTES} bytes")
            rest = _after_line(stream)
            number += 1
    if rest:
        yield from _decoded(rest, number)


def _after_line(stream: BinaryIO) -> bytes:
    while data := stream.read(BLOCK_BYTES):
        line, newline, rest = data.partition(b"\n")
        del line
        if newline:
            return rest
    return b""


def _decoded(data: bytes, number: int) -> Iterator[Block | BadLine]:
    if number == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        yield from _one_by_one(data, number)
        return
    yield Block(number, _lines(text))


def _lines(text: str) -> list[str]:
    lines = text.removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def _one_by_one(data: bytes, number: int) -> Iterator[Block | BadLine]:
    for place, line in enumerate(data.removesuffix(b"\n").split(b"\n"), number):
        try:
            yield Block(place, [line.removesuffix(b"\r").decode()])
        except UnicodeDecodeError as error:
            yield BadLine(place, f"byte 0x{line[error.start]:02X} at {error.start + 1} of the line is not UTF-8")
