"""A piece never belongs to a case, patient, place or member of staff that was not set for it.

That holds whatever is scanned, by whom, however long nobody scans, and however often the power fails.
The model is the rules of docs/integration.md in plain words: who is set, since when, and when something was scanned
last. It knows nothing of labels, tables or outputs.
"""

import functools
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from drivers.model import Signal
from gateway.events import cloudevent
from tests.outbox.events import S, stored
from tests.scanning.stage import CASE, GAUZE, NEXT_CASE, SCREW, STARTED_NS, STEM, Stage, control

CASES = {CASE: "orbit:OP-1", NEXT_CASE: "orbit:OP-2"}
PATIENTS = ("19121212-1212", "19701063-2391")
BADGES = ("]C18017952000000000000026", "]C18017952000000000000033")
PLACES = ("]C14149520001000003", "]C14149520001000010")
MINUTE, LAPSE, QUESTION = 60, 5400, 4 * 3600
WAITS = (0.4, 2.0, 20.0, 59.0, 61.0, 500.0, 700.0, 5300.0, 5500.0, 20_000.0)
SCANNERS = st.sampled_from(("front", "back"))


class Model:
    """Who and what is set, by the rules alone."""

    def __init__(self) -> None:
        self.set: dict[str, tuple[Any, float]] = {}
        """`case`, `patient`, `location` -> value, since when; `performer` by scanner."""
        self.badges: dict[str, Any] = {}
        self.used = 0.0
        self.ended: dict[str, tuple[Any, float]] = {}
        self.ended_badges: dict[str, Any] = {}
        self.asked_until: float | None = None

    @property
    def _bound(self) -> bool:
        return bool({"case", "patient"} & self.set.keys())

    def pass_to(self, now: float) -> None:
        if (self.set or self.badges) and now > self.used + LAPSE:
            self._end(now, asks=True)
        if self.asked_until is not None and now > self.asked_until:
            self.asked_until = None

    def _end(self, now: float, *, asks: bool) -> None:
        lost = dict(self.set)
        if {"case", "patient"} & lost.keys():
            self.ended, self.ended_badges = lost, dict(self.badges)
            self.asked_until = now + QUESTION if asks else None
        elif self.ended:
            self.ended = {**self.ended, **lost}
            self.ended_badges = {**self.ended_badges, **self.badges}
            self.asked_until = now + QUESTION if asks else None
        self.set, self.badges = {}, {}

    def scan_bound(self, kind: str, value: Any, now: float) -> None:  # noqa: ANN401
        other = "patient" if kind == "case" else "case"
        self.used = now
        if kind in self.set and self.set[kind][0] == value:
            return
        if other in self.set and now - self.set[other][1] > MINUTE:
            self.ended, self.ended_badges = {other: self.set.pop(other)}, {}
            self.asked_until = now + QUESTION
        elif kind in self.set:
            self.ended, self.ended_badges, self.asked_until = {}, {}, None
        self.set[kind] = (value, now)
        if not {"case", "patient"} & (self.ended.keys() - self.set.keys()):
            self.ended, self.ended_badges, self.asked_until = {}, {}, None

    def same_patient(self, now: float) -> None:
        self.used = max(self.used, now)
        if self.asked_until is None or not self.ended:
            return
        for kind, one in self.ended.items():
            self.set.setdefault(kind, one)
        for scanner, badge in self.ended_badges.items():
            self.badges.setdefault(scanner, badge)
        self.ended, self.ended_badges, self.asked_until = {}, {}, None

    def clear(self, scanner: str, now: float) -> None:
        badges = {name: one for name, one in self.badges.items() if name != scanner}
        own = {scanner: self.badges[scanner]} if scanner in self.badges else {}
        self.badges = own
        self._end(now, asks=False)
        self.badges = badges

    def expected(self, scanner: str) -> tuple[Any, ...]:
        values = [self.set[kind][0] if kind in self.set else None for kind in ("case", "patient", "location")]
        return (*values, self.badges.get(scanner))


@functools.cache
def articles() -> Path:
    """The sample master, built once."""
    directory = Path(tempfile.mkdtemp())
    Stage(directory).close()
    return directory / "articles"


class AStation(RuleBasedStateMachine):
    """A station in an operating room with two scanners, beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.directory = Path(self.folder.name)
        (self.directory / "articles").symlink_to(articles())
        self.now = 0.0
        self.model = Model()
        self.stage = self._begin(0)
        self.values: dict[str, Any] = {}
        self.number = 0

    def _begin(self, count: int) -> Stage:
        return Stage(self.directory, "operating-room").begin(self.now, count)

    def _scan(self, code: str, scanner: str) -> Signal:
        self.now += 0.1
        self.model.pass_to(self.now)
        return self.stage.scan(self.now, code, scanner)

    @initialize()
    def quiet(self) -> None:
        """Begin with nothing set."""

    @rule(pause=st.sampled_from(WAITS))
    def wait(self, pause: float) -> None:
        self.now += pause
        self.stage.wait(self.now)
        self.model.pass_to(self.now)

    @rule(code=st.sampled_from((*CASES, *PATIENTS)), scanner=SCANNERS)
    def who(self, code: str, scanner: str) -> None:
        self._scan(code, scanner)
        self.model.scan_bound("case" if code in CASES else "patient", code, self.now)

    @rule(code=st.sampled_from(PLACES), scanner=SCANNERS)
    def where(self, code: str, scanner: str) -> None:
        self._scan(code, scanner)
        self.model.used = self.now
        self.model.set["location"] = (code, self.now)

    @rule(code=st.sampled_from(BADGES), scanner=SCANNERS)
    def badge(self, code: str, scanner: str) -> None:
        self._scan(code, scanner)
        self.model.used = self.now
        self.model.badges[scanner] = code

    @rule(scanner=SCANNERS)
    def same_patient(self, scanner: str) -> None:
        self._scan(control("SAMEPATIENT"), scanner)
        self.model.same_patient(self.now)

    @rule(scanner=SCANNERS)
    def clear(self, scanner: str) -> None:
        self._scan(control("CLEARCONTEXT"), scanner)
        self.model.clear(scanner, self.now)

    @rule(code=st.sampled_from((GAUZE, SCREW, STEM)), scanner=SCANNERS)
    def piece(self, code: str, scanner: str) -> None:
        before = len(self.stage.drafts)
        self._scan(code, scanner)
        self.model.used = self.now if self.model.set or self.model.badges else self.model.used
        for draft in self.stage.drafts[before:]:
            self._belongs(draft.data, self.model.expected(scanner))

    @rule(scanner=SCANNERS)
    def undo(self, scanner: str) -> None:
        events = {draft.id: draft.data for draft in self.stage.drafts}
        before = len(self.stage.drafts)
        self._scan(control("UNDO"), scanner)
        for draft in self.stage.drafts[before:]:
            undone = events.get(draft.data.undoes or "")
            assert undone is None or draft.data.context == undone.context

    @rule(away=st.sampled_from((1.0, 300.0, 599.0, 900.0, 30_000.0)))
    def power_cut(self, away: float) -> None:
        count = self.stage._count
        self.stage.close()
        self.now += away
        self.stage = self._begin(count)
        self._model_restart()

    def _model_restart(self) -> None:
        """What goes on depends on what is on disk; whatever goes on must be what was set."""
        model, station = self.model, self.stage.pipeline.memory.station
        badges = {"performer"} if model.badges else set()
        if station.context:
            assert {key.partition(":")[0] for key in station.context} == {*model.set, *badges}
            bound = {"case", "patient"} & model.set.keys()
            assert all(station.context[kind].restored for kind in bound), "it says so until somebody confirms it"
        elif {"case", "patient"} & model.set.keys():
            model.ended, model.ended_badges = dict(model.set), dict(model.badges)
            model.asked_until = self.now
        if not station.context:
            model.set, model.badges = {}, {}
        asks = station.ended is not None and station.ended.asks
        assert not asks or model.asked_until is not None, "no question that was answered is asked again"
        model.asked_until = station.ended.until_ns / S - STARTED_NS / S if station.ended and asks else None
        model.used = (station.context_until_ns - STARTED_NS) / S - LAPSE

    def _belongs(self, data: cloudevent.ScanData, expected: tuple[Any, ...]) -> None:
        context = data.context
        found = (context.case, context.patient, context.location, context.performer)
        for value, code in zip(found, expected, strict=True):
            if code is None:
                assert value is None, "nothing was set"
            else:
                assert value is not None, "what is set belongs to it"
                said = value if isinstance(value, str) else value["value"]
                assert self.values.setdefault(code, said) == said, "and it is what was set"

    def teardown(self) -> None:
        self.stage.close()
        ids = [cloudevent.decode_scan(body).id for body in stored(self.directory / "outbox.db").values()]
        assert len(ids) == len(set(ids))
        self.folder.cleanup()


def test_no_piece_is_said_to_be_anothers() -> None:
    run_state_machine_as_test(AStation, settings=settings(max_examples=80, stateful_step_count=25, deadline=None))
