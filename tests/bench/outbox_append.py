"""Storing one scan: beside the least a durable write can cost, and beside TinyDB."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter_ns

import msgspec
from tinydb import TinyDB

from gateway.outbox.schema import AUTOCHECKPOINT_PAGES, PAGE_BYTES
from gateway.outbox.writer import Outbox
from tests.bench import samples
from tests.bench.harness import workplace
from tests.bench.rows import Benchmark, Row, row

BLOCKS = 15
APPENDS = 40
"""Of each kind in one block; a disk's mood lasts longer than that, so both kinds of a block share it."""
HELD = 1000
INSERTS = 15


def run() -> Iterator[Row]:
    """Measure both."""
    with workplace() as folder:
        outbox = samples.new_outbox(folder / "outbox.db")
        _grow_wal(outbox)
        ratios, appends = _beside_fdatasync(outbox, folder)
        outbox.close(samples.CLOCK)
        yield row("outbox.append_vs_fdatasync", median(ratios), "x", aim=1.25)
        inserts = _tinydb(folder)
        yield row("outbox.append_vs_tinydb", inserts / median(appends), "x", aim=100, better="higher")


def _grow_wal(outbox: Outbox) -> None:
    """Append until the WAL has once been as large as it gets, and is written over from then on."""
    wal = outbox.path.with_name(f"{outbox.path.name}-wal")
    number = 0
    while wal.stat().st_size < AUTOCHECKPOINT_PAGES * PAGE_BYTES:
        outbox.append([samples.draft(number)], samples.CLOCK, seal=True)
        number += 1
    for extra in range(64):  # the next append after the checkpoint begins at the front again
        outbox.append([samples.draft(number + extra)], samples.CLOCK, seal=True)


def _beside_fdatasync(outbox: Outbox, folder: Path) -> tuple[list[float], list[float]]:
    """Return the ratio of the medians of each block, and the medians of the outbox, nanoseconds."""
    drafts = [samples.draft(number) for number in range(APPENDS)]
    bodies = [samples.body(draft) for draft in drafts]
    plain = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def bare(number: int) -> None:
        os.write(plain, bodies[number])
        os.fdatasync(plain)

    def ours(number: int) -> None:
        outbox.append([drafts[number]], samples.CLOCK, seal=True)

    ratios, appends = [], []
    for _ in range(BLOCKS):
        floor, cost = _median_ns(bare), _median_ns(ours)
        ratios.append(cost / floor)
        appends.append(cost)
    os.close(plain)
    return ratios, appends


def _median_ns(step: Callable[[int], None]) -> float:
    times = []
    for number in range(APPENDS):
        began = perf_counter_ns()
        step(number)
        times.append(perf_counter_ns() - began)
    return median(times)


def _tinydb(folder: Path) -> float:
    """Return the median nanoseconds of an insert into TinyDB (its own JSONStorage) that holds 1,000 events."""
    with TinyDB(folder / "tinydb.json") as database:
        documents = [msgspec.json.decode(samples.body(samples.draft(number))) for number in range(HELD)]
        database.insert_multiple(documents)
        times = []
        for number in range(INSERTS):
            document = msgspec.json.decode(samples.body(samples.draft(HELD + number)))
            began = perf_counter_ns()
            database.insert(document)
            times.append(perf_counter_ns() - began)
    return median(times)


BENCHMARK = Benchmark(names=("outbox.append_vs_fdatasync", "outbox.append_vs_tinydb"), run=run)
