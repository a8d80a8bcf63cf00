"""Scanners that wait for their acknowledgement, and the real daemon: acknowledged is what is on disk."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from drivers.dialects.ssi_packet import Op
from tests.drivers.scripted import DatalogicScanner, HostAckScanner, ScriptedScanner, SsiScanner
from tests.end_to_end.plant import Gateway, label, wait_for
from tests.ports import free_port

AnyScanner = TypeVar("AnyScanner", bound=ScriptedScanner)

GTIN_WRONG = b"]d20109520001000109\x1d21S000001"
"""Its check digit is wrong: the scan is recorded and refused."""


@contextmanager
def running(
    directory: Path, settings: str, made: Callable[[int], AnyScanner], extra: str = ""
) -> Iterator[tuple[Gateway, AnyScanner]]:
    """The daemon, with no broker to be found, and a scanner that follows its protocol."""
    gateway = Gateway(directory, free_port(), extra)
    gateway.config.write_text(gateway.config.read_text().replace("idle_ms = 50", f"idle_ms = 50\n{settings}"))
    gateway.import_samples()
    gateway.start()
    scanner = made(gateway.wire._scanner)
    try:
        yield gateway, scanner
    finally:
        scanner.close()
        gateway.close()


def code(serial: int) -> bytes:
    return label(serial).removesuffix(b"\r")


def test_zebra_is_acknowledged_only_what_is_on_disk(tmp_path: Path) -> None:
    with running(tmp_path, 'dialect = "zebra-ssi"', SsiScanner) as (gateway, zebra):
        for number in range(1, 6):
            assert len(zebra.scan(code(number))) == 1
            assert len(gateway.journal()) == number, "acknowledged, and not on disk"
        zebra.wait_for(lambda: len(zebra.beeps) == 5, "each scan is signalled")
        assert len(zebra.scan(GTIN_WRONG)) == 1
        assert len(gateway.journal()) == 6
        zebra.wait_for(lambda: zebra.beeps[-1:] == [0x10], "the refusal is heard")


def test_zebra_repeats_what_a_gateway_that_hangs_does_not_acknowledge(tmp_path: Path) -> None:
    """The scanner gives up; what it sent is read later, and is one event: it was one scan."""
    with running(tmp_path, 'dialect = "zebra-ssi"', lambda fd: SsiScanner(fd, 0.3)) as (gateway, zebra):
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGSTOP)
        assert zebra.scan(code(1)) == []
        assert zebra.given_up == 1
        gateway.process.send_signal(signal.SIGCONT)
        zebra.wait_for(lambda: zebra.answers, "it is acknowledged late")
        wait_for(lambda: sum(1 for one in gateway.told if one.get("signal")) == 3, "all three are answered")
        zebra._timeout = 10.0
        assert len(zebra.scan(code(2))) == 1
        assert len(gateway.journal()) == 2, "a repetition is no second event"
        assert [packet.op for packet in zebra.answers] == [Op.ACK, Op.ACK]


def test_honeywell_with_host_ack_waits_for_the_disk(tmp_path: Path) -> None:
    settings = 'dialect = "honeywell"\nfeedback = "host-ack"'
    with running(tmp_path, settings, HostAckScanner) as (gateway, xenon):
        assert xenon.scan(code(1)) == b"\x1b7,"
        assert len(gateway.journal()) == 1
        xenon.say(b"CBRENA1\x06.")
        refused = xenon.scan(GTIN_WRONG)
        assert refused.startswith(b"\x1b8,")
        assert len(gateway.journal()) == 2


def test_datalogic_is_told_and_stays_enabled(tmp_path: Path) -> None:
    with running(tmp_path, 'dialect = "datalogic"', DatalogicScanner) as (gateway, gryphon):
        gryphon.say(label(1))
        gryphon.wait_for(lambda: gryphon.tones == 1, "accepted")
        assert len(gateway.journal()) == 1
        gryphon.say(GTIN_WRONG + b"\r")
        gryphon.wait_for(lambda: gryphon.heard.endswith(b"FE"), "refused")
        assert gryphon.enabled
        assert len(gateway.journal()) == 2


def test_lamps_that_cannot_be_reached_are_an_alarm_and_cost_no_scan(tmp_path: Path) -> None:
    extra = f'[gpio]\nchip = "{tmp_path}/gpiochip9"\ngreen = 17\nbuzzer = 23\n'
    with running(tmp_path, 'dialect = "zebra-ssi"', SsiScanner, extra) as (gateway, zebra):
        assert len(zebra.scan(code(1))) == 1
        assert len(gateway.journal()) == 1
        wait_for(lambda: "gpiochip9" in " ".join(gateway.status()["alarms"]), "an alarm names the chip")
        gateway.stop()
