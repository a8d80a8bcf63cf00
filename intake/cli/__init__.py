"""`scangate-intake`: one file per command, no logic; what a command needs is imported when it runs."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from gateway.events.visible_text import guarded
from intake.cli import case, deltas, forward, maintenance, retire, run, status

DONE: Final = 0
NOT_WELL: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
GROUPS: Final = (run, status, deltas, case, forward, maintenance, retire)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    with guarded(sys.stdout, sys.stderr):
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    chosen = parser().parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` has read enough
        return DONE
    except KeyboardInterrupt:
        return DONE
    except Exception as error:
        failed = _code_for(error)
        if failed is None:
            raise
        print(f"scangate-intake: {error}", file=sys.stderr)
        return failed
    return code


def _code_for(error: Exception) -> int | None:
    """Return the exit code of an error whose message is meant for people, or None for a fault of this program."""
    from intake.database import DatabaseError
    from intake.errors import BrokerUnreachableError, RefusedError
    from intake.forward import ReceiverAwayError
    from intake.settings import SettingsError
    from intake.signing import SigningKeyError

    if isinstance(error, SettingsError | SigningKeyError):
        return USAGE
    if isinstance(error, DatabaseError):
        return UNREACHABLE if error.away else USAGE
    if isinstance(error, ReceiverAwayError | BrokerUnreachableError):
        return UNREACHABLE
    return NOT_WELL if isinstance(error, RefusedError) else None


def parser() -> argparse.ArgumentParser:
    """Describe the program and its commands."""
    from gateway import VERSION

    program = argparse.ArgumentParser(
        prog="scangate-intake",
        description="Takes the events of all scangate boxes of a tenant into a database, and acknowledges them.",
        epilog="Exit codes: 0 done, 1 the thing asked about is not well, 2 wrong usage or configuration, "
        "3 a broker, database or receiver could not be reached.",
    )
    program.add_argument("--version", action="version", version=f"scangate-intake {VERSION}")
    commands = program.add_subparsers(metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add(commands)
    return program
