"""One transfer by libcurl: https, sftp, ftps, and http where it is allowed. Verified, and never waiting for ever.

How it works: a `Request` says what is wanted, `transfer` does it once and hands the bytes to a receiver as they come.
Redirects of HTTP are followed here and not by libcurl, so that credentials and the client certificate are shown to
the configured host alone, and https never leads to anything else. What libcurl refuses is a DownloadError that says
whether the same may work the next time.

libcurl comes with its TLS and SSH (the wheel of pycurl, for x86-64 and AArch64), and is loaded by the process that
syncs, never by the daemon.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from gateway import VERSION
from gateway.articles.errors import ArticlesError
from gateway.articles.settings import SourceSettings
from gateway.system.credentials import locate, read_secret

if TYPE_CHECKING:
    import pycurl

MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TRANSIENT: Final = frozenset({408, 416, 425, 429})
_OK, _PARTIAL, _NOT_MODIFIED, _SERVER_ERROR = 200, 206, 304, 500
_MAX_DIGITS: Final = 9
"""Of a Retry-After in seconds: thirty years."""
_WEB: Final = frozenset({"http", "https"})
_NOT_VERIFIED: Final = 60
_FINAL: Final = frozenset(
    {
        *(9, 67, 78, 79),  # access denied, login denied, no such file, SSH: a key or name that is not accepted
        *(51, 58, 60, 64, 66, 77, 80, 90, 91),  # certificates and keys that do not verify or cannot be read; no TLS
    }
)
"""libcurl's error codes (CURLcode) that another try will not change."""


class Pace(NamedTuple):
    """How patient a download is. Seconds, and bytes a second."""

    attempts: int = 5
    first_wait: float = 2.0
    """Between the first two attempts; it doubles, give or take half of it at random, so that boxes do not march."""
    longest_wait: float = 60.0
    connect: float = 30.0
    """Until a connection stands, TLS and login included."""
    window: int = 30
    """The speed is taken over so long; nothing at all may arrive for so long."""
    least_rate: int = 2048
    """Below it, the whole of a big file would take days."""


PATIENT: Final = Pace()


class DownloadError(ArticlesError):
    """The file was not fetched. The master in force is untouched."""

    after: float | None = None
    """Seconds after which the server asks to be tried again."""


class UnreachableError(DownloadError):
    """The server does not answer, or not with the file."""


class Answer(NamedTuple):
    """What a server said before it sent the file."""

    headers: dict[str, str]
    """Of HTTP, by their names in lower case."""
    partial: bool
    """The body is the rest of the file."""
    length: int | None
    """Of the body; None where that is not said."""


Receiver = Callable[[Answer, bytes], None]
"""Takes what has arrived. What it raises ends the transfer."""


class Request(NamedTuple):
    """What is wanted."""

    source: SourceSettings
    url: str
    headers: Mapping[str, str] = MappingProxyType({})
    """Of HTTP."""
    begin: int = 0
    """Of SFTP and FTPS: the byte to begin with."""
    head_only: bool = False
    """Of SFTP and FTPS: only when the file was changed."""


class Done(NamedTuple):
    """A transfer that has ended well."""

    answer: Answer
    unchanged: bool = False
    modified: int | None = None
    """Of SFTP and FTPS: when the file was changed, seconds since 1970 UTC; None where the server does not say."""


def is_web(url: str) -> bool:
    """Return whether a URL is fetched by HTTP, which has validators and redirects."""
    return urlsplit(url).scheme in _WEB


def transfer(request: Request, receive: Receiver, pace: Pace, watch: Callable[[int], None] | None = None) -> Done:
    """Transfer once. Raises DownloadError.

    `watch` gets the length of the body as soon as it is known, which of HTTP the Answer says, too.
    """
    url = request.url
    for _ in range(MAX_REDIRECTS + 1):
        one = _Transfer(request, url, receive, pace, watch)
        status = one.perform()
        if not is_web(url) or status not in _REDIRECTS:
            return one.done(status)
        url = _redirected(url, one.headers.get("location", ""), request.url)
    raise UnreachableError(
        "fetch", request.url, f"more than {MAX_REDIRECTS} redirects", "correct `url`", recoverable=False
    )


def _redirected(url: str, location: str, first: str) -> str:
    target = urljoin(url, location)
    parts = urlsplit(target)
    if parts.scheme != "https" and (parts.scheme != "http" or urlsplit(first).scheme != "http"):
        raise DownloadError(
            *("fetch", url, f"it redirects to {target[:200]}, which is not https"),
            "correct `url`, or have the server stay with https",
            recoverable=False,
        )
    if not parts.hostname or parts.username is not None:
        raise DownloadError("fetch", url, "it redirects to no host", "correct `url`", recoverable=False)
    return target


class _Transfer:
    """One exchange with one server."""

    def __init__(
        self,
        request: Request,
        url: str,
        receive: Receiver,
        pace: Pace,
        watch: Callable[[int], None] | None,
    ) -> None:
        self._request = request
        self._url = url
        self._receive = receive
        self._pace = pace
        self._watch = watch
        self._error: BaseException | None = None
        self._status = 0
        self._reason = ""
        self._modified: int | None = None
        self.headers: dict[str, str] = {}

    def perform(self) -> int:
        """Do it; return the status of HTTP, 0 of other protocols. Raises DownloadError, and what a receiver raises."""
        import pycurl

        with closing(pycurl.Curl()) as curl:
            try:
                for option, value in _options(self._request, self._url, self._pace):
                    curl.setopt(option, value)
                curl.setopt(pycurl.HEADERFUNCTION, self._header)
                curl.setopt(pycurl.WRITEFUNCTION, self._write)
                curl.setopt(pycurl.NOPROGRESS, False)
                curl.setopt(pycurl.XFERINFOFUNCTION, self._progress)
                curl.perform()
            except pycurl.error as error:
                if self._error is not None:
                    raise self._error from None
                raise _failed(self._url, error) from error
            except (OSError, ValueError) as error:  # a credential that cannot be read
                raise UnreachableError(
                    "fetch", self._url, str(error), "check the credential files of the source", recoverable=False
                ) from error
            modified = curl.getinfo(pycurl.INFO_FILETIME)
            self._modified = modified if modified > 0 else None
        return self._status

    def done(self, status: int) -> Done:
        """Return what came of it. Raises DownloadError unless it is the file, a part of it, or no news."""
        if is_web(self._url):
            if status == _NOT_MODIFIED:
                return Done(self._answer(), unchanged=True)
            self._check_status()
        return Done(self._answer(), modified=self._modified)

    def _header(self, line: bytes) -> None:
        if not is_web(self._url):
            return
        text = line.decode("latin-1").strip()
        if text.startswith("HTTP/"):
            _, _, rest = text.partition(" ")
            code, _, self._reason = rest.partition(" ")
            self._status = int(code) if code.isdecimal() else 0
            self.headers = {}
        elif ":" in text:
            name, _, value = text.partition(":")
            self.headers.setdefault(name.strip().lower(), value.strip())

    def _write(self, data: bytes) -> int:
        """Hand on what has arrived, unless it is the text of an error or of a redirect."""
        try:
            if not is_web(self._url):
                self._receive(self._answer(), data)
            elif self._status in {_OK, _PARTIAL}:
                self._check_status()
                self._receive(self._answer(), data)
        except BaseException as error:  # noqa: BLE001 - libcurl hands nothing through: it is raised behind it
            self._error = error
            return -1
        return len(data)

    def _progress(self, total: int, *_: int) -> int:
        try:
            if self._watch is not None and total > 0 and (not is_web(self._url) or self._status in {_OK, _PARTIAL}):
                self._watch(total)
                self._watch = None
        except BaseException as error:  # noqa: BLE001 - as above
            self._error = error
            return 1
        return 0

    def _answer(self) -> Answer:
        text = self.headers.get("content-length", "")
        chunked = "transfer-encoding" in self.headers
        length = int(text) if text.isdecimal() and not chunked and len(text) <= len(str(2**63)) else None
        return Answer(self.headers, self._status == _PARTIAL, length)

    def _check_status(self) -> None:
        if self._status in {_OK, _PARTIAL}:
            if self.headers.get("content-encoding", "identity") != "identity":
                raise DownloadError(
                    *("fetch", self._url, "the server packs the answer although asked not to"),
                    "tell its owner",
                    recoverable=False,
                )
            return
        passing = self._status in _TRANSIENT or self._status >= _SERVER_ERROR
        error = UnreachableError(
            *("fetch", self._url, f"the server answers {self._status} {self._reason[:80]}"),
            "the next run tries again" if passing else "check `url` and who may read it",
            recoverable=passing,
        )
        after = self.headers.get("retry-after", "")
        if passing and after.isdecimal() and len(after) <= _MAX_DIGITS:
            error.after = float(after)
        raise error


def _options(request: Request, url: str, pace: Pace) -> Iterator[tuple[int, str | int | list[str]]]:
    """Yield libcurl's options. Raises OSError, ValueError: a credential cannot be read."""
    import pycurl

    source, trusted = request.source, urlsplit(url).netloc == urlsplit(request.url).netloc
    scheme = urlsplit(url).scheme
    yield pycurl.URL, f"ftp{url.removeprefix('ftpes')}" if scheme == "ftpes" else url
    yield pycurl.NOSIGNAL, 1
    yield pycurl.PROXY, ""  # whatever the environment says
    yield pycurl.CONNECTTIMEOUT_MS, int(pace.connect * 1000)
    yield pycurl.LOW_SPEED_TIME, pace.window
    yield pycurl.LOW_SPEED_LIMIT, pace.least_rate
    yield pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2
    yield from _trust(source)
    if trusted and source.cert_file is not None and source.key_file is not None:
        yield pycurl.SSLCERT, str(locate(source.cert_file))
        yield pycurl.SSLKEY, str(locate(source.key_file))
    if trusted and source.username is not None:
        yield pycurl.USERNAME, source.username
        yield pycurl.PASSWORD, read_secret(source.password_file) or ""
    if scheme in _WEB:
        yield pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1
        yield pycurl.HTTPAUTH, pycurl.HTTPAUTH_BASIC
        headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"scangate/{VERSION}"}
        if trusted and source.token_file is not None:
            headers["Authorization"] = f"Bearer {read_secret(source.token_file)}"
        yield pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in (headers | dict(request.headers)).items()]
        return
    yield pycurl.OPT_FILETIME, 1
    yield pycurl.NOBODY, int(request.head_only)
    yield pycurl.RESUME_FROM_LARGE, request.begin
    if scheme == "sftp":
        yield pycurl.SSH_KNOWNHOSTS, str(locate(source.known_hosts_file or ""))
        by_key = source.key_file is not None
        yield pycurl.SSH_AUTH_TYPES, pycurl.SSH_AUTH_PUBLICKEY if by_key else pycurl.SSH_AUTH_PASSWORD
        if source.key_file is not None:
            yield pycurl.SSH_PRIVATE_KEYFILE, str(locate(source.key_file))
    else:
        yield pycurl.USE_SSL, pycurl.USESSL_ALL


def _trust(source: SourceSettings) -> Iterator[tuple[int, str]]:
    """Yield whose certificates count: those of the setting, or the system's, and not those of libcurl's own build."""
    import pycurl

    if source.ca_file is not None:
        yield pycurl.CAINFO, str(locate(source.ca_file))
        return
    system = ssl.get_default_verify_paths()
    if system.cafile is not None:
        yield pycurl.CAINFO, system.cafile
    if system.capath is not None:
        yield pycurl.CAPATH, system.capath


def _failed(url: str, error: "pycurl.error") -> UnreachableError:
    code, message = error.args[0], str(error.args[1] if len(error.args) > 1 else error)
    final = code in _FINAL
    if code == _NOT_VERIFIED and urlsplit(url).scheme == "sftp":
        message = "the server's key is none of those in known_hosts_file"
    hint = (
        "check who may read it, and the source's files" if final else "check the network; the next run tries again"
    )
    return UnreachableError("fetch", url, message or f"libcurl's error {code}", hint, recoverable=not final)
