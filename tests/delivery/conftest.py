"""Short waits: the back-offs are minutes on a box, and a test waits for what happens, not for time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.delivery import app_ack, publisher, session, side
from gateway.delivery.outbox import Outbox
from tests.delivery.events import BOX, ROOMY


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten every back-off."""
    monkeypatch.setattr(publisher, "BACKOFF_FIRST", 0.05)
    monkeypatch.setattr(publisher, "BACKOFF_MOST", 0.2)
    monkeypatch.setattr(session, "HOLD_FIRST", 0.05)
    monkeypatch.setattr(session, "HOLD_MOST", 0.1)
    monkeypatch.setattr(session, "TURN_SECONDS", 0.1)
    monkeypatch.setattr(side, "LOOK_HOME_SECONDS", 0.3)
    monkeypatch.setattr(app_ack, "ACK_SECONDS", 0.5)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    yield opened
    opened.abandon()
