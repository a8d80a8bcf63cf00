"""An HTTP server for one test, on 127.0.0.1: it does what a list of answers says, and notes what it was asked."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Gives the next answer of the list, the last one for ever."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append(Asked(self.path, {key.lower(): value for key, value in self.headers.items()}))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        with suppress(ConnectionError, ssl.SSLError):
            answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden method
        """Say nothing."""

    def reply(self, status: int, body: bytes = b"", *, promised: int | None = None, **headers: str) -> None:
        """Answer; the length that is promised may be another than the body's."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or (promised is not None and promised != len(body))


class Asked(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]


class Server(ThreadingHTTPServer):
    """Answers on a free port."""

    daemon_threads = True

    def __init__(self, answers: list[Answer], context: ssl.SSLContext | None = None) -> None:
        self.answers = answers
        self.asked: list[Asked] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        self._scheme = "http" if context is None else "https"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def url(self, path: str = "/articles.csv") -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


@contextmanager
def serving(*answers: Answer, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve until the block ends."""
    server = Server(list(answers), context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def server_context(keys: Path, certificate: str, client_authority: str | None = None) -> ssl.SSLContext:
    """Return a server's side of TLS; with an authority, clients need its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / f"{certificate}.crt", keys / f"{certificate}.key")
    if client_authority is not None:
        context.load_verify_locations(keys / f"{client_authority}.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def content(body: bytes, etag: str | None = '"1"', modified: str | None = None) -> Answer:
    """Serve a file as a good server does: with validators, 304 and ranges."""

    def answer(handler: Handler) -> None:
        headers: dict[str, Any] = {"ETag": etag} if etag else {}
        if modified is not None:
            headers["Last_Modified"] = modified
        wanted = handler.headers.get("Range")
        if etag and handler.headers.get("If-None-Match") == etag:
            handler.reply(304, **headers)
        elif wanted and handler.headers.get("If-Range") in {etag, modified}:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            handler.reply(206, body[begin:], Content_Range=f"bytes {begin}-{len(body) - 1}/{len(body)}", **headers)
        else:
            handler.reply(200, body, **headers)

    return answer


def status(code: int, **headers: str) -> Answer:
    return lambda handler: handler.reply(code, b"", promised=None, **headers)


def cut_short(body: bytes, got: int, etag: str | None = '"1"') -> Answer:
    """Promise the whole body and close after some of it."""
    headers: dict[str, Any] = {"ETag": etag} if etag else {}
    return lambda handler: handler.reply(200, body[:got], promised=len(body), **headers)


def redirect(target: str, code: int = 302) -> Answer:
    return lambda handler: handler.reply(code, Location=target)


def raw(*parts: bytes, pause: float = 0.0) -> Answer:
    """Send bytes as they are, then hang up; between two parts, wait so long (or until the test is over)."""

    def answer(handler: Handler) -> None:
        for part in parts:
            handler.connection.sendall(part)
            if pause and handler.server.over.wait(pause):
                break
        handler.close_connection = True
        with suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)

    return answer
