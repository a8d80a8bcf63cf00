"""Labels, codes, waits, power cuts and two scanners in any order: what is booked is what the rules say, and whose.

The model is the rules of docs/integration.md in plain words; it knows nothing of tables, regions or outputs. It
predicts each event, and at the end what is in force of the journal.
"""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from drivers.model import Signal
from gateway.events.exports.netting import in_force
from gateway.events.stored_event import StoredEvent
from gateway.outbox.entry import NewEvent
from tests.days.test_attribution import CASES, PATIENTS, SCANNERS, Model, articles
from tests.outbox.events import stored
from tests.scanning.stage import PLATE, Stage, control

ONE_ITEM_SECONDS, LASTING_SECONDS, UNDO_SECONDS, TWICE_SECONDS = 60.0, 300.0, 120.0, 3.0
REPEAT_SECONDS = 120.0
"""[station] action_seconds, lasting_seconds of an operating room, undo_seconds; a code read twice."""
ONE_ITEM = {"DISCARDDAMAGED": "discard", "RETURN": "return", "EXPLANT": "explant"}
LASTING = {"RECEIVE": "receive", "INVENTORY": "inventory"}
WAITS = (0.3, 1.0, 2.0, 10.0, 59.0, 61.0, 130.0, 290.0, 310.0, 5500.0)
STEM, SCREW, PLATE_DI = "09520001000102", "09520001000409", "09520001000508"


class Piece:
    """What one event booked."""

    def __init__(self, action: str, quantity: int, article: str, number: str, whose: Any) -> None:  # noqa: ANN401
        self.action, self.quantity, self.article, self.number, self.whose = action, quantity, article, number, whose
        self.corrects: str | None = None
        self.repeats: str | None = None
        self.refused = self.undone = False
        self.at = 0.0


class Choice:
    """What holds on one scanner."""

    def __init__(self) -> None:
        self.action: str | None = None
        self.until = self.count_until = -1.0
        self.locked = False
        self.count: int | None = None
        self.digits = 0

    @property
    def span(self) -> float:
        lasts = self.locked or self.action in LASTING.values()
        return LASTING_SECONDS if lasts else ONE_ITEM_SECONDS

    def pass_to(self, now: float) -> None:
        if self.action is not None and now > self.until:
            self.action, self.locked = None, False
        if self.count is not None and now > self.count_until:
            self.count, self.digits = None, 0

    def prolong(self, now: float) -> None:
        if self.action is not None:
            self.until = max(self.until, now + self.span)

    def take(self, now: float) -> tuple[str, int]:
        """Return what an item means, and go on to the next one."""
        action, count = self.action or "consume", 1 if self.count is None else self.count
        self.prolong(now)
        if self.action in ONE_ITEM.values() and not self.locked:
            self.action = None
        self.count, self.digits = None, 0
        return action, count


class AStation(RuleBasedStateMachine):
    """A station in an operating room with two scanners, beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.directory = Path(self.folder.name)
        (self.directory / "articles").symlink_to(articles())
        self.now = 0.0
        self.stage = Stage(self.directory, "operating-room").begin()
        self.whose = Model()
        self.choices = {"front": Choice(), "back": Choice()}
        self.pieces: dict[str, Piece] = {}
        self.done: list[tuple[str, str]] = []
        """(event, scanner) that can be taken back, the newest last."""
        self.undo_until = -1.0
        self.last_undo: dict[str, float] = {}
        """Scanner -> when it read `undo`, if it has read nothing since."""
        self.number = 0
        self.events: list[tuple[str, str, float]] = []
        """Each event but undos: id, scanner, when its first symbol was read."""

    # -- what happens

    def _pass(self, seconds: float) -> None:
        self.now = round(self.now + seconds, 3)
        self.whose.pass_to(self.now)
        for choice in self.choices.values():
            choice.pass_to(self.now)
        if self.now > self.undo_until:
            self.done = []

    def _scan(self, code: str, scanner: str, *, undo: bool = False) -> list[NewEvent]:
        self._pass(0.1)
        if not undo:
            self.last_undo.pop(scanner, None)
        before = len(self.stage.drafts)
        self.signal = self.stage.scan(self.now, code, scanner)
        return self.stage.drafts[before:]

    @initialize()
    def quiet(self) -> None:
        """Begin with nothing set."""

    @rule(pause=st.sampled_from(WAITS))
    def wait(self, pause: float) -> None:
        self._pass(pause)
        self.stage.wait(self.now)

    @rule(code=st.sampled_from((*CASES, *PATIENTS)), scanner=SCANNERS)
    def who(self, code: str, scanner: str) -> None:
        self._scan(code, scanner)
        self.whose.scan_bound("case" if code in CASES else "patient", code, self.now)

    @rule(code=st.sampled_from((*ONE_ITEM, *LASTING)), scanner=SCANNERS)
    def choose(self, code: str, scanner: str) -> None:
        assert not self._scan(control(code), scanner)
        choice = self.choices[scanner]
        choice.action, choice.locked = (ONE_ITEM | LASTING)[code], False
        choice.until = self.now + choice.span

    @rule(code=st.sampled_from(("LOCK", "CONSUME", "CANCEL")), scanner=SCANNERS)
    def lock_or_end(self, code: str, scanner: str) -> None:
        assert not self._scan(control(code), scanner)
        choice = self.choices[scanner]
        if code != "LOCK":
            choice.action, choice.locked = None, False
        elif choice.action is not None:
            choice.locked = True
            choice.prolong(self.now)
        if code == "CANCEL":
            choice.count, choice.digits = None, 0

    @rule(count=st.integers(2, 9), scanner=SCANNERS)
    def quantity(self, count: int, scanner: str) -> None:
        self._scan(control(f"QTY{count}"), scanner)
        self._counted(self.choices[scanner], count, 0)

    @rule(digit=st.integers(0, 9), scanner=SCANNERS)
    def digit(self, digit: int, scanner: str) -> None:
        self._scan(control(f"DIGIT{digit}"), scanner)
        choice = self.choices[scanner]
        if choice.digits < 3:
            before = choice.count or 0 if choice.digits else 0
            self._counted(choice, 10 * before + digit, choice.digits + 1)

    def _counted(self, choice: Choice, count: int, digits: int) -> None:
        choice.prolong(self.now)
        choice.count, choice.digits = count, digits
        choice.count_until = self.now + max(ONE_ITEM_SECONDS, choice.span if choice.action else 0.0)

    @rule(scanner=SCANNERS)
    def a_screw(self, scanner: str) -> None:
        """Of a lot of its own: no scan repeats another."""
        self.number += 1
        self._item(scanner, SCREW, f"L{self.number}", f"]d201{SCREW}1745123110L{self.number}")

    @rule(scanner=SCANNERS)
    def a_stem(self, scanner: str) -> None:
        self.number += 1
        self._item(scanner, STEM, f"S{self.number}", f"]d201{STEM}1745123110L\x1d21S{self.number}")

    @rule(scanner=SCANNERS)
    def a_plate(self, scanner: str) -> None:
        """Its label in two symbols: what it means is settled by the first one."""
        self.number += 1
        assert self._scan(PLATE, scanner) == []
        meant = (*self.choices[scanner].take(self.now), self._of_whom())
        (draft,) = self._scan(f"]C11745123110P{self.number}", scanner)
        self._book(draft, scanner, PLATE_DI, f"P{self.number}", meant, serial=False)

    @precondition(lambda self: any(piece.article == STEM for piece in self.pieces.values()))
    @rule(data=st.data(), scanner=SCANNERS)
    def a_stem_again(self, data: st.DataObject, scanner: str) -> None:
        """One that was scanned before: used twice, thrown away, returned, taken out."""
        self._pass(6)  # at once again, it is the same reading
        numbers = sorted({piece.number for piece in self.pieces.values() if piece.article == STEM})
        number = data.draw(st.sampled_from(numbers))
        self._item(scanner, STEM, number, f"]d201{STEM}1745123110L\x1d21{number}")

    @rule(scanner=SCANNERS)
    def undo(self, scanner: str) -> None:
        last = self.last_undo.get(scanner)
        made = self._scan(control("UNDO"), scanner, undo=True)
        if last is not None and self.now - last <= TWICE_SECONDS:
            assert made == [], "read twice"
            return
        own = [one for one in self.done if one[1] == scanner]
        if not self.done or (not own and last is not None):
            assert made == [], "nothing, or nothing more of another's"
            self.last_undo.pop(scanner, None)
            return
        target = (own or self.done)[-1][0]
        self.last_undo[scanner] = self.now
        gone = {one for one, piece in self.pieces.items() if piece.repeats == target and not piece.undone} | {
            target
        }
        assert {draft.data.undoes for draft in made} == gone
        for one in gone:
            self.pieces[one].undone = True
        self.done = [one for one in self.done if one[0] not in gone]
        self.undo_until = max(self.undo_until, self.now + UNDO_SECONDS)

    @rule(away=st.sampled_from((1.0, 20.0, 400.0, 900.0)))
    def power_cut(self, away: float) -> None:
        self.stage.close()
        self.now += away
        self.stage = Stage(self.directory, "operating-room").begin(self.now, self.stage._count)
        self._restarted()

    def _restarted(self) -> None:
        """What was chosen holds as long as it would have; what is set is compared with what was set."""
        for choice in self.choices.values():
            choice.pass_to(self.now)
        self.last_undo = {}
        self.done, self.undo_until = [], -1.0
        for identity, scanner, at in self.events:  # an undo's own prolonging is not kept
            self.done = [*(self.done if at <= self.undo_until else []), (identity, scanner)][-32:]
            self.undo_until = max(self.undo_until, at + UNDO_SECONDS)
        self.done = [one for one in self.done if not self.pieces[one[0]].undone and self.now <= self.undo_until]
        station, whose = self.stage.pipeline.memory.station, self.whose
        assert {"case", "patient"} & station.context.keys() in ({"case", "patient"} & whose.set.keys(), set())
        if not station.context and {"case", "patient"} & whose.set.keys():
            whose.ended, whose.ended_badges = dict(whose.set), {}
        if not station.context:
            whose.set = {}
        asks = station.ended is not None and station.ended.asks
        whose.asked_until = None if not asks or station.ended is None else station.ended.until_ns / 1e9 - 1000
        whose.used = station.context_until_ns / 1e9 - 1000 - 5400

    # -- what comes of it

    def _of_whom(self) -> tuple[Any, Any]:
        self.whose.used = self.now if self.whose.set else self.whose.used
        return tuple(self.whose.set[kind][0] if kind in self.whose.set else None for kind in ("case", "patient"))  # type: ignore[return-value]

    def _item(self, scanner: str, article: str, number: str, code: str) -> None:
        chosen = self.choices[scanner]
        (draft,) = self._scan(code, scanner)
        kept = (chosen.action, chosen.locked)
        meant = (*chosen.take(self.now), self._of_whom())
        self._book(draft, scanner, article, number, meant, serial=article == STEM)
        if self.pieces[draft.id].refused and kept[0] in ONE_ITEM.values() and not kept[1]:
            chosen.action, chosen.until = kept[0], self.now + ONE_ITEM_SECONDS  # for the label's next reading

    def _book(
        self,
        draft: NewEvent,
        scanner: str,
        article: str,
        number: str,
        meant: tuple[str, int, Any],
        *,
        serial: bool,
    ) -> None:
        data, (action, count, whose) = draft.data, meant
        piece = Piece(action, count, article, number, whose)
        piece.at = self.now
        piece.refused = (serial and count > 1) or (count == 0 and action != "inventory")
        assert (data.action, data.quantity) == (action, count)
        assert (data.verdict.disposition == "refused") is piece.refused
        assert (self.signal is Signal.REFUSED) is piece.refused
        case, patient = data.context.case, data.context.patient
        assert (case is None, patient is None) == (whose[0] is None, whose[1] is None), "it belongs to who is set"
        assert case is None or case == CASES[whose[0]]
        if serial and not piece.refused:
            self._one_piece(piece)
            assert (data.repeats, data.corrects) == (piece.repeats, piece.corrects)
        self.pieces[draft.id] = piece
        self.done = [*self.done, (draft.id, scanner)][-32:]
        self.events.append((draft.id, scanner, draft.data.clock.monotonic_ns / 1e9 - 1000))
        self.undo_until = max(self.undo_until, self.now + UNDO_SECONDS)

    def _one_piece(self, piece: Piece) -> None:
        """A serial number is one piece of the world: used once, until it is thrown away or returned."""
        same = [
            (one, other)
            for one, other in self.pieces.items()
            if (other.article, other.number) == (piece.article, piece.number)
            and not (other.undone or other.refused)
            and other.repeats is None
        ]
        used = next((one for one, other in reversed(same) if other.action == "consume"), None)
        away = used is not None and any(
            other.corrects == used and other.action in {"discard", "return"} for _, other in same
        )
        if used is not None and not away and piece.action == "consume":
            piece.repeats = used
        elif used is not None and not away and piece.action in ONE_ITEM.values():
            piece.corrects = used
        if piece.action != "consume":
            piece.repeats = self._read_before(piece)

    def _read_before(self, piece: Piece) -> str | None:
        """The first reading of the same label under the same action, where the newest one is not long ago."""
        readings = [
            (other.repeats or one, other.at)
            for one, other in self.pieces.items()
            if (other.article, other.number, other.action) == (piece.article, piece.number, piece.action)
            and not other.refused
            and not self.pieces[other.repeats or one].undone
        ]
        first, at = readings[-1] if readings else (None, 0.0)
        return first if self.now - at <= REPEAT_SECONDS else None

    def teardown(self) -> None:
        self.stage.close()
        bodies = stored(self.directory / "outbox.db").values()
        found: Counter[tuple[str, str, str]] = Counter()
        for one in in_force(StoredEvent(sequence=0, body=body, state="") for body in bodies):
            udi = one.event.data.udi
            assert udi is not None
            number = udi.serial_number or udi.lot_number or ""
            found[one.event.data.action, udi.device_identifier or "", number] += one.quantity
        booked: Counter[tuple[str, str, str]] = Counter()
        for identity, piece in self.pieces.items():
            if piece.undone or piece.refused or piece.repeats is not None:
                continue
            away = sum(
                other.quantity
                for other in self.pieces.values()
                if other.corrects == identity and not (other.undone or other.refused) and other.action != "explant"
            )
            booked[piece.action, piece.article, piece.number] += max(0, piece.quantity - away)
        assert +found == +booked, (found - booked, booked - found)
        self.folder.cleanup()


def test_what_is_booked_is_what_the_rules_say() -> None:
    run_state_machine_as_test(AStation, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))
