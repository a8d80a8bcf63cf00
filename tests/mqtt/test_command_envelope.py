"""Commands over MQTT: what is done, what is refused, and that each is answered."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gateway.events.topics import Topics
from gateway.mqtt import command_envelope
from gateway.mqtt.command_envelope import (
    MAX_COMMAND_BYTES,
    MAX_REMEMBERED,
    STALE_SECONDS,
    Call,
    CommandError,
    Commands,
)
from gateway.mqtt.connection import Message
from gateway.mqtt.delivery_memory import DeliveryMemory
from tests.outbox.events import NOW_NS, reading

if TYPE_CHECKING:
    from gateway.mqtt.outgoing import Outgoing

TOPICS = Topics.of("vgr", "su", "gw01")
BASE = "udi/v1/vgr/su/gw01/cmd"
NOW = datetime.fromtimestamp(NOW_NS / 1e9, UTC)


class Box:
    """Commands with two handlers, and what was answered."""

    def __init__(self, *, synchronised: bool = True, memory: DeliveryMemory | None = None) -> None:
        self.memory = memory or DeliveryMemory(None)
        self.asked: list[dict[str, Any]] = []
        self.sent: list[Outgoing] = []
        self.noted: list[tuple[str, str | None, str | None]] = []
        self.commands = Commands(
            TOPICS,
            {"health": self._health, "reload": self._reload, "identify": self._broken},
            lambda: reading(set_=synchronised),
            self.sent.append,
            self.memory,
            bytes,
            lambda *act: self.noted.append(act),
        )

    def _health(self, call: Call) -> dict[str, Any]:
        self.asked.append(call.args)
        return {"ok": True}

    def _reload(self, _call: Call) -> None:
        raise CommandError("the present configuration stays: it has a fault")

    def _broken(self, _call: Call) -> None:
        raise RuntimeError("secret words")

    def take(self, name: str, body: bytes | dict[str, Any], **message: Any) -> dict[str, Any]:  # noqa: ANN401
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"retained": False, **message}
        self.commands.take(Message(topic=f"{BASE}/{name}", body=data, **fields))
        reply: dict[str, Any] = json.loads(self.sent[-1].body)
        return reply


def command(identity: str = "c1", age: float = 0, **args: object) -> dict[str, Any]:
    return {"id": identity, "issuedAt": (NOW - timedelta(seconds=age)).isoformat(), "args": args}


def test_a_command_is_done_and_answered_below_its_own_topic() -> None:
    box = Box()
    assert box.take("health", command(deep=True)) == {"id": "c1", "ok": True, "result": {"ok": True}}
    assert box.asked == [{"deep": True}]
    assert box.sent[0].topic == f"{BASE}/health/reply"


@pytest.mark.parametrize(
    ("name", "body", "message", "words"),
    [
        ("health", command(age=301), {}, "stale"),
        ("health", command(age=-61), {}, "future"),
        ("health", command(), {"retained": True}, "retained"),
        ("health", {**command(), "issuedAt": "2026-11-21T10:00:00"}, {}, "time zone"),
        ("health", {**command(), "issuedAt": "yesterday"}, {}, "issuedAt"),
        ("health", {"issuedAt": NOW.isoformat()}, {}, "id"),
        ("health", command("with space"), {}, "id"),
        ("health", command("x" * 65), {}, "id"),
        ("health", b"\xff\x00", {}, "expected"),
        ("health", b"[" * 15_000, {}, "expected"),
        ("health", b"x" * (MAX_COMMAND_BYTES + 1), {}, "longer than"),
        ("explode", command(), {}, "unknown command; known: health, identify, reload"),
        ("reload", command(), {}, "the present configuration stays"),
    ],
)
def test_what_is_refused_is_answered_with_the_reason(
    name: str, body: bytes | dict[str, Any], message: dict[str, Any], words: str
) -> None:
    box = Box()
    reply = box.take(name, body, **message)
    assert reply["ok"] is False
    assert words in reply["error"]
    assert box.asked == []


def test_a_repeated_id_is_refused() -> None:
    box = Box()
    assert box.take("health", command())["ok"]
    assert "repeated" in box.take("health", command())["error"]
    assert len(box.asked) == 1


def test_a_repeated_id_is_refused_after_a_restart_too(tmp_path: Path) -> None:
    """The same `reload` three times was three restarts: its id is on the disk before it is obeyed."""
    path = tmp_path / "delivery.json"
    assert Box(memory=DeliveryMemory(path)).take("health", command())["ok"]
    assert "repeated" in Box(memory=DeliveryMemory(path)).take("health", command())["error"]


def test_only_so_many_ids_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_envelope, "COMMANDS_AT_ONCE", 2.0 * MAX_REMEMBERED)
    box = Box()
    for number in range(MAX_REMEMBERED + 1):
        assert box.take("health", command(f"n{number}"))["ok"]
    assert box.take("health", command("n0"))["ok"]


def test_a_flood_of_commands_is_not_looked_at() -> None:
    box = Box()
    for number in range(5000):
        box.commands.take(
            Message(topic=f"{BASE}/health", body=json.dumps(command(f"n{number}")).encode(), retained=False)
        )
    assert 20 <= len(box.asked) == len(box.sent) < 100


@pytest.mark.parametrize(
    ("age", "why"),
    [(0, None), (10 + STALE_SECONDS - 1, None), (10 + STALE_SECONDS + 1, "stale"), (6 * 365 * 86_400, "stale")],
)
def test_without_a_clock_what_is_known_to_have_passed_makes_a_command_stale(age: float, why: str | None) -> None:
    """`reading` knows that it is at least ten seconds before NOW; a command of 2020 was obeyed."""
    reply = Box(synchronised=False).take("health", command(age=age))
    assert (why or "") in reply.get("error", "")
    assert reply["ok"] is (why is None)


def test_without_a_clock_the_newest_command_makes_older_ones_stale() -> None:
    box = Box(synchronised=False)
    assert box.take("health", command("a", age=-86_400))["ok"]
    assert "stale" in box.take("health", command("b"))["error"]


def test_a_failing_handler_is_answered_without_its_words() -> None:
    reply = Box().take("identify", command())
    assert reply == {"id": "c1", "ok": False, "error": "RuntimeError: see the box's log"}


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ("central/replies/7", "central/replies/7"),
        (None, f"{BASE}/health/reply"),
        ("udi/v1/vgr/su/gw02/cmd/reload", f"{BASE}/health/reply"),
        ("udi/v1/vgr/su/gw01/scan", f"{BASE}/health/reply"),
        ("$SYS/x", f"{BASE}/health/reply"),
        ("central/#", f"{BASE}/health/reply"),
        ("x" * 257, f"{BASE}/health/reply"),
    ],
)
def test_the_reply_goes_to_the_response_topic_unless_that_is_a_box_s_own(asked: str | None, used: str) -> None:
    box = Box()
    box.take("health", command(), response_topic=asked, correlation=b"42")
    assert box.sent[0].topic == used
    assert box.sent[0].correlation == b"42"


def test_a_command_with_a_name_that_is_none_is_not_answered_on_its_topic() -> None:
    box = Box()
    box.commands.take(Message(topic=f"{BASE}/../../x", body=b"{}", retained=False))
    assert box.sent == []


def test_each_command_is_noted_with_what_came_of_it() -> None:
    box = Box()
    box.take("health", command("c1"))
    box.take("reload", command("c2"))
    box.take("health", b"no JSON")
    assert [(name, identity) for name, identity, _ in box.noted] == [
        ("health", "c1"),
        ("reload", "c2"),
        ("health", None),
    ]
    first, second, third = (why for *_, why in box.noted)
    assert first is None
    assert second == "the present configuration stays: it has a fault"
    assert third is not None
    assert third.startswith("expected")
