"""One file from a server: only when it changed, resumed where it broke off, never more or slower than is bearable.

HTTP tells versions of a file apart by its validators (RFC 9110, 8.8), and goes on with a broken-off one only under
If-Range. SFTP and FTPS have the time of the last change alone: it is asked for before and after, so that a file that
is being written is not taken for a whole one.
"""

import random
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

from gateway.articles.settings import SourceSettings
from gateway.articles.sync.transfer import (
    PATIENT,
    Answer,
    DownloadError,
    Pace,
    Request,
    UnreachableError,
    is_web,
    transfer,
)
from gateway.articles.sync.validators import Validators

MAX_BYTES: Final = 4 * 1024**3
"""Of one file; the whole GUDID packed is a tenth."""
MAX_SMALL_BYTES: Final = 64 * 1024
"""Of a page that lists checksums."""
SPARE_BYTES: Final = 64 * 1024 * 1024
"""What a download leaves free on the disk, for the scans."""
MAX_RETRY_AFTER_SECONDS: Final = 300.0
"""A server that asks for more patience gets it at the next run."""

Progress = Callable[[int, int | None], None]
"""Bytes so far and in all."""


def fetch(
    source: SourceSettings,
    url: str,
    part: Path,
    known: Validators | None,
    *,
    pace: Pace = PATIENT,
    wait: Callable[[float], None] = time.sleep,
    progress: Progress | None = None,
) -> Validators | None:
    """Bring a file to `part`; return its validators, or None when the server says it is the `known` one.

    What an earlier call left of it is gone on with. Raises DownloadError; what has arrived stays for the next call.
    """
    download = _Download(source, url, part, pace, progress)

    def attempt() -> Validators | None:
        return download.over_http(known) if is_web(url) else download.of_file_server(known)

    try:
        return _with_patience(attempt, pace, wait)
    except OSError as error:
        raise DownloadError(
            "store", url, str(error), f"check free space and permissions of {part.parent}", recoverable=False
        ) from error


def fetch_small(
    source: SourceSettings, url: str, *, pace: Pace = PATIENT, wait: Callable[[float], None] = time.sleep
) -> bytes:
    """Return a short page. Raises DownloadError."""

    def attempt() -> bytes:
        data = bytearray()

        def receive(_: Answer, more: bytes) -> None:
            _check_size(url, len(data) + len(more), MAX_SMALL_BYTES)
            data.extend(more)

        transfer(Request(source, url), receive, pace)
        return bytes(data)

    return _with_patience(attempt, pace, wait)


def forget(part: Path) -> None:
    """Remove what a download left."""
    part.unlink(missing_ok=True)
    _beside(part).unlink(missing_ok=True)


_T = TypeVar("_T")


def _with_patience(attempt: Callable[[], _T], pace: Pace, wait: Callable[[float], None]) -> _T:
    delay = pace.first_wait
    for _ in range(pace.attempts - 1):
        try:
            return attempt()
        except DownloadError as error:
            if not error.recoverable or (error.after or 0) > MAX_RETRY_AFTER_SECONDS:
                raise
            wait(error.after or delay * random.SystemRandom().uniform(0.5, 1.5))
            delay = min(2 * delay, pace.longest_wait)
    return attempt()


class _Download:
    """One file on its way to `part`."""

    def __init__(self, source: SourceSettings, url: str, part: Path, pace: Pace, progress: Progress | None) -> None:
        self._source = source
        self._url = url
        self._part = part
        self._pace = pace
        self._progress = progress

    def over_http(self, known: Validators | None) -> Validators | None:
        """Try once; see `fetch`."""
        broken_off = self._broken_off()
        received = _Received(self._url, self._part, self._progress)

        def receive(answer: Answer, data: bytes) -> None:
            if not received.begun:
                received.begin(self._begin(answer, broken_off), self._validators(answer))
                received.expect(answer.length or 0)
            received.take(data)

        request = Request(self._source, self._url, self._conditions(broken_off, known))
        try:
            done = transfer(request, receive, self._pace)
            if done.unchanged:
                if broken_off is None:
                    return None
                raise self._other_part()
            if not received.begun:  # a file without content
                received.begin(self._begin(done.answer, broken_off), self._validators(done.answer))
        finally:
            received.close()
        _beside(self._part).unlink()
        return received.validators

    def of_file_server(self, known: Validators | None) -> Validators | None:
        """Try once; see `fetch`."""
        validators = self._modified()
        if known is not None and known.last_modified == validators.last_modified is not None:
            return None
        broken_off = self._broken_off()
        begin = self._part.stat().st_size if broken_off == validators else 0
        received = _Received(self._url, self._part, self._progress)
        received.begin(begin, validators)
        try:
            request = Request(self._source, self._url, begin=begin)
            transfer(request, lambda _, data: received.take(data), self._pace, received.expect)
        except UnreachableError:
            if begin:  # it may be no longer as long as what is there
                forget(self._part)
            raise
        finally:
            received.close()
        if self._modified() != validators:
            forget(self._part)
            raise UnreachableError(
                "fetch", self._url, "it was written to while it came", "the next run tries again", recoverable=True
            )
        _beside(self._part).unlink()
        return validators

    def _modified(self) -> Validators:
        done = transfer(Request(self._source, self._url, head_only=True), lambda *_: None, self._pace)
        moment = None if done.modified is None else datetime.fromtimestamp(done.modified, UTC)
        return Validators(
            url=self._url, last_modified=None if moment is None else format_datetime(moment, usegmt=True)
        )

    def _broken_off(self) -> Validators | None:
        """Return the validators of what is there of this file, if it can be gone on with."""
        try:
            validators = msgspec.json.decode(_beside(self._part).read_bytes(), type=Validators)
            size = self._part.stat().st_size
        except (OSError, msgspec.MsgspecError):
            return None
        return validators if size and validators.url == self._url and validators.strong is not None else None

    def _conditions(self, broken_off: Validators | None, known: Validators | None) -> dict[str, str]:
        if broken_off is not None and broken_off.strong is not None:
            return {"Range": f"bytes={self._part.stat().st_size}-", "If-Range": broken_off.strong}
        if known is None:
            return {}
        conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
        return {name: value for name, value in conditions.items() if value is not None}

    def _begin(self, answer: Answer, broken_off: Validators | None) -> int:
        """Return at which byte of the file the body begins. Raises DownloadError."""
        chunked = "transfer-encoding" in answer.headers
        checked = self._source.sha256 is not None or self._source.sha256_url is not None
        if answer.length is None and not chunked and not checked:
            raise DownloadError(
                *("fetch", self._url, "the server does not say how long the file is, so it may come cut short"),
                "have it send Content-Length, or set sha256_url",
                recoverable=False,
            )
        if not answer.partial:
            return 0
        size = 0 if broken_off is None else self._part.stat().st_size
        if broken_off is None or not answer.headers.get("content-range", "").startswith(f"bytes {size}-"):
            raise self._other_part()
        return size

    def _other_part(self) -> UnreachableError:
        forget(self._part)
        return UnreachableError(
            "fetch", self._url, "the server sent another part than asked for", "later", recoverable=True
        )

    def _validators(self, answer: Answer) -> Validators:
        return Validators(
            url=self._url, etag=answer.headers.get("etag"), last_modified=answer.headers.get("last-modified")
        )


class _Received:
    """What has arrived of a file, on the disk with what tells its version."""

    def __init__(self, url: str, part: Path, progress: Progress | None) -> None:
        self._url = url
        self._part = part
        self._progress = progress
        self._file: BinaryIO | None = None
        self._rest: int | None = None
        self._first = 0
        self._size = 0
        self.validators: Validators | None = None

    @property
    def begun(self) -> bool:
        """Whether it is known at which byte the body begins."""
        return self._file is not None

    def begin(self, first: int, validators: Validators) -> None:
        """Open the file; the bytes that come begin with `first`. Raises OSError."""
        self._first = self._size = first
        self._file = self._part.open("ab" if first else "wb")
        self.validators = validators
        # only now: they must never stand beside another version's bytes
        _beside(self._part).write_bytes(msgspec.json.encode(validators))

    def expect(self, length: int) -> None:
        """Note how many bytes are to come. Raises DownloadError: there is no room for them."""
        self._rest = length or None
        free = shutil.disk_usage(self._part.parent).free
        if free < length + SPARE_BYTES:
            raise DownloadError(
                *("store", self._url, f"{free} bytes are free, {length + SPARE_BYTES} are needed"),
                "make room on the disk",
                recoverable=False,
            )

    def take(self, data: bytes) -> None:
        """Write what has arrived. Raises OSError, DownloadError."""
        _check_size(self._url, self._size + len(data), MAX_BYTES)
        if self._file is not None:
            self._file.write(data)
        self._size += len(data)
        if self._progress is not None:
            self._progress(self._size, None if self._rest is None else self._first + self._rest)

    def close(self) -> None:
        """Close the file; what has arrived stays."""
        if self._file is not None:
            self._file.close()


def _check_size(url: str, size: int, most: int) -> None:
    if size > most:
        raise DownloadError("fetch", url, f"it is longer than {most} bytes", "correct `url`", recoverable=False)


def _beside(part: Path) -> Path:
    """Return where a broken-off download's validators stand."""
    return part.with_name(f"{part.name}.json")
