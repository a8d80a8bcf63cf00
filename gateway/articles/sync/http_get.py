"""One GET over HTTP(S): verified, never redirected to plain http, never waiting for ever.

The standard library's http.client: what a library would add (sessions, pools, following every redirect) is not
wanted here, and what is wanted (resume with If-Range, a least speed, no way to plain http) none has.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from gateway import VERSION
from gateway.articles.errors import ArticlesError
from gateway.articles.settings import SourceSettings
from gateway.system.credentials import locate

MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TRANSIENT: Final = frozenset({408, 416, 425, 429})
_SERVER_ERROR: Final = 500
_MAX_DIGITS: Final = 9
"""Of a Retry-After in seconds: thirty years."""


class Pace(NamedTuple):
    """How patient a download is. Seconds, and bytes a second."""

    attempts: int = 5
    first_wait: float = 2.0
    """Between the first two attempts; it doubles, give or take half of it at random, so that boxes do not march."""
    longest_wait: float = 60.0
    silence: float = 30.0
    """Nothing at all arrives for so long."""
    head: float = 60.0
    """The whole answer up to its body."""
    window: float = 30.0
    """The speed is taken over so long."""
    least_rate: int = 2048
    """Below it, the whole of a big file would take days."""


PATIENT: Final = Pace()


class DownloadError(ArticlesError):
    """The file was not fetched. The master in force is untouched."""

    after: float | None = None
    """Seconds after which the server asks to be tried again."""


class UnreachableError(DownloadError):
    """The server does not answer, or not with the file."""


@contextlib.contextmanager
def opened(
    source: SourceSettings, url: str, headers: dict[str, str], pace: Pace
) -> Iterator[http.client.HTTPResponse]:
    """Ask for a URL, follow redirects, and yield the answer. Raises DownloadError."""
    first = urlsplit(url)
    for _ in range(MAX_REDIRECTS + 1):
        parts = urlsplit(url)
        with contextlib.ExitStack() as stack:
            try:
                connection = stack.enter_context(
                    contextlib.closing(_connection(source, parts, pace, trusted=parts.netloc == first.netloc))
                )
                connection.connect()
                response = _asked(connection, parts, headers, pace)
            except (OSError, http.client.HTTPException) as error:
                raise unreachable(url, error) from error
            stack.callback(response.close)
            if response.status not in _REDIRECTS:
                yield response
                return
            url = _redirected(url, response, first)
    raise UnreachableError(
        "fetch", first.geturl(), f"more than {MAX_REDIRECTS} redirects", "correct `url`", recoverable=False
    )


def _redirected(url: str, response: http.client.HTTPResponse, first: SplitResult) -> str:
    target = urljoin(url, response.headers.get("Location", ""))
    parts = urlsplit(target)
    if parts.scheme != "https" and (parts.scheme != "http" or first.scheme != "http"):
        raise DownloadError(
            *("fetch", url, f"it redirects to {target[:200]}, which is not https"),
            "correct `url`, or have the server stay with https",
            recoverable=False,
        )
    if not parts.hostname or parts.username is not None:
        raise DownloadError("fetch", url, "it redirects to no host", "correct `url`", recoverable=False)
    return target


def _connection(
    source: SourceSettings, parts: SplitResult, pace: Pace, *, trusted: bool
) -> http.client.HTTPConnection:
    """Return a connection, not opened yet.

    The client certificate is shown to the configured host only (`trusted`), not to one it redirects to.
    """
    host = parts.hostname or ""
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, parts.port, timeout=pace.silence)
    context = ssl.create_default_context(cafile=None if source.ca_file is None else str(locate(source.ca_file)))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if trusted and source.cert_file is not None and source.key_file is not None:
        context.load_cert_chain(locate(source.cert_file), locate(source.key_file))
    return http.client.HTTPSConnection(host, parts.port, timeout=pace.silence, context=context)


def _asked(
    connection: http.client.HTTPConnection, parts: SplitResult, headers: dict[str, str], pace: Pace
) -> http.client.HTTPResponse:
    """Send the request and read the head of the answer, which must not take for ever byte by byte."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    link: socket.socket = connection.sock

    def give_up() -> None:
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(pace.head, give_up)
    timer.daemon = True
    timer.start()
    try:
        standard = {"Accept-Encoding": "identity", "User-Agent": f"scangate/{VERSION}"}
        connection.request("GET", target, headers={**standard, **headers})
        return connection.getresponse()
    finally:
        timer.cancel()


def check_status(url: str, response: http.client.HTTPResponse) -> None:
    """Raise DownloadError unless the answer has the file, or a part of it, in its body."""
    if response.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadError(
                "fetch",
                url,
                "the server packs the answer although asked not to",
                "tell its owner",
                recoverable=False,
            )
        return
    passing = response.status in _TRANSIENT or response.status >= _SERVER_ERROR
    error = UnreachableError(
        *("fetch", url, f"the server answers {response.status} {response.reason[:80]}"),
        "the next run tries again" if passing else "check `url` and who may read it",
        recoverable=passing,
    )
    after = response.headers.get("Retry-After", "")
    if passing and after.isdecimal() and len(after) <= _MAX_DIGITS:
        error.after = float(after)
    raise error


def unreachable(url: str, error: Exception) -> UnreachableError:
    """Return what a failing connection means; a certificate that does not verify will not do so the next time."""
    final = isinstance(
        error, ssl.SSLCertVerificationError | FileNotFoundError | PermissionError | IsADirectoryError
    )
    cause = str(error) or type(error).__name__
    hint = "check ca_file, cert_file, key_file" if final else "check the network; the next run tries again"
    return UnreachableError("fetch", url, cause, hint, recoverable=not final)
