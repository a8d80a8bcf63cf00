"""`scangate-intake replay|pass-over|poison|prune`: what a person does now and then."""

import argparse
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from intake.cli.options import add_config, settings_of

if TYPE_CHECKING:
    import sqlalchemy as sa

EXAMPLE: Final = """example:
  scangate-intake pass-over --box vgr:su:gw1 --epoch 5f0c2a9b1d7e4c83 --from 12 --to 14 \\
      --reason "card destroyed in the fire" --database sqlite:///events.db
"""


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public name for it
    """Describe the commands."""
    parser = commands.add_parser("replay", help="have every hole asked for now, not when it is due")
    add_config(parser)
    parser.set_defaults(run=_replay)
    parser = commands.add_parser(
        "pass-over",
        help="let the frontier of a box pass numbers that will never come",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("--box", required=True, metavar="TENANT:SITE:GATEWAY")
    parser.add_argument("--epoch", required=True)
    parser.add_argument("--from", dest="first", required=True, type=int, metavar="N")
    parser.add_argument("--to", dest="last", required=True, type=int, metavar="N")
    parser.add_argument("--reason", required=True, help="kept in the table stand_in")
    parser.set_defaults(run=_pass_over)
    parser = commands.add_parser("poison", help="messages that are no event; exit 1 when there are any")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_poison)
    parser = commands.add_parser("prune", help="delete old events that are acknowledged and handed on everywhere")
    add_config(parser)
    parser.add_argument("--keep-days", required=True, type=int, metavar="DAYS", help="at least 31")
    parser.set_defaults(run=_prune)


def _replay(chosen: argparse.Namespace) -> int:
    from intake.maintenance import ask_again

    engine = _open(chosen)
    try:
        print(f"{ask_again(engine)} boxes will be asked by the running service")
    finally:
        engine.dispose()
    return 0


def _pass_over(chosen: argparse.Namespace) -> int:
    from intake.maintenance import pass_over
    from intake.store import Store, Stream

    source = chosen.box if chosen.box.startswith("urn:scangate:") else f"urn:scangate:{chosen.box}"
    engine = _open(chosen)
    try:
        store = Store(engine, partial(datetime.now, UTC))
        frontier = pass_over(engine, store, Stream(source, chosen.epoch), chosen.first, chosen.last, chosen.reason)
    finally:
        engine.dispose()
    print(
        f"everything up to {frontier} counts as stored; the running service says so to the box with its next event"
    )
    return 0


def _poison(chosen: argparse.Namespace) -> int:
    from intake.cli.output import print_json, table
    from intake.maintenance import poisons

    engine = _open(chosen)
    try:
        found = poisons(engine)
    finally:
        engine.dispose()
    if chosen.json:
        print_json(found)
    else:
        table(
            ("last received", "times", "topic", "place", "reason"),
            [
                (f"{one.last_received:%Y-%m-%d %H:%M}", one.times, one.topic, one.sequence, one.reason)
                for one in found
            ],
        )
    return 1 if found else 0


def _prune(chosen: argparse.Namespace) -> int:
    from intake.maintenance import prune

    engine = _open(chosen)
    try:
        print(f"{prune(engine, datetime.now(UTC), chosen.keep_days)} events deleted", file=sys.stderr)
    finally:
        engine.dispose()
    return 0


def _open(chosen: argparse.Namespace) -> "sa.Engine":
    from intake.database import open_existing

    return open_existing(settings_of(chosen).checked_database())
