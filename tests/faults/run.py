"""Every fault, one after another, and the table in docs/faults.md: python -m tests.faults.run.

Exit code 1 when a scan was lost, changed or out of order, or when a fault never struck.
"""

import argparse
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from tests.end_to_end.plant import ROOT
from tests.faults import disk, network, table
from tests.faults.box import Outcome
from tests.faults.scripted import ScriptedBroker

PAGE: Final = ROOT / "docs" / "faults.md"
JOBS: Final = 3
"""Lives at a time: they wait more than they work."""

T = TypeVar("T")
Task = tuple[str, str, Callable[[], tuple[Outcome, bool]]]
"""The row, the point, and what to do."""


def disk_tasks(wanted: str, every: int, seed: Path, *, few: bool = False) -> Iterator[Task]:
    """Yield each point of the disk's faults whose name contains `wanted`.

    One of `every` points of each fault; with `few`, `every` points of each fault.
    """
    phases = [phase for phase in disk.PHASES if any(wanted in name for name in _faults_of(phase))]
    of_fault: dict[str, list[disk.Point]] = defaultdict(list)
    with closing(ScriptedBroker()) as broker:
        for point in disk.points(broker, phases, seed):
            of_fault[point.fault].append(point)
    for name, points in of_fault.items():
        if wanted in name:
            stride = -(-len(points) // every) if few else min(every, len(points))
            for point in points[stride // 2 :: stride]:
                yield name, str(point), partial(_disk, point, seed)
    for name in disk.LASTING:
        if wanted in name:
            yield name, name, partial(_lasting, name)


def network_tasks(wanted: str, every: int) -> Iterator[Task]:
    """Yield the faults of broker and network whose name contains `wanted`, or one of so many cuts."""
    for fault in network.FAULTS:
        if wanted in fault.name:
            yield fault.name, fault.name, partial(struck, network.strike, fault)
    for way, name in network.CUTS.items():
        if wanted in name:
            for after in network.cuts(way)[::every]:
                yield name, f"{name} {after}", partial(cut, way, after)
    for name in network.MOSQUITTO:
        if wanted in name:
            yield name, name, partial(struck, network.mosquitto, name)


def _faults_of(phase: str) -> list[str]:
    return [disk.fault_name(phase, effect) for effect in disk.EFFECTS]


def _disk(point: disk.Point, seed: Path) -> tuple[Outcome, bool]:
    with closing(ScriptedBroker()) as broker:
        return disk.strike(broker, point, seed)


def _lasting(name: str) -> tuple[Outcome, bool]:
    with closing(ScriptedBroker()) as broker:
        return disk.lasting(broker, name), True


def struck(strike: Callable[[T], Outcome], fault: T) -> tuple[Outcome, bool]:
    return strike(fault), True


def cut(way: str, after: int) -> tuple[Outcome, bool]:
    outcome, _up, _down = network.cut(way, after)
    return outcome, True


def attempt(task: Task) -> tuple[str, tuple[Outcome, bool] | str]:
    """Run one point; what breaks becomes a text."""
    fault, point, strike = task
    try:
        return fault, strike()
    except Exception:  # noqa: BLE001 - the others go on, and this one is in the table
        return fault, f"{point}\n{traceback.format_exc()}"


def run(wanted: str = "", every: int = 1) -> dict[str, table.Row]:
    """Run the faults; return a row for each kind."""
    results: dict[str, list[tuple[Outcome, bool] | str]] = defaultdict(list)
    with ExitStack() as stack:
        because = disk.refused_because()
        seed = stack.enter_context(disk.damaged()) if because is None else None
        if because:
            sys.stderr.write(f"without the faults of the disk: {because}\n")
        work = [] if seed is None else list(disk_tasks(wanted, every, seed))
        work += network_tasks(wanted, every)
        with ThreadPoolExecutor(JOBS) as pool:
            for fault, result in pool.map(attempt, work):
                results[fault].append(result)
                if isinstance(result, str):
                    sys.stderr.write(f"{result}\n")
    return {fault: table.row(fault, results[fault]) for fault in table.names() if fault in results}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="one of so many points of each fault")
    parser.add_argument("--write", action="store_true", help="put the rows into docs/faults.md")
    options = parser.parse_args()
    began = time.monotonic()
    rows = run(options.only, options.every)
    points = sum(one.points for one in rows.values())
    broken = [one.fault for one in rows.values() if one.broken or not one.struck]
    sys.stdout.write(f"{table.render(rows.values())}\n{points} lives in {time.monotonic() - began:.0f} s\n")
    sys.stdout.writelines(f"not well: {fault}\n" for fault in broken)
    if options.write:
        PAGE.write_text(table.with_summary(table.put_in(PAGE.read_text(), rows)))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
