"""The interface of a vendor's way to be read and written, and how to hold a conversation over a port."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final, TypeVar

from firmware_config.errors import NoAnswerError
from firmware_config.model import Identity, SettingsReading
from firmware_config.port import Port

ANSWER_SECONDS: Final = 2.0
"""How long a scanner may be silent before it counts as not answering: what the slowest manual gives a scanner to
answer (SSI host serial response timeout, 2 s)."""
MAX_TALK_BYTES: Final = 16 * 1024
"""Bytes read while waiting for one answer. Longest answers stay below 4 KiB; the rest is scans and noise."""
ASK_TRIES: Final = 3
"""How often a question is asked. Questions change nothing; a scan may have come in between, or noise."""

Answer = TypeVar("Answer")


def converse(port: Port, message: bytes, find: Callable[[bytes], Answer | None], doing: str) -> Answer:
    """Send a message and return what `find` makes of the bytes that came since; None from it means: not yet.

    What was under way before the message is thrown away: a late answer must not be taken for this one's. Raises
    NoAnswerError when the scanner falls silent before, or says too much that is none.
    """
    stale = 0
    while stale < MAX_TALK_BYTES and (late := port.read(0)):
        stale += len(late)
    port.write(message)
    heard = b""
    while len(heard) < MAX_TALK_BYTES:
        more = port.read(ANSWER_SECONDS)
        if not more:
            break
        heard += more
        answer = find(heard)
        if answer is not None:
            return answer
    cause = f"{len(heard)} bytes came that are no answer" if heard else f"silence for {ANSWER_SECONDS:g} s"
    raise NoAnswerError(
        doing, "the scanner", cause, "check cable, speed and that it is a scanner of this vendor", recoverable=True
    )


def ask(port: Port, message: bytes, find: Callable[[bytes], Answer | None], doing: str) -> Answer:
    """Hold a conversation that changes nothing, and try again when it fails."""
    for _ in range(ASK_TRIES - 1):
        try:
            return converse(port, message, find, doing)
        except NoAnswerError:
            continue
    return converse(port, message, find, doing)


class VendorProtocol(ABC):
    """How one vendor's scanners are read and written. Knows no profile; values are written as the vendor does.

    No method can make a command that sets everything back: such commands wipe the interface too.
    """

    name: ClassVar[str]
    resets_when_kept: ClassVar[bool] = False
    """The scanner starts anew after `keep`: its port has to be opened again."""
    cannot_write: ClassVar[str] = ""
    """Why settings can be read but not written; empty where they can."""

    @abstractmethod
    def identify(self, port: Port) -> Identity:
        """Tell which scanner answers; what it does not say is None. May raise NoAnswerError."""

    @abstractmethod
    def query(self, port: Port, names: Sequence[str]) -> SettingsReading:
        """Read settings. Raises PortGoneError or NoAnswerError."""

    @abstractmethod
    def ram_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return what is sent to put settings in force until power is lost."""

    @abstractmethod
    def keep_messages(self, values: Mapping[str, str]) -> tuple[bytes, ...]:
        """Return what is sent to keep settings over a loss of power; each message is one write to flash."""

    @abstractmethod
    def tell(self, port: Port, message: bytes) -> None:
        """Send one of these messages and wait for the scanner's consent.

        Raises PortGoneError, NoAnswerError or RefusedError.
        """

    def is_answer(self, frame: bytes) -> bool:  # noqa: ARG002 - for those that answer in lines
        """Return whether a frame of the dialect that goes with this vendor has the form of a line of an answer.

        The dialect keeps most answers apart from codes by itself; this is for the others.
        """
        return False

    def same(self, present: str, wanted: str) -> bool:
        """Return whether two values are the same setting."""
        return present == wanted
