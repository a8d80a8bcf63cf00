"""A scanner's bytes to what a nurse sees: a real daemon on a pty, the display's process, a real browser."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.display.browser import browser, installed
from tests.end_to_end.plant import MOSQUITTO, ROOT, Gateway, label, plant
from tests.ports import free_port

EXPIRED = b"]d2010952000100010217200131" + b"10L9\x1d21S9\r"
READY = "['ready', 'limited'].includes(document.body.dataset.state)"
"""limited: this machine's clock may not be known to be synchronised."""
LOST = "document.body.dataset.state === 'lost'"
ACCEPTED = "document.body.dataset.state === 'accepted'"


@contextmanager
def display(gateway: Gateway) -> Iterator["subprocess.Popen[bytes]"]:
    """The display as a process, as its unit starts it."""
    with (gateway.directory / "display.log").open("ab") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gateway",
                "display",
                "-c",
                str(gateway.config),
                "--socket",
                str(gateway.socket),
            ],
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def test_from_the_scanner_to_the_screen(tmp_path: Path) -> None:
    program = installed()
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    if not Path(MOSQUITTO).exists():
        pytest.skip("no mosquitto on this machine")
    port = free_port()
    with plant(tmp_path, f'[display]\nlisten = "127.0.0.1:{port}"') as one, browser(program) as chrome:
        gateway = one.gateway
        gateway.import_samples()
        with display(gateway) as process:
            chrome.connect(f"http://127.0.0.1:{port}/")
            chrome.until(LOST, "no daemon yet")
            gateway.start()
            chrome.until(READY, "the daemon is there")
            gateway.wire.write(label(1))
            chrome.until(ACCEPTED, "a scan")
            assert "S000001" in chrome.value("document.getElementById('facts').innerText")
            chrome.until("document.getElementById('delivery').textContent === 'Sparat, 1 ej skickade'", "it waits")
            one.broker.start()
            one.listen()
            chrome.until("document.getElementById('delivery').textContent === 'Allt skickat'", "sent", 90)
            gateway.wire.write(EXPIRED)
            chrome.until("document.body.dataset.state === 'warning'", "an expired article")
            assert chrome.value("document.getElementById('reason').innerText") == "Utgången. Ta en annan."
            gateway.wire.write(b"]d20109520001000102174512311" + b"0<script>x</script>\x1d21S5\r")
            chrome.until(
                "document.getElementById('facts').innerText.includes('<script>x</script>')", "markup is text"
            )
            gateway.wire.write(b"19121212-1212\r")
            chrome.until("document.body.dataset.state === 'invalid'", "a wristband")
            assert "1212" not in chrome.value("document.documentElement.outerHTML")

            assert gateway.process is not None
            gateway.process.send_signal(signal.SIGSTOP)
            assert chrome.until(LOST, "the daemon hangs") < 9
            gateway.process.send_signal(signal.SIGCONT)
            chrome.until(READY, "it goes on")
            gateway.wire.write(label(2))
            chrome.until(ACCEPTED, "a scan")
            gateway.kill()
            chrome.until(LOST, "the daemon is killed")
            assert "Skanna inte. Ring support." in chrome.value("document.body.innerText")
            gateway.start()
            chrome.until(READY, "it is there again, and nothing old is shown as new")

            gateway.wire.write(label(3))
            chrome.until(ACCEPTED, "a scan")
            process.kill()
            process.wait()
            assert chrome.until(LOST, "the display itself is killed", 12) < 8
        with display(gateway) as process:
            chrome.until(READY, "the display is there again")
            process.terminate()
            assert process.wait(5) == 0
