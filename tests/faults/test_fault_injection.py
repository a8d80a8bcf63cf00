"""A part of what `make faults` does: every kind of fault, with a stride over its points. And its table is whole."""

from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest

from tests.end_to_end.plant import ROOT
from tests.faults import disk, network, run, table
from tests.faults.box import BrokenPromiseError, Outcome, box
from tests.faults.scripted import ScriptedBroker

QUICK = [fault for fault in network.FAULTS if not fault.slow]
CUTS = (("up", 40), ("up", 2000), ("down", 3), ("down", 21))
"""Within CONNECT, the events, CONNACK, a PUBACK or before: bytes of the connection."""
POINTS_A_ROW = 2
"""One early and one in the middle; `make faults` takes them all."""

Results = dict[str, list[tuple[Outcome, bool] | str]]


def _at_once(work: Iterable[run.Task]) -> Results:
    """Run many lives side by side: they wait more than they work."""
    results: Results = defaultdict(list)
    with ThreadPoolExecutor(run.JOBS) as pool:
        for fault, result in pool.map(run.attempt, work):
            results[fault].append(result)
    return results


@pytest.fixture(scope="module")
def of_the_disk() -> Results:
    because = disk.refused_because()
    if because:
        pytest.skip(because)
    with disk.damaged() as seed:
        return _at_once(run.disk_tasks("", POINTS_A_ROW, seed, few=True))


@pytest.fixture(scope="module")
def of_the_network() -> Results:
    faults = [(fault.name, fault.name, partial(run.struck, network.strike, fault)) for fault in QUICK]
    cuts = [(network.CUTS[way], f"{way} {after}", partial(run.cut, way, after)) for way, after in CUTS]
    return _at_once([*faults, *cuts])


@pytest.mark.parametrize("fault", [*disk.FAULTS, *disk.LASTING])
def test_the_disk_and_the_process(fault: str, of_the_disk: Results) -> None:
    """SIGKILL, ENOSPC and EIO at some calls of each phase, or for a while; nothing that was accepted is lost."""
    row = table.row(fault, of_the_disk[fault])
    assert row.broken == ()
    assert row.struck or "idle" in fault, "it never struck"  # how much is left for the idle time, chance decides
    assert not any(outcome.dead for outcome in row.outcomes)


@pytest.mark.parametrize("fault", [*(fault.name for fault in QUICK), *network.CUTS.values()])
def test_the_broker_and_the_network(fault: str, of_the_network: Results) -> None:
    """What is unfit for ever is a dead letter, named; nothing else ever is."""
    row = table.row(fault, of_the_network[fault])
    assert row.broken == ()
    unfit = any(f"0x{reason:02X}" in fault for reason in network.UNFIT)
    # of two refusals the second one meets what stands in for the first event, which is sent again
    assert [outcome.dead for outcome in row.outcomes] == [1 if unfit else 0] * row.points


def test_a_broken_promise_is_found() -> None:
    """The judge itself: a scan that the scanner was told is stored, and that nobody has."""
    with closing(ScriptedBroker()) as honest, box([honest.url]) as one:
        assert one.start()
        one.scan_until_stored(1)
        one.until_delivered()
        one.stop()
        (event,) = honest.arrivals
        one.judge([event])
        for arrivals in ([], [event.replace(b"op3", b"op4")], [event, event + b" "]):
            with pytest.raises(BrokenPromiseError):
                one.judge(arrivals)
        one.told[2] = one.told[1]
        with pytest.raises(BrokenPromiseError, match="accepted and not delivered"):
            one.judge([event])


def test_the_table_has_a_row_for_each_fault() -> None:
    assert table.rows_of((ROOT / "docs" / "faults.md").read_text()) == table.names()


def test_the_page_shows_the_same_drawn_together() -> None:
    page = (ROOT / "docs" / "faults.md").read_text()
    assert table.with_summary(page) == page
