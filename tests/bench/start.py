"""How long the daemon takes from exec to READY=1, beside the bare import of the libraries it stands on."""

import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

from tests.bench.harness import ROOT, as_installed, daemon, workplace
from tests.bench.rows import Benchmark, Row, row

ROUNDS = 9
IMPORTS = "import serial, paho.mqtt.client, msgspec, tinydb"


def run() -> Iterator[Row]:
    """Take turns; the first round only writes byte code and makes the outbox."""
    starts, imports = [], []
    with workplace() as folder:
        for _ in range(1 + ROUNDS):
            began = time.monotonic()
            subprocess.run((sys.executable, "-c", IMPORTS), cwd=ROOT, env=as_installed(), check=True)
            imports.append(time.monotonic() - began)
            with daemon(folder) as box:
                starts.append(box.start_seconds)
    yield row("daemon.start_vs_imports", median(starts[1:]) / median(imports[1:]), "x", aim=3)


BENCHMARK = Benchmark(names=("daemon.start_vs_imports",), run=run)
