"""The command line: one file per group of commands, no logic.

Each file has `add(commands)`, which describes its commands to argparse, and one function per command that takes the
parsed arguments and returns an exit code. What a command needs is imported when it runs.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from gateway import VERSION
from gateway.cli import exits
from gateway.events.visible_text import guarded


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    with guarded(sys.stdout, sys.stderr):
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    chosen = parser.parse_args(arguments)
    outcome = "ended before its end"
    try:
        code: int = chosen.run(chosen)
        outcome = "done" if code == exits.DONE else f"exit code {code}"
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` has read enough
        return exits.DONE
    except KeyboardInterrupt:
        return exits.DONE
    except Exception as error:
        failed = exits.code_for(error)
        outcome = f"failed: {exits.words_for(error) if failed is not None else type(error).__name__}"
        if failed is None:
            raise
        # a service's words go to the journal, which learns from the prefix that this is an error (sd-daemon(3))
        prefix = "<3>" if "JOURNAL_STREAM" in os.environ and not sys.stderr.isatty() else ""
        print(f"{prefix}scangate: {exits.words_for(error)}", file=sys.stderr)
        return failed
    finally:
        if getattr(chosen, "audited", None):
            from gateway.cli import audit

            audit.note(chosen, outcome)
    return code


def _parser() -> argparse.ArgumentParser:
    from gateway.cli import (
        archive,
        articles,
        audit,
        configuration,
        daemon,
        demo,
        display,
        doctor,
        documentation,
        enrol,
        firmware,
        init,
        outbox,
        parse,
        scanners,
        station,
        tail,
        upgrade,
    )

    parser = argparse.ArgumentParser(
        prog="scangate",
        description="Edge gateway for barcode scanners in hospitals: reads, decodes UDI, stores, delivers.",
        epilog="Exit codes: 0 done, 1 the thing asked about is not well, 2 wrong usage or configuration, "
        "3 a device, daemon or broker could not be reached.",
    )
    parser.add_argument("--version", action="version", version=f"scangate {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in (
        *(demo, daemon, init, configuration, doctor, parse, articles, outbox),
        *(scanners, station, firmware, display, tail, enrol, archive, upgrade, audit),
    ):
        group.add(commands)
    documentation.add(commands, parser)
    return parser
