"""Serves the page: HTTP on one address, read-only, for a handful of screens.

The standard library's threading server: a screen is one long answer (server-sent events), so that a thread a
screen, with a bound on their number, is all there is to it; an event loop would need an HTTP parser of our own.
"""

import logging
import socket
import sys
import threading
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from ipaddress import ip_address
from socketserver import TCPServer
from typing import Final

import msgspec

from drivers.signal_forms import FORMS, GAP_SECONDS, LONG_SECONDS, SHORT_SECONDS
from gateway.display.follower import Follower
from gateway.display.settings import DisplaySettings
from gateway.display.state import State
from gateway.languages import vocabulary

log = logging.getLogger(__name__)

MAX_CLIENTS: Final = 16
"""Connections at once: a browser holds one for the events and opens up to six for the files."""
CLIENT_SECONDS: Final = 10.0
"""A client that sends no request, or does not read its answer, is hung up on."""
BEAT_SECONDS: Final = 2.0
"""The page hears at least so often; three times that without, and it says so."""
RETRY_MS: Final = 1000
"""What a browser waits before it connects again."""
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer. What is shown may not be kept by a browser, nor be framed or read by another site."""
_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/sound.js": ("sound.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
"""Path -> file of the package, type."""
EVENTS: Final = "/events"


class DisplayError(OSError):
    """The page cannot be served: operation, object, cause, next step."""


class DisplayServer(ThreadingHTTPServer):
    """Answers browsers in threads of its own until `shutdown`."""

    daemon_threads = True
    block_on_close = False  # a screen's thread ends with its next beat, or with the process

    def __init__(self, settings: DisplaySettings, follower: Follower, language: str) -> None:
        """Listen on the address of the settings. Raises DisplayError."""
        address = settings.address
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.follower: Final = follower
        self._clients = threading.BoundedSemaphore(MAX_CLIENTS)
        self.loopback: Final = address.loopback
        self.pages: Final = {
            path: (_content(name, language, settings), kind) for path, (name, kind) in _FILES.items()
        }
        try:
            super().__init__((address.host, address.port), _Handler)
        except OSError as error:
            raise DisplayError(
                f"cannot listen on {address}: {error.strerror}; choose an address of this machine and a port from "
                "1024 on that no other program holds ([display] listen)"
            ) from error

    def server_bind(self) -> None:
        """Bind without asking the DNS for the machine's name, as HTTPServer does: there may be no network."""
        TCPServer.server_bind(self)

    @property
    def port(self) -> int:
        """Where it listens; with port 0 the system has chosen."""
        port: int = self.server_address[1]
        return port

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Take a connection, or hang up where there are too many."""
        if not self._clients.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started
            self._clients.release()
            self.shutdown_request(request)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Attend to one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._clients.release()

    def handle_error(self, _request: object, _client_address: object) -> None:
        """Log what went wrong, unless a client went away or was too slow."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("a request could not be answered", exc_info=error)

    def is_ours(self, host: str | None) -> bool:
        """Return whether a Host header names this server by an address.

        A web page elsewhere can make its own name point here (DNS rebinding) and so read what is shown; it cannot
        do so with an address.
        """
        if host is None:
            return False
        name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "80")
        if not port.isascii() or not port.isdigit() or int(port) != self.port:
            return False
        if name.lower() == "localhost":  # browsers resolve it themselves
            return True
        try:
            address = ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return address.is_loopback if self.loopback else True


class _Handler(BaseHTTPRequestHandler):
    """One connection: one answer."""

    server: DisplayServer
    timeout = CLIENT_SECONDS
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"

    def do_GET(self) -> None:
        """Answer with a file, or with the events until the client goes away."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if not self.server.is_ours(self.headers.get("Host")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "name this server by its IP address")
            return
        path = self.path.partition("?")[0]
        if path == EVENTS:
            self._begin("text/event-stream", None)
            if with_body:
                self._send_events()
            return
        content, kind = self.server.pages.get(path, (b"", ""))
        if not kind:
            self.send_error(HTTPStatus.NOT_FOUND, "no such page")
            return
        self._begin(kind, len(content))
        if with_body:
            self.wfile.write(content)

    def _begin(self, kind: str, length: int | None) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send_events(self) -> None:
        """Send the whole page at each change and each beat: a slow screen loses nothing by missing one."""
        follower, version = self.server.follower, -1
        self.wfile.write(b"retry: %d\n\n" % RETRY_MS)
        while not follower.over:
            version = follower.wait(version, BEAT_SECONDS)
            self.wfile.write(b"data: " + msgspec.json.encode(follower.page()) + b"\n\n")

    def end_headers(self) -> None:
        """Add what stands on every answer."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        """Say no more of the server than its name."""
        return "scangate"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing: a screen asks for the same four files every day."""


def _content(name: str, language: str, settings: DisplaySettings) -> bytes:
    """Return a file of the page, with the words and measures it needs before the first message."""
    words = vocabulary(language)
    text = files("gateway.display").joinpath("page", name).read_text(encoding="utf-8")
    return (
        text.replace("{{language}}", language)
        .replace("{{headline}}", words.headlines[State.LOST])
        .replace("{{note}}", words.lost_page)
        .replace("{{distance}}", str(settings.distance_m))
        .replace("{{diagonal}}", str(settings.diagonal_inches))
        .replace("{{recent}}", words.recent)
        .replace("{{sounds}}", escape(_sounds(settings)))
        .replace("{{sound-on}}", words.sound_on)
        .encode()
    )


def _sounds(settings: DisplaySettings) -> str:
    """Return what the page needs to sound, as JSON; empty where it is to be silent."""
    if not settings.sound:
        return ""
    tones = {one: {"rhythm": form.rhythm, "high": form.high} for one, form in FORMS.items()}
    seconds = {"short": SHORT_SECONDS, "long": LONG_SECONDS, "gap": GAP_SECONDS}
    return msgspec.json.encode({"tones": tones, "seconds": seconds}).decode()
