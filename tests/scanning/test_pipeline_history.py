"""A station with a real outbox through any history: scans, codes, pauses and power cuts, in any order."""

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.events import cloudevent
from gateway.outbox.writer import Outbox
from gateway.scanning.pipeline import RESUMED_EVENTS
from gateway.station.values import LABEL_COMPLETED
from tests.outbox.events import BOX, ROOMY, stored
from tests.scanning.stage import (
    CASE,
    CODES,
    GLOVE,
    GRAFT,
    GRAFT_EXPIRY,
    GRAFT_SERIAL,
    NAIL,
    NAIL_LOT,
    PATIENT,
    PLATE,
    PLATE_LOT,
    SCREW,
    SHELF,
    STEM,
    TAPE,
    TYPED,
    WIRE_LOT,
    WRISTBAND,
    Stage,
)

LABELS = (
    *(STEM, SCREW, TAPE, PLATE, PLATE_LOT, GLOVE, NAIL, NAIL_LOT, WIRE_LOT),
    *(GRAFT, GRAFT_SERIAL, GRAFT_EXPIRY, SHELF),
)
COMMANDS = ("RETURN", "DISCARDEXPIRED", "QTY5", "UNDO", "CANCEL", "CLEARCONTEXT", "WHOAMI")
OTHERS = (CASE, PATIENT, WRISTBAND, TYPED, *("]d2" + CODES.write(command) for command in COMMANDS))
POWER_CUT = "power cut"

Step = tuple[str, str, float]
STEPS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(LABELS), st.sampled_from(OTHERS), st.just(POWER_CUT)),
        st.sampled_from(("front", "back")),
        st.sampled_from((0.2, 1.0, 5.5, 70.0)),
    ),
    max_size=25,
)


def restarted(station: Stage, directory: Path, now: float) -> Stage:
    """Cut the power, and begin again with what is on disk, as the worker does."""
    station.close()
    again = Stage(directory, "operating-room")
    again.outbox = Outbox(directory / "outbox.db", ROOMY, BOX)
    again.outbox.append([], again.clock(now), seal=True)
    again.pipeline.resume(again.outbox.recent(RESUMED_EVENTS), again.clock(now))
    again._count = station._count
    return again


@settings(max_examples=60, deadline=None)
@given(STEPS)
@example([(PLATE, "front", 0.2), (PLATE, "front", 5.5), (PLATE_LOT, "front", 0.2)])
def test_no_scan_is_lost_and_none_comes_twice(steps: list[Step]) -> None:
    """Each symbol that was answered is in exactly one event that counts, or said nothing new of a label at hand.

    An event undone because a further symbol of its label came does not count: the whole label's event does.
    """
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        now = 0.0
        expected: Counter[tuple[str, str]] = Counter()
        known: Counter[tuple[str, str]] = Counter()
        station = restarted(Stage(directory, "operating-room"), directory, now)
        for code, scanner, pause in steps:
            now += pause
            station.wait(now)
            if code == POWER_CUT:
                station = restarted(station, directory, now)
                continue
            before = station.pipeline.memory.station
            labels = (before.open_items.get(scanner), *before.closed_items.get(scanner, ()))
            station.scan(now, code, scanner)
            if code in LABELS and station.outcomes[-1].writes:
                expected[scanner, code] += 1
            elif code in LABELS:
                assert any(labels)
                known[scanner, code] += 1
        station = restarted(station, directory, now)
        events = [cloudevent.decode_scan(body) for body in stored(directory / "outbox.db").values()]
        station.close()
    completed = {event.data.undoes for event in events if event.data.reason == LABEL_COMPLETED}
    found, replaced = (
        Counter(
            (event.data.station.scanner, (symbol.symbology or "") + symbol.text)
            for event in events
            if (event.id in completed) is undone
            for symbol in event.data.symbols
        )
        for undone in (False, True)
    )
    # A label that went out incomplete and is scanned again is one label: its whole event has the symbol once.
    assert expected <= found + replaced
    assert found - expected <= known
    for number, event in enumerate(events):
        if event.data.reason == LABEL_COMPLETED:
            whole = next(later for later in events[number:] if later.data.action != "undo")
            (part,) = (one for one in events if one.id == event.data.undoes)
            assert {one.text for one in part.data.symbols} <= {one.text for one in whole.data.symbols}
    ids = [event.id for event in events]
    assert len(ids) == len(set(ids))
    for event in events:
        assert event.data.undoes is None or event.data.undoes in ids[: ids.index(event.id)]
        assert event.data.repeats is None or event.data.repeats in ids[: ids.index(event.id)]
    undone = [event.data.undoes for event in events if event.data.undoes]
    assert len(undone) == len(set(undone))
