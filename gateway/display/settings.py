"""The `[display]` section of the configuration."""

import re
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct

MAX_PORT: Final = 65_535
_PORT: Final = re.compile(r"[0-9]{1,5}")


class ListenAddress(NamedTuple):
    """Where the page is served."""

    host: str
    """An IP address, without brackets."""
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class DisplaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[display]`: the page that `scangate display` serves for a screen at the station."""

    listen: str = "127.0.0.1:8080"
    """IP address and port. Another address than the loopback's shows the page to everybody on that network."""
    distance_m: Annotated[float, Meta(ge=0.3, le=10)] = 2.0
    """Metres from the reader's eye to the screen: the letters are as large as that needs."""
    diagonal_inches: Annotated[float, Meta(ge=3, le=100)] = 7.0
    """The screen's diagonal, inches."""
    sound: bool = False
    """The page sounds, too, for a station whose scanners and lamps cannot. A browser wants to be touched once before
    it may, unless it is started with `--autoplay-policy=no-user-gesture-required` (Chromium)."""
    result_seconds: Annotated[int, Meta(ge=3, le=600)] = 30
    """How long the result of a scan is shown large; then only the list of the last scans has it."""

    def __post_init__(self) -> None:
        """Refuse what is no address. Raises ValueError, which msgspec turns into a ValidationError."""
        _ = self.address

    @property
    def address(self) -> ListenAddress:
        """`listen`, taken apart. Raises ValueError."""
        host, _, port = self.listen.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        try:
            bracketed = isinstance(ip_address(bare), IPv6Address)
        except ValueError:
            bracketed = None
        right = host == {True: f"[{bare}]", False: bare, None: None}[bracketed]
        if not right or _PORT.fullmatch(port) is None or int(port) > MAX_PORT:
            raise ValueError("`listen` must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080")
        return ListenAddress(bare, int(port))
