"""`audit`: what people did to this box, whether the trail of it is whole, and noting what this command line does."""

import argparse
import contextlib
import os
import re
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from gateway.cli import exits
from gateway.cli.box import act_as_owner, add_config, open_box
from gateway.cli.journal import add_since
from gateway.cli.output import add_json, print_json, show
from gateway.system.service_user import SERVICE_USER, as_caller, as_service

DEFAULT_LIMIT: Final = 50
"""Entries a listing shows unless given otherwise: the last screenful or two."""
JOURNAL_LINES: Final = 2000
JOURNAL_SECONDS: Final = 30.0
SECRET: Final = frozenset({"password", "passphrase"})
"""Arguments whose value is never noted."""
ENTRY: Final = re.compile(r"number=(\d+) hash=([0-9a-f]{64}) ")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    audit = commands.add_parser("audit", help="what people did to this box")
    actions = audit.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list",
        help="who did what and when, the newest last",
        description="Lists what was done on the command line, over the control socket, by commands over MQTT and by "
        "changing the configuration. Each entry is in the journal, too: journalctl -t scangate-audit",
        epilog="example: scangate audit list --since 7d",
    )
    add_since(listing)
    listing.add_argument(
        "--limit", type=int, default=DEFAULT_LIMIT, metavar="N", help=f"the last N (default {DEFAULT_LIMIT})"
    )
    add_config(listing)
    add_json(listing)
    listing.set_defaults(run=_list)
    verify = actions.add_parser(
        "verify",
        help="whether the trail is as it was written (exit code 1: it is not)",
        description="Follows the chain of hashes from the oldest entry to the newest and compares it with the head "
        "beside it and, as far as it may be read, with the journal. --head compares it with an entry that was noted "
        "elsewhere, on a syslog server say: only that shows a trail that root has written anew.",
        epilog="example: scangate audit verify --head 712:5f0c9e...",
    )
    verify.add_argument(
        "--head", type=_head, action="append", default=[], metavar="NUMBER:HASH", help="must be in it; repeatable"
    )
    add_config(verify)
    add_json(verify)
    verify.set_defaults(run=_verify)


def _head(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    if not (number.isascii() and number.isdigit() and re.fullmatch("[0-9a-f]{64}", digest)):
        raise argparse.ArgumentTypeError("expected NUMBER:HASH, the hash with 64 digits 0-9a-f")
    return int(number), digest


def _list(arguments: argparse.Namespace) -> int:
    from datetime import datetime

    from gateway.system.audit import read

    since = (arguments.since or 0) / 10**9
    entries = (line.entry for line in read(open_box(arguments).state_directory) if line.entry is not None)
    chosen = deque(
        (one for one in entries if not since or datetime.fromisoformat(one.time).timestamp() >= since),
        maxlen=max(1, arguments.limit),
    )
    rows: list[dict[str, Any]] = [msgspec.to_builtins(one) for one in chosen]
    if not arguments.json:
        rows = [{**row, "time": row["time"][:19].replace("T", "\n"), "what": _what(row)} for row in rows]
    columns = {
        "number": "",
        "time": "time",
        "who": "who",
        "through": "through",
        "what": "what, and what came of it",
    }
    show(rows, columns, as_json=arguments.json, empty="nothing has been noted")
    return exits.DONE


def _what(row: dict[str, Any]) -> str:
    values = " ".join(f"{key}={text}" for key, text in row["detail"].items())
    return " ".join(filter(None, (row["operation"], values))) + f": {row['outcome']}"


def _verify(arguments: argparse.Namespace) -> int:
    from gateway.system.audit import verify

    state = open_box(arguments).state_directory
    journal = _journal()
    known = {**{number: hashes[-1] for number, hashes in journal.items()}, **dict(arguments.head)}
    verdict = verify(state, known)
    twice = [f"entry {number} stands in the journal twice: the trail was begun anew" for number in _twice(journal)]
    verdict = replace(verdict, problems=(*verdict.problems, *twice))
    if arguments.json:
        print_json(verdict)
    elif verdict.head is None:
        print("nothing has been noted")
    else:
        print(f"{verdict.entries} entries, {verdict.first} to {verdict.head.number}")
        print(f"head: {verdict.head.number}:{verdict.head.hash}")
    for problem in verdict.problems:
        print(f"! {problem}", file=sys.stderr)
    if not verdict.problems and not arguments.json:
        print("whole, as far as the files show" if not known else f"whole; compared with {len(known)} elsewhere")
    return exits.NOT_WELL if verdict.problems else exits.DONE


def _twice(journal: dict[int, list[str]]) -> list[int]:
    """Return the first number that was given to different entries, where there is one."""
    return sorted(number for number, hashes in journal.items() if len(hashes) > 1)[:1]


def _journal() -> dict[int, list[str]]:
    """Return number -> hashes of the entries that root or the service wrote to the journal, as far as it is read."""
    import pwd

    from gateway.system.audit import IDENTIFIER

    matches = ["_UID=0"]
    with contextlib.suppress(KeyError):
        matches.append(f"_UID={pwd.getpwnam(SERVICE_USER).pw_uid}")
    command = ["journalctl", "--quiet", "--no-pager", "-o", "cat", "-n", str(JOURNAL_LINES), "-t", IDENTIFIER]
    try:
        with as_caller():
            done = subprocess.run(
                [*command, *matches], capture_output=True, text=True, check=False, timeout=JOURNAL_SECONDS
            )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    entries: dict[int, list[str]] = {}
    for line in done.stdout.splitlines():
        if (found := ENTRY.match(line)) and found[2] not in entries.setdefault(int(found[1]), []):
            entries[int(found[1])].append(found[2])
    return entries


def note(chosen: argparse.Namespace, outcome: str) -> None:
    """Note a command that changes something, or takes data out of the box, in the trail.

    Such a command names itself by `audited` among its defaults. What the service's own units run is no person's act;
    and whoever cannot write the trail did not change the box but asked the daemon, which notes it.
    """
    operation = getattr(chosen, "audited", None)
    if operation is None or _is_the_service():
        return
    with as_caller():  # who may read Python's own files
        from gateway.system.audit import Act, AuditTrail, caller

        state = _state_of(chosen)
    act = Act(who=caller(), through="command line", operation=operation, outcome=outcome, detail=_detail(chosen))
    try:
        with as_caller():
            act_as_owner(state)
        with as_service():
            if state.is_dir() and os.access(state, os.W_OK, effective_ids=True):
                AuditTrail(state).append(act)
    except OSError as error:
        print(f"! the audit trail cannot be written: {error}", file=sys.stderr)


def _is_the_service() -> bool:
    import pwd

    try:
        return os.getuid() == pwd.getpwnam(SERVICE_USER).pw_uid
    except KeyError:
        return False


def _state_of(chosen: argparse.Namespace) -> Path:
    """Return the state directory that a command was about; the usual one where the configuration does not say."""
    from gateway.config.loader import DEFAULT_PATH, ConfigError, StateSettings, load

    given = getattr(chosen, "state", None)
    if isinstance(given, Path):
        return given
    try:
        return load(getattr(chosen, "config", None) or DEFAULT_PATH).state_directory
    except (ConfigError, OSError):
        return Path(StateSettings().directory)


def _detail(chosen: argparse.Namespace) -> dict[str, str]:
    """Return a command's arguments as they were given; secrets are not among them."""
    values = {key: value for key, value in vars(chosen).items() if key not in {"run", "audited", "store"} | SECRET}
    plain = {
        key: value for key, value in values.items() if isinstance(value, str | int | Path) and value is not False
    }
    return {key: str(value) for key, value in plain.items()}
