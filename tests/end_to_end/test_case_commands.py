"""A case set from the central side, and closed by command: a real daemon, broker, intake command and scanner."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from tests.brokers import Subscriber
from tests.end_to_end.plant import ROOT, Broker, Gateway, label, wait_for
from tests.intake.running import command
from tests.shifted_clock import ShiftedClock

CASE = "orbit:OP-7"
KEY = "00" * 16
PATIENT, ANOTHER = b"19121212-1212\r", b"19701063-2391\r"


class Place:
    """A box with a station for patients, and a key of the central system."""

    def __init__(self, directory: Path) -> None:
        self.seed = SigningKey.generate()
        self.sign_key = directory / "sign.key"
        self.sign_key.write_text(bytes(self.seed).hex())
        public, codes = directory / "central.pub", directory / "hmac"
        public.write_text(bytes(self.seed.verify_key).hex())
        codes.write_text(f"k1 {KEY}")
        self.broker = Broker(directory)
        self.broker.start()
        extra = (
            f'[central]\nkey_file = "{public}"\n[context]\ncase_mode = "clear"\nperson_mode = "hmac"\n'
            f'hmac_key_file = "{codes}"\n'
        )
        self.gateway = Gateway(directory, self.broker.port, extra)
        self.gateway.import_samples()
        self.heard = Subscriber(self.broker.port, "udi/v1/#")
        self.heard.subscribed()
        self.clock = ShiftedClock(directory / "clock", time.time_ns())  # one that is set, as systemd would say
        self.gateway.program = "tests.shifted_clock"
        self.gateway.environment = {"SHIFTED_CLOCK": str(self.clock.path)}
        self.gateway.start()
        wait_for(lambda: self.heard.on("/status") == [b"online"], "the box is there")

    def case(self, *options: str, key: Path | None = None) -> tuple[int, str, str]:
        """`scangate-intake case`."""
        return command(
            "case", "su/gw01", "--case", CASE, "--tenant", "vgr", "--broker", f"mqtt://127.0.0.1:{self.broker.port}",
            "--sign-key", str(key or self.sign_key), *options,
        )  # fmt: skip

    def station(self, *options: str) -> tuple[int, Any]:
        """`scangate station case --json`."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "gateway", "station", "case", "--json"),
                *("--socket", str(self.gateway.socket), *options),
            ],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    def scan(self, data: bytes) -> dict[str, Any]:
        """Scan; return what everybody who watches sees of it."""
        count = len(self.gateway.told)
        self.gateway.wire.write(data)
        found: dict[str, Any] = wait_for(
            lambda: next((one for one in self.gateway.told[count:] if "signal" in one), None),
            "the scan is signalled",
        )
        return found

    def close(self) -> None:
        self.gateway.close()
        self.heard.close()
        self.broker.kill()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    one = Place(tmp_path)
    yield one
    one.close()


def test_a_case_is_set_by_the_intake_and_closed_by_command(place: Place, tmp_path: Path) -> None:
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    assert place.station() == (1, None)
    stranger = tmp_path / "stranger.key"
    stranger.write_text(bytes(SigningKey.generate()).hex())
    assert place.case("--until", until, key=stranger)[0] == 1
    assert place.case("--until", until) == (0, "su/gw01: set\n", "")
    wait_for(lambda: place.station()[1] is not None, "the case is set")
    assert place.scan(PATIENT)["signal"] == "accepted"
    assert place.scan(label(1))["data"]["context"]["case"] == CASE
    clash = place.scan(ANOTHER)
    assert (clash["signal"], clash["input"]) == ("refused", "wristband of another")
    wait_for(lambda: any("another patient's" in one for one in place.gateway.status()["alarms"]), "the alarm")
    assert place.scan(b"]d2orbit:OP-7\r")["signal"] == "accepted"  # a person says whose it is
    wait_for(lambda: not place.gateway.status()["alarms"], "the alarm is over")
    code, summary = place.station("--close")
    assert (code, summary["used"], summary["unresolved"]) == (0, 1, 0)
    assert place.station("--close")[0] == 1

    def closings() -> list[dict[str, Any]]:
        return [one for one in map(json.loads, place.heard.on("/scan")) if one["type"] == "scangate.case.v1"]

    wait_for(closings, "the closing arrives")
    (closing,) = closings()
    assert (closing["data"]["case"], closing["data"]["used"]) == (CASE, 1)
    assert any(one.get("closed", {}).get("used") == 1 for one in place.gateway.told)
