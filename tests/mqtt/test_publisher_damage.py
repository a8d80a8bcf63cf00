"""An outbox that is damaged in use: the publisher says so, and what it knew of the old file counts no more."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.outbox.salvage import salvaged
from gateway.outbox.writer import Outbox
from tests.brokers import Broker, wait_for
from tests.mqtt.courier import courier
from tests.outbox.events import BOX, ROOMY, draft, reading, stocked, stored
from tests.outbox.test_salvage import leaf_page, overwrite

pytestmark = pytest.mark.usefixtures("hurried")
Start = Callable[..., Broker]
MIDDLE = 150


def test_a_damaged_page_amid_the_backlog_is_salvaged_and_the_line_goes_on(tmp_path: Path, mosquitto: Start) -> None:
    path = tmp_path / "outbox.db"
    stocked(path, 2 * MIDDLE, size=600).close(reading())
    overwrite(path, leaf_page(path))
    broker = mosquitto(tmp_path)
    with courier(Outbox(path, ROOMY, BOX), urls=(broker.url,), no_subscribers="delivered") as one:
        one.until_problem("malformed")
        wait_for(lambda: one.publisher.outbox_damaged, "it says that the outbox is damaged")
        one.outbox = salvaged(one.outbox, reading())
        one.publisher.outbox_replaced()
        one.until_delivered()
        assert not one.publisher.outbox_damaged
        assert len(stored(path)) >= 2 * MIDDLE - 4
        one.store(3)
        one.until_delivered()
        assert one.dead == []
    one.outbox.abandon()


def test_what_was_delivered_of_a_lost_outbox_does_not_count_for_the_new_one(
    tmp_path: Path, mosquitto: Start
) -> None:
    """Nothing could be salvaged, so that numbers begin again: new events must not pass for old, delivered ones."""
    path = tmp_path / "outbox.db"
    broker = mosquitto(tmp_path)
    with courier(stocked(path, 500), urls=(broker.url,), no_subscribers="delivered") as one:
        one.until_delivered()
        one.outbox.abandon()
        for file in path.parent.glob("outbox.db*"):
            file.unlink()
        one.outbox = Outbox(path, ROOMY, BOX)
        one.outbox.append([draft(number) for number in range(1, 11)], reading(), seal=True)
        before = one.publisher.status.acknowledged
        one.publisher.outbox_replaced()
        one.until_delivered()
        assert one.delivered == 10
        wait_for(lambda: one.publisher.status.acknowledged == before + 10, "each of them was sent")
    one.outbox.abandon()
