from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.outbox.writer import Outbox
from tests.outbox.events import BOX, ROOMY


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    yield opened
    opened.abandon()
