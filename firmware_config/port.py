"""What the engine needs of a serial port that was lent to it."""

from typing import Protocol


class Port(Protocol):
    """A serial port, lent for the time of a check or an apply.

    What is read is a copy for finding answers in: codes that come meanwhile are the lender's business. All methods
    raise `firmware_config.errors.PortGoneError` when the scanner is not there any more.
    """

    def write(self, data: bytes) -> None:
        """Send all of `data`."""

    def read(self, timeout: float) -> bytes:
        """Return what came, at least one byte, or nothing when nothing came for `timeout` seconds."""

    def reopen(self, timeout: float, baud: int | None) -> None:
        """Close the port and open it again, waiting up to `timeout` seconds for the scanner to come back.

        `baud` None: the speed of the configuration. What came in the meantime is thrown away.
        """
