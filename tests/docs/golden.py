"""The example events of docs/events, made by the real pipeline from the sample master with a fixed clock.

`python -m tests.docs.golden` writes them anew.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from drivers.model import Frame
from drivers.raw_scan import to_raw_scan
from gateway import samples
from gateway.articles.build.import_job import import_file
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.settings import SourceSettings
from gateway.config.loader import parse
from gateway.events import cloudevent
from gateway.outbox.entry import NewEvent
from gateway.scanning.pipeline import Pipeline
from gateway.scanning.station_state import StationState
from gateway.station.control_codes import ControlCodes
from gateway.station.keys import StationKeys
from gateway.station.protect import Protector
from gateway.system.clock import ClockReading

FOLDER: Final = Path(__file__).parents[2] / "docs" / "events"
SOURCE: Final = "urn:scangate:vgr:su:su-op3-gw01"
EPOCH: Final = "5f0c2a9b1d7e4c83"
TIME_ZONE: Final = "CET-1CEST,M3.5.0,M10.5.0/3"
"""Sweden, in a form that needs no time zone files."""
MASTER_BUILT: Final = datetime(2026, 11, 21, 3, tzinfo=UTC)
SCANNED_NS: Final = int(datetime(2026, 11, 21, 21, 41, 7, 312_000, tzinfo=UTC).timestamp() * 1000) * 1_000_000
RECORDED_NS: Final = SCANNED_NS + 8_000_000
SECOND_NS: Final = 1_000_000_000
KEYS: Final = StationKeys(control=b"the key of the examples", protector=Protector())
CODES: Final = ControlCodes("su", KEYS.control)
UNDO: Final = b"]d2" + CODES.write("UNDO").encode()
DISCARD: Final = b"]d2" + CODES.write("DISCARDOPENEDUNUSED").encode()
DESPITE: Final = b"]d2" + CODES.write("USEDDESPITE").encode()
STEM: Final = b"]d201095200010001021745123110L2A0417\x1d21NS700312"
SCENES: Final[Mapping[str, tuple[bytes, ...]]] = {
    "accepted": (b"]d201095200010001021745123110L2A0417\x1d21NS700312",),
    "accepted-with-warning": (b"]d201095200090077071748063010K88120",),
    "refused-expired": (b"]d201095200040001091724053110R3001",),
    "refused-recalled": (b"]d201095200010004161744103110S24-0093",),
    "shelf-label": (b"VGR-200010",),
    "two-symbols": (b"]A0+A123BJC5D6E71G", b"]A0+$$34512317K3GC"),
    "incomplete": (b"]A0+A123BJC5D6E71G",),
    "repeat": (b"]d201095200010001021745123110L2A0417\x1d21NS700312",) * 2,
    "discard-corrects": (STEM, DISCARD, STEM),
    "used-despite": (b"]d201095200010004161744103110S24-0093", DESPITE),
    "undo": (b"]d201095200010001021745123110L2A0417\x1d21NS700312", UNDO),
}
"""Name of an example -> what is scanned for it, a second apart. The last event that comes of it is the example."""
AT_STORE: Final = frozenset({"refused-expired"})
"""Scanned in a supply room; in an operating room it is recorded with a warning."""


def events(state: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, event) for every example."""
    import_file(state, SourceSettings(name="jeeves-miv"), samples.articles_csv(), now=MASTER_BUILT)
    theatre, store = (station(state, *one) for one in (("op3", "operating-room"), ("store1", "supply-room")))
    clock = ClockReading(
        wall_ns=SCANNED_NS,
        monotonic_ns=8_123_456_789,
        boot_id="7d1f3b6a9c2e48d5b0a1c2d3e4f50617",
        synchronised=True,
        lower_bound_ns=SCANNED_NS,
    )
    for sequence, (name, symbols) in enumerate(SCENES.items(), 4711):
        draft = scene(store if name in AT_STORE else theatre, clock, symbols, sequence)
        at = cloudevent.Position(epoch=EPOCH, sequence=sequence, recorded_ns=RECORDED_NS)
        yield name, cloudevent.scan_event(draft.id, SOURCE, draft.time_ns, draft.data, at)
    at = cloudevent.Position(epoch=EPOCH, sequence=4711 + len(SCENES), recorded_ns=RECORDED_NS)
    offset = SCANNED_NS - clock.monotonic_ns
    clock_data = cloudevent.ClockData(boot_id=clock.boot_id, offset_ns=offset)
    yield "clock", cloudevent.clock_event("00000000-0000-4000-8000-000000009999", SOURCE, clock_data, at)
    refused = cloudevent.scan_event("00000000-0000-4000-8000-000000009998", SOURCE, SCANNED_NS, draft.data, at)
    reason = "larger than the broker's maximum packet size of 16384 bytes"
    yield "parked", cloudevent.parked_event(refused, at.sequence, reason, SOURCE, at.epoch, at.recorded_ns)
    case = cloudevent.CaseData(
        case="orbit:OP-20261121-0317",
        patient=None,
        location="https://id.gs1.org/414/9520001000003/254/OP3",
        opened="2026-11-21T20:02:11.000+01:00",
        used=1,
        wasted=1,
        returned=0,
        explanted=0,
        unresolved=1,
        items=(
            cloudevent.CaseItem(
                event="00000000-0000-4000-8000-000000004711",
                quantity=1,
                device_identifier="09520001000102",
                lot_number="L2A0417",
                serial_number="NS700312",
                article_number="VGR-104233",
                trade_name="Nordan Stam 12",
                implant=True,
            ),
        ),
        open_questions=(
            cloudevent.CaseQuestion(event="00000000-0000-4000-8000-000000004717", why=("INCOMPLETE_LABEL",)),
        ),
    )
    at = cloudevent.Position(epoch=EPOCH, sequence=4712 + len(SCENES), recorded_ns=RECORDED_NS)
    yield "case", cloudevent.case_event("00000000-0000-4000-8000-000000009997", SOURCE, SCANNED_NS, case, at)
    theatre.close()
    store.close()


def station(state: Path, name: str, profile: str) -> Pipeline:
    """A station with the sample master."""
    document = {
        "gateway": {"tenant": "vgr", "site": "su", "id": "su-op3-gw01"},
        "station": {"id": name, "profile": profile},
        "scanner": [{"name": "front", "device": "/dev/serial/by-id/scanner"}],
    }
    return Pipeline(parse(document, "golden"), ArticleMaster(state), KEYS)


def scene(pipeline: Pipeline, start: ClockReading, symbols: Sequence[bytes], sequence: int) -> NewEvent:
    """Scan the symbols at a station just set up, wait until nothing is open, return the last event."""
    pipeline.memory = StationState()
    outcomes = []
    for place, data in enumerate(symbols):
        scan = to_raw_scan("front", Frame(data=data, started_ns=start.monotonic_ns + place * SECOND_NS))
        identity = f"00000000-0000-4000-8{place:03d}-{sequence:012d}"
        outcomes.append(pipeline.consider(scan, start, identity))
    outcomes.extend(pipeline.finish(start))
    *_, last = (write for outcome in outcomes for write in outcome.writes if isinstance(write, NewEvent))
    return last


def pretty(event: bytes) -> bytes:
    """An event as it stands in the folder."""
    return msgspec.json.format(event, indent=2) + b"\n"


if __name__ == "__main__":
    os.environ["TZ"] = TIME_ZONE
    time.tzset()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, event in events(Path(folder)):
            (FOLDER / f"{name}.json").write_bytes(pretty(event))
