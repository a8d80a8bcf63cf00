"""The scanner's end of a serial line."""

import socket
import threading
from contextlib import suppress


class Line:
    """Sends what a scanner reads, and takes what the gateway writes: QEMU stands still while nobody takes it.

    A tty echoes what comes between its opening and its setting up, byte by byte.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.heard = bytearray()
        """What came from the gateway."""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def send(self, data: bytes) -> None:
        """Send bytes. Raises OSError when the line is closed."""
        self._connection.sendall(data)

    def close(self) -> None:
        """End the line. May be called more than once, and while another thread sends."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._listener.join()
        self._connection.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while data := self._connection.recv(65536):
                self.heard += data
