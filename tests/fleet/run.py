"""`make fleet`: a thousand gateways deliver while a broker's node is killed and comes back.

Exit code 1 when a scan is missing.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.harness import workplace
from tests.fleet.cluster import Brokers, Mosquitto, NatsCluster
from tests.fleet.fleet import Outcome, Plan, run

BROKERS: Final[Mapping[str, Callable[[Path], Brokers]]] = {"nats": NatsCluster, "mosquitto": Mosquitto}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fleet against each broker; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateways", type=int, default=1000)
    parser.add_argument("--scans", type=int, default=20, help="of each gateway")
    parser.add_argument("--per-process", type=int, default=50, help="gateways in one process")
    parser.add_argument("--seconds", type=float, default=30.0, help="over which each gateway's scans are spread")
    parser.add_argument("--window", type=int, default=100, help="events of a gateway under way at a time")
    parser.add_argument("--brokers", nargs="+", choices=sorted(BROKERS), default=list(BROKERS))
    chosen = parser.parse_args(arguments)
    plan = Plan(
        gateways=chosen.gateways,
        scans=chosen.scans,
        per_process=chosen.per_process,
        seconds=chosen.seconds,
        window=chosen.window,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the brokers end, too
    console = Console(highlight=False)
    good = True
    for name in chosen.brokers:
        console.print(f"{plan.gateways} gateways, {plan.scans} scans each: {name}")
        with workplace() as folder:
            outcome = _run(folder, name, plan)
        console.print(_table(outcome))
        good = good and outcome.good
    return int(not good)


def _run(folder: Path, name: str, plan: Plan) -> Outcome:
    brokers = folder / name
    brokers.mkdir()
    return run(folder, BROKERS[name](brokers), plan)


def _table(outcome: Outcome) -> Table:
    reports = outcome.reports
    gateways_mib = sum(report.rss_mib - report.rss_without_mib for report in reports)
    table = Table("figure", "value", title=outcome.brokers)
    for figure, value in (
        ("scans arrived", f"{outcome.arrived} of {outcome.stored}"),
        ("missing or changed", f"{outcome.missing}"),
        ("changed copies, events with two ids", f"{outcome.faults}"),
        ("behind a later one of the same gateway", f"{outcome.late} (window {outcome.window})"),
        ("the same, sent again by the broker", f"{outcome.redelivered}"),
        ("copies, dropped by id", f"{outcome.copies}"),
        ("refused for now, sent again", f"{sum(report.refused for report in reports)}"),
        ("throughput", f"{outcome.arrived / outcome.seconds:.0f} events/s over {outcome.seconds:.1f} s"),
        ("scan to arrival p50", f"{outcome.delay_seconds(0.5):.3f} s"),
        ("scan to arrival p99", f"{outcome.delay_seconds(0.99):.3f} s"),
        ("scan to arrival, longest", f"{outcome.delay_seconds(1):.3f} s"),
        ("MQTT", ", ".join(sorted({one for report in reports for one in report.protocols}))),
        ("memory of all processes", f"{sum(report.rss_mib for report in reports):.0f} MiB in {len(reports)}"),
        ("memory of one more gateway", f"{gateways_mib / outcome.gateways:.2f} MiB"),
    ):
        table.add_row(figure, value)
    return table


if __name__ == "__main__":
    sys.exit(main())
