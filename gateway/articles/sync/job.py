"""`articles sync`: bring the sources whose file changed into the master. It has its own process, beside the daemon.

One source that cannot be had does not keep the others from being synced.
"""

import fcntl
import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from gateway.articles.build.import_job import MAX_SHRINK, import_file
from gateway.articles.errors import ArticlesError, ImportBusyError, SourceFileError
from gateway.articles.importers import is_whole, may_change
from gateway.articles.reports import ImportProgress, ImportReport, Rejection
from gateway.articles.settings import SourceSettings
from gateway.articles.sync.download import fetch, fetch_small, forget
from gateway.articles.sync.request import take_requests
from gateway.articles.sync.source_files import MAX_FILES, Dropped, find, sha256_of
from gateway.articles.sync.state import (
    FAILURES,
    HandledFile,
    SourceHistory,
    SyncResult,
    SyncState,
    digest_of,
    is_due,
    read_state,
    write_state,
)
from gateway.articles.sync.transfer import PATIENT, DownloadError, Pace, UnreachableError
from gateway.articles.sync.validators import Validators
from gateway.system.atomic_file import whole_file

LOCK: Final = "sync.lock"
"""Held by the sync that runs; the kernel frees it with the process."""
SETTLE_SECONDS: Final = 30
"""A dropped file that was written to more recently may not be whole yet."""
UNDATED_HOURS: Final = 24
"""A file whose server does not say when it was made may be as old as this: exports are made nightly."""
MAX_REJECTIONS_WRITTEN: Final = 100_000
"""Rows of a rejected file; a file in which all of five million are wrong needs one correction, not a full disk."""
REJECTED_MODE: Final = 0o640
_CHECKSUM: Final = re.compile(r"([0-9A-Fa-f]{64})(?:[ \t]+[*]?(.*))?")


class SourceOutcome(NamedTuple):
    """What came of one source."""

    source: str
    state: SourceHistory
    report: ImportReport | None
    """None where nothing was imported."""


class Watch(NamedTuple):
    """Whom a sync tells how far it has come, and how patient it is."""

    source: Callable[[str], None] = lambda _: None
    """The name of the source that is looked at now."""
    fetched: Callable[[int, int | None], None] | None = None
    """Bytes that have come and are to come."""
    imported: Callable[[ImportProgress], None] | None = None
    pace: Pace = PATIENT
    wait: Callable[[float], None] | None = None
    """Waits so many seconds between two attempts; None: as the clock goes."""


def rejected_file(directory: Path, source: str) -> Path:
    """Return where the rejected rows of a source's last import stand, a JSON object a line."""
    return directory / f"rejected-{source}.ndjson"


def sync(
    directory: Path,
    sources: Sequence[SourceSettings],
    *,
    now: Callable[[], datetime],
    names: Collection[str] = (),
    force: bool = False,
    watch: Watch = Watch(),  # noqa: B008 - immutable
) -> Iterator[SourceOutcome]:
    """Look at the sources that are due, or were asked for, or at those named; yield what came of each file.

    Of several files in a folder the newest counts; of a format that may list changes only, every one since the
    newest that lists all, in the order of their times and names.
    `directory` is the articles directory; it is made if need be. `force`: import a file that did not change, or
    lacks many rows, too.
    Raises ImportBusyError when another sync runs, OSError when the state cannot be written.
    """
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    with _locked(directory):
        asked = frozenset(names) or take_requests(directory)
        state = read_state(directory)
        fetchable = [source for source in sources if source.path is not None or source.url is not None]
        for source in fetchable:
            wanted = source.name in asked
            if not wanted and (names or not is_due(source, state.sources.get(source.name), now())):
                continue
            watch.source(source.name)
            look = _Look(directory, source, state.sources.get(source.name), watch, force=force, wanted=wanted)
            known = {one.name for one in sources}
            for outcome in look.at(now):
                state.sources[source.name] = outcome.state
                write_state(directory, SyncState(sources={k: v for k, v in state.sources.items() if k in known}))
                yield outcome


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with (directory / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ImportBusyError(
                "sync", directory, "another sync is running", "wait for it to end", recoverable=True
            ) from error
        yield


class _Look:
    """One look at one source."""

    def __init__(
        self,
        directory: Path,
        source: SourceSettings,
        known: SourceHistory | None,
        watch: Watch,
        *,
        force: bool,
        wanted: bool,
    ) -> None:
        self._directory = directory
        self._source = source
        self._watch = watch
        self._force = force
        self._wanted = wanted
        self._settings = digest_of(source)
        self._known = known

    @property
    def _comparable(self) -> SourceHistory | None:
        """What is known of the file, where it would be imported in the same way."""
        known = self._known
        return known if known is not None and known.settings == self._settings and not self._force else None

    def at(self, now: Callable[[], datetime]) -> Iterator[SourceOutcome]:
        """Look, and import what is new; yield what came of each file."""
        begun = now()
        try:
            looks = self._dropped(begun) if self._source.path is not None else iter((self._fetched(begun),))
            for state, report in looks:
                yield self._outcome(state, report)
        except (ArticlesError, OSError) as error:
            unreachable = isinstance(error, UnreachableError) or (
                isinstance(error, SourceFileError) and error.recoverable
            )
            result = SyncResult.UNREACHABLE if unreachable else SyncResult.FAILED
            yield self._outcome(self._state(begun, result, str(error)), None)

    def _outcome(self, state: SourceHistory, report: ImportReport | None) -> SourceOutcome:
        self._known = msgspec.structs.replace(state, tried=self._settings)
        return SourceOutcome(self._source.name, self._known, report)

    def _dropped(self, now: datetime) -> Iterator[tuple[SourceHistory, ImportReport | None]]:
        pattern = self._source.path or ""
        found = find(pattern, self._source.format)
        if not found:
            yield self._state(now, SyncResult.NOTHING, f"no file at {pattern}"), None
            return
        known = self._comparable
        files = {} if known is None else dict(known.files)
        series = self._series(found, files)
        first = next((place for place, one in enumerate(series) if _key(one) not in files), len(series))
        new = series[first:]
        settled = list(takewhile(lambda one: self._is_settled(one, now), new))
        for one in settled:
            yield self._take(one, now, files, {_key(each) for each in series})
        if len(settled) < len(new):
            waiting = self._state(now, SyncResult.WAITING, f"{new[len(settled)].path} was written to just now")
            seen = "\n".join(one.fingerprint for one in new[len(settled) :])
            yield msgspec.structs.replace(waiting, seen=seen), None
        elif not new and known is not None:
            yield self._of_files(self._unchanged(now, known), files, {_key(each) for each in series}), None

    def _series(self, found: list[Dropped], files: Mapping[str, HandledFile]) -> list[Dropped]:
        """Return the files that count, in their order."""
        if not may_change(self._source):
            return found[-1:]
        for place in reversed(range(len(found))):
            handled = files.get(_key(found[place]))
            if is_whole(found[place].path, self._source) if handled is None else handled.whole:
                return found[place:]
        return found

    def _is_settled(self, found: Dropped, now: datetime) -> bool:
        fresh = any(0 <= now.timestamp() - moment < SETTLE_SECONDS for moment in found.written)
        seen = "" if self._known is None else self._known.seen or ""
        return not fresh or self._wanted or found.fingerprint in seen.split("\n")

    def _take(
        self, found: Dropped, now: datetime, files: dict[str, HandledFile], series: Collection[str]
    ) -> tuple[SourceHistory, ImportReport | None]:
        """Import one dropped file, unless it is a copy of one that has been looked at, and note it in `files`."""
        known, key = self._comparable, _key(found)
        sha256 = found.sha256()
        self._check(sha256, found.path, self._expected(found.path.name))
        changing = may_change(self._source)
        former = {one.sha256: one for one in files.values()} if changing and key not in files else {}
        copied = former.get(sha256)
        if known is not None and (known.sha256 == sha256 if not changing else copied is not None):
            result = SyncResult.IMPORTED if known.taken else known.result
            files[key] = copied or HandledFile(found.modified_ns, sha256, result, known.message)
            return self._of_files(self._unchanged(now, known), files, series), None
        later = [one for other, one in files.items() if other not in series and one.modified_ns > found.modified_ns]
        report = None
        if changing and later:
            message = (
                f"{found.path} is older than files of changes that were taken and are gone: it would undo what they "
                "said; if it is right, take it with --force"
            )
            state = self._state(now, SyncResult.REFUSED, message)
        else:
            try:
                report = self._import(found.path, now, None)
                state = self._after(now, report, sha256)
            except SourceFileError as error:
                if error.recoverable:
                    raise
                state = self._state(now, SyncResult.FAILED, str(error))
        if Dropped(found.path).fingerprint == found.fingerprint:  # else the next run reads what was written since
            whole = changing and is_whole(found.path, self._source)
            if not changing:
                files.clear()  # an earlier file that becomes the newest again is news
            files[key] = HandledFile(found.modified_ns, sha256, state.result, state.message, whole)
        else:
            files.pop(key, None)
        return self._of_files(msgspec.structs.replace(state, settings=self._settings), files, series), report

    def _of_files(
        self, state: SourceHistory, files: dict[str, HandledFile], series: Collection[str]
    ) -> SourceHistory:
        """Return a state that remembers the files, and that is no better than the worst of those that count."""
        bad = next((files[key] for key in series if key in files and files[key].result in FAILURES), None)
        newest = sorted(files.items(), key=lambda item: item[1].modified_ns)[-MAX_FILES:]
        state = msgspec.structs.replace(state, files=dict(newest))
        if bad is None or state.result in FAILURES:
            return state
        return msgspec.structs.replace(state, result=bad.result, message=bad.message)

    def _fetched(self, now: datetime) -> tuple[SourceHistory, ImportReport | None]:
        url = self._source.url or ""
        known = self._comparable
        expected = self._expected(PurePosixPath(unquote(urlsplit(url).path)).name)
        if known is not None and expected is not None and known.sha256 == expected:
            return self._unchanged(now, known), None
        part = self._directory / f"download-{self._source.name}.part"
        validators = self._fetch(url, part, None if known is None else known.validators)
        if validators is None and known is not None:
            return self._unchanged(now, known), None
        try:
            sha256 = sha256_of(part)
            self._check(sha256, url, expected)
            if known is not None and known.sha256 == sha256:
                return msgspec.structs.replace(self._unchanged(now, known), validators=validators), None
            report = self._import(part, now, _as_of(validators, now))
        finally:
            forget(part)
        report = msgspec.structs.replace(report, file=url)
        return msgspec.structs.replace(self._after(now, report, sha256), validators=validators), report

    def _fetch(self, url: str, part: Path, known: Validators | None) -> Validators | None:
        watch = self._watch
        if watch.wait is None:
            return fetch(self._source, url, part, known, pace=watch.pace, progress=watch.fetched)
        return fetch(self._source, url, part, known, pace=watch.pace, wait=watch.wait, progress=watch.fetched)

    def _expected(self, name: str) -> str | None:
        """Return what the SHA-256 of the file of this name must be, where that is known. Raises DownloadError."""
        source = self._source
        if source.sha256_url is None:
            return source.sha256
        pace, wait = self._watch.pace, self._watch.wait
        page = (
            fetch_small(source, source.sha256_url, pace=pace)
            if wait is None
            else fetch_small(source, source.sha256_url, pace=pace, wait=wait)
        )
        published = published_sha256(page, name)
        if published is None:
            raise DownloadError(
                *("read", source.sha256_url, f"it has no SHA-256 of {name}"),
                "it must be as sha256sum writes it",
                recoverable=False,
            )
        return published

    def _check(self, sha256: str, file: object, expected: str | None) -> None:
        if expected is not None and sha256 != expected:
            raise DownloadError(
                *("trust", file, f"its SHA-256 is {sha256}, not {expected}"),
                "ask its owner which one is right",
                recoverable=False,
            )

    def _import(self, file: Path, now: datetime, as_of: datetime | None) -> ImportReport:
        """Import, and keep the rejected rows for whoever corrects them."""
        written = 0
        with whole_file(rejected_file(self._directory, self._source.name), REJECTED_MODE) as stream:

            def note(rejection: Rejection) -> None:
                nonlocal written
                if written < MAX_REJECTIONS_WRITTEN:
                    stream.write(msgspec.json.encode(rejection) + b"\n")
                    written += 1

            return import_file(
                self._directory,
                self._source,
                file,
                now=now,
                max_shrink=1.0 if self._force else MAX_SHRINK,
                progress=self._watch.imported,
                on_rejection=note,
                as_of=as_of,
            )

    def _after(self, now: datetime, report: ImportReport, sha256: str) -> SourceHistory:
        if report.swapped:
            state = self._state(now, SyncResult.IMPORTED, "")
            moment = int(now.timestamp())
            state = msgspec.structs.replace(
                state, succeeded=moment, imported=moment, rows=report.accepted, rejected=report.rejected
            )
        else:
            rejected = rejected_file(self._directory, self._source.name)
            state = self._state(now, SyncResult.REFUSED, f"{report.refusal}; see {rejected}")
            state = msgspec.structs.replace(state, rejected=report.rejected)
        return msgspec.structs.replace(
            state,
            settings=self._settings,
            sha256=sha256,
            validators=None,
            taken=report.swapped,
        )

    def _unchanged(self, now: datetime, known: SourceHistory) -> SourceHistory:
        """Return the state of a source whose file was looked at before: if it was refused then, it still is."""
        moment = int(now.timestamp())
        if known.taken:
            return msgspec.structs.replace(
                known, attempted=moment, succeeded=moment, result=SyncResult.UNCHANGED, message=""
            )
        if known.result in FAILURES:
            return msgspec.structs.replace(known, attempted=moment)
        message = "refused before, and unchanged since"
        return msgspec.structs.replace(known, attempted=moment, result=SyncResult.REFUSED, message=message)

    def _state(self, now: datetime, result: SyncResult, message: str) -> SourceHistory:
        """Return what was known, with a new result."""
        moment = int(now.timestamp())
        if self._known is None:
            return SourceHistory(attempted=moment, result=result, message=message)
        return msgspec.structs.replace(self._known, attempted=moment, result=result, message=message)


def _key(found: Dropped) -> str:
    """Return what a dropped file is remembered by."""
    return hashlib.blake2b(found.fingerprint.encode(), digest_size=8).hexdigest()


def published_sha256(page: bytes, name: str) -> str | None:
    """Return the SHA-256 a page lists for a file of this name, or the only one it has; None where it has none.

    One line a file, as sha256sum writes it: 64 hex digits, two spaces (or ` *`), the name.
    """
    lines = [_CHECKSUM.fullmatch(line.strip()) for line in page.decode("utf-8", "replace").splitlines()]
    found = [(line[1].lower(), PurePosixPath(line[2] or "").name) for line in lines if line is not None]
    named = [digest for digest, listed in found if listed == name]
    if named:
        return named[0]
    return found[0][0] if len(found) == 1 else None


def _as_of(validators: Validators | None, now: datetime) -> datetime:
    """Return until when a fetched file can be trusted to hold every change."""
    if validators is not None and validators.last_modified is not None:
        try:
            moment = parsedate_to_datetime(validators.last_modified)
        except ValueError:
            pass
        else:
            return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return now - timedelta(hours=UNDATED_HOURS)
