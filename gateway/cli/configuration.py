"""`config` and `init`: the configuration file."""

import argparse
import contextlib
import grp
import json
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args, get_type_hints

from drivers.base import ScannerSettings, Terminator
from gateway.cli import exits
from gateway.cli.box import SERVICE_USER, add_config
from gateway.cli.output import add_json, print_json, show
from gateway.config.loader import DEFAULT_PATH, effective, load, parse, read
from gateway.station.settings import StationSettings

if TYPE_CHECKING:
    from gateway.config.template import Answers

FILE_MODE: Final = 0o640
"""The service's group reads it, nobody else."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STATION: Final = StationSettings()
_SCANNER: Final = ScannerSettings(name="scanner1", device="")
"""For their defaults."""
_PROFILES: Final = get_args(get_type_hints(StationSettings)["profile"])
_TERMINATORS: Final = get_args(Terminator)
_NEEDED: Final = ("tenant", "site", "id", "scanner_device")
"""What nobody but a person on the spot knows."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    config = commands.add_parser("config", help="check and show the configuration")
    actions = config.add_subparsers(metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="is it valid, and does it fit this machine? (exit code 2: not valid)",
        epilog="example: scangate config check && systemctl reload scangate",
    )
    add_config(check)
    check.set_defaults(run=_check)
    shown = actions.add_parser(
        "show", help="the values in force and where each comes from", epilog="example: scangate config show --json"
    )
    add_config(shown)
    add_json(shown)
    shown.set_defaults(run=_show)
    described = actions.add_parser(
        "schema",
        help="every key, as a JSON Schema",
        epilog="example: scangate config schema > scangate.schema.json",
    )
    described.set_defaults(run=_schema)
    _add_init(commands)


def _add_init(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    init = commands.add_parser(
        "init",
        help="write a first configuration",
        description="Asks on a terminal for what was not given, and writes a commented configuration, checked.",
        epilog="example: scangate init --tenant vgr --site su --id su-op3-gw01 "
        "--scanner-device /dev/serial/by-id/usb-Honeywell_Xenon_1900-if00 --broker-url mqtts://mqtt.example.org",
    )
    init.add_argument("--tenant", help="the organisation, such as a region")
    init.add_argument("--site", help="the hospital or place")
    init.add_argument("--id", help="this box; unique within the site")
    init.add_argument("--profile", choices=_PROFILES, help=f"kind of place (default {_STATION.profile})")
    init.add_argument("--scanner-device", metavar="PATH", help="serial device, best below /dev/serial/by-id")
    init.add_argument("--scanner-name", metavar="NAME", default=_SCANNER.name, help=f"default {_SCANNER.name}")
    init.add_argument("--baud", type=int, default=_SCANNER.baud, help=f"default {_SCANNER.baud}")
    init.add_argument(
        "--terminator",
        choices=_TERMINATORS,
        default=_SCANNER.terminator,
        help=f"what the scanner sends behind each code (default {_SCANNER.terminator})",
    )
    init.add_argument(
        "--broker-url",
        action="append",
        metavar="URL",
        help="mqtts://host or mqtt://host, more than once for several; none: the box stands alone",
    )
    init.add_argument("--username", help="name at the broker")
    init.add_argument(
        "--password-file", metavar="FILE", help="file with the password at the broker, or a credential"
    )
    init.add_argument(
        "--output", type=Path, default=DEFAULT_PATH, metavar="FILE", help=f"default {DEFAULT_PATH}; - prints it"
    )
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    init.set_defaults(run=_init)


def _check(arguments: argparse.Namespace) -> int:
    from gateway.config.warnings import warnings

    config = load(arguments.config)
    print(f"{arguments.config}: ok")
    for warning in warnings(config):
        print(f"! {warning}", file=sys.stderr)
    return exits.DONE


def _show(arguments: argparse.Namespace) -> int:
    document = read(arguments.config)
    config = parse(document, str(arguments.config))
    rows = [{"key": key, "value": value, "origin": origin} for key, value, origin in effective(document, config)]
    if not arguments.json:
        for row in rows:
            row["value"] = None if row["value"] is None else json.dumps(row["value"], ensure_ascii=False)
    show(rows, {"key": "key", "value": "value", "origin": "from"}, as_json=arguments.json)
    return exits.DONE


def _schema(_arguments: argparse.Namespace) -> int:
    from gateway.config.json_schema import documented_schema

    print_json(documented_schema())
    return exits.DONE


def _init(arguments: argparse.Namespace) -> int:
    from gateway.config.template import compose

    output: Path | None = None if str(arguments.output) == "-" else arguments.output
    if output is not None and output.exists() and not arguments.force:
        print(f"scangate: {output} is there: give --force to replace it, or another --output", file=sys.stderr)
        return exits.USAGE
    missing = [f"--{name.replace('_', '-')}" for name in _NEEDED if getattr(arguments, name) is None]
    if missing and not sys.stdin.isatty():
        print(f"scangate: no terminal to ask on: give {' '.join(missing)}", file=sys.stderr)
        return exits.USAGE
    try:
        answers = _ask(arguments) if missing else _answers(arguments)
    except EOFError:
        print("\nscangate: nothing was written", file=sys.stderr)
        return exits.USAGE
    text = compose(answers, "init" if output is None else str(output))
    if output is None:
        print(text, end="")
        return exits.DONE
    try:
        _write(output, text)
    except OSError as error:
        print(
            f"scangate: cannot write {output}: {error.strerror}; run it as root, or give another --output",
            file=sys.stderr,
        )
        return exits.USAGE
    option = "" if output == DEFAULT_PATH else f" -c {output}"
    print(f"{output} is written. Next: scangate config check{option}, then systemctl enable --now scangate")
    return exits.DONE


def _write(path: Path, text: str) -> None:
    from gateway.system.atomic_file import whole_file

    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with whole_file(path, FILE_MODE) as stream:
        if os.geteuid() == 0:
            with contextlib.suppress(KeyError):  # no service is installed here
                os.fchown(stream.fileno(), 0, grp.getgrnam(SERVICE_USER).gr_gid)
        stream.write(text.encode())


def _ask(arguments: argparse.Namespace) -> "Answers":
    """Ask for what was not given. Raises EOFError when whoever is asked goes away."""
    host = socket.gethostname().partition(".")[0]
    arguments.tenant = arguments.tenant or _question("Organisation (tenant), such as a region", None, _is_id)
    arguments.site = arguments.site or _question("Site, such as a hospital", None, _is_id)
    arguments.id = arguments.id or _question("Name of this box", host if _is_id(host) is None else None, _is_id)
    arguments.profile = arguments.profile or _choice("Kind of place", _PROFILES, _STATION.profile)
    arguments.scanner_device = arguments.scanner_device or _device()
    if arguments.broker_url is None:
        url = _question("Broker, mqtts://host or mqtt://host (none: the box stands alone)", "none", lambda _: None)
        arguments.broker_url = [] if url == "none" else [url]
    return _answers(arguments)


def _answers(arguments: argparse.Namespace) -> "Answers":
    from gateway.config.template import Answers

    return Answers(
        tenant=arguments.tenant,
        site=arguments.site,
        id=arguments.id,
        profile=arguments.profile or _STATION.profile,
        scanner_name=arguments.scanner_name,
        scanner_device=arguments.scanner_device,
        baud=arguments.baud,
        terminator=arguments.terminator,
        broker_urls=tuple(arguments.broker_url or ()),
        username=arguments.username,
        password_file=arguments.password_file,
    )


def _device() -> str:
    from gateway.config.template import serial_devices

    found = [str(path) for path in serial_devices()]
    if not found:
        print("No serial device is plugged in; a name below /dev/serial/by-id stays the same.")
        return _question("Device of the scanner", None, lambda _: None)
    return _choice("Device of the scanner", found, found[0])


def _choice(question: str, choices: "tuple[str, ...] | list[str]", default: str) -> str:
    """Offer choices by number; another text is taken as it is."""
    for number, choice in enumerate(choices, 1):
        print(f"  {number}  {choice}")
    answer = _question(question, default, lambda _: None)
    if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(choices):
        return choices[int(answer) - 1]
    return answer


def _question(question: str, default: str | None, wrong: Callable[[str], str | None]) -> str:
    """Ask until the answer will do; `wrong` tells what is wrong with one."""
    while True:
        answer = input(f"{question}{f' [{default}]' if default else ''}: ").strip() or default or ""
        problem = wrong(answer) if answer else "an answer is needed"
        if problem is None:
            return answer
        print(problem)


def _is_id(text: str) -> str | None:
    return None if _ID.fullmatch(text) else "letters, digits, _ and - only, 64 at most"
