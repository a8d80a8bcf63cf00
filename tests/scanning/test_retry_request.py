"""The control request `retry`: the worker writes, whoever asked is told, and nothing hangs."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import parse
from gateway.outbox.reader import OutboxReader
from gateway.outbox.writer import Dead, Outbox
from gateway.scanning import worker_call
from gateway.scanning.inbox import Inbox, Notice
from gateway.scanning.pipeline import Pipeline
from gateway.scanning.retry_request import RetryRequests
from gateway.scanning.worker import Worker
from gateway.system.clock import Clock
from gateway.system.control_socket import RequestError
from gateway.system.systemd import ServiceManager
from tests.outbox.events import BOX, ROOMY, draft, reading

CONFIG: dict[str, Any] = {
    "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
    "scanner": [{"name": "front", "driver": "replay", "device": "/nowhere"}],
}


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """A worker that has not begun, with three events of which the second is dead."""
    outbox = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    outbox.append([draft(number) for number in range(1, 4)], reading(), seal=True)
    outbox.park(Dead(sequence=2, reason="refused"))
    outbox.mark_delivered(3)
    outbox.write_marks(reading())
    pipeline = Pipeline(parse(CONFIG, "test"), ArticleMaster(tmp_path / "articles"))
    return Worker(Inbox(), outbox, pipeline, Clock(), {}, ServiceManager())


def test_the_worker_does_it(worker: Worker, tmp_path: Path) -> None:
    from threading import Thread

    thread = Thread(target=worker.run)
    thread.start()
    try:
        letters = RetryRequests(worker)
        assert letters.retry({"sequences": [1, 2, 9]}) == {"sequences": [2]}
        assert letters.retry({"sequences": None}) == {"sequences": [2]}
        with closing(OutboxReader(tmp_path / "outbox.db")) as backlog:
            assert [sequence for sequence, _ in backlog.asked_again()] == [2]
    finally:
        worker._inbox.post(Notice.STOP)
        thread.join(10)
        worker.finish()


@pytest.mark.parametrize("wanted", ["2", [2, "x"], 2, {"2": 2}])
def test_what_is_no_request(worker: Worker, wanted: object) -> None:
    with pytest.raises(RequestError, match="expected args"):
        RetryRequests(worker).retry({"sequences": wanted})
    worker._outbox.abandon()


def test_a_worker_that_does_not_come_to_it(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_call, "SECONDS", 0.05)
    with pytest.raises(RequestError, match="too busy now; try again"):
        RetryRequests(worker).retry({})
    worker._outbox.abandon()
