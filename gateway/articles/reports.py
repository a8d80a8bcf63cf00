"""What an import tells of itself while it runs and when it is done."""

from msgspec import Struct

MAX_REJECTIONS_KEPT = 100
"""Rejected rows named in a report; the rest are only counted, so that a wrong file cannot fill the memory."""


class Rejection(Struct, frozen=True, kw_only=True, rename="camel"):
    """One row that did not go into the master."""

    line: int
    """Line of the file where the row begins, counted from 1."""
    column: str | None = None
    """The file's column that is at fault, or None for the whole row."""
    reason: str
    """What was found and what was expected."""


class ImportProgress(Struct, frozen=True, kw_only=True, rename="camel"):
    """How far an import has come."""

    rows_read: int
    rejected: int
    bytes_read: int
    bytes_total: int


class ImportReport(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one imported file."""

    source: str
    file: str
    rows_read: int
    """Rows with content, without the header: accepted + duplicates + rejected."""
    accepted: int
    duplicates: int
    """Rows that only repeat an earlier one, word for word but for the status, of which the strictest counts."""
    rejected: int
    rejections: tuple[Rejection, ...]
    """The first MAX_REJECTIONS_KEPT of the rejected rows."""
    swapped: bool
    """The new master is in force. False: the old one still is, and nothing of the file was taken."""
    refusal: str | None = None
    """Why it was not swapped."""
    version: str | None = None
    """Version of the new master: when it was built, RFC 3339 UTC; None when it was not swapped."""
