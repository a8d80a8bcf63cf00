"""The one place to add a vendor."""

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from firmware_config.errors import NotConfigurableError
from firmware_config.model import ScannerProfile

if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware_config.vendors.base import VendorProtocol

VENDORS: Final[dict[str, str]] = {
    "honeywell": "Honeywell",
    "zebra": "Zebra",
    "datalogic": "Datalogic",
    "newland": "Newland",
    "cognex": "Cognex",
}
"""Module in this package -> its class. Vendors with a profile and without a module are refused."""


def vendor_of(profile: ScannerProfile) -> "VendorProtocol":
    """Return how the scanners of a profile are read and written; raises NotConfigurableError where nobody knows."""
    if profile.refused or profile.vendor not in VENDORS:
        raise NotConfigurableError(
            "configure",
            f"{profile.title} scanners over the port",
            profile.refused or "nothing is known of their commands",
            f"set them by hand: `scangate firmware page {profile.name}` says what is needed and where it stands",
            recoverable=False,
        )
    return load(profile.vendor)


def load(vendor: str) -> "VendorProtocol":
    """Return a vendor's way by its key in VENDORS. Raises KeyError."""
    module = import_module(f"{__name__}.{vendor}")
    return cast("Callable[[], VendorProtocol]", getattr(module, VENDORS[vendor]))()
