"""`scangate-intake status`: how far each box has come."""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from intake.cli.options import add_config, settings_of

if TYPE_CHECKING:
    from intake.status import IntakeStatus, StreamStatus


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public name for it
    """Describe the command."""
    parser = commands.add_parser(
        "status",
        help="per box: stored, frontier, holes, newest, lag; exit 1 when a hole is older than a minute",
        epilog="example:\n  scangate-intake status --database sqlite:///events.db --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Print it."""
    from intake.cli.output import print_json
    from intake.database import open_existing
    from intake.status import read_status

    engine = open_existing(settings_of(chosen).checked_database())
    try:
        status = read_status(engine, datetime.now(UTC))
    finally:
        engine.dispose()
    if chosen.json:
        print_json(status)
    else:
        _show(status)
    return 0 if status.well else 1


def _show(status: "IntakeStatus") -> None:
    from intake.cli.output import table

    table(
        ("box", "epoch", "stored", "frontier", "newest", "missing", "lag", "state"),
        [
            (
                one.source.removeprefix("urn:scangate:"),
                one.epoch[:8],
                one.stored,
                one.frontier,
                one.newest,
                one.missing,
                f"{one.lag_seconds} s",
                _state(one),
            )
            for one in status.streams
        ],
    )
    passed = f", {status.passed_over} numbers passed over" if status.passed_over else ""
    print(f"{status.stored} events, {status.poison} messages of poison{passed}", file=sys.stderr)


def _state(one: "StreamStatus") -> str:
    if one.late:
        return "hole"
    return one.status or "-"
