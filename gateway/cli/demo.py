"""`demo`: the whole chain on this machine, event by event."""

import argparse
import contextlib
import importlib.util
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli import exits
from gateway.events.visible_text import visible_json

if TYPE_CHECKING:
    from rich.console import Console

    from gateway.events.cloudevent import ScanEvent

STORED_SECONDS = 60.0
"""The intake tries MQTT 5 first, as the box does, and the demo's broker speaks only 3.1.1."""
COLOURS = {"accepted": "green", "warning": "yellow", "refused": "red"}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    demo = commands.add_parser(
        "demo",
        help="the whole chain on this machine with nothing set up",
        description="Starts an embedded broker, imports a sample article master, plays recorded scans through the "
        "real pipeline, and shows each event as a subscriber receives it. The station's screen is served as a page "
        "whose address is printed.",
        epilog="examples: scangate demo --count 20; scangate demo --count 20 --intake",
    )
    demo.add_argument("--count", type=_count, metavar="N", help="end after N events (default: go on until Ctrl-C)")
    demo.add_argument("--raw", action="store_true", help="print each event's JSON as it came, one a line")
    demo.add_argument("--no-page", action="store_true", help="do not serve the station's page")
    demo.add_argument(
        "--intake",
        nargs="?",
        const=Path("scangate-demo.db"),
        type=Path,
        metavar="FILE",
        help="take the events into an SQLite file, too (default scangate-demo.db); shows the use of each article",
    )
    demo.set_defaults(run=_demo)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _demo(arguments: argparse.Namespace) -> int:
    try:
        from gateway.demo import demonstration
    except ModuleNotFoundError as error:
        if error.name != "amqtt":
            raise
        print("scangate: the demo's broker is missing: pip install 'scangate[demo]'", file=sys.stderr)
        return exits.USAGE
    if arguments.intake is not None and importlib.util.find_spec("sqlalchemy") is None:
        print("scangate: the intake's packages are missing: pip install 'scangate[intake]'", file=sys.stderr)
        return exits.USAGE
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    seen = 0
    mentioned: set[str] = set()
    database = arguments.intake.absolute() if arguments.intake is not None else None
    with demonstration(database, page=not arguments.no_page) as show:
        if not arguments.raw:
            _introduce(console, show.page)
        for event, body in show.events:
            seen += 1
            if arguments.raw:
                print(visible_json(body.decode()), flush=True)
            else:
                _show(console, event, mentioned)
            if seen == arguments.count:
                break
        if database is not None:
            _show_use(console, database, seen)
    if not arguments.raw:
        console.print(f"\n{seen} events. The same chain with your scanner: scangate init; scangate run.")
    return exits.DONE


def _introduce(console: "Console", page: str | None) -> None:
    console.print("A hospital in miniature: recorded scans -> decode -> judge -> store -> MQTT -> this terminal.")
    if page is not None:
        console.print(f"The station's screen, for a browser on this machine: {page}")
    console.print("Each line is one event as a subscriber received it. Ctrl-C ends.", style="dim")
    console.print("(A few seconds: MQTT 5 is tried first, and this broker speaks only 3.1.1.)\n", style="dim")


def _show_use(console: "Console", database: Path, events: int) -> None:
    """What the central side has: the view `article_use` of its database."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    until = time.monotonic() + STORED_SECONDS
    with contextlib.closing(sqlite3.connect(database)) as connection:
        while (stored := _stored(connection)) < events and time.monotonic() < until:
            time.sleep(0.1)
        table = Table("article", "name", "lot", "serial", "used", box=SIMPLE_HEAD, pad_edge=False)
        for row in connection.execute(
            "SELECT coalesce(article_number, device_identifier), trade_name, lot_number, serial_number, quantity "
            "FROM article_use ORDER BY 1, 3, 4"
        ):
            table.add_row(*("-" if cell is None else str(cell) for cell in row))
    console.print(f"\n{stored} events in {database}; used, by article:")
    console.print(table)
    console.print(f"More: scangate-intake status --database sqlite:///{database}", style="dim")


def _stored(connection: sqlite3.Connection) -> int:
    """Return how many events the intake has committed; 0 while it has not made its tables."""
    try:
        count: int = connection.execute("SELECT count(*) FROM event").fetchone()[0]
    except sqlite3.OperationalError:
        return 0
    return count


def _show(console: "Console", event: "ScanEvent", mentioned: set[str]) -> None:
    """One event: what was decided, and why. What is merely worth knowing is shown once."""
    from rich.text import Text

    data = event.data
    verdict = data.verdict
    disposition = verdict.disposition.value
    colour = COLOURS["warning" if verdict.warned else disposition]
    article, udi = data.article, data.udi
    name = (article and article.trade_name) or "not in the article master"
    line = Text(f"{int(event.sequence):>4}  ")
    line.append(f"{disposition:<8}", style=f"bold {colour}")
    line.append(f"  {name:<34} ")
    if udi is not None:
        identifiers = {
            "DI": udi.device_identifier,
            "lot": udi.lot_number,
            "serial": udi.serial_number,
            "expires": udi.expiration_date,
        }
        line.append("  ".join(f"{what} {value}" for what, value in identifiers.items() if value), style="dim")
    elif article is not None:
        line.append(f"article number {article.article_number}", style="dim")
    console.print(line)
    for finding in verdict.findings:
        if finding.severity == "info":
            if finding.code in mentioned:
                continue
            mentioned.add(finding.code)
        console.print(Text(f"      {finding.code}: {finding.message}", style=colour))
