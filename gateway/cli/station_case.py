"""`station case`: what the case at the station comes to, and closing it."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from gateway.cli import exits
from gateway.cli.box import add_socket
from gateway.cli.output import add_json, print_json, show

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTS: Final = ("used", "wasted", "returned", "explanted", "unresolved")


def add(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    case = group.add_parser(
        "case",
        help="what the case at the station comes to; close it",
        description="Shows what was used, wasted and returned for the case that is set at the running station, and "
        "which scans somebody must sort out. With --close it closes the case, as the code does: an event goes to the "
        "central system, and case, patient and place end. Neither the case nor the patient is named.",
        epilog="examples: scangate station case; scangate station case --close --json. Exit code 1: something is "
        "unresolved, or no case is set.",
    )
    case.add_argument("--close", action="store_true", help="close it")
    add_socket(case)
    add_json(case)
    case.set_defaults(run=_case)


def _case(arguments: argparse.Namespace) -> int:
    from gateway.system.control_socket import RequestError, ask

    try:
        summary = ask(arguments.socket, "close-case" if arguments.close else "case")
    except RequestError as error:
        print(f"scangate: {error}", file=sys.stderr)
        return exits.NOT_WELL
    if arguments.json:
        print_json(summary)
    elif summary is None:
        print("no case is set at the station, and no patient", file=sys.stderr)
    else:
        _print(summary, closed=arguments.close)
    return exits.NOT_WELL if summary is None or summary["unresolved"] else exits.DONE


def _print(summary: "Mapping[str, Any]", *, closed: bool) -> None:
    since = f" since {summary['opened'][:16].replace('T', ' ')}" if summary["opened"] else ""
    print(f"case{since}, {'closed' if closed else 'open'}")
    show([{"what": name, "count": summary[name]} for name in COUNTS], {"what": "", "count": ""}, as_json=False)
    if summary["usedArticles"]:
        show(summary["usedArticles"], {"name": "used", "quantity": "pieces"}, as_json=False)
    if summary["unresolvedScans"]:
        columns = {"name": "unresolved", "lotNumber": "lot", "serialNumber": "serial", "why": "why"}
        show(summary["unresolvedScans"], columns, as_json=False)
