"""What tests of several parts share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gateway.outbox.writer import Outbox
from tests.brokers import Broker
from tests.outbox.events import BOX, ROOMY

# How long an example takes is the machine's affair, not the code's.
settings.register_profile("untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def mosquitto() -> Iterator[Callable[..., Broker]]:
    """Return a function that starts a mosquitto: `mosquitto(directory, extra_config) -> Broker`."""
    started: list[Broker] = []

    def start(directory: Path, extra_config: str = "allow_anonymous true") -> Broker:
        broker = Broker(directory / f"broker-{len(started)}", extra_config)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An outbox with room, open for writing."""
    opened = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    yield opened
    opened.abandon()
