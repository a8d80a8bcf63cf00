"""Short waits: the back-offs are minutes on a box, and a test waits for what happens, not for time."""

import pytest

from gateway.mqtt import application_ack, publisher, session, side


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten every back-off."""
    monkeypatch.setattr(publisher, "BACKOFF_FIRST", 0.05)
    monkeypatch.setattr(publisher, "BACKOFF_MOST", 0.2)
    monkeypatch.setattr(session, "HOLD_FIRST", 0.05)
    monkeypatch.setattr(session, "HOLD_MOST", 0.1)
    monkeypatch.setattr(session, "TURN_SECONDS", 0.1)
    monkeypatch.setattr(side, "LOOK_HOME_SECONDS", 0.3)
    monkeypatch.setattr(application_ack, "ACK_SECONDS", 0.5)
