"""What the tests of the commands share: running one, and a box with scans in its outbox."""

import io
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.cli import main
from gateway.config.loader import Config, load
from gateway.events import cloudevent
from gateway.model import Disposition, Verdict
from gateway.outbox.box_identity import BoxIdentity, read_identity
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import NewEvent, Outbox
from gateway.system.clock import NS, ClockReading
from gateway.udi import decode

RECORDED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BOOT = "0123456789abcdef0123456789abcdef"
SOURCE = "urn:scangate:vgr:su:gw01"
LABELS = (
    "010952000100010217451231" + "10L2A0417\x1d21NS700312",
    "01095200020001011743093021PM4400871",
    "+A99912345/$$52001510X3/16D20111212/S77DEFG457",
    "VGR-200010",
)
"""Samples of gateway.samples and of ANSI/HIBC 2.6; the last is a shelf label, which is no UDI."""


class Ran(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("parse", "--ndjson", stdin=b"...")`."""

    def run_command(*arguments: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Ran(code, out.decode(), err.decode())

    return run_command


class Box(NamedTuple):
    """A box's files."""

    config_file: Path
    config: Config
    outbox_file: Path

    def identity(self) -> BoxIdentity:
        return read_identity(SOURCE)

    def outbox(self) -> Outbox:
        return Outbox(self.outbox_file, OutboxSettings(), self.identity())


def clock(second: int = 0, *, synchronised: bool = True) -> ClockReading:
    """Read a clock at a fixed time."""
    wall = (int(RECORDED.timestamp()) + second) * NS
    return ClockReading(
        wall_ns=wall, monotonic_ns=second * NS, boot_id=BOOT, synchronised=synchronised, lower_bound_ns=0
    )


def draft(text: str, at: ClockReading) -> NewEvent:
    """Make the event of a scan."""
    decoded = decode(text, today=date(2026, 11, 21))
    data = cloudevent.ScanData(
        action="consume",
        reason=None,
        quantity=1,
        undoes=None,
        repeats=None,
        station=cloudevent.Station(id="op3", scanner="front", profile="operating-room"),
        clock=cloudevent.ClockStamp(
            synchronised=at.synchronised, corrected=False, boot_id=at.boot_id, monotonic_ns=at.monotonic_ns
        ),
        symbols=(cloudevent.symbol(text.encode(), None, text, frozenset()),),
        udi=decoded if decoded.complete else None,
        article=None,
        verdict=Verdict(disposition=Disposition.ACCEPTED),
        context=cloudevent.Context(),
    )
    return NewEvent(id=str(uuid.uuid4()), time_ns=at.wall_ns, data=data, raw=(text.encode(),))


def configuration(directory: Path, more: str = "") -> str:
    """Return the text of a small configuration whose state lies in a directory."""
    return f"""
[gateway]
tenant = "vgr"
site = "su"
id = "gw01"
[state]
directory = "{directory / "state"}"
[[scanner]]
name = "front"
device = "/dev/null"
{more}
"""


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box without broker that has the scans of LABELS, one a minute, none delivered."""
    (tmp_path / "state").mkdir()
    file = tmp_path / "scangate.toml"
    file.write_text(configuration(tmp_path))
    made = Box(file, load(file), tmp_path / "state" / "outbox.db")
    outbox = made.outbox()
    for minute, text in enumerate(LABELS):
        now = clock(60 * minute)
        outbox.append([draft(text, now)], now, seal=False)
    outbox.close(clock(600))
    return made
