"""A box by itself: without a broker, with a damaged disk, and the demo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gateway.system.control_socket import RequestError, ask
from tests.end_to_end.plant import ROOT, Gateway, everything_arrived, label, plant, wait_for


def scangate(*arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env=environment, check=False, timeout=120)


def test_what_was_exported_counts_as_delivered(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, port=1)
    text = gateway.config.read_text()
    gateway.config.write_text(text.replace("[broker]", "").replace('urls = ["mqtt://127.0.0.1:1"]', ""))
    try:
        gateway.start()
        for number in range(6):
            gateway.wire.write(label(number))
        wait_for(lambda: gateway.stored() == 6, "stored")
        where = ("-c", gateway.config, "--socket", gateway.socket)
        export = scangate("outbox", "export", "--format", "ndjson", *where)
        assert export.returncode == 0, export.stderr
        assert export.stdout.splitlines() == gateway.journal()
        wait_for(lambda: gateway.status()["sequence"]["delivered"] == 6, "the daemon knows")
        gateway.wire.write(label(6))
        wait_for(lambda: gateway.stored() == 7, "one more")
        table = scangate("outbox", "export", "--format", "csv", "--output", tmp_path / "out.csv", *where)
        assert table.returncode == 0, table.stderr
        lines = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 8, "a heading and all of them: a spreadsheet marks nothing"
        again = scangate("outbox", "export", "--format", "ndjson", *where)
        assert again.stdout.splitlines() == gateway.journal()[6:], "the one that nobody has yet"
    finally:
        gateway.close()


def test_a_damaged_outbox_is_salvaged_and_named_until_it_is_looked_at(tmp_path: Path) -> None:
    with plant(tmp_path) as one:
        gateway = one.gateway
        gateway.start()
        for number in range(50):
            gateway.wire.write(label(number))
        wait_for(lambda: gateway.stored() == 50, "stored")
        epoch = gateway.status()["sequence"]["epoch"]
        gateway.stop()
        outbox = gateway.state / "outbox.db"
        size = outbox.stat().st_size
        with outbox.open("r+b") as file:
            file.seek(size - size // 3)
            file.write(b"\xa5" * 3000)
        one.broker.start()
        consumer = one.listen()
        gateway.start()
        wait_for(lambda: any("damaged" in alarm for alarm in gateway.status()["alarms"]), "it is an alarm")
        gateway.wire.write(label(50))
        wait_for(lambda: any(b"S000050" in body for body in gateway.journal()), "scanning goes on")
        assert gateway.status()["sequence"]["epoch"] != epoch
        wait_for(lambda: gateway.status()["sequence"]["waiting"] == 0, "what can be read is delivered")
        arrived = consumer.events()
        readable = [msgspec.json.decode(body)["id"] for body in gateway.journal() if body.startswith(b"{")]
        assert {event["id"] for event in arrived} <= set(readable)
        assert len(arrived) >= 40
        for kept in gateway.state.glob("outbox.db.corrupt-*"):
            kept.unlink()
        wait_for(lambda: gateway.status()["ok"] or gateway.status()["sequence"]["deadLetters"], "the alarm ends")


@pytest.mark.parametrize("content", [b"[" * 200_000, b" " * 5_000_000], ids=["nested without end", "too large"])
def test_whatever_the_registry_holds_the_station_scans(tmp_path: Path, content: bytes) -> None:
    gateway = Gateway(tmp_path, port=1)
    gateway.state.mkdir()
    (gateway.state / "station.json").write_bytes(content)
    try:
        gateway.start()
        assert any("registry was damaged" in alarm for alarm in gateway.status()["alarms"])
        gateway.wire.write(label(1))
        wait_for(lambda: gateway.stored() == 1, "it is stored")
        assert (gateway.state / "station.json.corrupt").read_bytes() == content
        gateway.stop()
        gateway.start()
        assert not any("registry" in alarm for alarm in gateway.status()["alarms"])
    finally:
        gateway.close()


def test_over_the_displays_socket_nothing_is_changed(tmp_path: Path) -> None:
    """Also after a reload, which opens it anew."""
    with plant(tmp_path) as one:
        gateway = one.gateway
        gateway.start()
        for _ in range(2):
            assert ask(gateway.reading, "status")["sequence"]["stored"] == 0
            for what in ("reload", "exported", "settle", "retry", "calibrate", "lend"):
                with pytest.raises(RequestError, match=r"control.sock; here you may ask: case, quality"):
                    ask(gateway.reading, what)
            assert ask(gateway.socket, "reload") == "reloading"
            gateway._wait_ready()


def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    with plant(tmp_path) as one:
        one.gateway.start()
        second = scangate("run", "-c", one.gateway.config, "--socket", tmp_path / "other.sock")
        assert second.returncode == 3
        assert b"another scangate runs there" in second.stderr


def test_a_wrong_configuration_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("[gateway]\ntenat = 'vgr'\n")
    result = scangate("run", "-c", tmp_path / "wrong.toml", "--socket", tmp_path / "control.sock")
    assert result.returncode == 2
    assert b"did you mean 'tenant'?" in result.stderr


def test_the_demo() -> None:
    """Accepted, unknown, expired and recalled articles arrive as events from a pure-Python broker."""
    result = scangate("demo", "--raw", "--count", "8")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(events) == 8
    codes = {finding["code"] for event in events for finding in event["data"]["verdict"]["findings"]}
    assert {"ARTICLE_UNKNOWN", "EXPIRED", "ARTICLE_RECALLED"} <= codes
    assert any(event["data"]["verdict"]["disposition"] == "accepted" for event in events)


def test_many_boxes_worth_of_scans_in_one_burst(tmp_path: Path) -> None:
    """More than the queue holds: what is signalled as trouble is not stored, what is stored arrives."""
    with plant(tmp_path) as one:
        one.broker.start()
        consumer = one.listen()
        one.gateway.start()
        for number in range(1000):
            one.gateway.wire.write(label(number))

        def done() -> bool:
            counters = one.gateway.status()["counters"]
            return bool(counters.get("accepted", 0) + counters.get("trouble", 0) >= 1000)

        wait_for(done, "every scan was answered")
        arrived = everything_arrived(one.gateway, consumer)
        assert len(arrived) == one.gateway.status()["counters"]["accepted"] + one.gateway.status()["counters"].get(
            "refused", 0
        )
