"""What systemd is told: sd_notify(3), over a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.system.systemd import WATCHDOG_SHARE, ServiceManager


@pytest.fixture(params=["path", "abstract"])
def systemd(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """Listen as systemd does, at a path or in the abstract name space."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@scangate-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(address.replace("@", "\0"))
        made.settimeout(5)
        yield made


def test_a_life(systemd: socket.socket) -> None:
    manager = ServiceManager()
    manager.ready("reading scanners")
    manager.alive()
    manager.status("2 scanners")
    manager.at_work()
    manager.stopping()
    assert [systemd.recv(1000) for _ in range(5)] == [
        b"READY=1\nSTATUS=reading scanners",
        b"WATCHDOG=1",
        b"STATUS=2 scanners",
        b"WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000",
        b"STOPPING=1",
    ]
    manager._socket.close() if manager._socket else None


@pytest.mark.usefixtures("systemd")
def test_a_manager_that_does_not_read_stops_nothing() -> None:
    manager = ServiceManager()
    for number in range(10_000):
        manager.status(f"{number} scans stored")
    manager.alive()
    manager._socket.close() if manager._socket else None


def test_a_systemd_that_is_gone_does_no_harm(systemd: socket.socket, tmp_path: Path) -> None:
    manager = ServiceManager()
    systemd.close()
    (tmp_path / "notify").unlink(missing_ok=True)
    manager.alive()
    manager._socket.close() if manager._socket else None


def test_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    manager = ServiceManager()
    manager.ready("")
    assert manager.feed_seconds is None


@pytest.mark.parametrize(
    ("microseconds", "seconds"), [("60000000", 60 / WATCHDOG_SHARE), ("", None), ("soon", None), ("-1", None)]
)
def test_how_often_the_watchdog_is_fed(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, seconds: float | None
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    assert ServiceManager().feed_seconds == seconds
