"""Which health messages show another machine under this box's identity."""

import json

import pytest

from gateway.monitoring.identity_watch import IdentityWatch
from gateway.mqtt.connection import Message


def health(machine: object, *, retained: bool = False) -> Message:
    return Message(
        topic="udi/v1/vgr/su/gw01/health", body=json.dumps({"machine": machine}).encode(), retained=retained
    )


@pytest.mark.parametrize(
    ("messages", "seen"),
    [
        ([], False),
        ([health("me")], False),
        ([health("other")], True),
        ([health("other", retained=True)], False),
        ([health("me", retained=True), health("other", retained=True)], True),
        ([health("me"), health("other", retained=True)], True),
        ([health("other", retained=True), health("me"), health("me", retained=True)], False),
        ([health(None)], False),
        ([health(7)], False),
        ([Message(topic="t", body=b"[" * 100_000, retained=False)], False),
        ([Message(topic="t", body=b"", retained=False)], False),
    ],
)
def test_another_machine(messages: list[Message], *, seen: bool) -> None:
    watch = IdentityWatch("me")
    for message in messages:
        watch.take(message)
    assert watch.seen is seen


def test_a_box_without_a_machine_id_knows_no_other() -> None:
    watch = IdentityWatch(None)
    watch.take(health("other"))
    assert not watch.seen
