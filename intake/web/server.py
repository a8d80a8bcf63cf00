"""Serves page and metrics: HTTP on one address, read-only.

The standard library's threading server: a page a minute for a handful of people, and Prometheus.
"""

import ipaddress
import logging
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import sqlalchemy as sa

from intake.counters import Counters
from intake.database import DatabaseError
from intake.settings import SettingsError
from intake.status import read_status
from intake.web import metrics, page
from intake.web.overview import read_overview

log = logging.getLogger(__name__)

CLIENT_SECONDS: Final = 10.0
"""A client that sends no request, or does not read its answer, is hung up on."""
MAX_AT_ONCE: Final = 4
"""Answers made at once; each asks the database."""
KEPT_SECONDS: Final = 2.0
"""An answer serves every request within this time: the database is read once for them all."""
Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type, body."""
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class PageCache:
    """Makes what is served, at most once in KEPT_SECONDS each."""

    def __init__(
        self, engine: sa.Engine, counters: Counters, ready: Callable[[], bool], now: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._counters = counters
        self._ready = ready
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Answer]] = {}

    def get(self, path: str) -> Answer:
        """Return status, content type and body."""
        if path not in {"/", "/metrics"}:
            return HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"there are / and /metrics\n"
        with self._lock:
            kept = self._kept.get(path)
            if kept is None or time.monotonic() - kept[0] > KEPT_SECONDS:
                made = self._page() if path == "/" else self._metrics()
                kept = self._kept[path] = (time.monotonic(), made)
            return kept[1]

    def _page(self) -> Answer:
        try:
            return (
                HTTPStatus.OK,
                "text/html; charset=utf-8",
                page.html(read_overview(self._engine, self._now())).encode(),
            )
        except DatabaseError as error:
            log.error("%s", error)  # noqa: TRY400 - its cause is in its words
            return (
                HTTPStatus.SERVICE_UNAVAILABLE,
                "text/plain; charset=utf-8",
                b"the database is away; see the log\n",
            )

    def _metrics(self) -> Answer:
        now = self._now()
        try:
            status = read_status(self._engine, now)
        except DatabaseError:
            status = None
        text = metrics.text(status, self._counters, self._ready(), now)
        return HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", text.encode()


class WebServer:
    """The server, in threads of its own."""

    def __init__(self, listen: str, pages: PageCache) -> None:
        """`listen`: HOST:PORT, an address of this machine. Raises SettingsError."""
        host, _, port = listen.rpartition(":")
        try:
            address = str(ipaddress.ip_address(host.strip("[]") or "127.0.0.1"))
            self._server = _Server((address, int(port)), pages)
        except (OSError, ValueError, OverflowError) as error:
            raise SettingsError(f"cannot listen on {listen}: {error}; expected ADDRESS:PORT, free") from error
        if not ipaddress.ip_address(address).is_loopback:
            log.warning("the page on %s can be read by everybody who reaches it; nothing asks who they are", listen)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="web", daemon=True)

    @property
    def port(self) -> int:
        """Return the port that was taken."""
        port: int = self._server.server_address[1]
        return port

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], pages: PageCache) -> None:
        self.pages = pages
        self.slots = threading.BoundedSemaphore(MAX_AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        """Take a connection if there is a slot; else hang up at once, which a client tries again."""
        if not self.slots.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]  # typeshed's union
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self.slots.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A client that hangs up is no news; anything else is a fault of this program."""
        if not isinstance(sys.exc_info()[1], OSError):
            log.error("answer failed", exc_info=sys.exc_info())


class _Handler(BaseHTTPRequestHandler):
    timeout = CLIENT_SECONDS
    server_version = "scangate"
    sys_version = ""

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)  # noqa: S101 - made by it alone
        status, kind, body = server.pages.get(self.path.partition("?")[0])
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Requests are no news."""
