"""docs/scanners.md shows what `scangate scanners test` and `list` say of ten wrong set-ups; it is made here.

SCANGATE_WRITE_DOCS=1 writes the page anew.
"""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers import hardware
from drivers.base import ScannerSettings
from gateway.cli.output import show
from gateway.cli.scanners import _tell
from gateway.devices.calibration import diagnose, proves
from gateway.devices.inventory import everything, from_configuration, listing
from tests.devices.test_advice import CODE, KEYBOARD, LINE, line, received, settings, typed
from tests.drivers.machine import Machine
from tests.drivers.typist import Typist

PAGE = Path(__file__).parents[2] / "docs/scanners.md"
BEGIN = "<!-- transcripts: made by tests/devices/test_transcripts.py -->\n"
END = "<!-- end of transcripts -->\n"

TYPED = ("de under us", "us under se", "GS as F8")
SENT = ("TAB under CR", "nothing under CR", "packets under plain", "even parity", "9600 under 115200 baud")


def sections() -> list[tuple[str, list[dict[str, Any]], bool]]:
    """Return title, findings and whether the scan proves the scanner."""
    found = []
    for name, ours, theirs, _ in KEYBOARD:
        if name in TYPED:
            mine = settings(driver="hid-keyboard", **ours)
            items = typed(mine, Typist(**theirs))
            found.append((f"A keyboard: {name}", diagnose(items, mine)))
    for title, mine, came in (
        *((name, settings(**ours), came) for name, ours, came, _, _ in LINE if name in SENT),
    ):
        found.append((f"A serial port: {title}", diagnose(line(came, mine), mine)))
    return [(title, [msgspec.to_builtins(one) for one in findings], proves(findings)) for title, findings in found]


def test_the_page_shows_what_the_commands_say(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert received(CODE, 9600, 9600) == CODE, "the line itself changes nothing"
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    parts = []
    for title, findings, proved in sections():
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        _tell({"scanner": "front", "findings": findings, "proves": proved}, stored=False)
        parts.append((title, "scangate scanners test front", capsys.readouterr().out))
    machine = Machine(tmp_path)
    monkeypatch.setattr(hardware, "SYSFS", machine.sysfs)
    monkeypatch.setattr(hardware, "DEV", machine.dev)
    machine.usb("1-1", kind="05e0:1900", product="Symbol Bar Code Scanner")
    machine.tty(machine.usb("1-2", kind="1eab:1e06", product="NLS-HR52"), "ttyACM0")
    wanted = msgspec.convert(
        {"name": "front", "driver": "hid-keyboard", "match": {"vendor": "1eab", "product": "1e03"}}, ScannerSettings
    )
    rows = listing(list(from_configuration([wanted])), everything(), hardware.without_node())
    show(rows, {"name": "name", "state": "state", "hardware": "hardware", "why": "why"}, as_json=False)
    title = "A scanner in serial mode that is configured as a keyboard, and one in a mode without a node"
    parts.append((title, "scangate scanners list", capsys.readouterr().out))
    text = "".join(
        f"\n### {title}\n\n    $ {command}\n"
        + "".join(f"    {each}".rstrip() + "\n" for each in out.strip("\n").splitlines())
        for title, command, out in parts
    )
    page = PAGE.read_text(encoding="utf-8")
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    assert len(parts) + 1 == 10, "the last one shows two"
    if os.environ.get("SCANGATE_WRITE_DOCS"):
        PAGE.write_text(page[:begin] + text + "\n" + page[end:], encoding="utf-8")
    else:
        assert page[begin:end] == text + "\n", "SCANGATE_WRITE_DOCS=1 writes docs/scanners.md anew"
