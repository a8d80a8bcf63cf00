"""What `import gateway.udi` adds to a process that knows the gateway's values already: time and resident memory."""

import os
import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from tests.bench.harness import ROOT
from tests.bench.rows import Benchmark, Row, row

ROUNDS = 7
PROGRAM = """
import time
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
import gateway.model
before, began = resident(), time.perf_counter()
import gateway.udi
print(1000 * (time.perf_counter() - began), (resident() - before) / 1024)
"""


def run() -> Iterator[Row]:
    """Import several times, each in a process of its own; the first only writes byte code."""
    times, sizes = [], []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(1 + ROUNDS):
        done = subprocess.run(
            (sys.executable, "-c", PROGRAM), cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
        milliseconds, mebibytes = map(float, done.stdout.split())
        times.append(milliseconds)
        sizes.append(mebibytes)
    yield row("udi.import_ms", median(times[1:]), "ms", aim=40)
    yield row("udi.import_mib", median(sizes[1:]), "MiB", aim=4)


BENCHMARK = Benchmark(names=("udi.import_ms", "udi.import_mib"), run=run)
