"""A station through the scenes of tests/scanning/scenes.py, and what lies between them."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import parse
from gateway.events import cloudevent
from gateway.events.exports.netting import in_force
from gateway.events.stored_event import StoredEvent
from gateway.outbox.entry import JournalledSymbol, NewEvent
from gateway.outbox.writer import Outbox
from gateway.scanning import station_note
from gateway.scanning.pipeline import RESUMED_EVENTS, Pipeline
from gateway.scanning.station_state import MAX_RECENT, StationState
from gateway.station.keys import StationKeys
from gateway.station.protect import Protector
from gateway.station.values import MAX_UNDO
from tests.outbox.events import BOX, ROOMY, S
from tests.scanning.scenes import (
    ACCEPTED,
    FIVE,
    MORE,
    RECEIVE,
    REFUSED,
    RETURN,
    SCENES,
    STEM_IS,
    STORE,
    THEATRE,
    UNDO,
    WAIT,
    WARNING,
    Scene,
)
from tests.scanning.stage import CASE, PATIENT, PLATE, PLATE_LOT, SCREW, STEM, TYPED, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def make(profile: str = STORE, **station: Any) -> Stage:  # noqa: ANN401 - TOML values
        made.append(Stage(tmp_path, profile, **station))
        return made[-1]

    yield make
    for one in made:
        one.close()


Make = Callable[..., Stage]


@pytest.mark.parametrize(
    ("profile", "scene", "events"), [one[1:] for one in SCENES], ids=[one[0] for one in SCENES]
)
def test_scenes(stage: Make, profile: str, scene: Scene, events: list[str]) -> None:
    station = stage(profile)
    for second, code, signal in scene:
        if code == WAIT:
            assert station.wait(second) == ([] if signal is None else [signal]), second
        else:
            assert station.scan(second, code) is signal, (second, code)
    assert station.events == events
    assert "191212" not in repr(station.writes)
    assert TYPED not in repr(station.writes)
    assert "1234567890" not in repr(station.writes)


def test_scanners_never_share_a_label(stage: Make) -> None:
    station = stage(THEATRE, repeat_seconds=0)
    assert station.scan(0, PLATE, "front") is MORE
    assert station.scan(1, PLATE_LOT, "back") is MORE
    assert station.scan(2, PLATE_LOT, "front") is ACCEPTED
    assert station.scan(3, PLATE, "back") is ACCEPTED
    assert station.events == ["consume 09520001000508 lot=K7"] * 2
    assert [draft.data.station.scanner for draft in station.drafts] == ["front", "back"]


def test_each_symbol_is_journalled_as_what_it_is_so_far(stage: Make) -> None:
    """The draft that is held is the event that comes out if nothing more is scanned."""
    station = stage(THEATRE)
    station.scan(0, PLATE)
    station.wait(6)
    held, published = station.writes
    assert isinstance(held, JournalledSymbol)
    assert isinstance(published, NewEvent)
    assert published == msgspec.structs.replace(held.draft, closes="front")


def test_a_symbol_on_the_wire_when_its_time_is_up_still_belongs(stage: Make) -> None:
    """Its trigger was pulled in time; a long symbol takes its time over a slow line."""
    station = stage(THEATRE)
    station.scan(0, PLATE)
    assert station.wait(5.1) == []
    assert station.scan(4.99, PLATE_LOT) is ACCEPTED


def test_an_undo_tells_what_it_takes_back(stage: Make) -> None:
    station = stage()
    station.scan(0, STEM)
    station.scan(1, UNDO)
    first, undo = (draft.data for draft in station.drafts)
    assert (undo.udi, undo.article, undo.symbols) == (first.udi, first.article, ())
    assert undo.verdict.findings == ()
    assert cloudevent.subject_of(undo.udi) == cloudevent.subject_of(first.udi)


def test_settings(stage: Make) -> None:
    station = stage(
        THEATRE, pairing_seconds=2, repeat_seconds=0, action_seconds=10, undo_seconds=5, default_action="receive"
    )
    station.scan(0, PLATE)
    assert station.wait(2.4) == [WARNING]
    assert [station.scan(second, STEM) for second in (3, 4)] == [ACCEPTED, ACCEPTED]
    assert station.scan(10, UNDO) is REFUSED
    station.scan(20, RETURN)
    station.scan(31, STEM)
    assert [event.split()[0] for event in station.events] == ["receive"] * 4


def test_without_a_key_no_control_code_is_obeyed(tmp_path: Path, stage: Make) -> None:
    station = stage()
    codeless = StationKeys(control=None, protector=Protector())
    document = {
        "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
        "scanner": [{"name": "front", "device": "/dev/null"}],
    }
    station.pipeline = Pipeline(parse(document, "test"), ArticleMaster(tmp_path / "articles"), codeless)
    assert station.scan(0, RETURN) is REFUSED
    assert station.outcomes[-1].counts == ("foreign.no-key",)
    assert "code_key_file" in (station.outcomes[-1].remark or "")
    assert station.scan(1, CASE) is REFUSED
    assert station.outcomes[-1].news == {"contextRefused": "case", "why": "no-seal-key"}
    assert station.pipeline.memory == StationState()


class TestView:
    def test_a_station_with_everything_set(self, stage: Make) -> None:
        station = stage(THEATRE)
        for second, code in enumerate((CASE, PATIENT, STEM, RECEIVE, FIVE)):
            station.scan(second, code)
        station.scan(5, PLATE)
        view = msgspec.to_builtins(station.pipeline.view(station.clock(6)))
        assert view["action"] == "receive"
        assert view["quantity"] == 1, "the plate has taken the five"
        assert view["contextKinds"] == ("case", "patient")
        assert [(one["scanner"], one["missing"]) for one in view["waiting"]] == [("front", ("lot",))]
        assert view["lastEvent"] == "id-3"
        assert None not in {view["actionExpiresAt"], view["contextExpiresAt"], view["undoUntil"]}
        assert "OP-1" not in str(view)

    def test_the_last_event_is_shown_when_it_can_no_longer_be_taken_back(self, stage: Make) -> None:
        station = stage()
        station.scan(0, STEM)
        station.scan(1, SCREW)
        station.scan(2, UNDO)
        station.wait(200)
        view = station.pipeline.view(station.clock(200))
        assert (view.last_event, view.undo_until) == ("id-1", None)

    def test_a_station_at_rest(self, stage: Make) -> None:
        station = stage()
        view = station.pipeline.view(station.clock(0))
        assert (view.action, view.quantity, view.context_kinds, view.waiting) == ("consume", 1, (), ())
        assert (view.action_expires_at, view.undo_until, view.last_event) == (None, None, None)


class TestResume:
    """What was scanned before a restart of the daemon is known afterwards; a context is not."""

    def bodies(self, station: Stage) -> list[bytes]:
        at = cloudevent.Position(epoch="e", sequence=1, recorded_ns=0)
        return [cloudevent.scan_event(one.id, "urn:x", one.time_ns, one.data, at) for one in station.drafts]

    def test_a_repeat_is_known_across_a_restart(self, stage: Make) -> None:
        before, after = stage(THEATRE), stage(THEATRE)
        before.scan(0, CASE)
        before.scan(1, STEM)
        before.scan(2, STEM)
        after.pipeline.resume([b"noise", *self.bodies(before)], after.clock(30))
        after._count = 10
        assert after.scan(40, STEM) is WARNING
        assert after.events == [f"consume {STEM_IS} repeats id-2"]

    def test_undoing_goes_on_where_it_was(self, stage: Make) -> None:
        before, after = stage(), stage()
        for second, code in enumerate((STEM, SCREW, UNDO)):
            before.scan(second, code)
        after.pipeline.resume(self.bodies(before), after.clock(30))
        after._count = 10
        assert [after.scan(31, UNDO), after.scan(35, UNDO)] == [ACCEPTED, REFUSED]
        assert after.events == ["undo id-1"]
        assert after.drafts[0].data.udi == before.drafts[0].data.udi

    @pytest.mark.parametrize(("later", "known"), [(30, True), (400, False)])
    def test_after_a_reboot_the_wall_clock_tells(self, stage: Make, later: int, known: bool) -> None:  # noqa: FBT001
        before, after = stage(THEATRE), stage(THEATRE)
        before.scan(0, STEM)
        clock = msgspec.structs.replace(after.clock(later), boot_id="f" * 32, monotonic_ns=5 * S)
        after.pipeline.resume(self.bodies(before), clock)
        assert bool(after.pipeline.memory.repeats.labels) or not known
        assert bool(after.pipeline.memory.station.done) is known

    def test_after_a_reboot_without_a_clock_nothing_is_known(self, stage: Make) -> None:
        before, after = stage(THEATRE), stage(THEATRE)
        before.scan(0, STEM)
        clock = msgspec.structs.replace(after.clock(1), boot_id="f" * 32, synchronised=False)
        after.pipeline.resume(self.bodies(before), clock)
        assert after.pipeline.memory == StationState()

    def test_other_stations_scans_are_not_ours(self, stage: Make) -> None:
        before, after = stage(id="st2"), stage()
        before.scan(0, STEM)
        after.pipeline.resume(self.bodies(before), after.clock(1))
        assert after.pipeline.memory == StationState()

    def test_a_long_history_is_bounded(self, stage: Make) -> None:
        before, after = stage(THEATRE), stage(THEATRE)
        for number in range(RESUMED_EVENTS):
            before.scan(number / 10, f"{STEM}{number}")
        after.pipeline.resume(self.bodies(before), after.clock(30))
        assert len(after.pipeline.memory.station.done) == MAX_UNDO
        assert len(after.pipeline.memory.recent) == MAX_RECENT


@pytest.mark.parametrize("again", [(PLATE_LOT,), (PLATE, PLATE_LOT), (PLATE_LOT, PLATE)])
@pytest.mark.parametrize("away", [1, 40])
def test_a_daemon_killed_between_two_symbols_joins_the_rest_of_the_label(
    stage: Make, tmp_path: Path, away: int, again: tuple[str, ...]
) -> None:
    """Within the window the partner alone is enough; later both are scanned again. Six pieces stay six."""
    before = stage(THEATRE)
    before.outbox = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    for second, code in enumerate((CASE, PATIENT, FIVE, PLATE)):
        before.scan(second, code)
    note = before.outbox.station_note(station_note.KEY)
    before.outbox.abandon()
    before.outbox = None
    after = stage(THEATRE)
    after.outbox = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    after.outbox.append([], after.clock(3 + away), seal=True)
    after.pipeline.resume(after.outbox.recent(RESUMED_EVENTS), after.clock(3 + away), note)
    after._count = 100
    for place, code in enumerate(again):
        after.scan(3.2 + away + place, code)
    last = after.wait(60 + away)
    assert after.outbox is not None
    used = Counter(
        (one.event.data.udi.lot_number, one.quantity)
        for one in in_force(StoredEvent(sequence=0, body=body, state="") for body in after.outbox.recent(99))
        if one.event.data.udi is not None
    )
    if len(again) == 1 and away > 5:
        assert last == [WARNING], "half a label each: said"
    else:
        assert used == Counter({("K7", 5): 1})
