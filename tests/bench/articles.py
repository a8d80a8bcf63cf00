"""The article master: import beside sqlite3's own, room on disk, memory, look-ups beside a small one and a dict.

SCANGATE_BENCH_ARTICLES sets how many devices the large release has (GUDID has some 5 million); the default keeps
`make bench` short.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, perf_counter_ns
from typing import Final

from gateway.articles.lookup.master import ArticleMaster
from tests.bench import gudid
from tests.bench.harness import ROOT, BenchError, workplace
from tests.bench.rows import Benchmark, Row, row

LARGE: Final = int(os.environ.get("SCANGATE_BENCH_ARTICLES", "1000000"))
SMALL: Final = 10_000
IN_DICT: Final = 200_000
"""Articles in the dict; as many as fit comfortably."""
LOOK_UPS: Final = 20_000
ROUNDS: Final = 5
"""Of each kind, in turn: what the machine does else falls on all of them."""

_IMPORT: Final = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from gateway.articles.settings import SourceSettings
from gateway.articles.build.import_job import import_file
report = import_file(
    Path(sys.argv[2]), SourceSettings(name="gudid", format="gudid"), Path(sys.argv[1]), now=datetime.now(UTC)
)
assert report.swapped and not report.rejected, report
print(report.accepted, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def run() -> Iterator[Row]:
    """Make the releases, import them, look up."""
    with workplace() as folder:
        large, small = folder / "large", folder / "small"
        for release, devices in ((large, LARGE), (small, SMALL)):
            release.mkdir()
            gudid.write_release(release, devices)
        peer = _import_by_sqlite(large)
        rows, seconds, peak_mib = _import(large)
        _import(small)
        for file in ("device.txt", "identifiers.txt", "peer.db"):
            (large / file).unlink()
        size = (large / "articles" / "current.db").stat().st_size
        yield row("articles.import_vs_sqlite", peer / seconds, "x", aim=0.5, better="higher")
        yield row("articles.import_peak_mib", peak_mib, "MiB", aim=150)
        yield row("articles.mb_per_million", size / rows, "MB", aim=90)
        yield from _look_ups(large / "articles", small / "articles")


def _import_by_sqlite(release: Path) -> float:
    """Import both tables of a release with the sqlite3 program; return the seconds it took."""
    commands = [".mode csv", ".separator |"]
    commands += [f".import {release / table}.txt {table}" for table in ("device", "identifiers")]
    began = perf_counter()
    try:
        subprocess.run(("sqlite3", release / "peer.db", *commands), check=True, capture_output=True)
    except FileNotFoundError as error:
        raise BenchError("the program sqlite3 is not there: apt-get install sqlite3") from error
    return perf_counter() - began


def _import(release: Path) -> tuple[int, float, float]:
    """Import a release in a process of its own; return rows, seconds and the peak of its memory in MiB."""
    began = perf_counter()
    command = (sys.executable, "-c", _IMPORT, release / "device.txt", release / "articles")
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    seconds = perf_counter() - began
    rows, peak_mib = done.stdout.split()
    return int(rows), seconds, float(peak_mib)


def _look_ups(large: Path, small: Path) -> Iterator[Row]:
    """Look up devices at random: in a large master, in a small one, and in a dict that holds the same answers."""
    random = Random(gudid.SEED)  # noqa: S311 - the same ones each time
    wanted = {
        count: [gudid.identifier(random.randrange(count)) for _ in range(LOOK_UPS)] for count in (LARGE, SMALL)
    }
    in_dict = min(LARGE, IN_DICT)
    asked = [gudid.identifier(random.randrange(in_dict)) for _ in range(LOOK_UPS)]
    with ArticleMaster(large) as master, ArticleMaster(small) as little:
        held = {identifier: master.look_up("", identifier) for identifier in map(gudid.identifier, range(in_dict))}
        if any(found.article is None for found in held.values()):
            raise BenchError("the master lacks a device of its release")
        times: dict[str, list[float]] = {"large": [], "small": [], "dict": []}
        for _ in range(ROUNDS):
            times["large"].append(_median_ns(lambda one: master.look_up("", one), wanted[LARGE]))
            times["small"].append(_median_ns(lambda one: little.look_up("", one), wanted[SMALL]))
            times["dict"].append(_median_ns(held.get, asked))
    yield row("articles.lookup_us", median(times["large"]) / 1000, "us")
    yield row("articles.lookup_5m_vs_10k", median(times["large"]) / median(times["small"]), "x", aim=2)
    yield row("articles.lookup_vs_dict", median(times["large"]) / median(times["dict"]), "x", aim=15)


def _median_ns(look_up: Callable[[str], object], wanted: list[str]) -> float:
    times = []
    for one in wanted:
        began = perf_counter_ns()
        look_up(one)
        times.append(perf_counter_ns() - began)
    return median(times)


BENCHMARK = Benchmark(
    names=(
        "articles.import_vs_sqlite",
        "articles.import_peak_mib",
        "articles.mb_per_million",
        "articles.lookup_us",
        "articles.lookup_5m_vs_10k",
        "articles.lookup_vs_dict",
    ),
    run=run,
)
