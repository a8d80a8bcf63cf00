"""`scangate-intake recall|block|release|publish|deltas|affected`: the article side."""

import argparse
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from intake.cli.options import add_config, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from intake.deltas import Change, Deltas

SENT_SECONDS: Final = 10.0
"""The running service looks every second."""
LISTED: Final = 200
IDS: Final = {
    "recall": "what a release will name it by: the number of the field safety notice",
    "release": "the recall to lift, of the article named or else of all; without it, a block",
}
RAW: Final = argparse.RawDescriptionHelpFormatter

RECALL = """examples:
  scangate-intake recall --source jeeves-miv --id FSN-17 --di 09520001000102 --lot L2A0417 \\
      --serial-range SN0998 SN1002 --database postgresql://intake@db/scangate
  scangate-intake release --source jeeves-miv --id FSN-17 --database postgresql://intake@db/scangate
  scangate-intake affected --di 09520001000102 --lot L2A0417 --database postgresql://intake@db/scangate
"""


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public name for it
    """Describe the commands."""
    for name, what in (
        ("recall", "recall an article, or some of its devices, on every box"),
        ("block", "block an article on every box"),
        ("release", "lift a recall or a block on every box"),
    ):
        parser = commands.add_parser(name, help=what, epilog=RECALL, formatter_class=RAW)
        _add_source(parser)
        _add_article(parser, required=name != "release")
        if name != "block":
            parser.add_argument("--id", metavar="ID", help=IDS[name])
        if name != "release":
            parser.add_argument("--reason", help="one line for the operator")
            parser.add_argument("--from", dest="from_", metavar="DATE", help="first day in force (at once)")
        if name == "recall":
            parser.add_argument("--to", metavar="DATE", help="last day in force (until released)")
            _add_restrictions(parser)
        parser.set_defaults(run=_send_one)
        parser.set_defaults(op=name)
    parser = commands.add_parser("publish", help="send the changes of a file to every box", formatter_class=RAW)
    _add_source(parser)
    parser.add_argument("file", type=Path, help='JSON: {"changes": [{"op": "upsert", "article": {...}}, ...]}')
    parser.set_defaults(run=_publish)
    parser = commands.add_parser("deltas", help="what was sent, and how many boxes have taken it")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_list)
    parser = commands.add_parser(
        "affected", help="past uses over all boxes that a recall touches", epilog=RECALL, formatter_class=RAW
    )
    add_config(parser)
    _add_article(parser)
    _add_restrictions(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_affected)


def _add_source(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--source", required=True, metavar="NAME", help="name of the boxes' article source")
    parser.add_argument(
        "--number", type=int, metavar="N", help="go on from a former system's numbering (default: the next one)"
    )


def _add_article(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    named = parser.add_mutually_exclusive_group(required=required)
    named.add_argument("--di", metavar="DI", help="device identifier (GTIN, HIBC ...)")
    named.add_argument("--article", metavar="NUMBER", help="the owner's article number")
    parser.add_argument("--issuer", choices=("GS1", "HIBCC", "ICCBBA", "IFA"), help="where the DI is ambiguous")


def _add_restrictions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lot", action="append", default=[], metavar="LOT", help="only this lot; may be repeated")
    parser.add_argument("--serial", action="append", default=[], metavar="SERIAL", help="only this serial number")
    for option, what in (("lot-range", "lots"), ("serial-range", "serial numbers")):
        parser.add_argument(
            f"--{option}",
            action="append",
            nargs=2,
            default=[],
            metavar=("FIRST", "LAST"),
            help=f"only {what} from FIRST to LAST, which differ in their last digits only; may be repeated",
        )
    for option in ("manufactured-from", "manufactured-to", "expires-from", "expires-to"):
        parser.add_argument(f"--{option}", metavar="DATE")


def _send_one(chosen: argparse.Namespace) -> int:
    from intake.deltas import Block, Recall, Release

    named = {"device_identifier": chosen.di, "article_number": chosen.article, "issuer": chosen.issuer}
    change: Change
    if chosen.op == "release":
        change = Release(**named, id=chosen.id)
    elif chosen.op == "block":
        change = Block(**named, reason=chosen.reason, from_=chosen.from_)
    else:
        change = Recall(
            **named,
            **_restrictions(chosen),
            id=chosen.id,
            reason=chosen.reason,
            from_=chosen.from_,
            to=chosen.to,
        )
    return _store(chosen, [change])


def _restrictions(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return which of an article's devices are meant, as both Recalls name it."""
    from gateway.model import NumberRange

    lots, serials = (
        tuple(NumberRange(first=first, last=last) for first, last in ranges)
        for ranges in (chosen.lot_range, chosen.serial_range)
    )
    days = ("manufactured_from", "manufactured_to", "expires_from", "expires_to")
    return {
        "lots": tuple(chosen.lot),
        "lot_ranges": lots,
        "serials": tuple(chosen.serial),
        "serial_ranges": serials,
    } | {name: getattr(chosen, name) for name in days}


def _publish(chosen: argparse.Namespace) -> int:
    from intake.deltas import read_changes
    from intake.errors import RefusedError

    try:
        content = chosen.file.read_bytes()
    except OSError as error:
        raise RefusedError(f"cannot read {chosen.file}: {error.strerror}") from error
    return _store(chosen, read_changes(content))


def _store(chosen: argparse.Namespace, changes: "Sequence[Change]") -> int:
    """Store a delta, and wait until the service has sent it."""
    engine, deltas = _open(chosen)
    try:
        row = deltas.add(chosen.source, changes, chosen.number)
        print(f"delta {row.number} of {row.source}: {row.summary}")
        until = time.monotonic() + SENT_SECONDS
        while deltas.get(row.source, row.number).sent is None:
            if time.monotonic() > until:
                print(
                    "stored, and not sent yet: it goes out as soon as `scangate-intake run` is there; "
                    "`scangate-intake deltas` shows it",
                    file=sys.stderr,
                )
                return 3
            time.sleep(0.1)
        print("sent to every box; `scangate-intake deltas` shows which have taken it")
        return 0
    finally:
        engine.dispose()


def _list(chosen: argparse.Namespace) -> int:
    from intake.boxes import taken_by
    from intake.cli.output import print_json, table

    engine, deltas = _open(chosen)
    try:
        rows = deltas.all(LISTED)
        taken, boxes = taken_by(engine)
    finally:
        engine.dispose()
    listed = [(row, sum(held.has(row.number) for held in taken.get(row.source, ()))) for row in rows]
    if chosen.json:
        names = ("source", "number", "issued", "sent", "summary")
        print_json(
            [{name: getattr(row, name) for name in names} | {"taken": have, "boxes": boxes} for row, have in listed]
        )
        return 0
    table(
        ("source", "number", "issued", "taken by", "what"),
        [
            (
                *(row.source, row.number, _minute(row.issued)),
                f"{have} of {boxes} boxes" if row.sent else "not sent yet",
                row.summary,
            )
            for row, have in listed
        ],
    )
    return 0


def _affected(chosen: argparse.Namespace) -> int:
    from gateway.model import Recall
    from intake.affected import affected
    from intake.cli.output import print_json, table
    from intake.deltas import Recall as RecallChange
    from intake.deltas import checked

    recall = Recall(source="", **_restrictions(chosen))
    checked(RecallChange(device_identifier=chosen.di, article_number=chosen.article, **_restrictions(chosen)))
    engine, _ = _open(chosen)
    try:
        found = list(affected(engine, recall, device_identifier=chosen.di, article_number=chosen.article))
    finally:
        engine.dispose()
    if chosen.json:
        print_json(found)
        return 0
    table(
        ("time", "box", "action", "lot", "serial", "case", "why"),
        [
            (
                *(_minute(one.time), one.source.removeprefix("urn:scangate:"), one.action),
                *(one.lot_number, one.serial_number, one.case),
                "taken back" if one.taken_back else "recalled" if one.certain else "possible: look at the device",
            )
            for one in found
        ],
    )
    print(f"{len(found)} scans", file=sys.stderr)
    return 0


def _open(chosen: argparse.Namespace) -> "tuple[sa.Engine, Deltas]":
    from intake.database import open_existing
    from intake.deltas import Deltas

    engine = open_existing(settings_of(chosen).checked_database())
    return engine, Deltas(engine, partial(datetime.now, UTC))


def _minute(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
