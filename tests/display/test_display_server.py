"""The display's HTTP: what it answers, to whom, and what it refuses."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.display.follower import Follower
from gateway.display.screen import Screen
from gateway.display.server import HEADERS, MAX_CLIENTS, DisplayError, DisplayServer
from gateway.display.settings import DisplaySettings
from tests.end_to_end.plant import wait_for

FILES = ["/", "/page.css", "/page.js", "/sound.js", "/icon.svg"]


@contextmanager
def serving(directory: Path, host: str = "127.0.0.1") -> Iterator[DisplayServer]:
    """A display without a daemon."""
    follower = Follower(directory / "no.sock", Screen(language="sv", result_seconds=30))
    address = f"[{host}]:0" if ":" in host else f"{host}:0"
    with DisplayServer(DisplaySettings(listen=address), follower, "sv") as server:
        follower.start()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            follower.stop()
            server.shutdown()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DisplayServer]:
    with serving(tmp_path) as one:
        yield one


def ask(
    server: DisplayServer, path: str = "/", method: str = "GET", host: str | None = None
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers={"Host": host} if host else {})
    return connection.getresponse()


@pytest.mark.parametrize("path", [*FILES, "/nothing", "/../settings.py", "/page/page.js", "/events"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_answer_is_guarded(server: DisplayServer, path: str, method: str) -> None:
    answer = ask(server, path, method)
    if method == "POST":
        assert answer.status == http.HTTPStatus.NOT_IMPLEMENTED
    else:
        assert answer.status == (200 if path in {*FILES, "/events"} else 404)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.headers["Server"] == "scangate"


@pytest.mark.parametrize("path", FILES)
def test_files(server: DisplayServer, path: str) -> None:
    answer = ask(server, path)
    content = answer.read()
    assert int(answer.headers["Content-Length"]) == len(content)
    assert b"{{" not in content
    assert ask(server, path, "HEAD").read() == b""


def test_the_page_says_that_it_has_no_contact_before_it_has(server: DisplayServer) -> None:
    text = ask(server).read().decode()
    assert '<html lang="sv" data-distance="2.0" data-diagonal="7.0" data-sounds="">' in text
    assert "Ingen kontakt" in text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LOCALHOST:{port}", 200),
        ("[::1]:{port}", 200),
        ("127.0.0.1", 421),
        ("127.0.0.1:1", 421),
        ("rebound.example:{port}", 421),
        ("127.0.0.1.rebound.example:{port}", 421),
        ("localhost.rebound.example:{port}", 421),
        ("10.0.0.1:{port}", 421),
        ("127.0.0.1:{port}:{port}", 421),
        ("127.0.0.1:٨", 421),
        ("[::1]x:{port}", 421),
        (":{port}", 421),
        ("", 421),
    ],
)
def test_a_name_that_somebody_else_points_here_is_refused(server: DisplayServer, host: str, status: int) -> None:
    """DNS rebinding: the browser names the site it thinks it is on."""
    for path in ("/", "/events"):
        with socket.create_connection(("127.0.0.1", server.port), 10) as client:
            line = f"HEAD {path} HTTP/1.1\r\nHost: {host.format(port=server.port)}\r\n\r\n"
            client.sendall(line.encode("utf-8"))
            assert int(client.recv(4096).split()[1]) == status


def test_a_request_without_a_host_is_refused(server: DisplayServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(4096).split()[1] == b"421"


@pytest.mark.parametrize("host", ["10.1.2.3", "[fd00::1]", "127.0.0.1", "localhost"])
def test_on_a_network_any_address_is_right_and_no_name(tmp_path: Path, host: str) -> None:
    with serving(tmp_path, "0.0.0.0") as server:  # noqa: S104 - what a technician may write
        assert server.is_ours(f"{host}:{server.port}")
        for name in ("rebound.example", "gw01"):
            assert not server.is_ours(f"{name}:{server.port}")


def test_it_listens_on_version_6_too(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(tmp_path, "::1") as server:
        connection = http.client.HTTPConnection("::1", server.port, timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200


def test_the_port_without_a_number_is_that_of_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path) as server:
        monkeypatch.setattr(DisplayServer, "port", 80)
        assert server.is_ours("127.0.0.1")
        assert server.is_ours("[::1]")


def events(answer: http.client.HTTPResponse, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        line = answer.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            found.append(json.loads(line.removeprefix(b"data: ")))
    return found


def test_events_beat_without_news(server: DisplayServer) -> None:
    answer = ask(server, "/events")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.readline() == b"retry: 1000\n"
    first, *_, last = events(answer, 3)
    assert (first["idle"]["state"], last["idle"]["state"]) == ("lost", "lost")


def test_clients_are_bounded(server: DisplayServer) -> None:
    """One too many is hung up on; when one goes, there is room again."""
    held = [ask(server, "/events") for _ in range(MAX_CLIENTS)]
    with pytest.raises((http.client.BadStatusLine, ConnectionError)):
        ask(server)
    held.pop().close()

    def answers() -> bool:
        try:
            return ask(server).status == http.HTTPStatus.OK
        except (http.client.BadStatusLine, ConnectionError):
            return False

    wait_for(answers, "there is room again", 10)
    for one in held:
        one.close()


def test_a_port_that_is_taken_is_told(server: DisplayServer, tmp_path: Path) -> None:
    follower = Follower(tmp_path / "no.sock", Screen(language="sv", result_seconds=30))
    with pytest.raises(DisplayError, match=rf"cannot listen on 127\.0\.0\.1:{server.port}.*\[display\] listen"):
        DisplayServer(DisplaySettings(listen=f"127.0.0.1:{server.port}"), follower, "sv")


@pytest.mark.parametrize(
    "nonsense",
    [b"\x00\xff" * 2000 + b"\r\n\r\n", b"GET /" + b"x" * 70_000, b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 200],
)
def test_nonsense_does_not_end_it(server: DisplayServer, nonsense: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(nonsense)
    assert ask(server).status == 200
