"""`articles unknown` and `articles affected`: what past scans say of the article master, and it of them."""

import argparse
import csv
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway.cli import exits
from gateway.cli.articles_box import add_box, config_of, master_of
from gateway.cli.journal import add_since
from gateway.cli.output import print_json, show

if TYPE_CHECKING:
    from gateway.recalls.affected_scans import Affected

DEFAULT_LIMIT: Final = 1000
"""Scans `affected` lists unless given otherwise."""


SCAN_COLUMNS: Final = {
    "sequence": "sequence",
    "time": "time",
    "action": "action",
    "deviceIdentifier": "device identifier",
    "lotNumber": "lot",
    "serialNumber": "serial",
    "tradeName": "article",
    "case": "case",
    "certain": "touched",
    "takenBack": "taken back",
    "recalledBy": "recalled by",
    "reason": "reason",
}
"""Of a listing of past scans."""
NONE_AFFECTED: Final = (
    "no scans of this box's journal are affected; delivered ones stay in it for [outbox] keep_delivered_days"
)


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands, below `articles`."""
    unknown = actions.add_parser(
        "unknown",
        help="articles that were scanned and are not in the master: how often, when first and last",
        epilog="example: scangate articles unknown --csv > unknown.csv",
    )
    which = unknown.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="those the master has learnt since, too")
    which.add_argument("--resolved", action="store_true", help="only those: their past scans can be resolved now")
    unknown.add_argument("--csv", action="store_true", help="print CSV instead of a table")
    add_box(unknown)
    unknown.set_defaults(run=_unknown)
    drill = actions.add_parser(
        "drill",
        help="try a recall out: what it would bar here and which past scans it touches; nothing is changed",
        description="FILE: a delta as the central side would send it, signed or not. Exit code 1: it would be "
        "refused, or something that it names is no article of this box, or would not be barred.",
        epilog="example: scangate articles drill fsn-17.json",
    )
    drill.add_argument("file", type=Path, metavar="FILE")
    add_box(drill)
    drill.set_defaults(run=_drill)
    affected = actions.add_parser(
        "affected",
        help="past scans that a recall touches",
        description="Without an article: the scans of everything the master now knows as recalled. A recall of an "
        "article touches the packages it is in and what it contains. `possible`: the label says no lot or "
        "serial number, or only in another spelling: look at the device. Exit code 2: what was given is no "
        "article, or no past label of it has such a lot or serial number.",
        epilog="example: scangate articles affected 09520001000102 --lot L2A0417 --lot L2A0418 --since 90d",
    )
    affected.add_argument(
        "article", nargs="?", metavar="ARTICLE", help="device identifier, article number or whole code"
    )
    affected.add_argument(
        "--lot", action="append", default=[], metavar="LOT", help="only this lot; may be repeated"
    )
    affected.add_argument(
        "--serial", action="append", default=[], metavar="SERIAL", help="only this serial number; may be repeated"
    )
    add_since(affected)
    affected.add_argument(
        "--limit", type=int, default=DEFAULT_LIMIT, metavar="N", help=f"the last N (default {DEFAULT_LIMIT})"
    )
    add_box(affected)
    affected.set_defaults(run=_affected)


def _unknown(arguments: argparse.Namespace) -> int:
    from gateway.articles.lookup.status_message import utc
    from gateway.model import Match
    from gateway.outbox import unknown_articles

    master, directory = master_of(arguments)
    outbox = directory / "outbox.db"
    rows: list[dict[str, Any]] = []
    with master:
        for one in unknown_articles.read(outbox) if outbox.exists() else ():
            found = master.look_up(one.identifier, one.identifier if one.issuer else None)
            known = found.match is not Match.NONE
            if not arguments.all and known is not arguments.resolved:
                continue
            rows.append(
                {
                    "identifier": one.identifier,
                    "issuer": one.issuer,
                    "scans": one.scans,
                    "first": utc(one.first_ns),
                    "last": utc(one.last_ns),
                    "resolved": known,
                    "articleNumber": found.article.article_number if found.article else None,
                }
            )
    if arguments.csv:
        _print_csv(rows)
        return exits.DONE
    columns = {"identifier": "article", "issuer": "issuer", "scans": "scans", "first": "first", "last": "last"}
    if arguments.all or arguments.resolved:
        columns |= {"resolved": "known now", "articleNumber": "article number"}
    show(rows, columns, as_json=arguments.json, empty="no such articles")
    return exits.DONE


def _print_csv(rows: list[dict[str, Any]]) -> None:
    from gateway.events.exports.csv import cell

    writer = csv.writer(sys.stdout)
    writer.writerow(("identifier", "issuer", "scans", "first", "last", "resolved", "articleNumber"))
    writer.writerows(map(cell, row.values()) for row in rows)


def _drill(arguments: argparse.Namespace) -> int:
    from gateway.articles.overlay.delta_message import MAX_DELTA_BYTES
    from gateway.articles.overlay.signing import KeyFileError, read_public_key
    from gateway.outbox.reader import OutboxReader
    from gateway.recalls.affected_scans import undone
    from gateway.recalls.drill import DrillRefusedError, drill

    config = config_of(arguments)
    try:
        with arguments.file.open("rb") as file:
            payload = file.read(MAX_DELTA_BYTES + 1)
        key_file = None if config is None else config.articles.delta_key_file
        key = (
            None
            if key_file is None or not payload.lstrip().startswith(b'{"payload"')
            else read_public_key(key_file)
        )
    except (OSError, KeyFileError) as error:
        print(f"scangate: cannot read {arguments.file}: {error}", file=sys.stderr)
        return exits.USAGE
    master, directory = master_of(arguments)
    master.close()
    reader = OutboxReader(directory / "outbox.db")
    try:
        names = () if config is None else tuple(config.articles.priorities())
        taken_back = undone(reader.journal())
        tried = drill(directory / "articles", names, payload, key, reader.journal(), taken_back)
    except DrillRefusedError as error:
        print(f"scangate: the box would refuse it: {error}", file=sys.stderr)
        return exits.NOT_WELL
    finally:
        reader.close()
    if arguments.json:
        print_json(msgspec.to_builtins(tried))
    else:
        columns = {"article": "article", "articleNumber": "number", "tradeName": "name", "known": "known here"}
        show([msgspec.to_builtins(one) for one in tried.articles], columns | {"effect": "effect"}, as_json=False)
        show([_row(one) for one in tried.scans], SCAN_COLUMNS, as_json=False, empty=NONE_AFFECTED)
    well = all(one.known and one.effect != "none" for one in tried.articles)
    return exits.DONE if well else exits.NOT_WELL


def _affected(arguments: argparse.Namespace) -> int:
    from gateway.model import Recall
    from gateway.outbox.reader import OutboxReader
    from gateway.recalls.affected_scans import NothingNamedError, affected, question, undone

    if arguments.article is None and (arguments.lot or arguments.serial):
        print("scangate: --lot and --serial need an ARTICLE", file=sys.stderr)
        return exits.USAGE
    master, directory = master_of(arguments)
    backlog = OutboxReader(directory / "outbox.db")
    try:
        with master:
            since_ns = arguments.since or 0
            recalls = None
            if arguments.article is not None:
                recall = Recall(source="", lots=tuple(arguments.lot), serials=tuple(arguments.serial))
                recalls = question(arguments.article, master, backlog.journal(), recall)
            taken_back = undone(backlog.journal(since_ns=since_ns))
            limit = max(1, arguments.limit)
            journal = backlog.journal(since_ns=since_ns)
            found = deque(affected(journal, master, recalls, taken_back), maxlen=limit + 1)
    except NothingNamedError as error:
        print(f"scangate: {error}", file=sys.stderr)
        return exits.USAGE
    finally:
        backlog.close()
    if len(found) > limit:
        found.popleft()
        print(f"there are more: only the last {limit} are shown, see --limit", file=sys.stderr)
    if arguments.json:
        show([msgspec.to_builtins(one) for one in found], {}, as_json=True)
    else:
        show(list(map(_row, found)), SCAN_COLUMNS, as_json=False, empty=NONE_AFFECTED)
    return exits.DONE


def _row(one: "Affected") -> dict[str, Any]:
    return {
        **msgspec.to_builtins(one.event),
        "certain": "certain" if one.certain else "possible",
        "takenBack": one.taken_back,
        "recalledBy": one.source,
        "reason": one.reason,
    }
