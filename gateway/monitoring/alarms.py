"""What a person should look at, in words, most urgent first."""

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from drivers.indicator import Indicator
from drivers.model import ConnectionState
from gateway.articles.lookup.status_message import StatusMessage
from gateway.monitoring.health import BoardHealth
from gateway.mqtt.publisher_status import PublisherStatus
from gateway.outbox.capacity import Capacity
from gateway.outbox.salvage import quarantined, set_aside
from gateway.scanning.reader import Reader
from gateway.scanning.worker_status import WorkerStatus
from gateway.station.view import StationView
from gateway.system.clock import NS, local_rfc3339

CERTIFICATE_SECONDS: Final = 30 * 86_400
"""A certificate that ends within so long is an alarm: renewing one takes people and tickets."""

WAITING_SECONDS: Final = 300.0
"""An event that waits longer is an alarm, whatever the reason: an outage that nobody sees is the worst."""
FLAPPING_SECONDS: Final = 600.0
FLAPPING_BREAKS: Final = 4
"""So many broken connections within FLAPPING_SECONDS are no accident."""


def storing(worker: WorkerStatus, state: Path) -> Iterator[str]:
    """Whether scans can be kept; `state`: the state directory."""
    if worker.trouble is not None:
        yield f"scans are not stored: {worker.trouble}"
    aside = quarantined(state)
    if worker.lost and aside:
        yield f"events were lost to a damaged disk: {worker.lost}; scan again what they were, if it is known"
    for name in aside:
        yield f"the outbox was damaged and salvaged: check the disk, look at {name}, move it away"
    for name in set_aside(state):
        yield (
            f"another outbox was put in its place: check whether {name} holds scans that never left this box, then "
            "move it away"
        )
    if worker.capacity.level is not Capacity.FREE:
        yield f"room for scans: {worker.capacity.level.value}"
    if worker.dead_letters:
        yield f"dead letters: {worker.dead_letters}: see `scangate outbox dead`"


def attributing(view: StationView | None) -> Iterator[str]:
    """Whether what is scanned belongs to the case that the central system has set."""
    if view is not None and view.clash_since is not None:
        yield (
            f"station {view.station}: since {view.clash_since[11:16]} another patient's wristband than that of the "
            "case set by the central system: scan the right one, the case, or 'same patient'"
        )


UNTERMINATED_RULE: Final = 3
"""So many codes in a row without their terminator are no accident, but how the scanner is set up."""


def delivering(
    status: PublisherStatus | None, *, stalled_seconds: float, client_certificate_ends: float | None, now: float
) -> Iterator[str]:
    """Whether events reach the central system, and will go on to.

    `stalled_seconds`: how long the oldest event has waited; `now`: CLOCK_MONOTONIC seconds.
    """
    if status is None:
        return
    if status.problem:
        yield f"not delivering: {status.problem}"
    if stalled_seconds >= WAITING_SECONDS:
        why = "see above" if status.problem else status.broke_because or "the broker is connected and takes none"
        yield f"events have waited for delivery for {stalled_seconds / 60:.0f} minutes: {why}"
    breaks = sum(now - at < FLAPPING_SECONDS for at in status.breaks)
    if breaks >= FLAPPING_BREAKS:
        why = f" ({status.broke_because})" if status.broke_because else ""
        yield (
            f"the connection to the broker broke {breaks} times in {FLAPPING_SECONDS / 60:.0f} minutes{why}: look for "
            "a bad network, or another client with this box's client id"
        )
    if status.taken_over_at is not None and now - status.taken_over_at < FLAPPING_SECONDS:
        yield "another client connects with this box's client id: two boxes must not share one"
    said = (
        status.ack_problem,
        status.downgraded,
        status.inbound_problem,
        status.state_problem,
        status.memory_problem,
    )
    yield from (problem for problem in said if problem)
    yield from _certificates(status, client_certificate_ends)


def _certificates(status: PublisherStatus, client_certificate_ends: float | None) -> Iterator[str]:
    for whose, ends in (("the broker's", status.broker_certificate_ends), ("this box's", client_certificate_ends)):
        if ends is not None and ends < time.time() + CERTIFICATE_SECONDS:
            verb = "ended" if ends < time.time() else "ends"
            yield f"{whose} certificate {verb} on {local_rfc3339(int(ends) * NS)[:10]}: renew it"


def impersonated(*, seen: bool) -> Iterator[str]:
    """Whether another machine works under this box's identity."""
    if seen:
        yield "another machine works under this box's tenant, site and id: give each box its own, or switch one off"


def scanning(readers: Iterable[Reader]) -> Iterator[str]:
    """Whether every scanner can be read."""
    for reader in readers:
        scanner = reader.scanner
        if trouble := reader.trouble:
            yield f"scanner {reader.name}: {trouble}"
        elif scanner.connection is not ConnectionState.CONNECTED:
            why = f" ({scanner.connection_detail})" if scanner.connection_detail else ""
            yield f"scanner {reader.name}: {scanner.connection.value}{why}"
        elif reader.unterminated >= UNTERMINATED_RULE:
            ending = scanner.settings.terminator
            yield (
                f"scanner {reader.name}: its codes come without their terminator ({ending}) and are refused: "
                f"`scangate scanners test {reader.name}` says what to set"
            )
        if scanner.gs_missed and not scanner.gs_seen:
            yield (
                f"scanner {reader.name}: has never sent the separator GS, and elements of a label may run together: "
                f"scan the page of `scangate scanners calibrate {reader.name}`"
            )


def drifting(troubles: Mapping[str, str]) -> Iterator[str]:
    """Whether every scanner's own settings are what they were; scanner -> what is wrong with them."""
    for name, trouble in sorted(troubles.items()):
        yield f"scanner {name}: {trouble}: see `scangate firmware check {name}`"


def showing(indicator: Indicator | None) -> Iterator[str]:
    """Whether lamps and buzzer can speak for the scanners."""
    if indicator is not None and indicator.trouble is not None:
        yield indicator.trouble


def mastering(
    articles_status: StatusMessage, problem: str | None, refused_delta: str | None, affected: int | None
) -> Iterator[str]:
    """Whether what the box knows of articles is whole and current; `affected`: past scans that a recall touches."""
    if affected:
        yield f"recall: it touches {affected} past scans: see `scangate articles affected`"
    if problem:
        yield f"article master: {problem}"
    if articles_status.problem and articles_status.problem != problem:
        yield f"article deltas: {articles_status.problem}"
    if refused_delta:
        yield f"article deltas: the newest was refused: {refused_delta}"
    for source in articles_status.sources:
        if source.gap:
            runs = ", ".join(
                f"{first}-{last}" if first < last else f"{first}" for first, last in source.missing[:3]
            )
            more = " and more" if len(source.missing) > 3 else ""  # noqa: PLR2004 - as above
            yield f"article deltas {runs}{more} of {source.name} are missing, recalls perhaps: have them sent again"
    if articles_status.old:
        yield f"the article master is {articles_status.age_days} days old: see `scangate articles sources`"


def of_board(board: BoardHealth | None) -> Iterator[str]:
    """Whether the board has power and air."""
    if board is not None and board.under_voltage:
        yield "the power supply is too weak: use the one made for this board"
    if board is not None and board.throttled:
        yield "the board is slowed by heat or want of power: check its place and its power supply"
