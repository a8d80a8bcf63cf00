"""The import of one file into the master: read, judge, report, swap.

One import at a time; a look-up in another process sees the old master until the new one is whole.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from gateway.articles.build.generation import (
    Builder,
    Reached,
    TooManySourcesError,
    build,
    go_back,
    nobody,
    version_of,
)
from gateway.articles.errors import ImportBusyError, ImportFailedError, MasterWriteError, SourceFileError
from gateway.articles.fields import BadRow, read_article, read_bar
from gateway.articles.importers import IMPORTERS, SourceRecord, file_to_open, tells_status
from gateway.articles.importers.base import Changes, Read, RowBatch
from gateway.articles.overlay.applier import DeltaApplier
from gateway.articles.reports import MAX_REJECTIONS_KEPT, ImportProgress, ImportReport, Rejection
from gateway.articles.settings import SourceSettings

MAX_SHRINK = 0.2
"""Of a source's rows that a file may lack without being asked about: more is a file that was cut short."""
FEW_ROWS = 2
"""So many may be gone in any case, from the shortest of lists."""
MAX_ROWS = 20_000_000
"""Rows of one file: four times the whole GUDID. More is not a list of articles."""
ROWS_PER_PROGRESS = 1000
"""Rows between two calls of `progress`: some ten a second on the smallest box."""
LOCK = "import.lock"
"""Held by the import that runs, inside the articles directory. The kernel frees it with the process."""


def import_file(  # noqa: PLR0913 - what is imported, how much is believed, three callbacks, and when it is
    directory: Path,
    source: SourceSettings,
    file: Path,
    *,
    now: datetime,
    max_rejected: float = 0.05,
    max_shrink: float = MAX_SHRINK,
    check_only: bool = False,
    progress: Callable[[ImportProgress], None] | None = None,
    on_rejection: Callable[[Rejection], None] | None = None,
    as_of: datetime | None = None,
    reached: Reached = nobody,
) -> ImportReport:
    """Replace all rows of `source` in the master by those of `file`; the other sources' rows stay.

    A file that only changes rows (Peppol's Update, HL7's UPD) leaves the others of the source as they are. What was
    barred and is listed no longer stays barred. `directory` is the articles directory; it is made if need be.
    `now`, with its zone, becomes the master's version. `as_of`: the file's date, where it is not its own; shown to
    people. Rejected rows are left out and reported, the first ones in the result and each one to `on_rejection`;
    where they are more than `max_rejected` of all rows, no good row is left, or more than `max_shrink` of the
    source's rows would go, nothing is taken. `check_only`: nothing is taken in any case. `reached` is called with each
    step as it is done. Raises ImportFailedError, or MasterError when the present master cannot be read; the present
    one then stays.
    """
    if now.tzinfo is None:
        raise ValueError("`now` must know its time zone")
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        with _locked(directory), _opened(file, source) as stream:
            if not check_only:
                _carry_numbers(directory)
            records = _guarded(IMPORTERS[source.format](stream, source), file)
            first = next(records, None)
            changes = source.incremental or isinstance(first, Changes)
            with build(directory, source, reached, changes=changes) as builder:
                run = _Run(builder, file, progress, on_rejection)
                read = records if first is None or isinstance(first, Changes) else chain((first,), records)
                run.take(read, stream, source)
                refusal = run.refusal(max_rejected, 1.0 if changes else max_shrink)
                if refusal is None and not check_only:
                    until = as_of or datetime.fromtimestamp(os.fstat(stream.fileno()).st_mtime, UTC)
                    builder.seal(now, min(now, until), tells_status=run.tells_status)
                    builder.put_in_force()
                swapped = refusal is None and not check_only
                return run.report(source, refusal, version_of(now) if swapped else None)
    except (sqlite3.Error, OSError) as error:
        raise _unwritable("write", directory, error) from error
    except TooManySourcesError as error:
        raise ImportFailedError(
            "add source", source.name, str(error), "import under a name it knows", recoverable=False
        ) from error


def rollback(directory: Path) -> None:
    """Put the previous generation in force again; the one in force becomes the previous.

    Raises NoPreviousError, ImportBusyError, MasterWriteError, or MasterError for a previous one that is damaged.
    """
    try:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        with _locked(directory):
            _carry_numbers(directory)
            go_back(directory)
    except OSError as error:
        raise _unwritable("go back in", directory, error) from error


def _carry_numbers(directory: Path) -> None:
    """Have what was recalled by number stay on the articles that have the number now. Raises OSError."""
    with DeltaApplier(directory) as deltas:
        deltas.carry_numbers()


def _unwritable(operation: str, directory: Path, cause: Exception) -> MasterWriteError:
    return MasterWriteError(
        operation,
        directory,
        str(cause),
        "the master in force is as it was; check permissions and free space (for a while, an import needs some "
        "four times the size of the new master), then try again",
        recoverable=True,
    )


class _Run:
    """The counts of one import."""

    def __init__(
        self,
        builder: Builder,
        file: Path,
        progress: Callable[[ImportProgress], None] | None,
        on_rejection: Callable[[Rejection], None] | None,
    ) -> None:
        self._builder = builder
        self._file = file
        self._progress = progress
        self._on_rejection = on_rejection
        self._rows = 0
        self._duplicates = 0
        self._rejected = 0
        self._rejections: list[Rejection] = []
        self.tells_status = False
        """The file can say which articles are blocked; known from `take` on."""

    def take(self, records: Iterable[Read], stream: BinaryIO, source: SourceSettings) -> None:
        """Read the file to its end."""
        size = os.fstat(stream.fileno()).st_size
        for record in records:
            before = self._rows
            if isinstance(record, Changes):
                raise SourceFileError(
                    *(
                        "import",
                        self._file,
                        "a part of it replaces the source's articles, and another changes them",
                    ),
                    "have them sent as two files",
                    recoverable=False,
                )
            if isinstance(record, RowBatch):
                self._rows += len(record.rows)
                self.tells_status = True  # only GUDID comes in batches
                self._builder.collector.add_batch(record)
            else:
                self._rows += 1
                if not self.tells_status and isinstance(record, SourceRecord):
                    self.tells_status = tells_status(source, record)
                rejection = record if isinstance(record, Rejection) else self._judge(record, source)
                if rejection is not None:
                    self._reject(rejection)
            if self._rows > MAX_ROWS:
                raise SourceFileError(
                    "import", self._file, f"it has more than {MAX_ROWS} rows", "split it", recoverable=False
                )
            if self._rows // ROWS_PER_PROGRESS != before // ROWS_PER_PROGRESS:
                self._tell(stream.tell(), size)
        self._tell(size, size)
        self._builder.merge()
        for twin in self._builder.settle_twins():
            if twin.same:
                self._duplicates += 1
                continue
            column = source.columns.get(twin.field, twin.field)
            reason = f"{twin.value} stands on another line with other values, which were taken"
            self._reject(Rejection(line=twin.line, column=column, reason=reason))

    def _judge(self, record: SourceRecord, source: SourceSettings) -> Rejection | None:
        article = read_article(record.texts)
        if isinstance(article, BadRow):
            bar = read_bar(record.texts)
            if bar is not None:
                self._builder.collector.add(bar, record.line, bars_only=True)
            column = None if article.field is None else source.columns.get(article.field, article.field)
            return Rejection(line=record.line, column=column, reason=article.reason)
        self._builder.collector.add(article, record.line)
        return None

    def _reject(self, rejection: Rejection) -> None:
        self._rejected += 1
        if self._on_rejection is not None:
            self._on_rejection(rejection)
        if len(self._rejections) < MAX_REJECTIONS_KEPT:
            self._rejections.append(rejection)

    def _tell(self, read: int, size: int) -> None:
        if self._progress is not None:
            self._progress(
                ImportProgress(rows_read=self._rows, rejected=self._rejected, bytes_read=read, bytes_total=size)
            )

    def refusal(self, max_rejected: float, max_shrink: float) -> str | None:
        """Return why the rows must not replace those in force, or None."""
        accepted, former = self._builder.accepted, self._builder.former_rows()
        if former - accepted > max(max_shrink * former, FEW_ROWS):
            return (
                f"it has {accepted} good rows, and {former} are in force: more than {max_shrink:.0%} fewer; if "
                "that is right, import it with --force"
            )
        gtins, former_gtins = self._builder.collector.with_gtin, self._builder.former_gtins()
        if former_gtins - gtins > max(max_shrink * former_gtins, FEW_ROWS):
            return (
                f"{gtins} of its rows have a GTIN, and {former_gtins} of those in force: a column may have moved or "
                "come empty; if that is right, import it with --force"
            )
        if accepted == 0:
            return f"none of {self._rows} rows is good"
        if self._rejected > max_rejected * self._rows:
            return f"{self._rejected} of {self._rows} rows are rejected: at most {max_rejected:.1%} may be"
        return None

    def report(self, source: SourceSettings, refusal: str | None, version: str | None) -> ImportReport:
        """Sum up."""
        return ImportReport(
            source=source.name,
            file=str(self._file),
            rows_read=self._rows,
            accepted=self._builder.accepted,
            duplicates=self._duplicates,
            rejected=self._rejected,
            rejections=tuple(sorted(self._rejections, key=lambda one: one.line)),
            swapped=version is not None,
            refusal=refusal,
            version=version,
        )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with (directory / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ImportBusyError(
                "import into", directory, "another import is running", "wait for it to end", recoverable=True
            ) from error
        yield


@contextmanager
def _opened(file: Path, source: SourceSettings) -> Iterator[BinaryIO]:
    try:
        stream = file_to_open(file, source).open("rb")
    except OSError as error:
        raise _unreadable(file, error) from error
    with stream:
        yield stream


def _guarded(records: Iterator[Read], file: Path) -> Iterator[Read]:
    """Pass the records on, and tell a failing source from a failing master."""
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except OSError as error:
            raise _unreadable(file, error) from error
        yield record


def _unreadable(file: Path, error: OSError) -> SourceFileError:
    return SourceFileError("read", file, str(error), "check path and permissions", recoverable=True)
