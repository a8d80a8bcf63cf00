"""The intake for Prometheus (text exposition format 0.0.4). Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from intake.counters import Counters
from intake.status import IntakeStatus

Samples = list[tuple[Mapping[str, str], float | None]]


def text(status: IntakeStatus | None, counters: Counters, source_ready: bool, now: datetime) -> str:  # noqa: FBT001
    """Return the page. `status`: None when the database cannot be read."""
    lines: list[str] = []
    for name, kind, words, samples in _metrics(status, counters, now, source_ready=source_ready):
        present = [(labels, value) for labels, value in samples if value is not None]
        if present:
            lines += [f"# HELP scangate_intake_{name} {words}", f"# TYPE scangate_intake_{name} {kind}"]
            lines += [f"scangate_intake_{name}{_labels(labels)} {float(value):.15g}" for labels, value in present]
    return "\n".join(lines) + "\n"


def _metrics(
    status: IntakeStatus | None, counters: Counters, now: datetime, *, source_ready: bool
) -> Iterator[tuple[str, str, str, Samples]]:
    yield "source_ready", "gauge", "Whether events arrive: 1 connected and subscribed.", [({}, source_ready)]
    database = status is not None and counters.database_problem is None
    yield "database_ready", "gauge", "Whether the database takes and gives: 1 it does.", [({}, database)]
    yield "messages_total", "counter", "Messages taken from the broker since the start.", [({}, counters.messages)]
    yield "stored_total", "counter", "Events stored since the start.", [({}, counters.stored)]
    yield "copies_total", "counter", "Events that had come before, since the start.", [({}, counters.copies)]
    yield "poison_total", "counter", "Messages that were no event, since the start.", [({}, counters.poison)]
    yield "replays_total", "counter", "Ranges asked for again since the start.", [({}, counters.replays)]
    if status is None:
        return
    yield "events", "gauge", "Events in the database.", [({}, status.stored)]
    yield "passed_over", "gauge", "Numbers passed without an event.", [({}, status.passed_over)]
    boxes = status.boxes()
    yield (
        "missing",
        "gauge",
        "Numbers of a box that are not here.",
        [(_of(one.source), one.missing) for one in boxes],
    )
    yield (
        "hole_seconds",
        "gauge",
        "How long numbers of a box have been missing.",
        [(_of(one.source), (now - one.hole_since).total_seconds() if one.hole_since else 0.0) for one in boxes],
    )
    yield (
        "frontier",
        "gauge",
        "Everything of a box up to here is stored.",
        [(_of(o.source), o.frontier) for o in boxes],
    )
    yield (
        "lag_seconds",
        "gauge",
        "Since the last event of a box.",
        [(_of(one.source), one.lag_seconds) for one in boxes],
    )
    yield (
        "box_online",
        "gauge",
        "Whether a box is connected to its broker.",
        [(_of(one.source), one.status == "online" if one.status else None) for one in boxes],
    )
    yield "box_waiting", "gauge", "Events that wait in a box.", [(_of(one.source), one.waiting) for one in boxes]
    yield "box_alarms", "gauge", "Alarms in force on a box.", [(_of(one.source), one.alarms) for one in boxes]


def _of(source: str) -> dict[str, str]:
    site, gateway = source.split(":")[-2:]
    return {"site": site, "gateway": gateway}


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
