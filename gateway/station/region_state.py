"""Which state each region of the workflow is in, read off the station's values: nothing else remembers it."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.station import binding
from gateway.station.values import Station
from gateway.station.workflow import Region, State

_STATES: Final[Mapping[Region, tuple[Callable[[Station, str], bool], State, State]]] = {
    Region.PAIRING: (lambda station, scanner: scanner in station.open_items, State.IDLE, State.WAITING),
    Region.ACTION: (lambda station, scanner: scanner in station.chosen, State.DEFAULT, State.CHOSEN),
    Region.QUANTITY: (lambda station, scanner: scanner in station.counted, State.ONE, State.COUNTED),
    Region.KEYED: (lambda station, scanner: scanner in station.keyed, State.SCANNED, State.TYPED),
    Region.CONTEXT: (lambda station, _: bool(station.context), State.EMPTY, State.SET),
    Region.QUESTION: (lambda station, _: binding.asks(station), State.QUIET, State.ASKED),
    Region.UNDO: (lambda station, _: bool(station.done), State.CLOSED, State.OPEN),
}
"""Region -> what tells its two states apart, the state where it is false, the state where it is true."""


def state_of(station: Station, region: Region, scanner: str) -> State:
    """Name the state of a region; of pairing, action and quantity, that of one scanner."""
    holds, without, with_it = _STATES[region]
    return with_it if holds(station, scanner) else without
