"""Events over MLLP (HL7 v2): one connection, one message at a time, each confirmed by its acknowledgement."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

import hl7
import hl7.mllp

from intake.forward import ReceiverAwayError, RefusedByReceiverError

TIMEOUT_SECONDS: Final = 30.0
PORT: Final = 2575
"""Registered for HL7 over TCP (IANA)."""
ACCEPTED: Final = frozenset({"AA", "CA"})
REFUSED: Final = frozenset({"AE", "CE"})
"""HL7 table 0008: an error in this message. `AR` and `CR` reject what is the same for every message (version, type,
processing) or mean a receiver in trouble: they hold the line."""


class MllpReceiver:
    """A connection to `mllp://HOST:PORT`, made anew when it is lost."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = url
        self._address = (parts.hostname, parts.port or PORT)
        self._loop = asyncio.new_event_loop()
        self._streams: tuple[hl7.mllp.HL7StreamReader, hl7.mllp.HL7StreamWriter] | None = None

    def send(self, payload: bytes, name: str) -> None:
        """Send a message; confirmed by AA or CA for its control id."""
        try:
            answer = self._loop.run_until_complete(asyncio.wait_for(self._exchange(payload), TIMEOUT_SECONDS))
            code, control, words = _read(answer)
        except (OSError, EOFError, TimeoutError, ValueError, LookupError, hl7.HL7Exception) as error:
            self._hang_up()
            raise ReceiverAwayError(
                f"no acknowledgement from {self._url}: {error or type(error).__name__}"
            ) from error
        if control != name:
            self._hang_up()
            raise ReceiverAwayError(f"{self._url} acknowledges another message ({control[:64]!r}) than {name}")
        if code in REFUSED:
            raise RefusedByReceiverError(f"{code}: {words}")
        if code not in ACCEPTED:
            raise ReceiverAwayError(f"{self._url} rejects messages with {code[:8]!r}: {words}")

    async def _exchange(self, payload: bytes) -> str:
        if self._streams is None:
            self._streams = await hl7.mllp.open_hl7_connection(*self._address, encoding="utf-8")
        reader, writer = self._streams
        writer.writeblock(payload)
        await writer.drain()
        return str(await reader.readmessage())

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
            self._loop.run_until_complete(asyncio.sleep(0))

    def close(self) -> None:
        """End the connection."""
        self._hang_up()
        self._loop.close()


def _read(answer: str) -> tuple[str, str, str]:
    """Return code, control id and words of an acknowledgement: MSA-1, MSA-2, and MSA-3 or ERR-8."""
    parsed = hl7.parse(answer)
    msa = parsed.segment("MSA")
    words = str(msa(3)) if len(msa) > 3 else ""  # noqa: PLR2004 - MSA-3
    if not words and any(str(segment(0)) == "ERR" for segment in parsed):
        err = parsed.segment("ERR")
        words = str(err(8)) if len(err) > 8 else str(err)  # noqa: PLR2004 - ERR-8
    return str(msa(1)), str(msa(2)), " ".join(words.split())[:400]
