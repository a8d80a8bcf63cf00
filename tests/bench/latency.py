"""From the scanner's bytes to the subscriber: one label at a time through the running daemon and mosquitto."""

import time
from collections.abc import Iterator

from tests.bench import samples
from tests.bench.harness import broker, daemon, workplace
from tests.bench.rows import Benchmark, Row, percentile, row
from tests.bench.subscriber import Subscriber

WARM_UP = 20
SCANS = 400
PAUSE_SECONDS = 0.02
"""Between an arrival and the next label: every thread has gone back to sleep, as between two scans of a person."""


def run() -> Iterator[Row]:
    """Scan, wait for the event, pause."""
    times = []
    with workplace() as folder, broker(folder) as server, Subscriber(server.port) as subscriber:
        samples.import_master(folder / "state" / "articles", 1000)
        with daemon(folder, url=server.url) as box:
            box.wait_connected()
            for number in range(WARM_UP + SCANS):
                began = time.perf_counter()
                box.scan(samples.label(number))
                subscriber.receive()
                times.append(1000 * (time.perf_counter() - began))
                time.sleep(PAUSE_SECONDS)
    del times[:WARM_UP]
    yield row("scan.pty_to_subscriber_p50_ms", percentile(times, 0.5), "ms")
    yield row("scan.pty_to_subscriber_p99_ms", percentile(times, 0.99), "ms")


BENCHMARK = Benchmark(names=("scan.pty_to_subscriber_p50_ms", "scan.pty_to_subscriber_p99_ms"), run=run)
