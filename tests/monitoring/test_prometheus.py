"""Health for node_exporter's textfile collector, in the text exposition format 0.0.4."""

import re
from typing import Any

import msgspec
import pytest

from gateway.monitoring.health import (
    BoardHealth,
    BrokerHealth,
    ClockHealth,
    DiskHealth,
    Health,
    MasterHealth,
    ScannerHealth,
    SequenceHealth,
)
from gateway.monitoring.prometheus import text

SAMPLE = re.compile(r'scangate_[a-z_]+(\{[a-z]+="(\\.|[^"\\\n])*"(,[a-z]+="(\\.|[^"\\\n])*")*\})? [-+0-9.e]+')
HEALTH = Health(
    gateway="urn:scangate:vgr:su:gw01",
    version="1",
    time="2026-11-22T10:00:00.000+01:00",
    uptime_seconds=5,
    ok=True,
    alarms=(),
    sequence=SequenceHealth(
        epoch="e",
        epoch_begins=1,
        stored=4711,
        published=4705,
        delivered=4700,
        waiting=11,
        oldest_waiting_seconds=7,
        dead_letters=0,
    ),
    disk=DiskHealth(room="free", used_bytes=123456789, free_bytes=5_000_000_000),
    broker=BrokerHealth(
        url="mqtt://b",
        protocol="5",
        problem=None,
        authorisation="proven",
        acknowledged=10,
        refused=1,
        inbound_problem=None,
        certificate_ends=None,
        client_certificate_ends=None,
    ),
    scanners=(ScannerHealth(name="front", link="connected", detail=None, failure=None, queue_full=0),),
    master=MasterHealth(version=None, age_days=None, rows=0, problem=None, affected_scans=None),
    clock=ClockHealth(synchronised=True, boot_id="b"),
    board=None,
    counters={"accepted": 3, 'odd"name\\': 1},
)
BOARD = BoardHealth(temperature_celsius=48.3, under_voltage=None, under_voltage_since_boot=None, throttled=False)


@pytest.mark.parametrize("changes", [{}, {"broker": None}, {"board": BOARD}, {"scanners": ()}])
def test_every_line_is_well_formed_and_every_metric_declared_once(changes: dict[str, Any]) -> None:
    lines = text(msgspec.structs.replace(HEALTH, **changes)).splitlines()
    declared = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert len(declared) == len(set(declared))
    for line in lines:
        if not line.startswith("#"):
            assert SAMPLE.fullmatch(line), line
            assert re.match(r"[a-z_]+", line)[0] in declared  # type: ignore[index]  # the line has just matched


@pytest.mark.parametrize(
    "line",
    [
        "scangate_stored 4711",
        "scangate_waiting 11",
        'scangate_scanner_connected{scanner="front"} 1',
        r'scangate_scans_total{result="odd\"name\\"} 1',
        "scangate_broker_connected 1",
    ],
)
def test_samples(line: str) -> None:
    assert line in text(HEALTH).splitlines()


def test_large_numbers_are_whole() -> None:
    assert "scangate_outbox_bytes 123456789" in text(HEALTH)
