"""The control socket: whatever a client sends, it gets an answer or is hung up on, and the others go on."""

import json
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import control
from gateway.control import (
    MAX_CLIENTS,
    MAX_REQUEST_BYTES,
    WATCH_QUEUE,
    ControlServer,
    DaemonUnreachableError,
    RequestError,
    ask,
    watch,
)
from tests.brokers import wait_for


def refuse(_arguments: dict[str, Any]) -> None:
    raise RequestError("not now")


def fail(_arguments: dict[str, Any]) -> None:
    raise ValueError("191212121212")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    made = ControlServer(path, {"echo": lambda arguments: arguments, "refuse": refuse, "fail": fail})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(server: ControlServer, path: Path) -> Iterator[socket.socket]:
    assert server
    with connect(path) as made:
        yield made


def connect(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(10)
    made.connect(str(path))
    return made


def answers(client: socket.socket, data: bytes, count: int = 1) -> list[dict[str, Any]]:
    client.sendall(data)
    with client.makefile("rb") as lines:
        return [json.loads(lines.readline()) for _ in range(count)]


def hung_up(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"{}", 'expected one line of JSON, {"do": NAME, "args": {}}: Object missing required field `do`'),
        (b"", "expected one line of JSON"),
        (b"do=status", "expected one line of JSON"),
        (b"[]", "expected one line of JSON"),
        (b'{"do": 7}', "expected one line of JSON"),
        (b'{"do": "echo", "args": []}', "expected one line of JSON"),
        (b'{"do": "echo", "args": {"a": ', "expected one line of JSON"),
        (b"\xff\xfe", "expected one line of JSON"),
        (b'{"do": "reboot"}', "unknown request; known: echo, fail, refuse, watch"),
        (b'{"do": "refuse"}', "not now"),
        (b'{"do": "fail"}', "ValueError: see the daemon's log"),
    ],
)
def test_a_bad_request_is_answered_and_the_next_one_too(client: socket.socket, line: bytes, error: str) -> None:
    bad, good = answers(client, line + b'\n{"do": "echo", "args": {"n": 1}}\n', 2)
    assert bad["ok"] is False
    assert bad["error"].startswith(error)
    assert good == {"ok": True, "result": {"n": 1}}


def test_a_request_in_pieces(client: socket.socket) -> None:
    for byte in b'{"do": "echo", "args": {"n": 2}}':
        client.sendall(bytes([byte]))
    assert answers(client, b"\n") == [{"ok": True, "result": {"n": 2}}]


def test_a_request_without_end_is_hung_up_on(client: socket.socket, path: Path) -> None:
    with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - the kernel buffers some of it
        for _ in range(64):
            client.sendall(b"x" * MAX_REQUEST_BYTES)
    assert ask(path, "echo", n=3) == {"n": 3}


def test_a_client_that_says_nothing_is_hung_up_on(
    server: ControlServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server
    monkeypatch.setattr(control, "CLIENT_SECONDS", 0.05)
    with connect(path) as silent:
        assert hung_up(silent)


def test_too_many_clients(server: ControlServer, path: Path) -> None:
    assert server
    crowd = [connect(path) for _ in range(MAX_CLIENTS)]
    for number, client in enumerate(crowd):
        request = json.dumps({"do": "echo", "args": {"n": number}}).encode() + b"\n"
        assert answers(client, request) == [{"ok": True, "result": {"n": number}}]
    with connect(path) as one_more:
        assert hung_up(one_more)
    crowd.pop().close()

    def has_room() -> bool:
        try:
            return bool(ask(path, "echo", n=1) == {"n": 1})
        except DaemonUnreachableError:
            return False

    wait_for(has_room, "a place is free again")
    for client in crowd:
        client.close()


class TestWatch:
    def watching(self, path: Path) -> socket.socket:
        client = connect(path)
        assert answers(client, b'{"do": "watch"}\n') == [{"ok": True, "result": {"watching": True}}]
        return client

    def test_events_come_in_order(self, server: ControlServer, path: Path) -> None:
        seen: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: seen.extend(watch(path)))
        thread.start()
        wait_for(lambda: server._watchers, "it watches")
        for number in range(50):
            server.tell({"n": number})
        server.stop()
        thread.join(10)
        assert seen == [{"n": number} for number in range(50)]

    def test_a_watcher_that_does_not_read_holds_nobody_up(self, server: ControlServer, path: Path) -> None:
        idle = self.watching(path)
        wait_for(lambda: server._watchers, "it watches")
        for number in range(4 * WATCH_QUEUE):
            server.tell({"n": number, "text": "x" * 20_000})
        assert ask(path, "echo", n=1) == {"n": 1}
        idle.close()
        wait_for(lambda: not server._watchers, "it is forgotten")

    def test_a_watcher_that_left_is_found_out(
        self, server: ControlServer, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(control, "CLIENT_SECONDS", 0.05)
        self.watching(path).close()
        wait_for(lambda: not server._watchers, "it is forgotten")


class TestSocket:
    def test_only_owner_and_group_may_connect(self, server: ControlServer, path: Path) -> None:
        assert server
        assert stat.S_IMODE(path.stat().st_mode) == 0o660

    def test_the_socket_of_a_killed_daemon_is_replaced(self, path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        made = ControlServer(path, {"echo": lambda arguments: arguments})
        made.start()
        assert ask(path, "echo") == {}
        made.stop()
        assert not path.exists()

    def test_no_daemon(self, path: Path) -> None:
        with pytest.raises(DaemonUnreachableError, match=r"cannot reach the daemon at .*; is it running"):
            ask(path, "status")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        with pytest.raises(DaemonUnreachableError, match="Connection refused"):
            ask(path, "status")

    def test_a_refusal_reaches_the_one_who_asked(self, server: ControlServer, path: Path) -> None:
        assert server
        with pytest.raises(RequestError, match="not now"):
            ask(path, "refuse")
