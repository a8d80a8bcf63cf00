"""What an importer holds does not grow with its file, and a line without end is refused or passed over."""

import io
import itertools
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from gateway.articles.errors import SourceFileError
from gateway.articles.importers import IMPORTERS
from gateway.articles.importers.json_entries import MAX_ENTRY_CHARACTERS
from tests.articles.reading import SAMPLES, source

MIB = 1024 * 1024
FILE_BYTES = 5 * MIB
ENDLESS_BYTES = 12 * MIB
MOST_BYTES = 4 * MIB
"""For a file of many rows: buffers, a batch, one entry."""
MOST_BYTES_OF_ENDLESS = 8 * MAX_ENTRY_CHARACTERS
"""For one entry without end: its text in a few copies, at its longest."""


class Made(io.BytesIO):
    """A stream whose content is made as it is read."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        super().__init__()
        self._parts = iter(parts)
        self._rest = b""
        self._last = b""

    def read(self, size: int | None = -1) -> bytes:
        wanted = ENDLESS_BYTES if size is None or size < 0 else size
        while len(self._rest) < wanted and (part := next(self._parts, b"")):
            self._rest += part
        self._last, self._rest = self._rest[:wanted], self._rest[wanted:]
        return self._last

    def readline(self, size: int | None = -1) -> bytes:
        wanted = ENDLESS_BYTES if size is None or size < 0 else size
        while b"\n" not in self._rest and len(self._rest) < wanted and (part := next(self._parts, b"")):
            self._rest += part
        end = min(self._rest.find(b"\n") + 1 or len(self._rest), wanted)
        data, self._rest = self._rest[:end], self._rest[end:]
        return data

    def seekable(self) -> bool:
        """Say that it cannot be read twice, as from a pipe."""
        return False

    def seek(self, *_: int) -> int:
        """Take back the last read, which is what a look at the first bytes needs."""
        self._rest = self._last + self._rest
        return 0


def repeated(first: bytes, unit: bytes, last: bytes = b"") -> Iterator[bytes]:
    """Yield some megabytes of one unit, in parts of a handy size; more of them where the unit is one byte."""
    part = unit * max(1, 65_536 // len(unit))
    yield first
    yield from itertools.repeat(part, (FILE_BYTES if len(unit) > 1 else ENDLESS_BYTES) // len(part))
    yield last


@contextmanager
def bounded(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most


GUDID_LINES = (SAMPLES / "gudid" / "device.txt").read_bytes().splitlines(keepends=True)
PEPPOL = (SAMPLES / "peppol_catalogue.xml").read_bytes()
LINE = PEPPOL.index(b"  <cac:CatalogueLine>")
CIN = (SAMPLES / "gs1_cin.xml").read_bytes()
TRANSACTION = CIN.index(b"  <transaction>")
CIN_END = b"</catalogue_item_notification:catalogueItemNotificationMessage>\n"
HL7_HEAD = b"MSH|^~\\&|MM|SU|GW|SU|20261101||MFN^M16^MFN_M16|1|P|2.9\r"
DETAIL = (SAMPLES / "eudamed_detail.ndjson").read_bytes()


@pytest.mark.parametrize(
    ("file_format", "content"),
    [
        ("csv", repeated(b"articleNumber;description\n", b"VGR-1;" + b"x" * 500 + b"\n")),
        ("gudid", repeated(GUDID_LINES[0], GUDID_LINES[1])),
        ("eudamed", repeated(b"\n", DETAIL)),
        ("eudamed", repeated(b'{"content":[', DETAIL.splitlines()[0] + b",", DETAIL.splitlines()[0] + b"]}")),
        ("fhir", repeated(b'{"entry":[', b'{"resource":{"resourceType":"Basic"}},', b"{}]}")),
        ("peppol", repeated(PEPPOL[:LINE], PEPPOL[LINE:].removesuffix(b"</Catalogue>\n"), b"</Catalogue>")),
        ("hl7-mfn", repeated(HL7_HEAD, b"MFE|MAD|1||N-1|CWE\rITM|N-1|" + b"x" * 500 + b"\r")),
        ("gs1-cin", repeated(CIN[:TRANSACTION], CIN[TRANSACTION:].removesuffix(CIN_END), CIN_END)),
        ("gs1-firstbase", repeated(b"\n", (SAMPLES / "gs1_firstbase.json").read_bytes())),
    ],
    ids=[
        *("csv", "gudid", "eudamed lines", "eudamed list", "fhir", "peppol", "hl7-mfn", "gs1-cin", "gs1-firstbase")
    ],
)
def test_many_rows(file_format: str, content: Iterator[bytes]) -> None:
    with bounded(MOST_BYTES):
        assert sum(1 for _ in IMPORTERS[file_format](Made(content), source(file_format))) > 0


@pytest.mark.parametrize(
    ("file_format", "content", "most"),
    [
        ("csv", repeated(b"articleNumber\n", b"x"), MOST_BYTES),
        ("gudid", repeated(GUDID_LINES[0], b"x"), MOST_BYTES),
        ("eudamed", repeated(b'[{"primaryDi":"', b"x"), MOST_BYTES_OF_ENDLESS),
        ("eudamed", repeated(b"[", b" "), MOST_BYTES),
        ("peppol", repeated(PEPPOL[:LINE] + b"<a b='", b"x"), MOST_BYTES),
        ("peppol", repeated(PEPPOL[:LINE], b"x"), MOST_BYTES),
        ("hl7-mfn", repeated(HL7_HEAD, b"x"), MOST_BYTES),
    ],
    ids=["csv", "gudid", "json text", "json space", "xml tag", "xml text", "hl7-mfn"],
)
def test_no_end(file_format: str, content: Iterator[bytes], most: int) -> None:
    with bounded(most):
        try:
            for _ in IMPORTERS[file_format](Made(content), source(file_format)):
                pass
        except SourceFileError as error:
            assert "miv" in str(error)  # noqa: PT017 - a table passes such a line over, a document ends with it
