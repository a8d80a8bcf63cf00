"""A station on a table: labels are scanned at given seconds, and what came of them is read off."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drivers.model import Frame, Signal
from drivers.raw_scan import to_raw_scan
from gateway import samples
from gateway.articles.build.import_job import import_file
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.settings import SourceSettings
from gateway.config.loader import parse
from gateway.outbox.entry import NewEvent, Write
from gateway.outbox.used_pieces import StationJournal
from gateway.outbox.writer import Outbox
from gateway.scanning import station_note
from gateway.scanning.outcome import Outcome
from gateway.scanning.pipeline import RESUMED_EVENTS, Pipeline
from gateway.station.control_codes import ControlCodes
from gateway.station.keys import StationKeys
from gateway.station.protect import Protector
from gateway.system.clock import ClockReading
from gateway.udi.checks import hibc_check_character
from tests.outbox.events import BOOT, BOX, NOW_NS, ROOMY, S, reading

KEY = b"the key of the test site"
CODES = ControlCodes("su", KEY)
KEYS = StationKeys(control=KEY, protector=Protector(hmac_key=("k1", b"0123456789abcdef")))
STARTED_NS = 1000 * S
"""Second 0 of every scene, CLOCK_MONOTONIC."""


def checked(text: str) -> str:
    """A HIBC symbol with its check character."""
    return f"{text}{hibc_check_character(text)}"


# What lies on the shelves: the sample master knows the GS1 articles.
STEM = "]d201095200010001021745123110L2A0417\x1d21NS700312"
"""Hip stem, an implant: everything in one symbol."""
SCREW = "]d201095200010004091745123110S1"
"""Screw: a lot, no serial number."""
TAPE = "]E09520007000304"
"""Fixation tape, EAN-13; its master demands nothing."""
GAUZE = "]d2010952000700010610K1"
"""Gauze: a lot, no implant."""
PLATE = "]C10109520001000508"
"""Bone plate, an implant: the GTIN in a linear symbol of its own."""
PLATE_LOT = "]C11745123110K7"
"""The second symbol of its label."""
GLOVE = "]C10109520005000207"
"""Sterile gloves: the master demands lot and expiry."""
NAIL = "]A0" + checked("+A123BJC5D6E71")
"""HIBC primary; link character G."""
NAIL_LOT = "]A0" + checked("+$$34512317K3G")
"""Its secondary."""
WIRE = "]A0" + checked("+A99SKRUV200")
"""HIBC primary of something else; link character Z."""
WIRE_LOT = "]A0" + checked("+$$34512318L9Z")
GRAFT, GRAFT_SERIAL, GRAFT_EXPIRY = "]C0=/A9999XYZ100T0944", "]C0=,000025", "]C0=>045032"
"""A tissue graft in ISBT 128: one structure in each linear symbol (ICCBBA ST-017)."""
SHELF = "VGR-200010"
WRISTBAND = "]C18018123456789012345675"
TYPED = "hunter2"
"""What somebody typed, or a scanner read off something else."""
CASE, NEXT_CASE = "]d2orbit:OP-1", "]d2orbit:OP-2"
PATIENT, NEXT_PATIENT = "19121212-1212", "19701063-2391"


def control(command: str) -> str:
    return "]d2" + CODES.write(command)


class Stage:
    """One station. `scan` and `wait` return the signal; `events` tells what was published, in words."""

    def __init__(
        self,
        directory: Path,
        profile: str = "supply-room",
        keys: StationKeys = KEYS,
        person_mode: str = "hmac",
        **station: Any,  # noqa: ANN401 - TOML
    ) -> None:
        self._directory = directory
        if not (directory / "articles").exists():
            import_file(
                directory / "articles", SourceSettings(name="s"), samples.articles_csv(), now=datetime.now(UTC)
            )
        document = {
            "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
            "station": {"id": "st1", "profile": profile, **station},
            "context": {"case_mode": "clear", "person_mode": person_mode},
            "scanner": [{"name": "front", "device": "/dev/null"}, {"name": "back", "device": "/dev/zero"}],
        }
        journal = StationJournal(directory / "outbox.db")
        self.pipeline = Pipeline(parse(document, "test"), ArticleMaster(directory / "articles"), keys, journal)
        self.writes: list[Write] = []
        self.outcomes: list[Outcome] = []
        self.outbox: Outbox | None = None
        """Where everything is stored, if the test wants that."""
        self._count = 0

    def begin(self, second: float = 0.0, count: int = 0) -> "Stage":
        """Go on with what an earlier life has stored, as the worker does; `count`: how many scans there were."""
        self.outbox, self._count = Outbox(self._directory / "outbox.db", ROOMY, BOX), count
        clock = self.clock(second)
        self.outbox.append([], clock, seal=True)
        note = self.outbox.station_note(station_note.KEY)
        kept = self.pipeline.resume(self.outbox.recent(RESUMED_EVENTS), clock, note)
        self.outbox.append(kept, clock, seal=True)
        return self

    def clock(self, second: float) -> ClockReading:
        """The clock at a second of the scene."""
        ns = int(second * S)
        return reading(at_ns=NOW_NS + ns, monotonic_ns=STARTED_NS + ns, boot=BOOT)

    def scan(self, second: float, code: str, scanner: str = "front") -> Signal:
        """Scan a code at a second of the scene."""
        clock = self.clock(second)
        self._count += 1
        raw = to_raw_scan(scanner, Frame(data=code.encode(), started_ns=clock.monotonic_ns))
        outcome = self.pipeline.consider(raw, clock, f"id-{self._count}")
        self._keep(outcome, second)
        assert outcome.signal is not None
        return outcome.signal

    def wait(self, second: float) -> list[Signal]:
        """Let nothing happen until a second of the scene."""
        outcomes = self.pipeline.elapse(self.clock(second))
        for outcome in outcomes:
            self._keep(outcome, second)
        return [outcome.signal for outcome in outcomes if outcome.signal is not None]

    def _keep(self, outcome: Outcome, second: float) -> None:
        self.outcomes.append(outcome)
        self.writes.extend(outcome.writes)
        if self.outbox is not None and outcome.writes:
            self.outbox.append(outcome.writes, self.clock(second), seal=True)

    @property
    def drafts(self) -> list[NewEvent]:
        """Every event."""
        return [write for write in self.writes if isinstance(write, NewEvent)]

    @property
    def events(self) -> list[str]:
        """Every event in words: action, reason, pieces, what; whether it is half a label, a repeat, an undo."""
        return [words(draft) for draft in self.drafts]

    def close(self) -> None:
        self.pipeline.close()
        if self.outbox is not None:
            self.outbox.abandon()


def words(draft: NewEvent) -> str:
    """Tell an event in words."""
    data = draft.data
    parts = [data.action, *([data.reason] if data.reason else [])]
    if data.count is not None:
        parts.append(data.count.mode)
    if data.quantity != 1:
        parts.append(f"x{data.quantity}")
    if data.undoes:
        return " ".join([*parts, data.undoes])
    udi = data.udi
    if udi is None:
        parts.append(data.symbols[0].text)
    else:
        parts.append(udi.device_identifier or "no-DI")
        parts.extend(
            f"{key}={value}" for key, value in (("lot", udi.lot_number), ("sn", udi.serial_number)) if value
        )
    parts.extend(
        f"lacks {finding.element}" for finding in data.verdict.findings if finding.code == "INCOMPLETE_LABEL"
    )
    if data.corrects:
        parts.append(f"corrects {data.corrects}")
    if data.used_despite:
        parts.append(f"despite {data.used_despite.event} {' '.join(data.used_despite.findings)}")
    if data.verdict.disposition == "refused" and not data.undoes:
        parts.append("refused")
    if data.destination:
        parts.append(f"to {data.destination}")
    if data.repeats:
        parts.append(f"repeats {data.repeats}")
    context = data.context
    parts.extend(
        f"{kind}={value if isinstance(value, str) else value['scheme']}"
        for kind, value in (
            ("case", context.case),
            ("location", context.location),
            ("patient", context.patient),
            ("performer", context.performer),
        )
        if value
    )
    return " ".join(parts)
