"""Sending a backlog: the real publisher, beside mosquitto as a store of its own with a bridge to the same broker.

The bridge's backlog lies in mosquitto's file and is in its memory when it begins. Its time is that from the first
arrival at the broker to the last: starting and reading its file are left out, while the publisher's reading is in.
"""

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.bench import samples
from tests.bench.drain import EVENTS, WINDOW, by_publisher
from tests.bench.harness import (
    answers,
    broker,
    ended,
    mosquitto_environment,
    sink,
    wait_until,
    workplace,
)
from tests.bench.rows import Benchmark, Row, row
from tests.bench.subscriber import Subscriber
from tests.ports import free_port

ROUNDS = 3


def run() -> Iterator[Row]:
    """Take turns."""
    ratios = []
    with workplace() as folder:
        outbox = folder / "outbox.db"
        samples.fill_outbox(outbox, EVENTS)
        with broker(folder) as server:
            for number in range(ROUNDS):
                with sink(server.port):
                    ours = by_publisher(server.port, outbox)
                ratios.append(_by_bridge(folder / f"bridge{number}", server.port, outbox) / ours)
    yield row("delivery.drain_vs_bridge", median(ratios), "x", better="higher")


def _by_bridge(folder: Path, port: int, outbox: Path) -> float:
    """Fill a mosquitto that stores for a bridge, then let the bridge connect; return its seconds."""
    folder.mkdir()
    folder.chmod(0o755)
    with _store(folder, bridge_to=free_port()) as store:  # nobody is there yet
        by_publisher(store, outbox)
    with Subscriber(port) as subscriber, _store(folder, bridge_to=port):
        subscriber.receive()
        began = perf_counter()
        for _ in range(EVENTS - 1):
            subscriber.receive()
        return perf_counter() - began


@contextlib.contextmanager
def _store(folder: Path, bridge_to: int) -> Iterator[int]:
    """Run the mosquitto that stores; yield its port."""
    port = free_port()
    lines = (
        f"user {pwd.getpwuid(os.geteuid()).pw_name}",
        "log_dest none",
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "set_tcp_nodelay true",
        "persistence true",
        f"persistence_location {folder}/",
        f"max_inflight_messages {WINDOW}",  # as many as the publisher has under way
        "max_queued_messages 0",  # its usual limit of 1,000 would drop the backlog
        "connection central",
        f"address 127.0.0.1:{bridge_to}",
        "topic # out 1",
        "cleansession false",
        "notifications false",
        "try_private false",
        "local_clientid bridge",
        "restart_timeout 1",
    )
    settings = folder / "mosquitto.conf"
    settings.write_text("\n".join(lines) + "\n")
    with (folder / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen(("mosquitto", "-c", settings), env=mosquitto_environment(), stderr=log)
    with ended(process):
        wait_until(lambda: answers(port), "mosquitto answers")
        yield port


BENCHMARK = Benchmark(names=("delivery.drain_vs_bridge",), run=run)
