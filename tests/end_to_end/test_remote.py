"""What the central system sends to a box: commands, and changes of articles. A real daemon, broker and scanner."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from tests.brokers import Subscriber
from tests.end_to_end.central import Central
from tests.end_to_end.plant import Broker, Gateway, label, wait_for

BASE = "udi/v1/vgr/su/gw01"
DELTA = "udi/v1/vgr/articles/delta"
BLADE = "09520001000102"
"""An article of the sample master without any remark."""


class Plant:
    def __init__(self, directory: Path, extra: str = "") -> None:
        self.broker = Broker(directory)
        self.broker.start()
        self.gateway = Gateway(directory, self.broker.port, extra)
        self.gateway.import_samples()
        self.heard = Subscriber(self.broker.port, "udi/v1/#")
        self.heard.subscribed()
        self.central = Central(self.broker.port)
        self.gateway.start()
        wait_for(lambda: self.heard.on("/status") == [b"online"], "the box is there")

    def command(self, name: str, identity: str = "c1", **args: object) -> dict[str, Any]:
        """Send a command; return the reply to it."""
        body = {"id": identity, "issuedAt": datetime.now(UTC).isoformat(), "args": args}
        self.central.say(f"{BASE}/cmd/{name}", json.dumps(body).encode())

        def reply() -> dict[str, Any] | None:
            replies = map(json.loads, self.heard.on(f"/cmd/{name}/reply"))
            return next((one for one in replies if one["id"] == identity), None)

        answer: dict[str, Any] = wait_for(reply, f"the reply to {name}")
        return answer

    def delta(self, number: int, *changes: dict[str, Any], key: SigningKey | None = None) -> None:
        body = {
            "source": "sample",
            "number": number,
            "issuedAt": datetime.now(UTC).isoformat(),
            "changes": list(changes),
        }
        self.central.say(DELTA, signed(body, key))

    def scan(self, serial: int) -> dict[str, Any]:
        """Scan the blade; return the event's data."""
        count = self.gateway.stored()
        self.gateway.wire.write(label(serial))
        wait_for(lambda: self.gateway.stored() == count + 1, "the scan is stored")
        data: dict[str, Any] = json.loads(self.gateway.journal()[-1])["data"]
        return data

    def until_refused(self) -> dict[str, Any]:
        """Scan until the blade is refused, which is within a second; return the verdict."""
        serials = iter(range(100, 1000))

        def verdict() -> dict[str, Any] | None:
            said: dict[str, Any] = self.scan(next(serials))["verdict"]
            return said if said["disposition"] == "refused" else None

        refused: dict[str, Any] = wait_for(verdict, "the blade is refused", 1.0)
        return refused

    def health(self) -> dict[str, Any]:
        return self.gateway.status()

    def close(self) -> None:
        self.gateway.close()
        self.heard.close()
        self.central.close()
        self.broker.kill()


def signed(body: dict[str, Any], key: SigningKey | None) -> bytes:
    """docs/integration.md: the payload itself, or an envelope with an Ed25519 signature over exactly its bytes."""
    import base64

    payload = json.dumps(body).encode()
    if key is None:
        return payload
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "signature": base64.b64encode(key.sign(payload).signature).decode(),
    }
    return json.dumps(envelope).encode()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    one = Plant(tmp_path)
    yield one
    one.close()


def test_commands(plant: Plant) -> None:
    """delivery.md, MQTT: identify, health, articles-sync, outbox-replay, reload."""
    plant.scan(1)
    plant.scan(2)
    wait_for(lambda: len(plant.heard.on("/scan")) == 2, "both arrive")
    health = plant.command("health", "h1")
    assert health["ok"]
    assert health["result"]["sequence"]["stored"] == 2
    assert plant.command("identify", "i1", scanner="front")["result"] == {"signalled": ["front"]}
    assert "there are: front" in plant.command("identify", "i2", scanner="back")["error"]
    assert plant.command("outbox-replay", "r1", **{"from": 1, "to": 99})["result"] == {
        "from": 1,
        "to": 2,
        "done": False,
    }
    wait_for(lambda: len(plant.heard.on("/scan")) == 4, "both again")
    assert plant.heard.on("/scan")[:2] == plant.heard.on("/scan")[2:]
    wrong: tuple[dict[str, object], ...] = (
        {"from": 2, "to": 1}, {"from": "1", "to": 2}, {}, {"from": 9, "to": 9}, {"from": 1, "to": 10**9},
    )  # fmt: skip
    for number, args in enumerate(wrong):
        assert plant.command("outbox-replay", f"w{number}", **args)["ok"] is False
    assert "there are: none" in plant.command("articles-sync", "s1")["error"]
    assert "unknown command" in plant.command("self-destruct", "x1")["error"]


def test_a_reload_by_command_keeps_what_works_when_the_file_does_not(plant: Plant) -> None:
    good = plant.gateway.config.read_text()
    plant.gateway.config.write_text(good + "\n[broken]\n")
    assert "the present configuration stays" in plant.command("reload", "r1")["error"]
    plant.gateway.config.write_text(good.replace('id = "op3"', 'id = "op4"'))
    assert plant.command("reload", "r2")["ok"]
    wait_for(lambda: plant.heard.on("/status")[-2:] == [b"offline", b"online"], "it came back")
    wait_for(lambda: plant.gateway.scanner()["link"] == "connected", "it reads the scanner")
    assert plant.scan(1)["station"]["id"] == "op4"


def test_a_recall_is_in_force_at_once_and_names_past_scans(plant: Plant) -> None:
    assert plant.scan(1)["verdict"]["disposition"] == "accepted"
    plant.delta(1, {"op": "recall", "deviceIdentifier": BLADE, "lots": ["L1"], "reason": "FSCA-2026-7"})
    wait_for(lambda: plant.health()["master"]["affectedScans"] == 1, "the past scan is counted", 10)
    refused = plant.until_refused()
    assert "ARTICLE_RECALLED" in [finding["code"] for finding in refused["findings"]]
    assert plant.command("reload", "r1")["ok"]
    wait_for(lambda: plant.gateway.log.read_text().count(" ready ") == 2, "the daemon has begun again")
    # what was refused is a past scan by now
    wait_for(lambda: (plant.health()["master"]["affectedScans"] or 0) > 1, "counted anew after a reload", 20)
    assert any(alarm.startswith("recall: it touches") for alarm in plant.health()["alarms"])
    told = wait_for(lambda: plant.heard.on(f"{BASE}/articles"), "the master is told")
    assert json.loads(told[-1])["sources"][0]["name"] == "sample"


def test_a_gap_asks_for_a_sync_and_is_an_alarm(plant: Plant) -> None:
    block = {"op": "block", "deviceIdentifier": BLADE, "reason": "contract ended"}
    plant.delta(1, block)
    plant.delta(3, block)
    wanted = plant.gateway.state / "articles" / "sync-wanted" / "sample"
    wait_for(wanted.exists, "a sync is asked for")
    wait_for(lambda: any("deltas 2 of sample are missing" in one for one in plant.health()["alarms"]), "the alarm")
    assert "ARTICLE_BLOCKED" in [finding["code"] for finding in plant.until_refused()["findings"]]
    plant.delta(2, block)
    wait_for(lambda: not any("are missing" in one for one in plant.health()["alarms"]), "the alarm is over")


def test_a_box_that_was_off_learns_what_it_missed(plant: Plant) -> None:
    """docs/integration.md, Articles: the retained state is compared at every connect."""
    plant.delta(1, {"op": "block", "articleNumber": "X-1"})
    plant.central.say("udi/v1/vgr/articles/state", b'{"sample": 3, "stranger": 9}', retain=True)
    wait_for(
        lambda: any("deltas 2-3 of sample are missing" in one for one in plant.health()["alarms"]), "the alarm"
    )
    assert (plant.gateway.state / "articles" / "sync-wanted" / "sample").exists()
    told = wait_for(
        lambda: next(
            (one for one in map(json.loads, plant.heard.on(f"{BASE}/articles")) if one["sources"][0]["gap"]), None
        ),
        "the master's state says so",
    )
    assert told["sources"][0]["missing"] == [[2, 3]]


def test_what_is_not_signed_by_the_configured_key_changes_nothing(tmp_path: Path) -> None:
    key = SigningKey.generate()
    (tmp_path / "delta.pub").write_text(bytes(key.verify_key).hex())
    plant = Plant(tmp_path, f'[articles]\ndelta_key_file = "{tmp_path}/delta.pub"\n')
    try:
        block = {"op": "block", "deviceIdentifier": BLADE, "reason": "contract ended"}
        plant.delta(1, block)
        plant.delta(1, block, key=SigningKey.generate())
        wait_for(lambda: any("the newest was refused" in alarm for alarm in plant.health()["alarms"]), "the alarm")
        assert plant.scan(1)["verdict"]["disposition"] == "accepted"
        plant.delta(1, block, key=key)
        wait_for(lambda: not plant.health()["alarms"], "the alarm is over")
        plant.until_refused()
    finally:
        plant.close()


def unknown(plant: Plant) -> int | None:
    """What the box's retained state says of the list."""
    told = plant.heard.on(f"{BASE}/articles")
    count: int | None = json.loads(told[-1])["unknown"] if told else None
    return count


def test_an_article_that_was_unknown_is_listed_and_learnt(plant: Plant) -> None:
    """articles.md: the list of ARTICLE_UNKNOWN, cleared as the master learns them."""
    new = "04006501003638"
    plant.gateway.wire.write(b"]d201%b1745123110L9\r" % new.encode())
    wait_for(lambda: plant.gateway.stored() == 1, "it is stored")
    assert "ARTICLE_UNKNOWN" in plant.gateway.journal()[-1].decode()
    wait_for(lambda: unknown(plant) == 1, "it is listed")
    plant.delta(1, {"op": "upsert", "article": {"deviceIdentifier": new, "tradeName": "New blade"}})

    wait_for(lambda: unknown(plant) == 0, "the list is cleared")
    plant.gateway.wire.write(b"]d201%b1745123110L8\r" % new.encode())
    wait_for(lambda: plant.gateway.stored() == 2, "it is stored")
    assert json.loads(plant.gateway.journal()[-1])["data"]["article"]["tradeName"] == "New blade"
