"""What an importer is: a reader that turns one format into rows of texts by field."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from gateway.articles.errors import SourceFileError
from gateway.articles.reports import Rejection
from gateway.articles.rows import SqlValue
from gateway.articles.settings import Field, SourceSettings

MAX_BATCH_ROWS = 1000
"""Rows of one Batch: enough that what a batch costs once does not show, and a megabyte at most."""


class SourceRecord(NamedTuple):
    """One row as the file gives it, not judged yet."""

    line: int
    """Line where it begins, counted from 1; in JSON, which has no rows, the number of the entry."""
    texts: dict[Field, str]


BatchRow = tuple[
    int, int, SqlValue, SqlValue, SqlValue, str | None, str | None, str | None, SqlValue, int | None, bytes | None
]
"""The columns of `gateway.articles.rows.Row`, as a plain tuple: a named one takes four times as long to make."""


class RowBatch(NamedTuple):
    """Rows with a GTIN that the importer has judged itself, by the rules of `gateway.articles.fields`.

    For files of millions of rows: they go into the master as they are, many at once.
    """

    lines: list[int]
    """Line of each row."""
    rows: list[BatchRow]
    """In place of its key, each has its GTIN as a number; its texts stand in it as such."""


class Changes(NamedTuple):
    """The file changes rows of its source, and does not list them all: what it does not mention stays as it was."""


Read = SourceRecord | Rejection | RowBatch | Changes
Importer = Callable[[BinaryIO, SourceSettings], Iterator[Read]]
"""Reads a stream from its beginning, row by row, holding one row (or one Batch) at a time. `Changes` comes first.

A row it cannot take apart is a Rejection. A file that is not of its format is a SourceFileError. A package row may
carry its identifier, base, quantity and status only: what else holds for it is its base's.
"""


def unusable(stream: BinaryIO, source: SourceSettings, cause: str, hint: str) -> SourceFileError:
    """Return the error for a file that is not of its source's format, or no further to be read as such."""
    name = getattr(stream, "name", f"the stream of source {source.name}")
    return SourceFileError("read", name, cause, hint, recoverable=False)
