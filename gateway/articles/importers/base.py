"""What an importer is: a reader that turns one format into rows of texts by field."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from gateway.articles.reports import Rejection
from gateway.articles.settings import Field, SourceSettings


class Record(NamedTuple):
    """One row as the file gives it, not judged yet."""

    line: int
    """Line where it begins, counted from 1."""
    texts: dict[Field, str]


Importer = Callable[[BinaryIO, SourceSettings], Iterator[Record | Rejection]]
"""Reads a stream from its beginning, row by row, holding one row at a time.

A row it cannot take apart is a Rejection. A file that is not of its format is a SourceFileError.
"""
