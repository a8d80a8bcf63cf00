"""The control socket: whatever a client sends, it gets an answer or is hung up on, and the others go on."""

import json
import os
import queue
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.system import control_socket
from gateway.system.control_socket import (
    MAX_CLIENTS,
    MAX_REQUEST_BYTES,
    WATCH_QUEUE,
    ControlServer,
    DaemonUnreachableError,
    RequestError,
    Role,
    ask,
    talk,
    watch,
)
from tests.brokers import wait_for


def refuse(_arguments: dict[str, Any]) -> None:
    raise RequestError("not now")


def fail(_arguments: dict[str, Any]) -> None:
    raise ValueError("191212121212")


class Dictation:
    """A conversation: takes words until told that it was all."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.words: list[str] = [arguments["title"]]
        self.over = False
        self.closed = False
        dictations.append(self)

    @property
    def opening(self) -> object:
        return {"ready": True}

    def answer(self, do: str, args: dict[str, Any]) -> object:
        if do == "refuse":
            raise RequestError("not that word")
        self.over = do == "all"
        self.words.append(args.get("word", ""))
        return len(self.words)

    def close(self) -> None:
        self.closed = True


dictations: list[Dictation] = []


def decline(_arguments: dict[str, Any]) -> Dictation:
    raise RequestError("nobody has time")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    handlers = {"echo": lambda arguments: arguments, "refuse": refuse, "fail": fail}
    made = ControlServer(path, handlers, {"dictate": Dictation, "decline": decline})
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
        (b'{"do": "reboot"}', "unknown request; known: decline, dictate, echo, fail, refuse, watch"),
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
    monkeypatch.setattr(control_socket, "CLIENT_SECONDS", 0.05)
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
            server.show({"n": number})
        server.stop()
        thread.join(10)
        assert seen == [{"n": number} for number in range(50)]

    def test_a_watcher_that_does_not_read_holds_nobody_up(self, server: ControlServer, path: Path) -> None:
        idle = self.watching(path)
        wait_for(lambda: server._watchers, "it watches")
        for number in range(4 * WATCH_QUEUE):
            server.show({"n": number, "text": "x" * 20_000})
        assert ask(path, "echo", n=1) == {"n": 1}
        idle.close()
        wait_for(lambda: not server._watchers, "it is forgotten")

    def test_a_watcher_that_left_is_found_out(
        self, server: ControlServer, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(control_socket, "CLIENT_SECONDS", 0.05)
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


CLIENT = """
import json, os, socket, sys
os.setgroups([int(one) for one in sys.argv[4].split(",") if one])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
lines = client.makefile("rwb")
for name in ("look", "mend", "erase", "dictate", "watch"):
    lines.write(json.dumps({"do": name, "args": {"title": "x"}}).encode() + b"\\n")
    lines.flush()
    print(name, json.loads(lines.readline())["ok"])
    if name == "dictate":
        lines.write(b'{"do": "all"}\\n')
        lines.flush()
        lines.readline()
"""
SOMEBODY, THEIRS, OPERATORS = 54_321, 54_321, 54_322
ROLES = {"look": Role.READ, "watch": Role.READ, "mend": Role.OPERATE, "dictate": Role.OPERATE}


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """One that other users reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    ("user", "group", "groups", "reading", "may"),
    [
        (0, 0, "", False, {"look", "watch", "mend", "dictate", "erase"}),
        (SOMEBODY, OPERATORS, "", False, {"look", "watch", "mend", "dictate"}),
        (SOMEBODY, THEIRS, f"{THEIRS},{OPERATORS}", False, {"look", "watch", "mend", "dictate"}),
        (SOMEBODY, THEIRS, "", False, {"look", "watch"}),
        (SOMEBODY, OPERATORS, str(OPERATORS), True, {"look", "watch"}),
        (0, 0, "", True, {"look", "watch"}),
    ],
    ids=["root", "its group", "a further group", "a stranger", "its group, reading", "root, reading"],
)
def test_what_somebody_may_ask_by_the_kernels_word(
    open_directory: Path,
    user: int,
    group: int,
    groups: str,
    *,
    reading: bool,
    may: set[str],
) -> None:
    """SO_PEERCRED and SO_PEERGROUPS, unix(7): a process cannot lie about them."""
    path, beside = open_directory / "control.sock", open_directory / "read.sock"
    handlers = dict.fromkeys(("look", "mend", "erase"), lambda arguments: arguments)
    made = ControlServer(path, handlers, {"dictate": Dictation}, roles=ROLES, reading=beside)
    made.start()
    try:
        for one in (path, beside):
            one.chmod(0o666)  # the socket's mode is not what is tried here
        made._group = OPERATORS
        command = [sys._base_executable, "-I", "-c", CLIENT, beside if reading else path]  # type: ignore[attr-defined]
        done = subprocess.run(
            [*command, str(user), str(group), groups], capture_output=True, text=True, timeout=60, check=True
        )
    finally:
        made.stop()
    said = dict(line.split() for line in done.stdout.splitlines())
    assert {name for name, ok in said.items() if ok == "True"} == may
    assert set(said) == {"look", "watch", "mend", "dictate", "erase"}


def test_what_is_refused_says_who_may(path: Path) -> None:
    beside = path.with_name("read.sock")
    made = ControlServer(path, {"look": dict, "erase": dict}, roles=ROLES, reading=beside)
    made.start()
    try:
        with pytest.raises(RequestError, match=r"for root.*, over .*control.sock; here you may ask: dictate|look"):
            ask(beside, "erase")
        with pytest.raises(RequestError, match="unknown request"):
            ask(beside, "reboot")
        assert ask(path, "erase") == {}, "the daemon's own user"
    finally:
        made.stop()
    assert not beside.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_the_reading_socket_belongs_to_its_folders_group(open_directory: Path) -> None:
    """A folder with the set-group-ID bit, inode(7), as systemd/tmpfiles.d makes it for the display."""
    folder = open_directory / "scangate-display"
    folder.mkdir()
    os.chown(folder, SOMEBODY, OPERATORS)
    folder.chmod(0o2750)
    made = ControlServer(open_directory / "control.sock", {"look": dict}, reading=folder / "read.sock")
    made.start()
    try:
        found = (folder / "read.sock").stat()
        assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (OPERATORS, 0o660)
    finally:
        made.stop()


def test_without_its_folder_the_display_cannot_ask_and_all_else_works(path: Path) -> None:
    made = ControlServer(path, {"look": dict}, reading=path.parent / "none" / "read.sock")
    made.start()
    try:
        assert ask(path, "look") == {}
        assert "the display cannot ask at" in (made.trouble or "")
    finally:
        made.stop()


def test_a_conversation_has_the_connection_to_itself(server: ControlServer, path: Path) -> None:
    assert server
    with talk(path) as one:
        assert one.ask("echo", a=1) == {"a": 1}
        with pytest.raises(RequestError, match="nobody has time"):
            one.ask("decline")
        assert one.ask("dictate", title="x") == {"ready": True}
        assert one.ask("echo", word="y") == 2, "it is asked of the conversation"
        with pytest.raises(RequestError, match="not that word"):
            one.ask("refuse")
        assert one.ask("all") == 3
        assert one.ask("echo", a=2) == {"a": 2}, "an ordinary connection again"
    assert not dictations[-1].closed, "it was ended in order"


def test_a_conversation_ends_with_its_client(server: ControlServer, path: Path) -> None:
    assert server
    with talk(path) as one:
        one.ask("dictate", title="x")
    wait_for(lambda: dictations[-1].closed, "it is told")


def test_no_daemon_to_talk_to(path: Path) -> None:
    with pytest.raises(DaemonUnreachableError), talk(path):
        pass


def test_what_changes_something_is_noted_with_who_asked_and_what_came_of_it(path: Path) -> None:
    noted: queue.Queue[tuple[object, ...]] = queue.Queue()

    def note(*act: object) -> None:
        noted.put(act)

    handlers = {"echo": lambda arguments: arguments, "refuse": refuse, "fail": fail}
    server = ControlServer(
        path, handlers, {"dictate": Dictation}, noted=dict.fromkeys(("refuse", "fail", "dictate"), note)
    )
    server.start()
    try:
        with connect(path) as client:
            answers(client, b'{"do":"echo"}\n{"do":"refuse","args":{"a":1}}\n{"do":"fail"}\n', 3)
            answers(client, b'{"do":"dictate","args":{"title":"t"}}\n{"do":"word","args":{"word":"w"}}\n', 2)
            seen = [noted.get(timeout=10) for _ in range(3)]
    finally:
        server.stop()
    user = os.getuid()
    assert seen == [
        (user, "refuse", {"a": 1}, "not now"),
        (user, "fail", {}, "ValueError: see the daemon's log"),
        (user, "dictate", {"title": "t"}, None),
    ]
    assert noted.empty(), "what is read, and what is said in a conversation, is none"
