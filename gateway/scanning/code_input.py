"""What a control code asks for in the present state: which input of the workflow's table it is. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from gateway.events import cloudevent
from gateway.model import Disposition
from gateway.scanning.station_state import StationState
from gateway.station import control_codes, keyed_entry
from gateway.station.binding import is_bound
from gateway.station.control_codes import ControlCode
from gateway.station.machine import Occurrence
from gateway.station.settings import Action
from gateway.station.values import (
    ONCE,
    SAME_CODE_NS,
    Count,
    Counted,
    Done,
    KeyedEntry,
    Label,
    Obeyed,
    Station,
)
from gateway.station.workflow import Input

MAX_DIGITS: Final = 3
"""Digits of a quantity: as many as `QTY999` has. More pieces of one item on a shelf are a misreading."""
WRONG_QUANTITY: Final = frozenset({"QUANTITY_OF_SERIAL", "QUANTITY_ZERO"})
"""Refusals for the quantity's sake: the label is scanned again, and not booked as it was."""
_CONTROL: Final[Mapping[control_codes.Kind, Input]] = {
    "action": Input.ACTION,
    "undo-item": Input.ACTION,
    "end-count": Input.ACTION,
    "cancel": Input.CANCEL,
    "same-patient": Input.SAME_PATIENT,
    "clear-context": Input.CLEAR_CONTEXT,
    "who-am-i": Input.WHO_AM_I,
}
"""Those that are always the same input."""


_TYPING: Final = frozenset({"field", "character", "small-letter", "erase", "keyed-end"})


def coded(  # noqa: C901 - one line a kind of code
    what: Occurrence, code: ControlCode, state: StationState, default: Action
) -> Occurrence:
    """Return the occurrence of a control code. `what`: who scanned it and when; `default`: the default action."""
    station, scanner = state.station, what.scanner
    once = code.kind if code.kind in ONCE else None
    last = station.obeyed.get(scanner)
    if last is not None and last.kind == once and what.at_ns - last.at_ns <= SAME_CODE_NS:
        return replace(what, input=Input.AGAIN, once=once)
    made = _CONTROL.get(code.kind, Input.IMPOSSIBLE)
    target: Done | None = None
    count: Count | None = None
    entry: KeyedEntry | None = None
    match code.kind:
        case "lock":
            made = Input.LOCK if scanner in station.chosen else Input.IMPOSSIBLE
        case "quantity":
            made = _quantity(code, station.counted.get(scanner))
        case "count" if code.count is not None:
            made, count = Input.ACTION, Count(session=what.id, mode=code.count)
        case "undo":
            made = Input.UNDO if _undoes(station, scanner, last) else Input.IMPOSSIBLE
            what = replace(what, repeats=state.repeated())
        case "close-case":
            made = Input.CLOSE_CASE if is_bound(station) else Input.IMPOSSIBLE
        case "used-despite":
            target = refused_use(state, scanner)
            made = Input.IMPOSSIBLE if target is None else Input.USED
        case "keyed" if code.unread is not None and not _takes_back(state, scanner):
            made, entry = Input.KEYED, KeyedEntry(id=what.id, unread=code.unread)
        case "unlabelled" if not _takes_back(state, scanner):
            made = Input.UNLABELLED
    if code.kind == "end-count":
        present = station.chosen.get(scanner)
        if present is None or present.count is None:
            made = Input.IMPOSSIBLE
        code = ControlCode(kind="action", action=default)
    label = Label(apart=True) if made is Input.UNLABELLED else None
    return replace(what, input=made, code=code, once=once, target=target, count=count, entry=entry, label=label)


def _undoes(station: Station, scanner: str, last: Obeyed | None) -> bool:
    """Return whether the code `undo` may take something back: of another scanner one event, not one after another."""
    own = any(done.scanner == scanner for done in station.done)
    return own or not station.done or last is None or last.kind != "undo"


def _takes_back(state: StationState, scanner: str) -> bool:
    """Return whether the next label is to be taken back: what has no symbol cannot be found."""
    chosen = state.station.chosen.get(scanner)
    return chosen is not None and chosen.action == "undo"


def is_typing(code: ControlCode) -> bool:
    """Return whether a code means a character, or where one ends, while keyed entry is under way."""
    return code.kind in _TYPING or code.digit is not None


def typed_by_code(entry: KeyedEntry, code: ControlCode) -> KeyedEntry | None:
    """Return the keyed entry after a code for a character, a field or the last character; None where it cannot be."""
    match code.kind:
        case "quantity" if code.digit is not None:
            return keyed_entry.with_character(entry, str(code.digit))
        case "character":
            return keyed_entry.with_character(entry, code.text)
        case "small-letter":
            return replace(entry, small=True)
        case "erase":
            return replace(entry, text=entry.text[:-1]) if entry.text else None
        case "field":
            return replace(entry, field=code.text, text="", small=False)
    return None


def _quantity(code: ControlCode, present: Counted | None) -> Input:
    if present is None:
        return Input.QUANTITY
    if code.digit is None or not present.digits:
        return Input.QUANTITY_AGAIN
    return Input.QUANTITY if present.digits < MAX_DIGITS else Input.IMPOSSIBLE


def refused_use(state: StationState, scanner: str) -> Done | None:
    """Return the newest use that was refused on a scanner and can be booked all the same, or None."""
    for done in reversed(state.station.done):
        data = state.recent.get(done.id)
        if done.scanner == scanner and data is not None and may_be_booked(data):
            return done
    return None


def may_be_booked(data: cloudevent.ScanData) -> bool:
    """Return whether an event is a use that was refused for the article's sake."""
    codes = {finding.code for finding in data.verdict.findings}
    refused = data.verdict.disposition is Disposition.REFUSED
    return refused and data.action == "consume" and not codes & WRONG_QUANTITY
