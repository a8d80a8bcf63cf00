"""A label read on a serial scanner becomes a stored, delivered MQTT event."""

import base64
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from gateway.system.control_socket import DaemonUnreachableError
from tests.end_to_end.plant import Gateway, Plant, everything_arrived, label, plant, wait_for

LABEL = label(1)
SERIALS = 20


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path) as one:
        one.broker.start()
        one.listen()
        one.gateway.import_samples()
        one.gateway.start()
        yield one


def test_a_label_becomes_an_event(running: Plant) -> None:
    assert running.consumer is not None
    running.gateway.wire.write(LABEL)
    wait_for(lambda: running.consumer and running.consumer.bodies, "the event arrives")
    (event,) = everything_arrived(running.gateway, running.consumer)
    assert event["specversion"] == "1.0"
    assert event["type"] == "scangate.scan.v1"
    assert event["source"] == "urn:scangate:vgr:su:gw01"
    assert event["subject"] == "https://id.gs1.org/01/09520001000102/10/L1/21/S000001?17=451231"
    assert event["sequence"] == "0000000000000001"
    data = event["data"]
    assert data["station"] == {"id": "op3", "scanner": "front", "profile": "operating-room"}
    (symbol,) = data["symbols"]
    assert symbol == {
        "symbology": "]d2",
        "raw": base64.b64encode(LABEL[:-1]).decode(),
        "text": LABEL[3:-1].decode(),
        "quality": [],
    }
    assert data["udi"]["deviceIdentifier"] == "09520001000102"
    assert data["udi"]["lotNumber"] == "L1"
    assert data["udi"]["serialNumber"] == "S000001"
    assert data["udi"]["expirationDate"] == "2045-12-31"
    assert data["article"]["match"] == "di"
    assert data["article"]["source"] == "sample"
    assert data["verdict"]["disposition"] == "accepted"
    wait_for(lambda: running.gateway.accepted == [event["id"]], "the scan is signalled")


def test_however_the_bytes_come(running: Plant) -> None:
    """Byte by byte, in one burst, and split at every position."""
    wire = running.gateway.wire
    for byte in LABEL:
        wire.write(bytes([byte]))
    wire.write(b"".join(label(number) for number in range(2, 2 + SERIALS)))
    for position in range(1, len(LABEL)):
        one = label(1000 + position)
        wire.write(one[:position])
        wire.write(one[position:])
    expected = 1 + SERIALS + len(LABEL) - 1
    wait_for(lambda: running.gateway.stored() == expected, "every label is stored once")
    assert running.consumer is not None
    events = everything_arrived(running.gateway, running.consumer)
    serials = [event["data"]["udi"]["serialNumber"] for event in events]
    numbers = [1, *range(2, 2 + SERIALS), *range(1001, 1000 + len(LABEL))]
    assert serials == [f"S{number:06d}" for number in numbers]


def test_unplugged_in_the_middle_of_a_label(running: Plant) -> None:
    gateway = running.gateway
    gateway.wire.write(LABEL[:25])
    gateway.wire.unplug()
    wait_for(lambda: gateway.scanner()["link"] == "missing", "the daemon notices")
    gateway.wire.plug()
    wait_for(lambda: gateway.scanner()["link"] == "connected", "the scanner is back without a restart")
    gateway.wire.write(label(2))
    wait_for(gateway.stored, "the next label is stored")
    assert running.consumer is not None
    events = everything_arrived(gateway, running.consumer)
    assert [event["data"]["udi"]["serialNumber"] for event in events] == ["S000002"]
    counters = gateway.status()["counters"]
    assert counters["accepted"] == 1
    assert set(counters) <= {"accepted", "discarded.broken-off"}, "the half is thrown away, if it was read at all"


def test_stopped_at_once(running: Plant) -> None:
    """SIGTERM right behind a hundred scans: all are stored, the stop takes less than five seconds."""
    gateway = running.gateway
    gateway.wire.write(b"".join(label(number) for number in range(100)))
    assert gateway.process is not None
    gateway.stop()
    assert len(gateway.journal()) == 100
    assert running.consumer is not None
    gateway.start()
    assert len(everything_arrived(gateway, running.consumer)) == 100


def test_reload_keeps_every_scan_and_a_bad_file_changes_nothing(running: Plant) -> None:
    gateway = running.gateway
    gateway.wire.write(LABEL)
    wait_for(lambda: gateway.stored() == 1, "stored")
    good = gateway.config.read_text()
    gateway.config.write_text(good + "\n[station]\n")
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "the present configuration stays" in gateway.log.read_text(), "refused")
    gateway.config.write_text(good.replace('"operating-room"', '"clinic"'))
    gateway.process.send_signal(signal.SIGHUP)
    gateway._wait_ready()
    wait_for(lambda: gateway.scanner()["link"] == "connected", "reading again")
    gateway.wire.write(label(2))
    wait_for(lambda: gateway.stored() == 2, "the next one is stored")
    assert running.consumer is not None
    events = everything_arrived(gateway, running.consumer)
    assert [event["data"]["station"]["profile"] for event in events] == ["operating-room", "clinic"]


def lives_ended(gateway: Gateway) -> int:
    return gateway.log.read_text().count("stopped stored=")


def is_reading(gateway: Gateway) -> bool:
    with suppress(DaemonUnreachableError):
        return bool(gateway.scanner()["link"] == "connected")
    return False


def has_stored(gateway: Gateway, count: int) -> bool:
    with suppress(DaemonUnreachableError):  # a signal that came while a life began ends that one, too
        return gateway.stored() == count
    return False


def test_signals_that_come_close_together(running: Plant) -> None:
    """Reloads that meet a daemon between two lives neither end the process nor keep it from stopping."""
    gateway = running.gateway
    assert gateway.process is not None
    for ended in range(6):
        gateway.process.send_signal(signal.SIGHUP)
        wait_for(partial(lambda before: lives_ended(gateway) > before, ended), "one life ends")
    wait_for(lambda: is_reading(gateway), "reading again")
    gateway.wire.write(label(1))
    wait_for(lambda: has_stored(gateway, 1), "stored")
    assert gateway.process.poll() is None
    gateway.process.send_signal(signal.SIGHUP)
    gateway.stop()


def test_rubbish_harms_nothing(running: Plant) -> None:
    """A megabyte of noise from the port: the daemon lives on, and the next label is stored.

    No scanner is so fast: the queue may fill, and what finds it full is told `trouble`. So the label comes when the
    noise has been looked at.
    """
    noise = random.Random(20261122).randbytes(1_000_000)  # noqa: S311 - a test that can be repeated
    running.gateway.wire.write(noise + b"\r")
    seen = [0]

    def at_rest() -> bool:
        seen.append(sum(running.gateway.status()["counters"].values()))
        return len(seen) > 50 and seen[-50] == seen[-1] > 0

    wait_for(at_rest, "the noise has been looked at")
    running.gateway.wire.write(label(9))
    wait_for(lambda: any(b"S000009" in body for body in running.gateway.journal()[-1:]), "the label is stored")
    counters = running.gateway.status()["counters"]
    assert "fault" not in counters
    assert any(name.startswith(("withheld.", "discarded.")) for name in counters)
    assert running.consumer is not None
    everything_arrived(running.gateway, running.consumer)
