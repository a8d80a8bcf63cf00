"""`scangate station signals` on a real daemon: what reaches the scanner, the screen and the journal."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.dialects.honeywell import BEEPS
from drivers.model import Signal
from drivers.signal_forms import FORMS
from gateway.system.control_socket import RequestError, ask
from tests.end_to_end.plant import PATIENCE, ROOT, Gateway, wait_for


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    one = Gateway(tmp_path, 1)
    text = one.config.read_text().replace("idle_ms = 50", 'idle_ms = 50\ndialect = "honeywell"')
    one.config.write_text(text.split("[broker]")[0] + "[outbox]" + text.split("[outbox]")[1])
    return one


def sent_to_scanner(gateway: Gateway, length: int) -> bytes:
    """What the daemon wrote to the scanner's port, as soon as it is so long."""
    data = b""
    while len(data) < length:
        ready, _, _ = select.select([gateway.wire._scanner], [], [], PATIENCE)
        assert ready, f"only {data!r}"
        data += os.read(gateway.wire._scanner, 4096)
    return data


def test_each_is_played_in_turn_and_nothing_is_stored(gateway: Gateway) -> None:
    try:
        gateway.start()
        command = [sys.executable, "-m", "gateway", "station", "signals", "-c", str(gateway.config), "--pause", "0"]
        ran = subprocess.run(
            [*command, "--socket", str(gateway.socket)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert ran.returncode == 0, ran.stderr
        assert len(ran.stdout.splitlines()) == 2 * len(Signal)
        expected = b"".join(BEEPS[signal] for signal in FORMS)
        assert sent_to_scanner(gateway, len(expected)) == expected

        def played() -> list[str]:
            return [one["signal"] for one in gateway.told if one.get("training")]

        wait_for(lambda: len(played()) >= len(FORMS), "the screen is told")
        assert played() == [str(one) for one in FORMS]
        assert gateway.stored() == 0
        with pytest.raises(RequestError, match="there are more, accepted, "):
            ask(gateway.socket, "signal", signal="loud")
        with pytest.raises(RequestError, match="no such scanner"):
            ask(gateway.socket, "signal", signal="accepted", scanner="back")
    finally:
        gateway.close()
