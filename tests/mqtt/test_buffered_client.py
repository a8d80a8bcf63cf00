"""The buffers under a connection: every byte arrives, in order; what is kept is bounded; a broken network shows."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.buffered_client import GATHER_BYTES, BufferedSocket
from gateway.mqtt.connection import Connection, ConnectResult
from gateway.mqtt.settings import BrokerSettings
from tests.brokers import Broker

Ends = tuple[BufferedSocket, socket.socket]


def ends() -> Ends:
    here, there = socket.socketpair()
    here.setblocking(False)
    there.settimeout(10)
    return BufferedSocket(here), there


@pytest.fixture
def both() -> Iterator[Ends]:
    link, there = ends()
    yield link, there
    link.close()
    there.close()


@given(st.lists(st.binary(max_size=50)), st.integers(1, 7))
def test_every_byte_arrives_however_it_is_cut(pieces: list[bytes], limit: int) -> None:
    link, there = ends()
    whole = b"".join(pieces)
    for piece in pieces:
        assert link.send(piece) == len(piece)
        there.sendall(piece)
    there.shutdown(socket.SHUT_WR)
    assert b"".join(iter(lambda: link.recv(limit), b"")) == whole
    link.close()
    assert b"".join(iter(lambda: there.recv(100), b"")) == whole
    there.close()


def test_nothing_leaves_before_it_is_flushed(both: Ends) -> None:
    link, there = both
    there.setblocking(False)
    link.send(b"one ")
    link.send(b"packet")
    with pytest.raises(BlockingIOError):
        there.recv(100)
    assert link.unsent() > 0
    link.flush()
    assert link.unsent() == 0
    assert there.recv(100) == b"one packet"


def test_what_was_read_and_not_asked_for_is_told(both: Ends) -> None:
    link, there = both
    there.sendall(b"abc")
    assert link.pending() == 0
    assert link.recv(1) == b"a"
    assert link.pending() == 2
    assert link.recv(9) == b"bc"
    with pytest.raises(BlockingIOError):
        link.recv(1)


def test_a_network_that_does_not_keep_up_fills_no_memory(both: Ends) -> None:
    link, there = both
    taken = 0
    with suppress(BlockingIOError):
        while taken < 1 << 30:
            taken += link.send(b"x" * 1500)
    assert taken < 1 << 30
    assert link.unsent() > 0
    received = 0
    while received < taken - GATHER_BYTES - 1500:
        received += len(there.recv(1 << 16))
    link.flush()
    while received < taken:
        received += len(there.recv(1 << 16))
        link.flush()
    assert link.unsent() == 0
    assert received == taken


def test_a_broken_connection_refuses_what_comes_later(both: Ends) -> None:
    link, there = both
    there.close()
    link.send(b"lost")
    link.flush()
    assert link.unsent() == 0
    with pytest.raises(BlockingIOError):
        link.send(b"more")
    assert link.recv(1) == b""


@pytest.mark.parametrize(("v5", "unheard"), [(True, 0x10), (False, 0)])
def test_paho_runs_over_it(tmp_path: Path, mosquitto: Callable[..., Broker], *, v5: bool, unheard: int) -> None:
    """MQTT 5, 3.4.2.1: no reason is success. `unheard`: what mosquitto says where nobody subscribes."""
    broker = mosquitto(tmp_path)
    connection = Connection(broker.url, BrokerSettings(urls=(broker.url,)), "box", v5=v5)

    def reason(topic: str) -> int:
        mid = connection.publish(topic, b"{}")
        while not connection.acknowledgements:
            connection.poll(None, 1.0)
            assert connection.lost is None
        answer = connection.acknowledgements.popleft()
        assert answer.mid == mid
        return answer.reason

    try:
        assert connection.open(None) == (ConnectResult.CONNECTED, "")
        assert isinstance(connection._client.socket(), BufferedSocket), (
            "paho makes its socket elsewhere: no buffers"
        )
        connection.subscribe("heard")
        while not connection.subscribed:
            connection.poll(None, 1.0)
        assert reason("unheard") == unheard
        assert reason("heard") == 0
    finally:
        connection.close()
