"""`outbox`: the scans of this box, waiting and delivered. Works whether the daemon runs or not."""

import argparse
import contextlib
import os
import stat
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, get_args

import msgspec

from gateway.cli import exits
from gateway.cli.box import add_config, add_socket, open_box
from gateway.cli.output import add_json, print_json, show
from gateway.delivery.backlog import Backlog, Stored
from gateway.delivery.search import Search, State, find_one, read_since

if TYPE_CHECKING:
    from gateway.config import Config

DEFAULT_LIMIT: Final = 50
"""Events a listing shows unless told otherwise: the last screenful or two."""
EXPORT_MODE: Final = 0o640


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    outbox = commands.add_parser("outbox", help="the scans of this box, waiting and delivered")
    actions = outbox.add_subparsers(metavar="ACTION", required=True)
    status = actions.add_parser(
        "status",
        help="how many wait, how many are delivered (exit code 1: there are dead letters)",
        epilog="example: scangate outbox status",
    )
    add_config(status)
    add_json(status)
    status.set_defaults(run=_status)
    listing = actions.add_parser(
        "list",
        help="events, the newest last",
        epilog="example: scangate outbox list --di 08717648200274 --lot 1234567A --since 7d",
    )
    listing.add_argument("--di", metavar="DI", help="device identifier; a GTIN in any length")
    listing.add_argument("--lot", metavar="LOT")
    listing.add_argument("--serial", metavar="SERIAL")
    _add_since(listing)
    listing.add_argument("--state", choices=get_args(State))
    listing.add_argument(
        "--limit", type=_count, default=DEFAULT_LIMIT, metavar="N", help=f"the last N (default {DEFAULT_LIMIT})"
    )
    add_config(listing)
    add_json(listing)
    listing.set_defaults(run=_list)
    one = actions.add_parser("show", help="one event, whole", epilog="example: scangate outbox show 4711")
    one.add_argument("event", metavar="SEQUENCE|ID")
    add_config(one)
    one.set_defaults(run=_show)
    _add_export(actions)


def _add_export(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    export = actions.add_parser(
        "export",
        help="events as a file",
        description="Writes the journal. ndjson: each event on a line, byte for byte as it is delivered. csv: a "
        "row for each event; an apostrophe guards cells that a spreadsheet would compute. On a box without "
        "[broker], what has been written completely counts as delivered, and the next export goes on behind it; "
        "--all and --since choose freely, and mark nothing.",
        epilog="example: scangate outbox export --format csv -o scans.csv",
    )
    export.add_argument("--format", choices=("csv", "ndjson"), default="ndjson", help="default ndjson")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    _add_since(export)
    export.add_argument("--all", action="store_true", help="everything that is stored, exported before or not")
    export.add_argument("--excel", action="store_true", help="csv with byte order mark and semicolons")
    add_config(export)
    add_socket(export)
    export.set_defaults(run=_export)


def _add_since(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", type=_since, metavar="TIME", help="recorded since then: 2026-11-21, 2026-11-21T08:00, 2h, 3d"
    )


def _status(arguments: argparse.Namespace) -> int:
    with _backlog(open_box(arguments)) as backlog:
        oldest = backlog.oldest_waiting_ns()
        dead = [{"sequence": sequence, "reason": reason} for sequence, reason in backlog.dead()]
        status = {
            "file": str(backlog.path),
            "epoch": backlog.meta().get("epoch"),
            "stored": backlog.last(),
            "delivered": backlog.delivered(),
            "waiting": backlog.waiting(),
            "oldestWaitingSeconds": None if oldest is None else max(0, time.time_ns() - oldest) // 10**9,
            "deadLetters": dead,
        }
    if arguments.json:
        print_json(status)
    else:
        show(
            [{"what": what, "value": value} for what, value in {**status, "deadLetters": len(dead)}.items()],
            {"what": "", "value": ""},
            as_json=False,
        )
        for letter in dead:
            print(f"! dead letter {letter['sequence']}: {letter['reason']}", file=sys.stderr)
    return exits.NOT_WELL if dead else exits.DONE


def _list(arguments: argparse.Namespace) -> int:
    search = Search(
        device_identifier=arguments.di,
        lot_number=arguments.lot,
        serial_number=arguments.serial,
        state=arguments.state,
    )
    with _backlog(open_box(arguments)) as backlog:
        after = 0
        if search == Search() and arguments.since is None:
            after = max(0, backlog.last() - arguments.limit)
        elif search.state == "waiting":
            after = backlog.delivered()
        found = search.find(backlog.journal(after=after, since_ns=arguments.since or 0))
        rows = [msgspec.to_builtins(event) for event in deque(found, maxlen=arguments.limit)]
    columns = {
        "sequence": "sequence",
        "time": "time",
        "state": "state",
        "action": "action",
        "disposition": "verdict",
        "deviceIdentifier": "device identifier",
        "lotNumber": "lot",
        "serialNumber": "serial",
        "expirationDate": "expires",
        "tradeName": "article",
        "findings": "findings",
    }
    show(rows, columns, as_json=arguments.json, empty="no such events")
    return exits.DONE


def _show(arguments: argparse.Namespace) -> int:
    wanted: str = arguments.event
    with _backlog(open_box(arguments)) as backlog:
        if wanted.isascii() and wanted.isdigit() and len(wanted) <= len(str(2**62)):
            after = int(wanted) - 1
            stored = next((one for one in backlog.journal(after=after) if one.sequence == after + 1), None)
        else:
            stored = find_one(backlog.journal(), wanted)
    if stored is None:
        print(
            f"scangate: there is no event {wanted} in {backlog.path}: see `scangate outbox list`", file=sys.stderr
        )
        return exits.NOT_WELL
    try:
        print(msgspec.json.format(stored.body, indent=2).decode())
    except ValueError:
        print(f"scangate: event {stored.sequence} is damaged: {stored.body!r}", file=sys.stderr)
        return exits.NOT_WELL
    return exits.DONE


def _export(arguments: argparse.Namespace) -> int:
    from gateway.cli.hand_over import mark_exported, not_exported, settle

    config = open_box(arguments)
    if arguments.excel and arguments.format != "csv":
        print("scangate: --excel goes with --format csv", file=sys.stderr)
        return exits.USAGE
    hand_over = config.broker is None and not arguments.all and arguments.since is None
    with _backlog(config) as backlog:
        if hand_over:
            settle(config, arguments.socket, backlog)
        taken = _Taken(not_exported(backlog) if hand_over else backlog.journal(since_ns=arguments.since or 0))
        try:
            with _destination(arguments.output) as stream:
                stream.writelines(_lines(taken, arguments))
        except BrokenPipeError:
            raise
        except OSError as error:
            name = arguments.output or "standard output"
            print(
                f"scangate: cannot write {name}: {error.strerror}; choose another place, or `> FILE` instead of -o",
                file=sys.stderr,
            )
            return exits.UNREACHABLE
        print(f"{taken.count} events exported", file=sys.stderr)
        if hand_over and backlog.unsettled():
            print("scangate: newer events wait for the daemon to settle their time: export again", file=sys.stderr)
        if hand_over and taken.count:
            try:
                mark_exported(config, arguments.socket, backlog, taken.last)
            except Exception:
                print("scangate: the export is complete, but not noted: the next repeats it", file=sys.stderr)
                raise
    return exits.DONE


class _Taken:
    """Passes events on, and keeps count."""

    def __init__(self, events: Iterable[Stored]) -> None:
        self._events = events
        self.count = 0
        self.last = 0
        """Sequence of the last one."""

    def __iter__(self) -> Iterator[Stored]:
        for stored in self._events:
            yield stored
            self.count += 1
            self.last = stored.sequence


def _lines(events: Iterable[Stored], arguments: argparse.Namespace) -> Iterator[bytes]:
    if arguments.format == "csv":
        from gateway.delivery.projections import csv

        return csv.lines(events, excel=arguments.excel)
    return (stored.body + b"\n" for stored in events)


@contextlib.contextmanager
def _destination(path: Path | None) -> Iterator[BinaryIO]:
    """Hand out where to write; when it returns, everything is written, and on the disk where it is a file."""
    if path is not None:
        from gateway.whole_file import whole_file

        with whole_file(path, EXPORT_MODE) as stream:
            yield stream
        return
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()
    with contextlib.suppress(ValueError):  # standard output may be no file of the system
        if stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
            os.fsync(sys.stdout.fileno())


@contextlib.contextmanager
def _backlog(config: "Config") -> Iterator[Backlog]:
    backlog = Backlog(config.state_directory / "outbox.db")
    try:
        yield backlog
    finally:
        backlog.close()


def _since(text: str) -> int:
    try:
        return read_since(text, time.time_ns())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
