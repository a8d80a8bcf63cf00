"""docs/integration.md tells the truth: its example events are what the gateway makes."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.events import cloudevent
from gateway.monitoring.health import Health
from gateway.station.rules import RULES
from tests.docs import findings, golden

PAGE = golden.FOLDER.parent / "integration.md"


@pytest.fixture
def swedish_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", golden.TIME_ZONE)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("swedish_time")
def test_the_example_events_are_what_the_gateway_makes(tmp_path: Path) -> None:
    made = {f"{name}.json": golden.pretty(event) for name, event in golden.events(tmp_path)}
    shown = {path.name: path.read_bytes() for path in golden.FOLDER.glob("*.json")}
    assert made == shown, "write them anew with `.venv/bin/python -m tests.docs.golden`, and read the difference"


def test_every_example_is_mentioned() -> None:
    text = PAGE.read_text()
    assert [path.name for path in golden.FOLDER.glob("*.json") if f"events/{path.name}" not in text] == []


@pytest.mark.parametrize(
    "struct",
    [
        cloudevent.ScanData,
        cloudevent.ScanEvent,
        cloudevent.CaseData,
        cloudevent.ClockData,
        cloudevent.EventArticle,
        Health,
    ],
)
def test_every_field_is_explained(struct: type[msgspec.Struct]) -> None:
    text = PAGE.read_text()
    fields = msgspec.structs.fields(struct)
    assert [field.encode_name for field in fields if f"`{field.encode_name}`" not in text] == []


def test_every_finding_of_the_verdict_is_listed() -> None:
    rows = re.findall(r"^\| (`[A-Z_]+`) \| (\S+) \| (\S+) \| (\S+) \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [findings.rule_row(code)[:4] for code in RULES]
