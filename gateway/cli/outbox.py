"""`outbox`: the scans of this box, waiting and delivered. Works whether the daemon runs or not."""

import argparse
import sys
import time
from collections import deque
from typing import Any, Final, get_args

import msgspec

from gateway.cli import exits, outbox_dead, outbox_export, outbox_restore
from gateway.cli.box import add_config, open_box
from gateway.cli.journal import add_since, backlog_of
from gateway.cli.output import add_json, print_json, show
from gateway.events.exports.flat import reasons
from gateway.outbox.search import Search, State, find_one

DEFAULT_LIMIT: Final = 50
"""Events a listing shows unless given otherwise: the last screenful or two."""


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
        epilog="examples: scangate outbox list --di 08717648200274 --lot 1234567A --since 7d; "
        "scangate outbox list --refused --since yesterday",
    )
    listing.add_argument("--di", metavar="DI", help="device identifier; a GTIN in any length")
    listing.add_argument("--lot", metavar="LOT")
    listing.add_argument("--serial", metavar="SERIAL")
    add_since(listing)
    listing.add_argument("--refused", action="store_true", help="only scans that were refused")
    listing.add_argument("--article", metavar="TEXT", help="part of the article's number or name")
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
    outbox_export.add(actions)
    outbox_dead.add(actions)
    outbox_restore.add(actions)


def _status(arguments: argparse.Namespace) -> int:
    with backlog_of(open_box(arguments)) as backlog:
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
        refused=arguments.refused,
        article=arguments.article,
    )
    with backlog_of(open_box(arguments)) as backlog:
        after = 0
        if search == Search() and arguments.since is None:
            after = max(0, backlog.last() - arguments.limit)
        elif search.state == "waiting":
            after = backlog.delivered()
        found = search.find(backlog.journal(after=after, since_ns=arguments.since or 0))
        rows = [
            {**msgspec.to_builtins(event), "reasons": reasons(stored)}
            for stored, event in deque(found, maxlen=arguments.limit)
        ]
    if not arguments.json:
        rows = [{**row, **_readable(row)} for row in rows]
    columns = {"sequence": "", "when": "time", "state": "state", "verdict": "verdict", "item": "what, and why"}
    show(rows, columns, as_json=arguments.json, empty="no such events")
    return exits.DONE


def _readable(row: dict[str, Any]) -> dict[str, str | list[str]]:
    """Put a row into few columns: a terminal is 80 characters wide."""
    at = (row["time"] or row["recordedTime"] or "")[5:19].replace("T", " ")
    parts = [row["action"], row["tradeName"] or row["articleNumber"], row["deviceIdentifier"] or row["text"]]
    named = {"lot": row["lotNumber"], "serial": row["serialNumber"], "expires": row["expirationDate"]}
    parts += [f"{name} {value}" for name, value in named.items() if value]
    item = ", ".join(part for part in parts if part) or row["type"]
    return {
        "when": at,
        "verdict": row["disposition"] or "",
        "item": [item, *(f"- {reason}" for reason in row["reasons"])],
    }


def _show(arguments: argparse.Namespace) -> int:
    wanted: str = arguments.event
    with backlog_of(open_box(arguments)) as backlog:
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


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
