"""`outbox dead` and `outbox retry`: what the broker does not take, and sending it again."""

import argparse
import sys
import time
from pathlib import Path

import msgspec

from gateway.cli import exits, outbox_export
from gateway.cli.box import add_config, add_socket, open_box
from gateway.cli.journal import backlog_of
from gateway.cli.output import add_json, show
from gateway.system.clock import NS, local_rfc3339


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    dead = actions.add_parser(
        "dead",
        help="the dead letters: events that the broker can never take, and why",
        description="Lists the dead letters. They stay until `outbox retry` delivers them: nothing is removed.",
        epilog="example: scangate outbox dead --export dead.ndjson",
    )
    dead.add_argument(
        "--export", type=Path, metavar="FILE", help="write the events as ndjson instead of listing them"
    )
    add_config(dead)
    add_json(dead)
    dead.set_defaults(run=_dead)
    retry = actions.add_parser(
        "retry",
        help="send dead letters again",
        description="Dead letters go once more, one at a time, when nothing else waits: at the end of the line. "
        "Each keeps its id, sequence and bytes, and consumers know it by them. One that is refused again is a "
        "dead letter again. Works with the daemon and without; without, they go when it runs.",
        epilog="example: scangate outbox retry 4711 4712",
    )
    retry.add_argument("sequence", nargs="*", type=int, metavar="SEQUENCE")
    retry.add_argument("--all", action="store_true", help="every dead letter")
    add_config(retry)
    add_socket(retry)
    retry.set_defaults(run=_retry, audited="outbox retry")


def _dead(arguments: argparse.Namespace) -> int:
    if arguments.export is not None:
        return outbox_export.run(
            argparse.Namespace(
                config=arguments.config,
                format="ndjson",
                output=arguments.export,
                state="dead",
                source=None,
                since=None,
                all=False,
                excel=False,
                report=None,
                until=None,
                language=None,
                unseal_key=None,
            )
        )
    from gateway.events.exports.flat import flat
    from gateway.events.stored_event import StoredEvent

    with backlog_of(open_box(arguments)) as backlog:
        now_ns = time.time_ns()
        rows = [
            {
                **msgspec.to_builtins(
                    flat(
                        StoredEvent(
                            sequence=letter.sequence, body=backlog.body(letter.sequence) or b"", state="dead"
                        )
                    )
                ),
                "reason": letter.reason,
                "ageSeconds": max(0, now_ns - letter.parked_ns) // NS,
                "parked": local_rfc3339(letter.parked_ns),
                "asked": local_rfc3339(letter.asked_ns) if letter.asked_ns else None,
            }
            for letter in backlog.letters()
        ]
    columns = {
        "sequence": "sequence",
        "reason": "reason",
        "parked": "dead since",
        "asked": "to be sent again since",
        "time": "scanned",
        "deviceIdentifier": "device identifier",
        "lotNumber": "lot",
        "serialNumber": "serial",
        "tradeName": "article",
    }
    show(rows, columns, as_json=arguments.json, empty="no dead letters")
    return exits.DONE


def _retry(arguments: argparse.Namespace) -> int:
    from gateway.cli.hand_over import retry

    config = open_box(arguments)
    if bool(arguments.sequence) == arguments.all:
        print("scangate: name the dead letters by their sequence, or give --all", file=sys.stderr)
        return exits.USAGE
    with backlog_of(config) as backlog:
        known = {letter.sequence for letter in backlog.letters()}
        wanted = sorted(known if arguments.all else set(arguments.sequence))
        will_be = retry(config, arguments.socket, backlog, None if arguments.all else wanted) if wanted else []
    print(f"{len(will_be)} of {len(wanted)} dead letters are sent again", file=sys.stderr)
    missing = [sequence for sequence in wanted if sequence not in will_be]
    for sequence in missing:
        why = "its bytes are damaged: see `scangate outbox show`" if sequence in known else "it is no dead letter"
        print(f"scangate: {sequence} is not sent: {why}", file=sys.stderr)
    return exits.NOT_WELL if missing else exits.DONE
