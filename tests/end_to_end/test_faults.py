"""What fails around the daemon must not cost a scan."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.end_to_end.plant import TOPIC, everything_arrived, label, plant, wait_for

SEED = 20261122
SCANS = 500
KILLS = 10


def test_killed_at_random_moments_while_the_broker_is_down(tmp_path: Path) -> None:
    """500 scans, SIGKILL ten times: every scan that was stored arrives, in order, nothing signalled is missing."""
    chance = random.Random(SEED)  # noqa: S311 - a test that can be repeated
    kills = set(chance.sample(range(10, SCANS), KILLS))
    with plant(tmp_path) as one:
        gateway = one.gateway
        gateway.import_samples()
        gateway.start()
        for number in range(SCANS):
            gateway.wire.write(label(number))
            if number in kills:
                if chance.random() < 0.5:
                    wait_for(lambda: gateway.accepted, "something is signalled")
                gateway.kill()
                gateway.start()
        last = b'"serialNumber":"S%06d"' % (SCANS - 1)
        wait_for(lambda: any(last in body for body in gateway.journal()[-1:]), "the last scan is stored")
        stored = len(gateway.journal())
        assert stored >= SCANS - KILLS * 64, "far too few were stored"
        one.broker.start()
        consumer = one.listen()
        assert len(everything_arrived(gateway, consumer)) == stored
        wait_for(lambda: gateway.status()["sequence"]["waiting"] == 0, "and the daemon knows")


@pytest.mark.parametrize(
    ("hurt", "mend"),
    [
        pytest.param("freeze", "thaw", id="broker frozen for 40 s"),
        pytest.param("kill", "start", id="broker killed and started again"),
    ],
)
def test_the_broker_fails_while_scans_come(tmp_path: Path, hurt: str, mend: str) -> None:
    """And the daemon is killed three times meanwhile."""
    with plant(tmp_path) as one:
        gateway, broker = one.gateway, one.broker
        broker.start()
        consumer = one.listen(qos=0)
        gateway.start()
        for number in range(100):
            gateway.wire.write(label(number))
        wait_for(lambda: gateway.stored() >= 50, "scans are flowing")
        if hurt == "freeze":
            broker.signal(signal.SIGSTOP)
            thaw_at = time.monotonic() + 40
        else:
            broker.kill()
            thaw_at = time.monotonic()
        for number in range(100, SCANS):
            gateway.wire.write(label(number))
            if number % 150 == 0:
                gateway.kill()
                gateway.start()
        last = b'"serialNumber":"S%06d"' % (SCANS - 1)
        wait_for(lambda: any(last in body for body in gateway.journal()[-1:]), "scans are stored all the same")
        stored = len(gateway.journal())
        wait_for(lambda: time.monotonic() >= thaw_at, "the time is up")
        if mend == "thaw":
            broker.signal(signal.SIGCONT)
        else:
            broker.start()
        assert len(everything_arrived(gateway, consumer)) == stored


def test_an_access_list_that_denies_the_topic(tmp_path: Path) -> None:
    """MQTT 5: a refused publish is not delivered, whatever paho's result says; it goes through once allowed."""
    denied = tmp_path / "acl"
    denied.write_text(
        "topic read #\ntopic write udi/v1/vgr/su/gw01/status\ntopic write udi/v1/vgr/su/gw01/health\n"
    )
    with plant(tmp_path, lines=("allow_anonymous true", f"acl_file {denied}")) as one:
        gateway = one.gateway
        one.broker.start()
        consumer = one.listen()
        gateway.start()
        for number in range(5):
            gateway.wire.write(label(number))
        wait_for(lambda: gateway.stored() == 5, "stored")
        wait_for(lambda: "not take events" in (gateway.problem() or ""), "the problem is named")
        status = gateway.status()
        assert status["sequence"]["delivered"] == 0
        assert status["broker"]["refused"] > 0
        assert not status["ok"]
        assert consumer.bodies == []
        denied.write_text(f"topic read #\ntopic write {TOPIC}\ntopic write udi/v1/vgr/su/gw01/#\n")
        one.broker.signal(signal.SIGHUP)
        assert len(everything_arrived(gateway, consumer)) == 5
