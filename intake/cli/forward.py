"""`scangate-intake forward|dead`: events handed on to other systems."""

import argparse
import logging
import signal
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from intake.cli.options import add_config, settings_of

if TYPE_CHECKING:
    from intake.forward import Receiver
    from intake.forward.projection import Form

FORMS: Final = ("fhir-r4", "fhir-r5", "hl7v2", "epcis", "csv", "ndjson")
BY_SCHEME: Final = {"mllp": "hl7v2", "http": "fhir-r4", "https": "fhir-r4", "file": "csv"}
EXAMPLES = """examples:
  scangate-intake forward --database sqlite:///events.db --to https://fhir.example/r4 --token-file token
  scangate-intake forward --database sqlite:///events.db --to mllp://127.0.0.1:2575 --once
  scangate-intake forward --database sqlite:///events.db --to https://epcis.example/capture --form epcis
  scangate-intake forward --database sqlite:///events.db --to file:///srv/drop --form csv
"""


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public name for it
    """Describe the commands."""
    parser = commands.add_parser(
        "forward",
        help="hand events on as FHIR, HL7 v2, EPCIS or files, each exactly as far as the receiver has confirmed",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("--to", required=True, metavar="URL", help="http(s)://, mllp:// or file://")
    parser.add_argument("--form", choices=FORMS, help="default: hl7v2 for mllp, fhir-r4 for http, csv for file")
    parser.add_argument("--receiver", metavar="NAME", help="under which its progress is kept (default: the URL)")
    parser.add_argument("--begin-now", action="store_true", help="leave out what is in the database already")
    parser.add_argument("--once", action="store_true", help="end when everything that is here is handed on")
    parser.add_argument("--token-file", metavar="FILE", help="bearer token for http")
    parser.add_argument("--ca-file", metavar="FILE", help="authority of an https receiver's certificate")
    parser.add_argument(
        "--unseal-key",
        metavar="FILE",
        help="private key that opens sealed identities, in memory, for this receiver",
    )
    parser.set_defaults(run=run)
    dead = commands.add_parser("dead", help="events that a receiver will not take")
    add_config(dead)
    dead.add_argument("--receiver", metavar="NAME", help="only of this receiver")
    dead.add_argument("--retry", action="store_true", help="have them sent again by the running forwarder")
    dead.add_argument("--json", action="store_true", help="print JSON instead of a table")
    dead.set_defaults(run=run_dead)


def run(chosen: argparse.Namespace) -> int:
    """Forward until a signal ends it."""
    from intake.database import open_existing
    from intake.errors import RefusedError
    from intake.forward.forwarder import Forwarder
    from intake.forward.identities import Unsealer
    from intake.lock import ExclusiveLock

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.ERROR)
    form, receiver = make_receiver(chosen)
    name = chosen.receiver or chosen.to
    unsealer = Unsealer.from_file(chosen.unseal_key) if chosen.unseal_key else None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = open_existing(settings_of(chosen).checked_database())
    lock = ExclusiveLock(engine, f"forward {name}")
    try:
        if not lock.acquire():
            raise RefusedError(f"another process forwards to {name!r} already")
        forwarder = Forwarder(engine, receiver, name, form, unsealer, partial(datetime.now, UTC))
        if chosen.begin_now:
            forwarder.begin_now()
        forwarder.run(stop, once=chosen.once)
        done = forwarder.progress
        print(
            f"{done.confirmed} events confirmed by {name}, {done.left_out} have no place in {form}, "
            f"{done.dead} refused",
            file=sys.stderr,
        )
    finally:
        lock.release()
        receiver.close()
        engine.dispose()
    return 1 if done.dead else 0


def make_receiver(chosen: argparse.Namespace) -> "tuple[Form, Receiver]":
    """Choose form and transport. Raises SettingsError."""
    from intake.forward.folder import FolderReceiver
    from intake.forward.http import HttpReceiver
    from intake.forward.mllp import MllpReceiver
    from intake.forward.projection import CONTENT_TYPES, SUFFIXES
    from intake.settings import SettingsError

    parts = urlsplit(chosen.to)
    form: Form = cast("Form", chosen.form or BY_SCHEME.get(parts.scheme, ""))
    if parts.scheme == "mllp" and parts.hostname:
        if form != "hl7v2":
            raise SettingsError(f"--to {chosen.to}: MLLP carries HL7 v2, not {form}")
        return form, MllpReceiver(chosen.to)
    if parts.scheme in {"http", "https"} and parts.hostname:
        return form, HttpReceiver(
            chosen.to, CONTENT_TYPES[form], token_file=chosen.token_file, ca_file=chosen.ca_file
        )
    if parts.scheme == "file" and parts.path:
        return form, FolderReceiver(Path(parts.path), SUFFIXES[form])
    raise SettingsError(f"--to {chosen.to}: expected http(s)://HOST/PATH, mllp://HOST:PORT or file:///FOLDER")


def run_dead(chosen: argparse.Namespace) -> int:
    """List dead letters, or have them sent again."""
    from intake.cli.output import print_json, table
    from intake.database import open_existing
    from intake.forward.dead_letters import DeadLetters

    engine = open_existing(settings_of(chosen).checked_database())
    try:
        letters = DeadLetters(engine)
        if chosen.retry:
            print(f"{letters.retry(chosen.receiver)} events will be sent again by the running forwarder")
            return 0
        found = letters.all(chosen.receiver)
    finally:
        engine.dispose()
    if chosen.json:
        print_json(found)
    else:
        table(
            ("receiver", "box", "sequence", "refused", "reason"),
            [
                (
                    *(one.receiver, one.source.removeprefix("urn:scangate:"), one.sequence),
                    one.refused.astimezone().strftime("%Y-%m-%d %H:%M"),
                    f"{one.reason}{' (to be sent again)' if one.retry else ''}",
                )
                for one in found
            ],
        )
    return 1 if found else 0
