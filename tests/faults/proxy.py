"""A network that can be hurt: a TCP proxy between the gateway and a broker."""

import select
import socket
import threading
import time
from contextlib import suppress
from typing import Final

from tests.faults.scripted import LINGER_NOW

CHUNK: Final = 65536
TRICKLE_BYTES: Final = 16
TRICKLE_SECONDS: Final = 0.002
"""8 kB a second: the worst radio link that still is one."""


class Proxy:
    """Passes bytes both ways, unless told otherwise; what it is told holds from the next byte on."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.through = threading.Event()
        """Set: connections are passed on. Not set: they are accepted and wait."""
        self.through.set()
        self.swallow = False
        """Half-open: both ends stay connected and nothing comes through."""
        self.delay = 0.0
        self.trickle = False
        self.cut_up: int | None = None
        self.cut_down: int | None = None
        """Break the connection with a reset after so many bytes to the broker, or from it. Used once."""
        self.up = 0
        self.down = 0
        """Bytes of the connection made last, to the broker and from it."""
        self.cuts = 0
        self._links: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def hang_up(self) -> None:
        """Break every connection with a reset."""
        for link in list(self._links):
            with suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOW)
                link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.through.set()
        self.hang_up()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def _pass(self, near: socket.socket) -> None:
        self._links.add(near)
        self.through.wait()
        self.up = self.down = 0
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as far:
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                ready, _, _ = select.select([near, far], [], [], 0.2)
                if self.swallow:
                    near.getpeername()
                    time.sleep(0.01)
                    continue
                for link in ready:
                    if not self._forward(link, near, far):
                        return
        self._links.discard(near)

    def _forward(self, link: socket.socket, near: socket.socket, far: socket.socket) -> bool:
        data = link.recv(TRICKLE_BYTES if self.trickle else CHUNK)
        if not data:
            return False
        time.sleep(TRICKLE_SECONDS if self.trickle else self.delay)
        upwards = link is near
        limit, so_far = (self.cut_up, self.up) if upwards else (self.cut_down, self.down)
        left = len(data) if limit is None else limit - so_far
        (far if upwards else near).sendall(data[:left])
        if upwards:
            self.up += len(data)
        else:
            self.down += len(data)
        if left >= len(data):
            return True
        self.cut_up = self.cut_down = None
        self.cuts += 1
        for end in (near, far):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOW)
        return False
