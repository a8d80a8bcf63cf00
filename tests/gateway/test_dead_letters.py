"""The control request `retry`: the worker writes, whoever asked is told, and nothing hangs."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway import dead_letters
from gateway.articles.lookup.master import ArticleMaster
from gateway.clock import Clock
from gateway.config import parse
from gateway.control import RequestError
from gateway.dead_letters import DeadLetters
from gateway.delivery.backlog import Backlog
from gateway.delivery.outbox import Dead, Outbox
from gateway.inbox import Inbox, Notice
from gateway.pipeline import Pipeline
from gateway.service_manager import ServiceManager
from gateway.worker import Worker
from tests.delivery.events import BOX, ROOMY, draft, reading

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
        letters = DeadLetters(worker, Clock())
        assert letters.retry({"sequences": [1, 2, 9]}) == {"sequences": [2]}
        assert letters.retry({"sequences": None}) == {"sequences": [2]}
        with closing(Backlog(tmp_path / "outbox.db")) as backlog:
            assert [sequence for sequence, _ in backlog.asked_again()] == [2]
    finally:
        worker._inbox.post(Notice.STOP)
        thread.join(10)
        worker.finish()


@pytest.mark.parametrize("wanted", ["2", [2, "x"], 2, {"2": 2}])
def test_what_is_no_request(worker: Worker, wanted: object) -> None:
    with pytest.raises(RequestError, match="expected args"):
        DeadLetters(worker, Clock()).retry({"sequences": wanted})
    worker.outbox.abandon()


def test_a_worker_that_does_not_come_to_it(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "SECONDS", 0.05)
    with pytest.raises(RequestError, match="too busy now; try again"):
        DeadLetters(worker, Clock()).retry({})
    worker.outbox.abandon()
