"""The byte stream under one MQTT connection: what is small goes to the kernel, and comes from it, in large pieces.

paho asks the kernel for every packet it sends, and three times for every acknowledgement it reads. Under a backlog
that costs more than everything else about sending; so its socket stands behind a buffer each way, as its WebSocket
does. This takes names of paho that are not public (`PRIVATE_NAMES`): pyproject.toml pins its minor version, and a
test names what is used.
"""

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.mqtt.packet_filter import PacketFilter

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

PRIVATE_NAMES: Final = (
    "_create_socket", "_handle_pubackcomp", "_do_on_publish", "_in_packet", "_out_message_mutex", "_out_messages",
)  # fmt: skip
"""What of paho's Client is used without being part of its interface."""
READ_BYTES: Final = 16 * 1024
"""A window's acknowledgements are some hundred bytes, and a TLS record has no more than this (RFC 8446, 5.1)."""
GATHER_BYTES: Final = 32 * 1024
"""What is handed over is sent at the latest then: enough for the kernel to be asked once for twenty events."""
SHORT_PUBACK_BYTES: Final = 2
"""A PUBACK of the packet identifier alone: in MQTT 5 that is success without properties (3.4.2.1), in 3.1.1 all."""
PUBACK: Final = 0x40
_SUCCESS: Final = ReasonCode(PacketTypes.PUBACK)
_TOO_LARGE: Final = ReasonCode(PacketTypes.DISCONNECT, identifier=0x95)
"""Brokers send it in a PUBACK, too (mosquitto for `message_size_limit`), though it is none of its reasons (MQTT 5,
3.4.2.1); paho ends the connection upon it."""
_NO_PROPERTIES: Final = Properties(PacketTypes.PUBACK)


class BufferedSocket:
    """A connected socket between two buffers. Not blocking; used by one thread."""

    def __init__(self, raw: socket.socket, packets: PacketFilter | None = None) -> None:
        """`packets`: leaves out what is too large to be read."""
        self.raw = raw
        """The socket itself; an SSLSocket with TLS."""
        self.error: OSError | None = None
        """Why reading or writing failed: paho keeps it to itself."""
        self._packets = packets
        self._read = b""
        self._position = 0
        self._gathered = bytearray()

    def recv(self, limit: int) -> bytes:
        """Return up to `limit` bytes, none at the end. Raises as the socket does."""
        begin = self._position
        if begin == len(self._read):
            self._read = self._receive()
            begin = 0
        piece = self._read[begin : begin + limit]
        self._position = begin + len(piece)
        return piece

    def _receive(self) -> bytes:
        try:
            data = self.raw.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError as error:
            self.error = self.error or error
            raise
        if self._packets is None or not data:
            return data
        passed = self._packets.feed(data)
        if not passed:
            raise BlockingIOError  # nothing of it is to be read; the end of the stream would be empty, too
        return passed

    def send(self, data: bytes | bytearray) -> int:
        """Take bytes that leave with the next `flush`. Raises BlockingIOError when the network does not keep up.

        Nor is anything taken once the connection is broken: what the broker has said last (why it ends the
        connection) is to be read first, and reading shows the end.
        """
        if len(self._gathered) >= GATHER_BYTES:
            self.flush()
            if len(self._gathered) >= GATHER_BYTES:
                raise BlockingIOError
        if self.error is not None:
            raise BlockingIOError
        self._gathered += data
        return len(data)

    def flush(self) -> None:
        """Hand the kernel what it takes now. That the connection is broken shows when something is read."""
        try:
            while self._gathered:
                del self._gathered[: self.raw.send(self._gathered)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            self.error = self.error or error
            self._gathered.clear()

    def acknowledge(self, mid: int) -> None:
        """Send a PUBACK for a message that was not read."""
        self._gathered += bytes((PUBACK, SHORT_PUBACK_BYTES)) + mid.to_bytes(2, "big")

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
        """Send what can be sent at once, and close the socket."""
        with suppress(OSError, ValueError):  # it may be closed already
            self.flush()
        self.raw.close()


class BufferedClient(Client):
    """A paho Client over a BufferedSocket, with a short way for the answer that nearly every event gets."""

    def __init__(self, *args: Any, packets: PacketFilter | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        """Take paho's own arguments; `packets`: leaves out what is too large to be read."""
        super().__init__(*args, **kwargs)
        self._packets = packets

    @property
    def arriving(self) -> int:
        """Bytes that the packet announces which is being read now; 0 between packets."""
        return int(self._in_packet["remaining_length"])

    def _create_socket(self) -> "SocketLike":
        raw = super()._create_socket()
        return BufferedSocket(raw, self._packets) if isinstance(raw, socket.socket) else raw

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        """Take an acknowledgement. For each, paho fills tables of all reasons and properties there are."""
        packet = self._in_packet["packet"]
        if cmd != "PUBACK" or len(packet) < SHORT_PUBACK_BYTES:
            return super()._handle_pubackcomp(cmd)
        mid = int.from_bytes(packet[:SHORT_PUBACK_BYTES], "big")
        reason = _SUCCESS
        if len(packet) > SHORT_PUBACK_BYTES:
            if packet[SHORT_PUBACK_BYTES] != _TOO_LARGE.value:
                return super()._handle_pubackcomp(cmd)
            reason = _TOO_LARGE
        with self._out_message_mutex:
            if mid in self._out_messages:
                return self._do_on_publish(mid, reason, _NO_PROPERTIES)
        return MQTTErrorCode.MQTT_ERR_SUCCESS
