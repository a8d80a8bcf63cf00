"""`scanners`: what is plugged in, what it sends, and whether it sends what labels say."""

import argparse
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway.cli import exits
from gateway.cli.box import add_config, add_socket
from gateway.cli.output import add_json, print_json, show
from gateway.cli.pages import add_languages, add_page, languages_of, write_page

SECONDS: Final = 60


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    scanners = commands.add_parser("scanners", help="what is plugged in, what it sends, and whether that is right")
    actions = scanners.add_subparsers(metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list",
        help="what is plugged in, which scanner it is, and why something is not read",
        description="Lists the configured scanners, and every keyboard, HID point-of-sale device and serial port "
        "that is left alone, with the setting that would make it a scanner. Works without the daemon, too.",
        epilog="example: scangate scanners list",
    )
    add_config(listing)
    add_socket(listing)
    add_json(listing)
    listing.set_defaults(run=_list)
    watching = actions.add_parser(
        "watch",
        help="live scans, control characters made visible",
        description="Shows each scan as it comes. Of a text that is no label only kind and length are shown.",
        epilog="example: scangate scanners watch",
    )
    add_socket(watching)
    watching.add_argument("--count", type=int, metavar="N", help="end after N scans")
    watching.add_argument("--json", action="store_true", help="print the JSON of each, one a line")
    watching.set_defaults(run=_watch)
    quality = actions.add_parser(
        "quality",
        help="how well labels are read, by scanner or by article",
        description="Counts labels since the daemon's start: how many were whole and readable at the first try, "
        "how many were not, and why. Those that fail most come first.",
        epilog="examples: scangate scanners quality   |   scangate scanners quality --articles",
    )
    quality.add_argument("--articles", action="store_true", help="by article (device identifier)")
    add_socket(quality)
    add_json(quality)
    quality.set_defaults(run=_quality)
    _add_test(actions, "test", "scan a known symbol and learn what is set up wrongly", store=False)
    _add_test(actions, "calibrate", "the same; a scanner that passes counts as calibrated", store=True)
    sheet = actions.add_parser(
        "sheet",
        help="the calibration symbol as a page to print",
        epilog="example: scangate scanners sheet -o calibration.pdf",
    )
    add_languages(sheet)
    add_page(sheet)
    sheet.set_defaults(run=_sheet)
    allow = actions.add_parser(
        "allow",
        help="let the daemon read scanners of a maker that the package does not know",
        description="Writes the site's udev rules and has udev apply them: the daemon may open these keyboards and "
        "HID devices, and ModemManager leaves their serial ports alone. Run it as root. Without a device it shows "
        "what is allowed.",
        epilog="example: scangate scanners allow 11fa:0215",
    )
    allow.add_argument(
        "devices", nargs="*", type=_device, metavar="VENDOR:PRODUCT", help="as `scanners list` shows it"
    )
    allow.add_argument("--remove", action="store_true", help="allow them no longer")
    allow.add_argument("--file", type=Path, help="another rules file than the site's own")
    add_json(allow)
    allow.set_defaults(run=_allow, audited="scanners allow")


def _add_test(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, words: str, *, store: bool
) -> None:
    test = actions.add_parser(
        name,
        help=words,
        description="Shows a symbol on the terminal (or use the page of `scangate scanners sheet`). The next scan "
        "of the scanner is compared with it and goes nowhere else.",
        epilog=f"example: scangate scanners {name} front",
    )
    test.add_argument("scanner", nargs="?", metavar="NAME", help="needed where there are several")
    test.add_argument("--symbol", choices=("datamatrix", "qr", "none"), default="datamatrix", help="what to show")
    test.add_argument(
        "--seconds", type=_seconds, default=SECONDS, metavar="N", help=f"time to scan (default {SECONDS})"
    )
    add_socket(test)
    add_json(test)
    test.set_defaults(run=_test, store=store, audited="scanners calibrate" if store else None)


def _device(text: str) -> tuple[str, str]:
    from gateway.devices.site_rules import parse

    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(text: str) -> int:
    seconds = int(text)
    if seconds < 1:
        raise argparse.ArgumentTypeError("expected 1 or more")
    return seconds


def _list(arguments: argparse.Namespace) -> int:
    from drivers.hardware import without_node
    from gateway.config.loader import ConfigError, load
    from gateway.devices.inventory import everything, from_configuration, listing
    from gateway.system.control_socket import DaemonUnreachableError, ask

    try:
        configured: Any = ask(arguments.socket, "scanners")
    except DaemonUnreachableError as error:
        print(f"scangate: {error}", file=sys.stderr)
        try:
            configured = list(from_configuration(load(arguments.config).scanner))
        except ConfigError as problem:
            print(f"scangate: {problem}", file=sys.stderr)
            configured = []
    rows = listing(configured, everything(), without_node())
    columns = {"name": "name", "state": "state", "driver": "driver", "device": "device", "hardware": "hardware"}
    if any(row["driver"] == "hid-keyboard" and row["name"] for row in rows):
        columns["calibrated"] = "calibrated"
    if any(row["why"] for row in rows):
        columns["why"] = "why"
    show(rows, columns, as_json=arguments.json, empty="nothing that could be a scanner is plugged in")
    return exits.NOT_WELL if any(row["name"] and row["why"] for row in rows) else exits.DONE


def _quality(arguments: argparse.Namespace) -> int:
    from gateway.system.control_socket import ask

    report: Any = ask(arguments.socket, "quality")
    kind = "article" if arguments.articles else "scanner"
    rows = [
        {kind: name, **row, "rate": f"{100 * row['firstTry'] // row['labels']} %" if row["labels"] else None}
        for name, row in report[f"{kind}s"].items()
    ]
    rows.sort(key=lambda row: (row["firstTry"] - row["labels"], row[kind]))
    columns = {
        kind: kind,
        "labels": "labels",
        "rate": "1st try",
        "unreadable": "unread",
        "incomplete": "half",
        "completed": "late",
        "unknown": "unknown",
        "interleaved": "mixed",
        "keyed": "typed",
    }
    show(rows, columns, as_json=arguments.json, empty="no label has been read since the start")
    return exits.DONE


def _watch(arguments: argparse.Namespace) -> int:
    from gateway.scanning.watch_stream import line
    from gateway.system.control_socket import watch

    seen = 0
    for event in watch(arguments.socket):
        if arguments.json:
            import json

            print(json.dumps(event, ensure_ascii=True), flush=True)
        elif (shown_line := line(event)) is not None:
            print(shown_line, flush=True)
        seen += "scanner" in event
        if seen == arguments.count:
            break
    return exits.DONE


def _test(arguments: argparse.Namespace) -> int:
    from gateway.devices.calibration import TEXT
    from gateway.system.control_socket import DaemonUnreachableError, ask

    names = [one["name"] for one in ask(arguments.socket, "scanners")]
    if arguments.scanner not in ([None, *names] if len(names) == 1 else names):
        print(f"scangate: which scanner? This station has {', '.join(sorted(names))}", file=sys.stderr)
        return exits.USAGE
    begun = ask(arguments.socket, "calibrate", scanner=arguments.scanner, seconds=arguments.seconds)
    try:
        if arguments.symbol != "none":
            from gateway.printing.sheet import terminal

            print(terminal(TEXT, arguments.symbol), file=sys.stderr)
        print(
            f"scan this symbol, or that of the printed page, with {begun['scanner']}", file=sys.stderr, flush=True
        )
        answer: dict[str, Any] = {"state": "waiting"}
        while answer["state"] == "waiting":
            answer = ask(arguments.socket, "calibration", id=begun["id"], store=arguments.store)
    except BaseException:  # Ctrl-C above all: the next scan is an article's again
        with contextlib.suppress(DaemonUnreachableError):
            ask(arguments.socket, "calibration", id=begun["id"], end=True)
        raise
    if answer["state"] == "over":
        print(
            f"scangate: nothing came from {begun['scanner']} within {arguments.seconds} s: does it read Data "
            "Matrix (--symbol qr shows a QR code), and does it read from displays (else use the printed page)?",
            file=sys.stderr,
        )
        return exits.UNREACHABLE
    if arguments.json:
        print_json(answer)
    else:
        _tell(answer, stored=arguments.store)
    return exits.DONE if answer["proves"] else exits.NOT_WELL


def _tell(answer: Mapping[str, Any], *, stored: bool) -> None:
    rows = [{**finding, "kind": "wrong" if finding["wrong"] else "weak"} for finding in answer["findings"]]
    if rows:
        show(rows, {"kind": "", "code": "code", "message": "seen", "mend": "mend it"}, as_json=False)
    name = answer["scanner"]
    if not answer["proves"]:
        print(f"{name} does not send what labels say: mend it and scan again")
    elif stored:
        print(f"{name} is calibrated")
    else:
        print(f"{name} sends what labels say; `scangate scanners calibrate {name}` keeps that")


def _sheet(arguments: argparse.Namespace) -> int:
    from gateway.printing.calibration_sheet import cells, title

    languages = languages_of(arguments)
    return write_page(arguments, title(languages), list(cells(languages)))


def _allow(arguments: argparse.Namespace) -> int:
    from drivers.udev_rules import SITE_FILE
    from drivers.vendors import maker
    from gateway.devices import site_rules

    path = arguments.file or Path(SITE_FILE)
    try:
        if arguments.devices:
            pairs = arguments.devices
            allowed = site_rules.change((), pairs, path) if arguments.remove else site_rules.change(pairs, (), path)
        else:
            allowed = site_rules.allowed(path)
    except site_rules.SiteRulesError as error:
        print(f"scangate: {error}", file=sys.stderr)
        return exits.UNREACHABLE
    rows = [
        {"device": f"{vendor}:{product}", "maker": maker(vendor) or None} for vendor, product in sorted(allowed)
    ]
    show(rows, {"device": "device", "maker": "maker"}, as_json=arguments.json, empty=f"{path} allows nothing")
    if arguments.devices and not site_rules.reload():
        print(
            "scangate: udev did not take the rules: udevadm control --reload && udevadm trigger, as root",
            file=sys.stderr,
        )
        return exits.UNREACHABLE
    return exits.DONE
