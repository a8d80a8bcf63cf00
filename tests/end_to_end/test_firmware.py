"""`scangate firmware` against a daemon that runs, and without one, with scanners that behave as the manuals say."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_config.profiles import load
from gateway.system.control_socket import CLIENT_SECONDS, DaemonUnreachableError, RequestError, Talk, talk
from tests.end_to_end.plant import ROOT, Gateway, label, wait_for
from tests.end_to_end.wired import WiredDevice
from tests.firmware_config.devices import DatalogicDevice, Device, HoneywellDevice, SlowDatalogicDevice, ZebraDevice
from tests.ports import free_port

XENON = {"TERMID": "130", "SUFBK2": "990D0A", "PREBK2": "", "BEPBEP": "1", "128ENA": "1", "IDMENA": "0"} | {
    "QRCENA": "1",
    "GS1ENA": "1",
    "C39ENA": "1",
    "E13ENA": "1",
}
GRYPHON = {"AIEN": "00", "LFSU": "0D0A" + 36 * "0", "DMEN": "00", "QREN": "01", "3BEN": "01", "R2BB": "00"}
DS8108 = {"238": "0", "159": "1", "45": "0", "292": "0", "293": "1", "8": "1", "14": "0", "84": "0"} | {
    "0": "1",
    "56": "1",
}
PROFILES = {HoneywellDevice: "honeywell", DatalogicDevice: "datalogic", ZebraDevice: "zebra"}
QUESTION = b"\x16M\rTERMID?."
ANSWER = b"TERMID130\x06."
BEEP = b"\x16\x07\r"


@contextmanager
def station(
    directory: Path, dialect: str, device: Device, extra: str = ""
) -> Iterator[tuple[Gateway, WiredDevice]]:
    gateway = Gateway(directory, free_port())
    settings = f'idle_ms = 50\ndialect = "{dialect}"\n{extra}'
    gateway.config.write_text(gateway.config.read_text().replace("idle_ms = 50", settings))
    gateway.import_samples()
    wired = WiredDevice(device, gateway.wire)
    try:
        yield gateway, wired
    finally:
        wired.close()
        gateway.close()


def begin(gateway: Gateway, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "gateway", "firmware", *arguments]
    command += ["-c", str(gateway.config), "--socket", str(gateway.socket)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def firmware(gateway: Gateway, *arguments: str) -> tuple[int, str, str]:
    process = begin(gateway, *arguments)
    out, err = process.communicate(timeout=90)
    return process.returncode, out, err


def told(gateway: Gateway, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out, err = firmware(gateway, *arguments, "--json")
    assert out, err
    return code, json.loads(out)


@pytest.mark.parametrize("daemon", [True, False], ids=["lent by the daemon", "without a daemon"])
@pytest.mark.parametrize(
    ("dialect", "make", "factory"),
    [
        ("honeywell", HoneywellDevice, XENON),
        ("datalogic", DatalogicDevice, GRYPHON),
        ("zebra-ssi", ZebraDevice, DS8108),
        ("plain", HoneywellDevice, XENON),
    ],
)
def test_check_apply_check(
    tmp_path: Path,
    dialect: str,
    make: Callable[[dict[str, str]], Device],
    factory: dict[str, str],
    daemon: bool,  # noqa: FBT001 - a column of the table
) -> None:
    device = make(factory)
    profile = PROFILES[type(device)]
    with station(tmp_path, dialect, device) as (gateway, wired):
        if daemon:
            gateway.start()
        code, found = told(gateway, "check", "front", "--profile", profile)
        assert (code, found["asNeeded"]) == (1, False)
        assert device.flash == factory, "a check writes nothing"
        code, dry = told(gateway, "apply", "front", "--profile", profile, "--dry-run")
        assert (code, dry["dryRun"], dry["applied"]) == (0, True, False)
        assert [one["setting"] for one in dry["differences"]] == [one["setting"] for one in found["differences"]]
        assert dry["messages"]
        assert device.flash == factory, "nor does a dry run"
        before = len(wired.messages)
        code, done = told(gateway, "apply", "front", "--profile", profile)
        assert (code, done["applied"], done["trouble"]) == (0, True, None)
        sent = [one.hex(" ") for one in wired.messages[before:]]
        assert [one for one in sent if one in dry["messages"]] == dry["messages"], "the dry run showed what is sent"
        wanted = {one.name: one.value for one in load(profile).settings if one.by == "port" and one.verified}
        assert all(device.flash[name].startswith(value) for name, value in wanted.items() if name in factory)
        code, again = told(gateway, "check", "front", "--profile", profile)
        assert (code, again["asNeeded"], again["differences"]) == (0, True, [])
        record = json.loads((gateway.state / "station.json").read_text())["firmware"]["1"]
        assert (record["name"], record["firmware"]["profile"]) == ("front", profile)
        assert record["firmware"]["when"]
        if daemon:
            assert gateway.status()["counters"] == {}, "an answer is no scan"
            wired.say(label(7))
            wait_for(lambda: gateway.stored() == 1, "the scanner is read as before")


def test_a_speed_of_its_own(tmp_path: Path) -> None:
    """The line is opened at the scanner's speed for the time of the question, and at its own again."""
    with station(tmp_path, "datalogic", SlowDatalogicDevice(GRYPHON)) as (gateway, wired):
        gateway.start()
        code, found = told(gateway, "check", "--profile", "datalogic")
        assert (code, found["identity"]["model"]) == (1, "GD4430 S-1")
        assert wired.device.reads
        wired.say(label(7))
        wait_for(lambda: gateway.stored() == 1, "the scanner is read as before")


def lend(lent: Talk, vendor: str = "honeywell") -> None:
    assert lent.ask("lend", scanner="front", vendor=vendor) == {"scanner": "front"}


def write(lent: Talk, data: bytes) -> None:
    lent.ask("write", data=base64.b64encode(data).decode())


def read_until(lent: Talk, end: bytes) -> bytes:
    heard = b""
    while not heard.endswith(end):
        more = base64.b64decode(lent.ask("read", seconds=4))
        assert more, heard
        heard += more
    return heard


def test_scans_during_a_lease_go_their_way_and_answers_do_not(tmp_path: Path) -> None:
    with station(tmp_path, "honeywell", HoneywellDevice(XENON)) as (gateway, wired):
        gateway.start()
        with talk(gateway.socket) as lent:
            lend(lent)
            wired.before_answer = lambda _: wired.say(label(1) + label(2)[3:] + b"Product Name: Xenon\r\n")
            write(lent, QUESTION)
            assert read_until(lent, ANSWER).startswith(label(1)), "the borrower hears everything"
            wait_for(lambda: gateway.stored() == 2, "with AIM identifier, and without: a label is a label")
            assert wired.others == b"", "a signal could be taken for part of a command"
            assert lent.ask("return") == {"withheld": 1}
            assert lent.ask("status")["sequence"]["stored"] == 2, "the connection is an ordinary one again"
        wired.wait_for(lambda: wired.others.count(BEEP) >= 2, "both are signalled")
        assert [b"S000001" in gateway.journal()[0], b"S000002" in gateway.journal()[1]] == [True, True]


def test_what_comes_when_nothing_was_asked_is_a_code(tmp_path: Path) -> None:
    with station(tmp_path, "honeywell", HoneywellDevice(XENON)) as (gateway, wired):
        gateway.start()
        with talk(gateway.socket) as lent:
            lend(lent)
            wired.say(b"VGR-200010\r")
            wait_for(lambda: sum(1 for one in gateway.told if one.get("signal")) == 1, "it is looked at")
            assert lent.ask("return") == {"withheld": 0}


def test_one_borrower_at_a_time(tmp_path: Path) -> None:
    with station(tmp_path, "honeywell", HoneywellDevice(XENON)) as (gateway, _):
        gateway.start()
        with talk(gateway.socket) as lent:
            lend(lent)
            with talk(gateway.socket) as other:
                with pytest.raises(RequestError, match="looked at by somebody else"):
                    lend(other)
                with pytest.raises(RequestError, match="no scanner 'back': this station has front"):
                    other.ask("lend", scanner="back", vendor="honeywell")
            code, _, err = firmware(gateway, "check", "--profile", "honeywell")
            assert code == 3
            assert "looked at by somebody else" in err
        wait_for(lambda: firmware(gateway, "check", "--profile", "honeywell")[0] == 1, "it is free again")


def test_a_lease_that_is_not_returned_ends(tmp_path: Path) -> None:
    """The client lives, and says nothing more."""
    with station(tmp_path, "datalogic", DatalogicDevice(GRYPHON)) as (gateway, wired):
        gateway.start()
        with talk(gateway.socket) as lent:
            lend(lent, "datalogic")
            write(lent, b"$S\r")
            assert read_until(lent, b"\r") == b"$>\r"
            assert not wired.device.reads
            wired.wait_for(lambda: wired.device.reads, f"taken out of service mode after {CLIENT_SECONDS} s")
            with pytest.raises(DaemonUnreachableError):
                lent.ask("return")
        wired.say(label(1))
        wait_for(lambda: gateway.stored() == 1, "the scanner is read as before")


def test_the_daemon_stops_in_order_with_a_port_lent(tmp_path: Path) -> None:
    with station(tmp_path, "datalogic", DatalogicDevice(GRYPHON)) as (gateway, wired):
        gateway.start()
        with talk(gateway.socket) as lent:
            lend(lent, "datalogic")
            write(lent, b"$S\r")
            read_until(lent, b"\r")
            gateway.stop()
            assert wired.device.reads


def writes(message: bytes) -> bool:
    return b"?" not in message and b"REVINF" not in message


@pytest.mark.parametrize("victim", ["command", "daemon"])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_killed_at_a_write(tmp_path: Path, victim: str, step: int) -> None:
    """The scanner reads on, and the next run finishes the work: 1 to RAM, 2 to flash, 3 behind the last write."""
    device = HoneywellDevice(XENON)
    with station(tmp_path, "honeywell", device) as (gateway, wired):
        gateway.start()
        count = 0
        command = begin(gateway, "apply", "--profile", "honeywell")

        def kill(message: bytes) -> None:
            nonlocal count
            count += writes(message) or count == 2
            if count == step:
                count = 99
                os.kill(command.pid, signal.SIGKILL) if victim == "command" else gateway.kill()

        wired.before_answer = kill
        command.communicate(timeout=90)
        assert command.returncode == (-signal.SIGKILL if victim == "command" else 1)
        assert count >= 99
        if victim == "daemon":
            gateway.start()
        wired.say(label(1))
        wait_for(lambda: gateway.stored() == 1, "the scanner is read as before")
        wait_for(lambda: told(gateway, "apply", "--profile", "honeywell")[0] == 0, "the next run finishes")
        assert device.flash["SUFBK2"] == "990D"
        assert told(gateway, "check", "--profile", "honeywell")[0] == 0


def test_settings_that_change_are_an_alarm(tmp_path: Path) -> None:
    """A scanner comes back reset; `apply` ends the alarm."""
    device = HoneywellDevice(XENON | {"SUFBK2": "990D"})
    with station(tmp_path, "honeywell", device, 'firmware_profile = "honeywell"') as (gateway, wired):
        gateway.start()
        noted = gateway.state / "station.json"
        wait_for(lambda: noted.exists() and "firmware" in noted.read_text(), "the settings are noted")
        assert gateway.status()["scanners"][0]["settings"] is None
        gateway.wire.unplug()
        wait_for(lambda: gateway.scanner()["link"] == "missing", "the unplugging is noticed")
        device.flash["SUFBK2"] = device.ram["SUFBK2"] = "990D0A"
        gateway.wire.plug()
        wait_for(lambda: gateway.status()["scanners"][0]["settings"], "the change is noticed")
        assert "scanner front: its settings have changed since they were checked: SUFBK2" in str(
            gateway.status()["alarms"]
        )
        doctor = [sys.executable, "-m", "gateway", "doctor", "-c", str(gateway.config), "--socket"]
        said = subprocess.run([*doctor, str(gateway.socket)], capture_output=True, text=True, cwd=ROOT, check=False)
        assert "scangate firmware check front" in said.stdout
        assert told(gateway, "apply")[0] == 0
        assert gateway.status()["scanners"][0]["settings"] is None
        assert wired.others == b""
