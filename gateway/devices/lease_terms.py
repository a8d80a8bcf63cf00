"""What lending a scanner's line depends on: the vendor of the scanner that is asked for its settings."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from drivers.base import DriverError, ScannerSettings
from drivers.dialects.datalogic import DISCARD, service_command

_PACKETS: Final = {"zebra": "zebra-ssi"}
"""Vendor -> the dialect that alone tells its answers from codes; other vendors' answers are known to every
dialect."""


class Terms(Struct, frozen=True, kw_only=True):
    """How a line is lent."""

    hold: bool = True
    """Signals to the operator wait for the end of the lease: the scanner might take them for commands."""
    last_words: bytes = b""
    """Sent when a lease is not returned: gets the scanner out of whatever its borrower left it in."""
    is_answer: Callable[[bytes], bool] = lambda _frame: False
    """Whether a frame of the dialect has the form of a line of an answer."""


NO_TERMS: Final = Terms()


def check_dialect(vendor: str, settings: ScannerSettings) -> None:
    """Raise DriverError where answers to questions that nobody asked for would disturb whoever scans.

    Under another dialect an answer is a frame that is refused, and a code that follows at once is refused with it.
    """
    dialect = _PACKETS.get(vendor, settings.dialect)
    if settings.dialect != dialect:
        raise DriverError(
            "ask for the settings of",
            f"scanner {settings.name}",
            f'under dialect = "{settings.dialect}" its answers could be taken for codes',
            f'set dialect = "{dialect}"',
            recoverable=False,
        )


def terms_of(vendor: str) -> Terms:
    """Return the terms for a vendor's scanner."""
    from firmware_config.vendors import VENDORS, load

    return Terms(
        hold=vendor != "zebra",  # all but Zebra's signals are bare bytes
        last_words=service_command(DISCARD) if vendor == "datalogic" else b"",
        is_answer=load(vendor).is_answer if vendor in VENDORS else NO_TERMS.is_answer,
    )
