"""One file over HTTP: only when it changed, resumed where it broke off, never more or slower than is bearable."""

import http.client
import random
import shutil
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from gateway.articles.settings import SourceSettings
from gateway.articles.sync.http_get import (
    PATIENT,
    DownloadError,
    Pace,
    UnreachableError,
    check_status,
    opened,
    unreachable,
)
from gateway.articles.sync.validators import Validators

MAX_BYTES: Final = 4 * 1024**3
"""Of one file; the whole GUDID packed is a tenth."""
MAX_SMALL_BYTES: Final = 64 * 1024
"""Of a page that lists checksums."""
SPARE_BYTES: Final = 64 * 1024 * 1024
"""What a download leaves free on the disk, for the scans."""
READ_BYTES: Final = 64 * 1024
MAX_RETRY_AFTER_SECONDS: Final = 300.0
"""A server that asks for more patience gets it at the next run."""


def fetch(
    source: SourceSettings,
    url: str,
    part: Path,
    known: Validators | None,
    *,
    pace: Pace = PATIENT,
    wait: Callable[[float], None] = time.sleep,
    progress: Callable[[int, int | None], None] | None = None,
) -> Validators | None:
    """Bring a file to `part`; return its validators, or None when the server says it is the `known` one.

    What an earlier call left of it is gone on with. `progress` gets bytes so far and in all. Raises DownloadError;
    what has arrived stays for the next call.
    """

    def attempt() -> Validators | None:
        return _attempt(source, url, part, known, pace, progress)

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
        with opened(source, url, {}, pace) as response:
            check_status(url, response)
            length = _length(response)
            data = b"".join(_body(response, url, pace, MAX_SMALL_BYTES, None))
            _check_whole(url, len(data), length)
            return data

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


def _attempt(
    source: SourceSettings,
    url: str,
    part: Path,
    known: Validators | None,
    pace: Pace,
    progress: Callable[[int, int | None], None] | None,
) -> Validators | None:
    broken_off = _broken_off(part, url)
    with opened(source, url, _conditions(part, broken_off, known), pace) as response:
        if response.status == HTTPStatus.NOT_MODIFIED and broken_off is None:
            return None
        check_status(url, response)
        begin = _begin(url, response, part if broken_off is not None else None)
        rest = _length(response)
        total = None if rest is None else begin + rest
        _check_room(url, part, rest)
        if total is None and not response.chunked and source.sha256 is None and source.sha256_url is None:
            raise DownloadError(
                *("fetch", url, "the server does not say how long the file is, so it may come cut short"),
                "have it send Content-Length, or set sha256_url",
                recoverable=False,
            )
        validators = Validators(
            url=url, etag=response.headers.get("ETag"), last_modified=response.headers.get("Last-Modified")
        )
        with part.open("ab" if begin else "wb") as file:
            # only now: they must never stand beside another version's bytes
            _beside(part).write_bytes(msgspec.json.encode(validators))
            for data in _body(response, url, pace, MAX_BYTES - begin, progress, begin, total):
                file.write(data)
            _check_whole(url, file.tell(), total)
    _beside(part).unlink()
    return validators


def _beside(part: Path) -> Path:
    """Return where a broken-off download's validators stand."""
    return part.with_name(f"{part.name}.json")


def _broken_off(part: Path, url: str) -> Validators | None:
    """Return the validators of what is there of this file, if it can be gone on with."""
    try:
        validators = msgspec.json.decode(_beside(part).read_bytes(), type=Validators)
        size = part.stat().st_size
    except (OSError, msgspec.MsgspecError):
        return None
    return validators if size and validators.url == url and validators.strong is not None else None


def _conditions(part: Path, broken_off: Validators | None, known: Validators | None) -> dict[str, str]:
    if broken_off is not None and broken_off.strong is not None:
        return {"Range": f"bytes={part.stat().st_size}-", "If-Range": broken_off.strong}
    if known is None:
        return {}
    conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in conditions.items() if value is not None}


def _begin(url: str, response: http.client.HTTPResponse, part: Path | None) -> int:
    """Return at which byte of the file the body begins."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return 0
    size = 0 if part is None else part.stat().st_size
    if part is None or not response.headers.get("Content-Range", "").startswith(f"bytes {size}-"):
        if part is not None:
            forget(part)
        raise UnreachableError(
            "fetch", url, "the server sent another part than asked for", "later", recoverable=True
        )
    return size


def _length(response: http.client.HTTPResponse) -> int | None:
    """Return how long the body is to be, where that is said."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and not response.chunked and len(text) <= len(str(2**63)) else None


def _check_room(url: str, part: Path, length: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < (length or 0) + SPARE_BYTES:
        raise DownloadError(
            *("store", url, f"{free} bytes are free, {(length or 0) + SPARE_BYTES} are needed"),
            "make room on the disk",
            recoverable=False,
        )


def _body(
    response: http.client.HTTPResponse,
    url: str,
    pace: Pace,
    most: int,
    progress: Callable[[int, int | None], None] | None,
    begin: int = 0,
    total: int | None = None,
) -> Iterator[bytes]:
    """Yield the body as it comes, no longer than `most`, no slower than `pace` permits."""
    got = 0
    window_began, window_got = time.monotonic(), 0
    while data := _read(response, url):
        got += len(data)
        if got > most:
            raise DownloadError(
                "fetch", url, f"it is longer than {begin + most} bytes", "correct `url`", recoverable=False
            )
        yield data
        if progress is not None:
            progress(begin + got, total)
        now = time.monotonic()
        if now - window_began >= pace.window:
            if got - window_got < pace.least_rate * (now - window_began):
                raise UnreachableError(
                    *("fetch", url, f"it comes slower than {pace.least_rate} bytes a second"),
                    "the next run goes on with it",
                    recoverable=True,
                )
            window_began, window_got = now, got


def _read(response: http.client.HTTPResponse, url: str) -> bytes:
    """Return what has arrived, at least a byte; b"" at the end."""
    try:
        return response.read1(READ_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(url, error) from error


def _check_whole(url: str, got: int, total: int | None) -> None:
    if total is not None and got != total:
        raise UnreachableError(
            *("fetch", url, f"it was cut short: {got} of {total} bytes"),
            "the next run goes on with it",
            recoverable=True,
        )
