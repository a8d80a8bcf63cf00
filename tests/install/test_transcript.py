"""The transcript of docs/install.md: a bare Debian, the package, three commands to the first delivered scan.

SCANGATE_TRANSCRIPT=write puts what was seen, with its time, into docs/install.md; else the page must show the same
commands and the same answers. How long it takes is another machine's affair.
"""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.brokers import MOSQUITTO
from tests.install.guest import DEBS, ROOT, Guest
from tests.install.packages import package_of

PAGE: Final = ROOT / "docs/install.md"
BEGIN: Final = "<!-- transcript: tests/install/test_transcript.py -->\n"
END: Final = "<!-- end of the transcript -->\n"
LABEL: Final = "]d2010952000100010217451231" + "10L2A0417\x1d21NS700312\r"
COMMANDS: Final = (
    "apt-get install -qq ./{package}",
    "scangate init --tenant vgr --site su --id su-op3-gw01 --scanner-device /dev/scanner --broker-url mqtt://127.0.0.1",
    "systemctl enable --quiet --now scangate",
)
PTY: Final = """
import os, sys, tty
scanner, daemon = os.openpty()
tty.setraw(daemon)
os.chmod(os.ttyname(daemon), 0o666)
os.symlink(os.ttyname(daemon), "/dev/scanner")
print("plugged in", flush=True)
os.write(scanner, sys.stdin.buffer.readline().replace(b"\\\\r", b"\\r").replace(b"\\\\x1d", b"\\x1d").rstrip(b"\\n"))
sys.stdin.buffer.read()
"""
"""A scanner on a serial line, in the guest: the first line that comes in is scanned."""
LISTEN: Final = """
import sys
from paho.mqtt import subscribe
from paho.mqtt.client import MQTTv5
message = subscribe.simple("udi/v1/+/+/+/scan", qos=1, hostname="127.0.0.1", protocol=MQTTv5)
print(message.payload.decode(), flush=True)
"""


@pytest.fixture
def broker(bare: Guest, tmp_path: Path) -> Iterator[None]:
    config = tmp_path / "mosquitto.conf"
    config.write_text("listener 1883 127.0.0.1\nuser root\nallow_anonymous true\n")
    with subprocess.Popen(
        ["nsenter", "-t", str(bare.pid), "-n", MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL
    ) as process:
        yield
        process.terminate()


@pytest.mark.usefixtures("broker")
def test_three_commands_from_a_bare_root_to_the_first_delivered_scan(bare: Guest) -> None:
    package = package_of(bare.suite, DEBS)
    bare.hand_over(package)
    scanner = subprocess.Popen(
        bare.command("python3", "-c", PTY), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    listener = subprocess.Popen(
        ["nsenter", "-t", str(bare.pid), "-n", str(ROOT / ".venv/bin/python"), "-c", LISTEN],
        stdout=subprocess.PIPE,
        text=True,
    )
    with scanner, listener:
        assert scanner.stdin is not None
        assert scanner.stdout is not None
        assert listener.stdout is not None
        try:
            assert scanner.stdout.readline() == "plugged in\n"
            lines, begun = [], time.monotonic()
            for command in COMMANDS:
                typed = command.format(package=package.name)
                said = bare.run(f"{{ {typed}; }} 2>&1", seconds=300)
                lines += [f"# {typed}", *filter(worth_a_line, said.splitlines())]
            reads = '"link": "connected"'
            bare.wait(lambda: reads in bare.try_run("scangate scanners list --json").stdout, "the scanner is read")
            bare.wait(lambda: '"url": "mqtt' in bare.try_run("scangate status --json").stdout, "it is connected")
            scanner.stdin.write(json.dumps(LABEL)[1:-1].replace("\\u001d", "\\x1d") + "\n")
            scanner.stdin.flush()
            event = json.loads(listener.stdout.readline())
            took = time.monotonic() - begun
        finally:
            scanner.terminate()
            listener.terminate()
    assert event["data"]["udi"]["serialNumber"] == "NS700312"
    lines.append(f"first scan delivered: {event['data']['udi']['hri']}, {took:.0f} s after the first command")
    shown = "".join(f"    {line}\n" for line in lines)
    if bare.suite == "bookworm":
        compare(shown)


def worth_a_line(line: str) -> bool:
    """Return whether a line is of scangate: not of apt's progress, of users made, or of udev, which a guest lacks."""
    return bool(line.strip()) and not re.match(
        r"\(Reading|Selecting|Preparing|Unpacking|debconf|Creating|.*(udevadm|reload request|uevent)", line
    )


def compare(shown: str) -> None:
    """Compare with the page, or write it there."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    former, _, after = rest.partition(END)
    assert after, "docs/install.md has a place for the transcript"
    if os.environ.get("SCANGATE_TRANSCRIPT") == "write":
        PAGE.write_text(f"{before}{BEGIN}{shown}{END}{after}")
        return
    assert timeless(former) == timeless(shown)


def timeless(text: str) -> str:
    return re.sub(r"\d+ s after", "N s after", re.sub(r"scangate(_| \()\d[\w.~]*", r"scangate\1VERSION", text))
