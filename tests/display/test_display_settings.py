"""The `[display]` section."""

import msgspec
import pytest

from gateway.config.loader import ConfigError, parse
from gateway.display.settings import DisplaySettings

BOX = {
    "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
    "scanner": [{"name": "front", "device": "/dev/ttyACM0"}],
}


def test_it_is_for_this_machine_only_unless_somebody_writes_otherwise() -> None:
    address = parse(BOX, "x.toml").display.address
    assert (str(address), address.loopback) == ("127.0.0.1:8080", True)


@pytest.mark.parametrize(
    ("listen", "host", "port", "loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.0.0.9:1", "127.0.0.9", 1, True),
        ("[::1]:8080", "::1", 8080, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),  # noqa: S104 - what a technician may write
        ("10.1.2.3:65535", "10.1.2.3", 65535, False),
        ("[fd00::1]:0", "fd00::1", 0, False),
    ],
)
def test_addresses(listen: str, host: str, port: int, loopback: bool) -> None:  # noqa: FBT001 - a column
    address = DisplaySettings(listen=listen).address
    assert (address.host, address.port, address.loopback, str(address)) == (host, port, loopback, listen)


@pytest.mark.parametrize(
    "listen",
    [
        *("", "8080", ":8080", "localhost:8080", "display.example:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x"),
        *("127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:٣", "::1:8080", "[127.0.0.1]:8080", "[::1:8080", "[::1]"),
        *("http://127.0.0.1:8080", "127.0.0.1:8080/", "127.0.0.1:080800", "1.2.3:80"),
    ],
)
def test_what_is_no_address(listen: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"ADDRESS:PORT, such as 127\.0\.0\.1:8080"):
        msgspec.convert({"listen": listen}, DisplaySettings)


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"listen": "localhost"}, "display.*ADDRESS:PORT"),
        ({"port": 8080}, r"display\.port: unknown key"),
        ({"result_seconds": 1}, "display.result_seconds = 1"),
    ],
)
def test_what_is_wrong_is_named(section: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse({**BOX, "display": section}, "x.toml")
