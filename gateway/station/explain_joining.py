"""How the symbols of a label would be joined if they were scanned one after the other, in words. Pure.

For `scangate parse --explain`: a maker's or a technician's question why two codes make one event, or two.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from msgspec import Struct

from gateway.model import Decoded, Issuer, LookUp, Match
from gateway.station.label import share_a_piece, statements
from gateway.station.label_engine import Move, Placement, SymbolRead, place
from gateway.station.pairing import missing, missing_part
from gateway.station.profiles import PROFILES, ProfileName
from gateway.station.values import Item, Label, Meaning, Symbol
from gateway.udi import decode

_UNKNOWN: Final = LookUp(match=Match.NONE)
_SECOND: Final = 1_000_000_000
_WINDOW_SECONDS: Final = 60
"""So that every symbol given is within it."""


class Joining(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one symbol is to those before it."""

    symbol: int
    """Its place, from 1."""
    says: str
    """Its elements as printed; for a text that is no label, nothing."""
    move: Move
    label: int
    """Of which label it is, counted from 1."""
    why: str
    """For a person."""


def explain_joining(
    symbols: Sequence[tuple[str, str | None]], today: date, profile: ProfileName = "operating-room"
) -> list[Joining]:
    """Explain symbols (text, AIM identifier) scanned a second apart; the master knows none of their articles."""
    joinings: list[Joining] = []
    open_item: Item | None = None
    closed: list[Item] = []
    for number, (text, symbology) in enumerate(symbols, 1):
        symbol = Symbol(text=text, symbology=symbology, raw=b"", quality=frozenset(), at_ns=number * _SECOND)
        read = SymbolRead(symbol=symbol, decoded=decode(text, symbology, today=today), look_up=_UNKNOWN)
        made = place(read, open_item, closed, window_ns=_WINDOW_SECONDS * _SECOND, today=today)
        before = next((one for one in closed if one.id == made.target), open_item)
        if made.symbols and made.label is not None:
            item = _item(made, before, number, profile)
            closed = [one for one in closed if one.id not in made.replaces]
            waits = bool(item.missing) and item.label.decoded.ok and made.move is not Move.STRAY
            if not waits:
                closed.append(item)
            elif open_item is not None and made.move is Move.NEW:
                closed.append(open_item)
            if made.move is not Move.STRAY:
                open_item = item if waits else None
        else:
            item = before or _item(made, None, number, profile)
        joinings.append(
            Joining(
                symbol=number,
                says=read.decoded.hri,
                move=made.move,
                label=int(item.id),
                why=_why(made, read.decoded, before, item, again=(text, symbology) in symbols[: number - 1]),
            )
        )
    return joinings


def _item(made: Placement, before: Item | None, number: int, profile: ProfileName) -> Item:
    label = made.label or Label()
    texts = [(one.text, one.symbology) for one in made.symbols]
    joins = made.move in {Move.JOINS, Move.LATE}
    return Item(
        id=before.id if before is not None and joins else str(number),
        scanner="",
        symbols=made.symbols,
        at_ns=number,
        meaning=Meaning(action="consume"),
        label=label,
        missing=missing(label.decoded, texts, _UNKNOWN, PROFILES[profile]),
    )


def _why(made: Placement, new: Decoded, before: Item | None, item: Item, *, again: bool) -> str:
    match made.move:
        case Move.NEW:
            part = missing_part(item.missing, item.label.decoded.issuer)
            if part is not None and item.label.decoded.ok:
                why = f"begins a label; still wanted: {part.what}"
            elif not new.elements:
                why = "no label: withheld, unless the master knows it"
            else:
                why = "scanned again: a repeat, in a store one more piece" if again else "a label by itself"
        case Move.SAME:
            why = "the same symbol again: nothing new"
        case Move.KNOWN:
            why = f"says nothing that label {item.id} does not say: no event"
        case Move.JOINS:
            why = f"adds to label {item.id}: {_link(new, before)}"
        case Move.LATE:
            why = f"completes the event of label {item.id}: {_link(new, before)}"
        case Move.STRAY:
            joinings = "; ".join(found.message for found in made.remarks)
            why = joinings or "not of the label that waits: an event of its own"
    if item.label.interleaved:
        why += "; another may be meant (LABELS_INTERLEAVED)"
    return why


def _link(new: Decoded, before: Item | None) -> str:
    """Return what says that a symbol is of a label."""
    known = Decoded(ok=False) if before is None else before.label.decoded
    if new.device_identifier is not None and new.device_identifier == known.device_identifier:
        return "the same device identifier"
    if share_a_piece(statements(new), statements(known)):
        return "the same lot, serial or donation number"
    if new.issuer is Issuer.HIBCC:
        return "the HIBC link character"
    return "by time only"
