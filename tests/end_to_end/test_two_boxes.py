"""Two machines under one identity, as a cloned card makes them: both say so."""

from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end.plant import Broker, Gateway, wait_for

ALARM = "another machine works under this box's tenant, site and id"


def says_so(gateway: Gateway) -> bool:
    return any(ALARM in alarm for alarm in gateway.status()["alarms"])


def connected(gateway: Gateway) -> bool:
    return bool(gateway.status()["broker"]["url"])


@pytest.mark.parametrize("client", ["", 'client_id = "{machine}"'], ids=["the same client", "clients of their own"])
def test_both_say_that_another_machine_works_under_their_identity(tmp_path: Path, client: str) -> None:
    """With the same client identifier they take the connection from each other (MQTT 5, 3.1.4), and meet never."""
    broker = Broker(tmp_path)
    broker.start()
    folders = [tmp_path / name for name in ("first", "second")]
    try:
        for folder in folders:
            folder.mkdir()
        first, second = (
            Gateway(folder, broker.port, broker=client.format(machine=folder.name), machine=folder.name * 4)
            for folder in folders
        )
        with closing(first), closing(second):
            first.start()
            assert not says_so(first)
            second.start()
            for gateway in (first, second):
                wait_for(partial(says_so, gateway), f"{gateway.directory.name} says so")
    finally:
        broker.kill()


def test_a_box_that_took_anothers_place_says_nothing(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    broker.start()
    try:
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            gateway = Gateway(tmp_path / name, broker.port, machine=name * 4)
            with closing(gateway):
                gateway.start()
                wait_for(partial(connected, gateway), "it is connected")
                assert not says_so(gateway)
                gateway.stop()
    finally:
        broker.kill()
