"""docs/operations.md shows the signals as they are."""

from drivers.dialects.zebra_ssi import SIGNALS
from drivers.model import Signal
from tests.docs.signals import PAGE, ZEBRA, page


def test_the_table_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(PAGE.read_text()), "python -m tests.docs.signals"


def test_every_beeper_code_of_a_zebra_has_its_words() -> None:
    assert set(ZEBRA) == set(SIGNALS) == set(Signal)
    assert len({*ZEBRA.values()}) == len(Signal)
