"""Short waits: the back-offs are minutes on a box, and a test waits for what happens, not for time."""

from collections.abc import Callable, Iterator

import pytest

from gateway.mqtt import application_ack, broker_probe, echo_proof, pacing, publisher, session
from tests.brokers import Broker
from tests.mqtt.central import Central


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten every back-off."""
    monkeypatch.setattr(publisher, "BACKOFF_FIRST", 0.05)
    monkeypatch.setattr(publisher, "BACKOFF_MOST", 0.2)
    monkeypatch.setattr(pacing, "HOLD_FIRST", 0.05)
    monkeypatch.setattr(pacing, "HOLD_MOST", 0.1)
    monkeypatch.setattr(session, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(broker_probe, "LOOK_SECONDS", 0.3)
    monkeypatch.setattr(application_ack, "ACK_SECONDS", 0.5)
    monkeypatch.setattr(application_ack, "ANNOUNCEMENT_SECONDS", 0.5)
    monkeypatch.setattr(session, "ACK_SECONDS", 0.5)
    monkeypatch.setattr(echo_proof, "ECHO_SECONDS", 0.5)


@pytest.fixture
def central() -> Iterator[Callable[[Broker], Central]]:
    made: list[Central] = []

    def connect(broker: Broker) -> Central:
        made.append(Central(broker))
        return made[-1]

    yield connect
    for one in made:
        one.close()
