"""Which scan repeats an earlier one: the same label, for the same purpose and person, within the window."""

from typing import Any

import pytest

from gateway.model import Decoded, Issuer
from gateway.station.profiles import PROFILES
from gateway.station.repeats import MAX_LABELS, Key, Repeats, key_of

S = 1_000_000_000
WINDOW = 60 * S
PLAIN: Key = ("consume", "a", None)
OF_P: Key = ("consume", "a", "p")
OF_Q: Key = ("consume", "a", "q")
OTHER: Key = ("consume", "b", None)
THEATRE, STORE = PROFILES["operating-room"], PROFILES["supply-room"]


def seen(*events: tuple[Key, str, int]) -> Repeats:
    """Remember events: key, id, seconds."""
    repeats = Repeats()
    for key, identity, seconds in events:
        first = repeats.first_of(key, seconds * S, WINDOW) or identity
        repeats = repeats.with_event(key, first, seconds * S, WINDOW)
    return repeats


@pytest.mark.parametrize(
    ("events", "key", "at_ns", "first"),
    [
        ([(PLAIN, "1", 0)], PLAIN, WINDOW, "1"),
        ([(PLAIN, "1", 0)], PLAIN, WINDOW + 1, None),
        ([(PLAIN, "1", 0)], OF_P, 1, "1"),
        ([(OF_P, "1", 0)], OF_P, 1, "1"),
        ([(OF_P, "1", 0)], OF_Q, 1, None),
        ([(OF_P, "1", 0)], PLAIN, 1, None),
        ([(PLAIN, "1", 0), (PLAIN, "2", 50)], PLAIN, 100 * S, "1"),
        ([(PLAIN, "1", 0), (OF_P, "2", 50)], OF_P, 100 * S, "1"),
        ([(PLAIN, "1", 0), (PLAIN, "2", 61)], PLAIN, 100 * S, "2"),
        ([], None, 1, None),
    ],
    ids=[
        "at the end of the window",
        "behind it",
        "first for nobody, then for a patient",
        "for the same patient",
        "for the next patient",
        "first for a patient, then for nobody",
        "each scan begins the window anew, and the first stays the first",
        "the same, now for a patient",
        "too late: it is a first one",
        "what is never a repeat",
    ],
)
def test_what_repeats_what(
    events: list[tuple[Key, str, int]], key: Key | None, at_ns: int, first: str | None
) -> None:
    assert seen(*events).first_of(key, at_ns, WINDOW) == first


def test_what_was_taken_back_is_repeated_by_nothing() -> None:
    left = seen((PLAIN, "1", 0), (OTHER, "2", 1)).without("1")
    assert left.first_of(PLAIN, 2 * S, WINDOW) is None
    assert left.first_of(OTHER, 2 * S, WINDOW) == "2"


def test_the_oldest_go_first_whatever_was_scanned_again() -> None:
    """Scanned again, a label is young: what was scanned before and not again is older."""
    again = seen((PLAIN, "1", 0), (OTHER, "2", 30), (PLAIN, "3", 50), (("consume", "c", None), "4", 95))
    assert list(again.labels) == [PLAIN, ("consume", "c", None)]


def test_no_more_than_so_many_are_remembered() -> None:
    many = seen(*((("consume", str(number), None), str(number), 0) for number in range(MAX_LABELS + 1)))
    assert len(many.labels) == MAX_LABELS
    assert many.first_of(("consume", "0", None), 0, WINDOW) is None


def label(**fields: Any) -> Decoded:  # noqa: ANN401 - fields of Decoded
    return Decoded(ok=True, issuer=Issuer.GS1, device_identifier="09520001000102", **fields)


@pytest.mark.parametrize(
    ("decoded", "store", "same_for_another"),
    [
        (label(serial_number="S1"), True, True),
        (label(lot_number="L1", serial_number="S1"), True, True),
        (label(donation_identification_number="A999917123456"), True, True),
        (label(lot_number="L1"), False, False),
        (label(), False, False),
        (None, False, False),
    ],
    ids=["serial", "lot and serial", "donation", "lot", "article", "shelf label"],
)
def test_a_serial_number_is_one_piece_and_a_lot_is_not(
    decoded: Decoded | None,
    store: bool,  # noqa: FBT001 - a column
    same_for_another: bool,  # noqa: FBT001 - a column
) -> None:
    """`store`: a repeat where scanning is counting, too."""
    assert (key_of("receive", decoded, ("x",), STORE, None) is not None) is store
    mine, yours = (key_of("consume", decoded, ("x",), THEATRE, whose) for whose in ("p", "q"))
    assert mine is not None
    assert (mine == yours) is same_for_another
    assert mine != key_of("return", decoded, ("x",), THEATRE, "p"), "another action is another purpose"
