"""Health as a text file for Prometheus' node_exporter (textfile collector; text exposition format 0.0.4). Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.monitoring.health import Health
from gateway.scanning.label_quality import QualityRow


class Metric(NamedTuple):
    """One metric and its samples: labels -> value; None leaves a sample out."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[dict[str, str], float | None], ...]


def text(health: Health) -> str:
    """Return the file's content."""
    lines: list[str] = []
    for metric in _metrics(health):
        samples = [(labels, value) for labels, value in metric.samples if value is not None]
        if samples:
            lines += [
                f"# HELP scangate_{metric.name} {metric.help}",
                f"# TYPE scangate_{metric.name} {metric.kind}",
            ]
            lines += [f"scangate_{metric.name}{_labels(labels)} {float(value):.15g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _metrics(health: Health) -> Iterator[Metric]:
    yield _one("info", "gauge", "Which box and version this is.", 1, gateway=health.gateway, version=health.version)
    yield _one("uptime_seconds", "gauge", "Since the daemon's start.", health.uptime_seconds)
    yield _one("alarms", "gauge", "Alarms in force.", len(health.alarms))
    sequence = health.sequence
    yield _one("stored", "counter", "Sequence of the newest stored event.", sequence.stored)
    yield _one("delivered", "counter", "Every event up to this sequence is delivered or dead.", sequence.delivered)
    yield _one("waiting", "gauge", "Events that wait for delivery.", sequence.waiting)
    yield _one(
        "oldest_waiting_seconds", "gauge", "Age of the oldest waiting event.", sequence.oldest_waiting_seconds or 0
    )
    yield _one("dead_letters", "gauge", "Events the broker can never take.", sequence.dead_letters)
    yield _one("outbox_bytes", "gauge", "Size of the outbox.", health.disk.used_bytes)
    yield _one("disk_free_bytes", "gauge", "Room left on the disk.", health.disk.free_bytes)
    written = health.disk.written_bytes
    yield _one("disk_written_bytes_total", "counter", "What the daemon has had written since its start.", written)
    yield _one("clock_synchronised", "gauge", "The clock has been set in this boot.", health.clock.synchronised)
    yield _one("master_rows", "gauge", "Rows of the article master.", health.master.rows)
    yield _one("master_age_days", "gauge", "Age of the article master.", health.master.age_days)
    if health.broker is not None:
        broker = health.broker
        yield _one("broker_connected", "gauge", "A broker has accepted the connection.", broker.url is not None)
        yield _one("acknowledged_total", "counter", "Events acknowledged since the start.", broker.acknowledged)
        yield _one("refused_total", "counter", "Events the broker refused since the start.", broker.refused)
    connected = tuple(({"scanner": one.name}, float(one.link == "connected")) for one in health.scanners)
    yield Metric("scanner_connected", "gauge", "The scanner can be read.", connected)
    dropped = tuple(({"scanner": one.name}, float(one.queue_full)) for one in health.scanners)
    yield Metric("scanner_queue_full_total", "counter", "Scans not taken because the queue was full.", dropped)
    counted = tuple(({"result": name}, float(count)) for name, count in sorted(health.counters.items()))
    yield Metric("scans_total", "counter", "What became of scans since the start.", counted)
    labels = tuple(
        ({"scanner": scanner, "result": result}, float(getattr(row, result)))
        for scanner, row in sorted(health.quality.items())
        for result in QualityRow.__struct_fields__
    )
    yield Metric("labels_total", "counter", "How well each scanner has read labels since the start.", labels)
    if health.board is not None:
        board = health.board
        yield _one("temperature_celsius", "gauge", "Temperature of the board.", board.temperature_celsius)
        yield _one("under_voltage", "gauge", "The power supply is too weak now.", board.under_voltage)
        yield _one("throttled", "gauge", "The board is slowed by heat or power now.", board.throttled)


def _one(name: str, kind: str, meaning: str, value: float | None, **labels: str) -> Metric:
    return Metric(name, kind, meaning, ((labels, value),))


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    """Text format: backslash, quote and line feed are escaped in a label's value."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
