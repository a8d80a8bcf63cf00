"""The control socket: what the command line and the display ask of a running daemon.

Newline-delimited JSON over a Unix socket; one request `{"do": ..., "args": {}}`, one answer `{"ok": true, "result":
...}` or `{"ok": false, "error": ...}`; `watch` goes on answering. Who may connect is decided by the socket's mode
and group.
"""

import contextlib
import json
import logging
import os
import queue
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

log = logging.getLogger(__name__)

DEFAULT_PATH: Final = Path("/run/scangate/control.sock")
READING_PATH: Final = Path("/run/scangate-display/read.sock")
"""Where the display asks: it has no business in the group that operates the daemon."""
MAX_REQUEST_BYTES: Final = 64 * 1024
"""No request needs more; a client that sends more is hung up on."""
MAX_CLIENTS: Final = 16
"""Technicians, a display and a monitor; each has a thread while it is connected."""
WATCH_QUEUE: Final = 64
"""Lines kept for a watcher that does not read; what comes then, it misses."""
CLIENT_SECONDS: Final = 10.0
"""A client that sends no request, or does not read its answer, is hung up on."""
COMMAND_SEATS: Final = 4
"""Clients that `watch` leave so many of them free: somebody must be able to ask what is wrong."""
LISTEN_SECONDS: Final = 0.5
"""Between two looks whether the daemon stops."""
ACCEPT_AGAIN_SECONDS: Final = 0.2
"""After a client that could not be accepted: the reason does not pass in no time."""
MODE: Final = 0o660
PEER: Final = struct.Struct("=i2I")
"""struct ucred of SO_PEERCRED, unix(7): process, user, group."""
SO_PEERGROUPS: Final = 59
"""asm-generic/socket.h, Linux 4.13; the socket module has no name for it."""
GROUPS_BYTES: Final = 1024
"""256 groups, as many as Python's getsockopt takes. Somebody in more operates by the first group only."""


class Role(IntEnum):
    """What a client may ask; each may ask what those above it here may."""

    READ = 1
    """How the box is, and what is scanned."""
    OPERATE = 2
    """What a technician does at a running box: members of the socket's group."""
    ADMINISTER = 3
    """Everything: root, and the daemon's own user."""


def role_of(client: socket.socket, group: int) -> Role:
    """Return what the process at the other end may ask, by the credentials that the kernel vouches for.

    `group`: whose members operate. Raises OSError.
    """
    _, user, own_group = PEER.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    if user in {0, os.geteuid()}:
        return Role.ADMINISTER
    groups: tuple[int, ...] = ()
    with contextlib.suppress(OSError):  # ERANGE
        packed = client.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, GROUPS_BYTES)
        groups = struct.unpack(f"={len(packed) // 4}I", packed)
    return Role.OPERATE if group in {own_group, *groups} else Role.READ


class Request(Struct, frozen=True):
    """What a client asks."""

    do: str
    args: dict[str, Any] = {}


_request_decoder = msgspec.json.Decoder(Request)

Handler = Callable[[dict[str, Any]], Any]
Note = Callable[[int, str, dict[str, Any], str | None], None]
"""Takes note of a request: the user's number (unix(7), SO_PEERCRED), what was asked, and why it was refused."""


class Conversation(Protocol):
    """What a handler returns to have the connection to itself: later requests on it are asked of this."""

    over: bool
    """The client has ended it; the connection is an ordinary one again."""

    @property
    def opening(self) -> object:
        """The answer to the request that began it."""

    def answer(self, do: str, args: dict[str, Any]) -> object:
        """Answer one request. Raises RequestError."""

    def close(self) -> None:
        """Called when it is over, however that came: also the client's death. May be called more than once."""


class DaemonUnreachableError(Exception):
    """No daemon answers at the socket: operation, object, cause, next step."""

    def __init__(self, path: Path, cause: object) -> None:
        refused = isinstance(cause, PermissionError)
        hint = "run as root or join the group scangate" if refused else "is it running (systemctl status scangate)?"
        super().__init__(f"cannot reach the daemon at {path}: {getattr(cause, 'strerror', None) or cause}; {hint}")


class RequestError(Exception):
    """The daemon understood a request and refuses it. The message is for the person who asked."""


class ControlServer:
    """Answers requests in threads of its own. `handlers` run there: they only read, or hand on.

    Whoever may connect to the socket may ask what `roles` grants to it (`role_of`); a request that it does not name
    is for administrators. Over the socket at `reading` everybody only reads; the daemon works without that socket.
    """

    def __init__(
        self,
        path: Path,
        handlers: Mapping[str, Handler],
        talks: Mapping[str, Callable[[dict[str, Any]], Conversation]] | None = None,
        *,
        roles: Mapping[str, Role] | None = None,
        reading: Path | None = None,
        noted: Mapping[str, Note] | None = None,
    ) -> None:
        """`noted`: requests that are noted once they are answered, and where."""
        self._noted = noted or {}
        self._handlers = handlers
        self._talks = talks or {}
        self._roles = roles or {}
        self._path = path
        self._reading = reading
        self._group = -1
        self._listeners: dict[socket.socket, Path] = {}
        self._seats = threading.BoundedSemaphore(MAX_CLIENTS)
        self._watching_seats = threading.BoundedSemaphore(MAX_CLIENTS - COMMAND_SEATS)
        self._clients: set[socket.socket] = set()
        self._watchers: set[queue.Queue[bytes | None]] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._failed = ""
        self._unread = ""
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)

    def start(self) -> None:
        """Open the sockets and answer. Raises OSError when the control socket cannot be made."""
        self._listen(self._path)
        self._group = self._path.stat().st_gid
        if self._reading is not None:
            try:
                self._listen(self._reading)
            except OSError as error:
                self._unread = f"the display cannot ask at {self._reading}: {error.strerror}"
                log.error("%s", self._unread)  # noqa: TRY400 - its words say it all
        self._thread.start()

    def _listen(self, path: Path) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        before = os.umask(0o777 & ~MODE)
        try:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()  # left by a daemon that was killed; the state lock proves that none runs
            listener.bind(str(path))
            listener.listen(MAX_CLIENTS)
        except BaseException:
            listener.close()
            raise
        finally:
            os.umask(before)
        self._listeners[listener] = path

    @property
    def trouble(self) -> str | None:
        """Why nobody, or somebody, cannot ask the daemon; None when all is well."""
        if self._thread.ident is not None and not self._thread.is_alive() and not self._stopping.is_set():
            return "the control socket is not served any more: restart the daemon"
        return self._failed or self._unread or None

    def show(self, event: Mapping[str, Any]) -> None:
        """Show an event to everybody who watches. Never waits."""
        if not self._watchers:
            return
        line = msgspec.json.encode({"event": event}) + b"\n"
        with self._lock:
            for watcher in self._watchers:
                with contextlib.suppress(queue.Full):
                    watcher.put_nowait(line)

    def stop(self) -> None:
        """Close the sockets and hang up on everybody: what is asked later is the next life's to answer."""
        self._stopping.set()
        for path in self._listeners.values():
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        if self._thread.ident is not None:
            self._thread.join(2 * LISTEN_SECONDS)
        for listener in self._listeners:
            listener.close()
        with self._lock:
            for watcher in self._watchers:
                with contextlib.suppress(queue.Full):
                    watcher.put_nowait(None)
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            ready, _, _ = select.select([*self._listeners], [], [], LISTEN_SECONDS)
            for listener in ready:
                self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        """Take one client, or turn it away: what fails here must not end the socket for everybody else."""
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return  # it went away
        except OSError as error:  # too many open files, mostly
            self._fail(f"a client of the control socket cannot be answered: {error.strerror}")
            self._stopping.wait(ACCEPT_AGAIN_SECONDS)
            return
        if not self._seats.acquire(blocking=False):
            client.close()
            return
        thread = threading.Thread(
            target=self._attend,
            args=(client, self._listeners[listener] == self._reading),
            name="control-client",
            daemon=True,
        )
        with self._lock:
            self._clients.add(client)
        try:
            thread.start()
        except RuntimeError as error:  # no thread can be started (TasksMax=)
            self._fail(f"a client of the control socket cannot be answered: {error}")
            self._dismiss(client)
            return
        self._failed = ""

    def _fail(self, problem: str) -> None:
        if problem != self._failed:
            log.error("%s", problem)
        self._failed = problem

    def _dismiss(self, client: socket.socket) -> None:
        with self._lock:
            self._clients.discard(client)
        client.close()
        self._seats.release()

    def _attend(self, client: socket.socket, reads_only: bool) -> None:  # noqa: FBT001 - a thread's argument
        conversations: list[Conversation] = []
        try:
            role = Role.READ if reads_only else role_of(client, self._group)
            for request in _lines(client):
                answer, watches = self._answer(request, conversations, role, _user_of(client))
                client.settimeout(CLIENT_SECONDS)
                client.sendall(msgspec.json.encode(answer) + b"\n")
                if watches:
                    try:
                        self._show(client)
                    finally:
                        self._watching_seats.release()
                    return
        except OSError:
            pass  # the client went away
        finally:
            for conversation in conversations:
                conversation.close()
            self._dismiss(client)

    def _answer(
        self, line: bytes, conversations: list[Conversation], role: Role, user: int
    ) -> tuple[dict[str, Any], bool]:
        """Return the answer to one request, and whether the client watches from now on.

        `conversations`: the one this connection holds, if any; it is added and removed here. `user`: the client's.
        """
        note: Note | None = None
        request = Request(do="")
        try:
            request = _request_decoder.decode(line)
            if conversations:
                answer = {"ok": True, "result": conversations[0].answer(request.do, request.args)}
                if conversations[0].over:
                    conversations.clear()
                return answer, False
            note = self._noted.get(request.do)
            self._permit(request.do, role)
            if request.do == "watch":
                if not self._watching_seats.acquire(blocking=False):
                    raise RequestError("too many watch already; end one of them")  # noqa: TRY301
                return {"ok": True, "result": {"watching": True}}, True
            handler: Handler = self._handlers.get(request.do) or self._talk(request.do, conversations)
            answer = {"ok": True, "result": handler(request.args)}
        except msgspec.DecodeError as error:
            answer = {"ok": False, "error": f'expected one line of JSON, {{"do": NAME, "args": {{}}}}: {error}'}
        except RequestError as error:
            answer = {"ok": False, "error": str(error)}
        except Exception as error:  # one bad request must not end the socket
            log.exception("control request failed")
            answer = {"ok": False, "error": f"{type(error).__name__}: see the daemon's log"}
        if note is not None:
            note(user, request.do, request.args, None if answer["ok"] else str(answer["error"]))
        return answer, False

    def _permit(self, do: str, role: Role) -> None:
        """Raise RequestError for what this role may not ask."""
        known = do in self._handlers or do in self._talks or do == "watch"
        if known and role < self._roles.get(do, Role.ADMINISTER):
            granted = sorted(name for name, least in self._roles.items() if least <= role)
            who = "root" if role is Role.OPERATE else "root, and partly for the group scangate"
            raise RequestError(
                f"that is for {who}, over {self._path}; here you may ask: {', '.join(granted) or 'nothing'}"
            )

    def _talk(self, do: str, conversations: list[Conversation]) -> Handler:
        """Return what begins a conversation. Raises RequestError for a request that nobody knows."""
        if do not in self._talks:
            known = sorted([*self._handlers, *self._talks, "watch"])
            raise RequestError(f"unknown request; known: {', '.join(known)}")

        def begin(args: dict[str, Any]) -> object:
            conversations.append(self._talks[do](args))
            return conversations[0].opening

        return begin

    def _show(self, client: socket.socket) -> None:
        lines: queue.Queue[bytes | None] = queue.Queue(WATCH_QUEUE)
        with self._lock:
            self._watchers.add(lines)
        try:
            while True:
                try:
                    line = lines.get(timeout=CLIENT_SECONDS)
                except queue.Empty:
                    line = b"\n"  # finds out whether anybody is still there
                if line is None:
                    return
                client.sendall(line)
        finally:
            with self._lock:
                self._watchers.discard(lines)


def _user_of(client: socket.socket) -> int:
    """Return the number of the user at the other end. Raises OSError."""
    user: int = PEER.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))[1]
    return user


def _lines(client: socket.socket) -> Iterator[bytes]:
    """Yield requests. The whole of one must come within CLIENT_SECONDS: a byte now and then keeps no seat."""
    buffer = b""
    deadline = time.monotonic() + CLIENT_SECONDS
    while True:
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            yield line
            deadline = time.monotonic() + CLIENT_SECONDS
        left = deadline - time.monotonic()
        if len(buffer) > MAX_REQUEST_BYTES or left <= 0:
            return
        client.settimeout(left)
        data = client.recv(4096)
        if not data:
            return
        buffer += data


def ask(path: Path, do: str, **arguments: object) -> Any:  # noqa: ANN401 - each request has its own answer
    """Ask the daemon one thing. Raises DaemonUnreachableError, RequestError."""
    with _connected(path) as server:
        server.sendall(json.dumps({"do": do, "args": arguments}).encode() + b"\n")
        with server.makefile("rb") as answers:
            return _result(path, answers.readline())


def watch(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what happens in the daemon until it stops. Raises DaemonUnreachableError."""
    with _connected(path) as server:
        server.sendall(b'{"do": "watch"}\n')
        with server.makefile("rb") as answers:
            _result(path, answers.readline())
            server.settimeout(None)
            for line in answers:
                if line.strip():
                    yield json.loads(line)["event"]


class Talk:
    """A connection that is kept for a conversation with the daemon; used by one thread."""

    def __init__(self, path: Path, server: socket.socket) -> None:
        self._path = path
        self._server = server
        self._answers = server.makefile("rb")

    def ask(self, do: str, **arguments: object) -> Any:  # noqa: ANN401 - each request has its own answer
        """Ask one thing. Raises DaemonUnreachableError, RequestError."""
        try:
            self._server.sendall(json.dumps({"do": do, "args": arguments}).encode() + b"\n")
            return _result(self._path, self._answers.readline())
        except OSError as error:
            raise DaemonUnreachableError(self._path, error) from error

    def close(self) -> None:
        """Close what reads the answers, which keeps the connection open."""
        self._answers.close()


@contextlib.contextmanager
def talk(path: Path) -> Iterator[Talk]:
    """Keep a connection. Raises DaemonUnreachableError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        _connect(server, path)
        made = Talk(path, server)
        try:
            yield made
        finally:
            made.close()


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        try:
            _connect(server, path)
            yield server
        except OSError as error:
            raise DaemonUnreachableError(path, error) from error


def _connect(server: socket.socket, path: Path) -> None:
    server.settimeout(CLIENT_SECONDS)
    try:
        server.connect(str(path))
    except OSError as error:
        raise DaemonUnreachableError(path, error) from error


def _result(path: Path, line: bytes) -> Any:  # noqa: ANN401 - each request has its own answer
    if not line:
        raise DaemonUnreachableError(path, "it hung up")
    answer = json.loads(line)
    if not answer["ok"]:
        raise RequestError(answer["error"])
    return answer["result"]
