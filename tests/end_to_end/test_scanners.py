"""`scangate scanners` against a daemon that runs, with a pty as the scanner."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gateway.devices.calibration import TEXT
from gateway.system.control_socket import RequestError, ask
from tests.end_to_end.plant import ROOT, Gateway, label, wait_for
from tests.ports import free_port

SYMBOL = b"]d1" + TEXT.encode() + b"\r"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    one = Gateway(tmp_path, free_port())
    try:
        one.start()
        yield one
    finally:
        one.close()


def scanners(gateway: Gateway, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "gateway", "scanners", *arguments, "--socket", str(gateway.socket)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def answered(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_list(gateway: Gateway) -> None:
    code, out, _ = answered(scanners(gateway, "list", "-c", str(gateway.config), "--json"))
    row = json.loads(out)[0]
    assert (code, row["name"], row["state"], row["device"]) == (0, "front", "connected", str(gateway.wire.path))
    gateway.wire.unplug()
    wait_for(lambda: gateway.scanner()["link"] == "missing", "the unplugging is noticed")
    code, out, _ = answered(scanners(gateway, "list", "-c", str(gateway.config), "--json"))
    row = json.loads(out)[0]
    assert (code, row["state"]) == (1, "missing")
    assert "plug the scanner in" in row["why"]
    assert "plug the scanner in" in gateway.status()["scanners"][0]["detail"]
    gateway.wire.plug()
    wait_for(lambda: gateway.scanner()["link"] == "connected", "the scanner is found again")
    gateway.stop()
    code, out, err = answered(scanners(gateway, "list", "-c", str(gateway.config), "--json"))
    assert (code, json.loads(out)[0]["state"]) == (0, "plugged in")
    assert "cannot reach the daemon" in err


@pytest.mark.parametrize(
    ("sent", "code", "words", "calibrated"),
    [
        (SYMBOL, 0, ["front is calibrated"], True),
        (SYMBOL.replace(b"\x1d", b""), 0, ["GS_DROPPED", "front is calibrated"], True),
        (SYMBOL.replace(b"\x1d", b"|"), 1, ["GS_REPLACED", "mend it and scan again"], False),
        (SYMBOL.replace(b"CHECK", b"check").replace(b"]d1", b""), 1, ["NO_AIM_ID", "CHARACTERS_REPLACED"], False),
        (label(1), 1, ["OTHER_CODE"], False),
    ],
)
def test_calibrate(gateway: Gateway, sent: bytes, code: int, words: list[str], calibrated: bool) -> None:  # noqa: FBT001 - a column of the table
    command = scanners(gateway, "calibrate", "front")
    assert command.stderr is not None
    shown = ""
    while "scan this symbol" not in shown:
        shown += command.stderr.readline()
    assert "\u2588" in shown
    gateway.wire.write(sent)
    ended, out, _ = answered(command)
    assert ended == code, out
    assert all(word in out for word in words), out
    assert gateway.scanner()["calibrated"] is calibrated
    gateway.wire.write(label(2))
    wait_for(lambda: gateway.stored() == 1, "the next scan is a scan again")
    assert gateway.journal()[0].count(b"S000002") > 0


def test_what_was_learnt_outlives_the_daemon(gateway: Gateway) -> None:
    begun = ask(gateway.socket, "calibrate", scanner="front")
    gateway.wire.write(SYMBOL)
    answer: dict[str, Any] = {"state": "waiting"}
    while answer["state"] == "waiting":
        answer = ask(gateway.socket, "calibration", id=begun["id"], store=True)
    assert answer["calibrated"]
    wait_for(lambda: "gsSeen" in (gateway.state / "station.json").read_text(), "the registry is written")
    gateway.wire.write(label(1))
    wait_for(lambda: gateway.stored() == 1, "it is stored")
    gateway.stop()
    gateway.start()

    def is_known() -> bool:  # it is recognised a moment after its port is open
        seen = gateway.scanner()
        return bool(seen["calibrated"] and seen["gsSeen"])

    wait_for(is_known, "it is what it was")


def test_another_scanner_than_before_works_and_is_named(tmp_path: Path) -> None:
    """The registry knows the broken one, which sat in the same place."""
    gateway = Gateway(tmp_path, free_port())
    broken = {"vendor": "0c2e", "product": "0b61", "serial": "OLD", "port": "usb-0:1:1.0"}
    known = {"name": "front", "identity": broken, "firstSeen": "2025-01-01", "lastSeen": "2026-01-01"}
    try:
        gateway.state.mkdir()
        (gateway.state / "station.json").write_text(json.dumps({"scanners": {"1": known}}))
        gateway.start()
        wait_for(lambda: gateway.scanner()["replaced"] == "0c2e:0b61 serial OLD", "it is noticed")
        assert gateway.status()["scanners"][0]["replaced"] == "0c2e:0b61 serial OLD"
        assert "scanner=front is another one" in gateway.log.read_text()
        replaced = json.loads((gateway.state / "station.json").read_text())["scanners"]["1"]["replaced"]
        assert replaced["hardware"] == "0c2e:0b61 serial OLD"
        gateway.wire.write(label(1))
        wait_for(lambda: gateway.stored() == 1, "it is stored")
    finally:
        gateway.close()


def test_calibration_that_is_given_up_takes_no_scan(gateway: Gateway) -> None:
    begun = ask(gateway.socket, "calibrate", scanner="front", seconds=30)
    with pytest.raises(RequestError, match="awaited by somebody else"):
        ask(gateway.socket, "calibrate", scanner="front")
    assert ask(gateway.socket, "calibration", id=begun["id"], end=True) == {"state": "over"}
    gateway.wire.write(label(1))
    wait_for(lambda: gateway.stored() == 1, "it is stored")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"scanner": "side"}, "there is no scanner 'side': this station has front"),
        ({"scanner": 5}, "there is no scanner 5"),
        ({"scanner": "front", "seconds": 0}, "NUMBER above 0"),
        ({"scanner": "front", "seconds": "x"}, "NUMBER above 0"),
    ],
)
def test_what_cannot_be_asked(gateway: Gateway, args: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        ask(gateway.socket, "calibrate", **args)
    assert ask(gateway.socket, "calibration", id=99) == {"state": "over"}


@pytest.mark.parametrize(
    ("more", "words"),
    [(("side",), "which scanner? This station has front"), (("front", "--seconds", "0"), "expected 1 or more")],
)
def test_wrong_usage_of_the_test(gateway: Gateway, more: tuple[str, ...], words: str) -> None:
    code, _, err = answered(scanners(gateway, "test", *more))
    assert code == 2
    assert words in err


def test_a_scanner_that_is_missing_cannot_be_calibrated(gateway: Gateway) -> None:
    gateway.wire.unplug()
    wait_for(lambda: gateway.scanner()["link"] == "missing", "the unplugging is noticed")
    code, _, err = answered(scanners(gateway, "test"))
    assert code == 1
    assert "front is missing" in err
    gateway.wire.plug()


def test_nothing_is_scanned(gateway: Gateway) -> None:
    code, _, err = answered(scanners(gateway, "test", "--seconds", "1", "--symbol", "qr"))
    assert code == 3
    assert "nothing came from front within 1 s" in err


def test_watch_makes_control_characters_visible_and_keeps_persons_out(gateway: Gateway) -> None:
    command = scanners(gateway, "watch")
    assert command.stdout is not None
    lines: list[str] = []
    reader = Thread(target=lines.extend, args=(command.stdout,))
    reader.start()

    def told(data: bytes, words: str) -> bool:
        gateway.wire.write(data)
        return any(words in line for line in lines)

    wait_for(lambda: told(label(7), "<GS>21S000007"), "the command watches")
    wait_for(lambda: told(b"Anna Andersson\r", "not shown: text, 14 characters"), "the name is counted")
    wait_for(lambda: told(b"19121212-1212\r", "refused: patient"), "the number is refused")
    command.terminate()
    reader.join()
    command.stdout.close()
    assert command.stderr is not None
    command.stderr.close()
    command.wait()
    assert not any("Anna" in line or "1212" in line for line in lines)
