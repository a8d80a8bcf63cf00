"""Alert rules and dashboard: every expression is one to Prometheus' own tool, of metrics that the intake has."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from intake.counters import Counters
from intake.status import Status, StreamStatus
from intake.web import metrics
from tests.intake.boxes import EPOCH, ROOT, source

RULES = ROOT / "deploy/prometheus/scangate.rules.yml"
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/scangate.json").read_text())
ALERTS = re.findall(r"- alert: (\w+)", RULES.read_text())
NOW = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)


def promtool() -> str:
    """Debian's, installed or as `make test` unpacks it."""
    found = shutil.which("promtool") or shutil.which("promtool", path=str(ROOT / "build/prometheus/usr/bin"))
    if found is None:
        pytest.skip("no promtool on this machine: `make test` unpacks it from Debian's package prometheus")
    return found


def names() -> set[str]:
    """Every metric the intake has."""
    stream = StreamStatus(
        source=source(),
        epoch=EPOCH,
        stored=1,
        frontier=1,
        newest=1,
        missing=0,
        hole_since=None,
        last_received=NOW,
        lag_seconds=0,
        status="online",
        version="1",
        alarms=0,
        waiting=0,
        late=False,
    )
    status = Status(well=True, streams=(stream,), stored=1, poison=0, passed_over=0)
    text = metrics.text(status, Counters(), source_ready=True, now=NOW)
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def check(*arguments: str) -> None:
    done = subprocess.run([promtool(), *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_valid() -> None:
    check("check", "rules", RULES.name)


def test_each_alert_fires_when_it_should() -> None:
    check("test", "rules", "scangate.rules.test.yml")
    text = (RULES.parent / "scangate.rules.test.yml").read_text()
    tried = set(re.findall(r"alertname: (\w+)\n +exp_alerts:", text))
    assert tried == set(ALERTS), "each of them is seen firing"


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_what_to_do(alert: str) -> None:
    """A command to type, or a thing to look at."""
    description = re.search(rf"alert: {alert}\n.*?description: \"(.*?)\"\n", RULES.read_text(), re.DOTALL)
    assert description is not None
    assert re.search(r"`s\w|[Ll]ook |journal", description[1]), description[1]


def test_rules_use_metrics_that_exist() -> None:
    used = set(re.findall(r"\bscangate_\w+", RULES.read_text()))
    assert used <= names()


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_the_dashboard_uses_metrics_that_exist() -> None:
    used = {name for expression in expressions() for name in re.findall(r"\bscangate_\w+", expression)}
    assert used <= names()
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_panel_asks_what_prometheus_understands(tmp_path: Path) -> None:
    rules = [{"record": f"panel_{number}", "expr": text} for number, text in enumerate(expressions())]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML
    check("check", "rules", str(file))


def test_no_panel_lies_over_another() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
