"""The byte stream under one MQTT connection: what is small goes to the kernel, and comes from it, in large pieces.

paho asks the kernel for every packet it sends, and three times for every acknowledgement it reads. Under a backlog
that costs more than everything else about sending; so its socket stands behind a buffer each way, as its WebSocket
does.
"""

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from paho.mqtt.client import Client

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

READ_BYTES: Final = 16 * 1024
"""A window's acknowledgements are some hundred bytes, and a TLS record has no more than this (RFC 8446, 5.1)."""
GATHER_BYTES: Final = 32 * 1024
"""What is handed over is sent at the latest then: enough for the kernel to be asked once for twenty events."""


class Link:
    """A connected socket between two buffers. Not blocking; used by one thread."""

    def __init__(self, link: socket.socket) -> None:
        self.raw = link
        """The socket itself; an SSLSocket with TLS."""
        self._read = b""
        self._position = 0
        self._gathered = bytearray()
        self._broken = False

    def recv(self, limit: int) -> bytes:
        """Return up to `limit` bytes, none at the end. Raises as the socket does."""
        begin = self._position
        if begin == len(self._read):
            self._read = self.raw.recv(READ_BYTES)
            begin = 0
        piece = self._read[begin : begin + limit]
        self._position = begin + len(piece)
        return piece

    def send(self, data: bytes | bytearray) -> int:
        """Take bytes that leave with the next `flush`. Raises BlockingIOError when the network does not keep up."""
        if len(self._gathered) >= GATHER_BYTES:
            self.flush()
            if len(self._gathered) >= GATHER_BYTES:
                raise BlockingIOError
        if self._broken:
            raise ConnectionError("the connection is broken")
        self._gathered += data
        return len(data)

    def flush(self) -> None:
        """Hand the kernel what it takes now. That the connection is broken shows when something is read."""
        try:
            while self._gathered:
                del self._gathered[: self.raw.send(self._gathered)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self._broken = True
            self._gathered.clear()

    def unsent(self) -> int:
        """Bytes that the kernel has not taken."""
        return len(self._gathered)

    def pending(self) -> int:
        """Bytes that were read and that `select` does not see any more."""
        decrypted = self.raw.pending() if isinstance(self.raw, ssl.SSLSocket) else 0
        return len(self._read) - self._position + decrypted

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self.raw.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - a socket's own signature
        """Make the socket wait, or not."""
        self.raw.setblocking(flag)

    def close(self) -> None:
        """Send what can be sent at once, and let the socket go."""
        with suppress(OSError, ValueError):  # it may be closed already
            self.flush()
        self.raw.close()


class BufferedClient(Client):
    """A paho Client over a Link. Should paho no longer make its socket here, it works without the buffers."""

    def _create_socket(self) -> "SocketLike":
        link = super()._create_socket()
        return Link(link) if isinstance(link, socket.socket) else link
