"""`make bench`: run the benchmarks, print a table, write build/bench.json.

A missed aim is said and is no failure; with `--strict` it is one (exit code 1).
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench import (
    articles,
    bridge,
    drain,
    feedback,
    flat,
    instructions,
    intake_events,
    latency,
    long_frame,
    memory,
    outbox_append,
    outbox_writes,
    start,
    udi_import,
    udi_speed,
)
from tests.bench.harness import ROOT
from tests.bench.rows import Benchmark, Row

RESULT: Final = ROOT / "build" / "bench.json"
BENCHMARKS: Final[tuple[Benchmark, ...]] = (
    udi_import.BENCHMARK,
    udi_speed.BENCHMARK,
    outbox_append.BENCHMARK,
    outbox_writes.BENCHMARK,
    drain.BENCHMARK,
    bridge.BENCHMARK,
    flat.BENCHMARK,
    latency.BENCHMARK,
    feedback.BENCHMARK,
    instructions.BENCHMARK,
    long_frame.BENCHMARK,
    start.BENCHMARK,
    memory.BENCHMARK,
    articles.BENCHMARK,
    intake_events.BENCHMARK,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit code."""
    names = [name for benchmark in BENCHMARKS for name in benchmark.names]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        metavar="NAME",
        help=f"only figures whose names begin so; the file is not written. Names: {', '.join(names)}",
    )
    parser.add_argument("--strict", action="store_true", help="a missed aim is a failure")
    chosen = parser.parse_args(arguments)
    wanted = tuple(b for b in BENCHMARKS if any(name.startswith(chosen.only or "") for name in b.names))
    if not wanted:
        parser.error(f"no figure is named {chosen.only}")
    console = Console(highlight=False)
    rows = [row for benchmark in wanted for row in _measured(benchmark, console)]
    console.print(_table(rows))
    if chosen.only is None:
        _write(RESULT, rows)
        console.print(f"written: {RESULT.relative_to(ROOT)}")
    return int(chosen.strict and not all(row.ok for row in rows))


def _measured(benchmark: Benchmark, console: Console) -> list[Row]:
    """Run one benchmark, and say so: some take a minute."""
    console.print(f"measuring {', '.join(benchmark.names)}")
    began = time.monotonic()
    rows = list(benchmark.run())
    console.print(f"  {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.2f}")
    return rows


def _table(rows: Sequence[Row]) -> Table:
    table = Table()
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("aim", justify="right")
    table.add_column("")
    for row in rows:
        bound = "at most" if row.better == "lower" else "at least"
        aim = "" if row.aim is None else f"{bound} {row.aim:g}"
        table.add_row(row.name, f"{row.value:g}", row.unit, aim, "" if row.ok else "[bold red]missed[/]")
    return table


def _write(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
