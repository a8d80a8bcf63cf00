"""Which case and patient belong together: gateway/station/binding.py, at its bounds."""

import pytest

from gateway.station.binding import input_of
from gateway.station.context import ContextItem, ContextKind
from gateway.station.values import TOGETHER_NS, Kept, Station
from gateway.station.workflow import Input


@pytest.mark.parametrize(
    ("after_ns", "what"),
    [(0, Input.CONTEXT), (TOGETHER_NS, Input.CONTEXT), (TOGETHER_NS + 1, Input.CONTEXT_ASKS)],
    ids=["at once", "within a minute", "later"],
)
@pytest.mark.parametrize(("first", "second"), [("case", "patient"), ("patient", "case")])
def test_a_minute_from_the_first_scan_of_the_other(
    first: ContextKind, second: ContextKind, after_ns: int, what: Input
) -> None:
    station = Station(context={first: Kept(item=ContextItem(kind=first, value="one"), since_ns=5)})
    assert input_of(station, ContextItem(kind=second, value="two"), 5 + after_ns) is what
