"""`scangate outbox list` for people: on a terminal of 80 columns (ECMA-48's usual size), saying why."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from datetime import UTC, datetime

import msgspec
import pytest

from gateway.model import Disposition, Finding, Severity, Verdict
from gateway.outbox.search import read_since
from gateway.system.clock import NS
from tests.cli.conftest import LABELS, Box, Run, clock, draft

COLUMNS = 80
REASON = "expired on 2024-05-31"


@pytest.fixture
def refused(box: Box) -> Box:
    """The box with one refused scan behind its others."""
    now = clock(900)
    scan = draft(LABELS[1], now)
    finding = Finding(code="EXPIRED", severity=Severity.ERROR, message=REASON)
    verdict = Verdict(disposition=Disposition.REFUSED, findings=(finding,))
    outbox = box.outbox()
    outbox.append(
        [msgspec.structs.replace(scan, data=msgspec.structs.replace(scan.data, verdict=verdict))], now, seal=False
    )
    outbox.close(now)
    return box


def on_a_terminal(*arguments: str) -> str:
    """Run a command on a terminal of 80 columns; return what it printed."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "dumb"}
    with subprocess.Popen([sys.executable, "-m", "gateway", *arguments], stdin=end, stdout=end, env=env) as process:
        os.close(end)
        printed = b""
        while True:
            try:
                printed += os.read(terminal, 65536)
            except OSError:  # EIO: the other end is closed
                break
        assert process.wait(60) == 0
    os.close(terminal)
    return printed.decode().replace("\r\n", "\n")


def test_it_is_readable_at_80_columns(refused: Box) -> None:
    text = on_a_terminal("outbox", "list", "-c", str(refused.config_file))
    assert max(map(len, text.splitlines())) <= COLUMNS
    for whole in ("accepted", "refused", "waiting", "09520001000102", "L2A0417", "NS700312"):
        assert whole in text, "never broken across lines"
    assert f"- EXPIRED: {REASON}" in text


def test_refused_says_which_and_why(run: Run, refused: Box) -> None:
    ran = run("outbox", "list", "--refused", "-c", refused.config_file, "--json")
    (row,) = json.loads(ran.out)
    assert (row["sequence"], row["reasons"]) == (5, [f"EXPIRED: {REASON}"])


def test_an_article_is_found_by_a_part_of_its_name(run: Run, refused: Box) -> None:
    assert "no such events" in run("outbox", "list", "--article", "stem", "-c", refused.config_file).err


def test_since_yesterday() -> None:
    now = datetime(2026, 11, 21, 12, 0).astimezone()
    began = read_since("yesterday", int(now.timestamp()) * NS)
    assert datetime.fromtimestamp(began / NS, UTC).astimezone().isoformat()[:16] == "2026-11-20T00:00"
    assert read_since("today", int(now.timestamp()) * NS) > began
