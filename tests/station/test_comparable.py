"""Which closed labels a symbol may still belong to, and what holds for the next item of a scanner: machine.py."""

from gateway.station.context import ContextItem
from gateway.station.machine import comparable, refused
from gateway.station.values import Chosen, Counted, Item, Kept, Meaning, MoveTimes, Station

TIMES = MoveTimes(
    pairing_ns=5, keyed_ns=60, action_ns=60, lasting_ns=600, undo_ns=600, context_ns=600, default_action="consume"
)
HERS = ContextItem(kind="patient", value="hers")
HIS = ContextItem(kind="patient", value="his")


def closed(*context: ContextItem) -> Item:
    return Item(
        id="a",
        scanner="front",
        symbols=(),
        at_ns=0,
        meaning=Meaning(action="consume", context=context),
        until_ns=100,
    )


def of_closed(item: Item, **station: object) -> tuple[Item, ...]:
    return comparable(Station(closed_items={"front": (item,)}, **station), "front", 50, TIMES)  # type: ignore[arg-type]


def test_a_symbol_belongs_to_a_label_that_means_the_same() -> None:
    assert of_closed(closed()) == (closed(),)


def test_a_quantity_given_since_is_about_another_piece() -> None:
    assert of_closed(closed(), counted={"front": Counted(quantity=2, until_ns=100)}) == ()
    assert of_closed(closed(), counted={"back": Counted(quantity=2, until_ns=100)}) == (closed(),)


def test_another_patient_since_is_about_another_piece() -> None:
    kept = {"patient": Kept(item=HERS, since_ns=0)}
    assert of_closed(closed(HERS), context=kept, context_until_ns=100) == (closed(HERS),)
    assert of_closed(closed(HIS), context=kept, context_until_ns=100) == ()


def test_what_was_chosen_since_goes_before_what_the_refused_item_had() -> None:
    item = Item(id="a", scanner="front", symbols=(), at_ns=0, meaning=Meaning(action="discard", one_item=True))
    again = refused(Station(), item, 50, TIMES, quantity=True)
    assert again.chosen == {"front": Chosen(action="discard", until_ns=110)}
    since = {"front": Chosen(action="return", until_ns=90)}
    assert refused(Station(chosen=since), item, 50, TIMES, quantity=True).chosen == since
