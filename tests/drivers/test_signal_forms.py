"""The table of signals: what people hear and see, wherever it is given."""

import itertools

import pytest

from drivers.model import Signal
from drivers.signal_forms import FORMS, GAP_SECONDS, LONG_SECONDS, SHORT_SECONDS, drawn


def test_every_signal_has_a_form() -> None:
    assert list(FORMS) != []
    assert set(FORMS) == set(Signal)


def test_a_long_tone_is_three_short_ones() -> None:
    """ITU-R M.1677-1, 2.1: a dash is equal to three dots; the space between elements to one dot."""
    assert (LONG_SECONDS, GAP_SECONDS) == (3 * SHORT_SECONDS, SHORT_SECONDS)


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(Signal, 2)], ids=str)
def test_two_signals_differ_in_their_rhythm_alone(one: Signal, other: Signal) -> None:
    """In noise the pitch is lost, without colour vision the lamp's colour: what is left is the rhythm."""
    assert FORMS[one].rhythm != FORMS[other].rhythm
    assert {*FORMS[one].rhythm} <= {".", "-"}


@pytest.mark.parametrize("stop", [Signal.REFUSED, Signal.TROUBLE])
def test_what_stops_is_never_part_of_what_goes_on(stop: Signal) -> None:
    """A tone that is lost must not turn "do not use" or "not stored" into "accepted": they have no short tone."""
    assert "." not in FORMS[stop].rhythm
    goes_on = [form for signal, form in FORMS.items() if signal not in {Signal.REFUSED, Signal.TROUBLE}]
    assert all("." in form.rhythm for form in goes_on)
    assert all(form.high for form in goes_on)
    assert not FORMS[stop].high


def test_a_rhythm_is_drawn_for_people() -> None:
    assert drawn("-.") == "▬ ●"
