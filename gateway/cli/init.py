"""`init`: a first configuration, made on the spot or on a bench without scanner and network."""

import argparse
import contextlib
import getpass
import grp
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args, get_type_hints

from drivers.base import ScannerSettings, Terminator
from gateway.cli import exits
from gateway.config.loader import DEFAULT_PATH
from gateway.station.settings import StationSettings
from gateway.system.credentials import CREDENTIALS
from gateway.system.service_user import SERVICE_USER

if TYPE_CHECKING:
    from gateway.config.template import Answers

FILE_MODE: Final = 0o640
"""The service's group reads it, nobody else."""
PASSWORD_MODE: Final = 0o600
PASSWORD_NAME: Final = "mqtt-password"  # noqa: S105 - the name of a file
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_USB: Final = re.compile(r"([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})")
_STATION: Final = StationSettings()
_SCANNER: Final = ScannerSettings(name="scanner1", device="")
"""For their defaults."""
_PROFILES: Final = get_args(get_type_hints(StationSettings)["profile"])
_TERMINATORS: Final = get_args(Terminator)
_DRIVERS: Final = ("serial", "hid-keyboard", "hid-pos", "none")
_NEEDED: Final = ("tenant", "site", "id")
"""What nobody but a person on the spot knows."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    init = commands.add_parser(
        "init",
        help="write a first configuration",
        description="Asks on a terminal for what was not given, and writes a commented configuration, checked. "
        "Neither a scanner nor a network need be there: a scanner is added later.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  scangate init\n"
        "  scangate init --tenant vgr --site su --id su-op3-gw01\n"
        "  scangate init --tenant vgr --site su --id gw01 --driver hid-keyboard --usb 0c2e:0b61\n"
        "  scangate init --tenant vgr --site su --id gw01 --scanner-device /dev/ttyACM0",
    )
    init.add_argument("--tenant", help="the organisation, such as a region")
    init.add_argument("--site", help="the hospital or place")
    init.add_argument("--id", help="this box; unique within the site")
    init.add_argument("--profile", choices=_PROFILES, help=f"kind of place (default {_STATION.profile})")
    init.add_argument(
        "--driver", choices=_DRIVERS, help="how the scanner is attached; none: it comes later (the default)"
    )
    init.add_argument("--scanner-device", metavar="PATH", help="serial device, best below /dev/serial/by-id")
    init.add_argument(
        "--usb", metavar="VENDOR:PRODUCT", help="which scanner it is, such as 0c2e:0b61 (scangate scanners list)"
    )
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
        "--password-file",
        metavar="FILE",
        help=f"file with the password at the broker, or the name of one in {CREDENTIALS}",
    )
    init.add_argument(
        "--output", type=Path, default=DEFAULT_PATH, metavar="FILE", help=f"default {DEFAULT_PATH}; - prints it"
    )
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    init.set_defaults(run=_init, audited="init")


def _init(arguments: argparse.Namespace) -> int:
    from gateway.config.template import compose

    output: Path | None = None if str(arguments.output) == "-" else arguments.output
    missing = [f"--{name.replace('_', '-')}" for name in _NEEDED if getattr(arguments, name) is None]
    problem = _refused(arguments, output, missing)
    if problem:
        print(f"scangate: {problem}", file=sys.stderr)
        return exits.USAGE
    password = None
    try:
        if missing:
            password = _ask(arguments)
        text = compose(_answers(arguments), "init" if output is None else str(output))
    except EOFError:
        print("\nscangate: nothing was written", file=sys.stderr)
        return exits.USAGE
    if output is None:
        _print(text)
        return exits.DONE
    writing = output
    try:
        if password is not None:
            writing = CREDENTIALS / PASSWORD_NAME
            _write(writing, f"{password}\n", PASSWORD_MODE, group=None)
            writing = output
        _write(output, text, FILE_MODE, group=SERVICE_USER)
    except OSError as error:
        print(
            f"scangate: cannot write {writing}: {error.strerror}; run it as root, or give another --output",
            file=sys.stderr,
        )
        return exits.USAGE
    option = "" if output == DEFAULT_PATH else f" -c {output}"
    print(f"{output} is written. Next: scangate config check{option}, then systemctl enable --now scangate")
    return exits.DONE


def _refused(arguments: argparse.Namespace, output: Path | None, missing: list[str]) -> str | None:
    """Return why nothing can be asked or written, or None."""
    try:
        there = output is not None and output.exists()
    except OSError as error:
        return f"cannot look at {output}: {error.strerror}; run it as root, or give another --output"
    if there and not arguments.force:
        return f"{output} is there: give --force to replace it, or another --output"
    if arguments.usb is not None and not _USB.fullmatch(arguments.usb):
        return f"--usb {arguments.usb}: expected VENDOR:PRODUCT, four hex digits each, such as 0c2e:0b61"
    if missing and not sys.stdin.isatty():
        return f"no terminal to ask on: give {' '.join(missing)}"
    return None


def _print(text: str) -> None:
    """Print a file that is UTF-8 whatever the terminal is set to."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _write(path: Path, text: str, mode: int, *, group: str | None) -> None:
    from gateway.system.atomic_file import whole_file

    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with whole_file(path, mode) as stream:
        if os.geteuid() == 0 and group is not None:
            with contextlib.suppress(KeyError):  # no service is installed here
                os.fchown(stream.fileno(), 0, grp.getgrnam(group).gr_gid)
        stream.write(text.encode())


def _ask(arguments: argparse.Namespace) -> str | None:
    """Ask for what was not given; return the broker's password. Raises EOFError when the terminal hangs up."""
    host = socket.gethostname().partition(".")[0]
    arguments.tenant = arguments.tenant or _question("Organisation (tenant), such as a region", None, _is_id)
    arguments.site = arguments.site or _question("Site, such as a hospital", None, _is_id)
    arguments.id = arguments.id or _question("Name of this box", host if _is_id(host) is None else None, _is_id)
    arguments.profile = arguments.profile or _choice("Kind of place", _PROFILES, _STATION.profile)
    if arguments.driver is None and arguments.scanner_device is None and arguments.usb is None:
        _ask_scanner(arguments)
    if arguments.broker_url is None:
        url = _question("Broker, mqtts://host or mqtt://host (none: the box stands alone)", "none", lambda _: None)
        arguments.broker_url = [] if url == "none" else [url]
    if not arguments.broker_url or arguments.username is not None or arguments.password_file is not None:
        return None
    name = _question("User name at the broker (none: a client certificate, or no login)", "none", lambda _: None)
    if name == "none":
        return None
    arguments.username, arguments.password_file = name, PASSWORD_NAME
    if os.geteuid() != 0 or arguments.output != DEFAULT_PATH:
        print(f"Put the password into {CREDENTIALS / PASSWORD_NAME} (root only).")
        return None
    return getpass.getpass(f"Password of {name} (kept in {CREDENTIALS / PASSWORD_NAME}; empty: later): ") or None


def _ask_scanner(arguments: argparse.Namespace) -> None:
    """Offer what is plugged in."""
    from gateway.config.template import attached

    found = attached()
    labels = [*(one.label for one in found), "no scanner yet"]
    answer = _choice("Scanner, its number or the path of a serial device", labels, labels[0])
    for one in found:
        if answer == one.label:
            arguments.driver, arguments.scanner_device, arguments.usb = one.driver, one.device, one.usb
            return
    if answer == labels[-1]:
        arguments.driver = "none"
    else:
        arguments.scanner_device = answer


def _answers(arguments: argparse.Namespace) -> "Answers":
    from gateway.config.template import Answers

    driver = arguments.driver
    if driver is None:
        driver = "serial" if arguments.scanner_device else "hid-keyboard" if arguments.usb else "none"
    return Answers(
        tenant=arguments.tenant,
        site=arguments.site,
        id=arguments.id,
        profile=arguments.profile or _STATION.profile,
        scanner_name=arguments.scanner_name,
        driver=driver,
        scanner_device=arguments.scanner_device,
        usb=arguments.usb.lower() if arguments.usb else None,
        baud=arguments.baud,
        terminator=arguments.terminator,
        broker_urls=tuple(arguments.broker_url or ()),
        username=arguments.username,
        password_file=arguments.password_file,
    )


def _choice(question: str, choices: "tuple[str, ...] | list[str]", default: str) -> str:
    """Offer choices by number; another text is taken as it is."""
    for number, choice in enumerate(choices, 1):
        print(f"  {number}  {choice}")
    answer = _question(question, default, lambda _: None)
    if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(choices):
        return choices[int(answer) - 1]
    return answer


def _question(question: str, default: str | None, wrong: Callable[[str], str | None]) -> str:
    """Ask until the answer will do; `wrong` returns what is wrong with one."""
    while True:
        answer = input(f"{question}{f' [{default}]' if default else ''}: ").strip() or default or ""
        problem = wrong(answer) if answer else "an answer is needed"
        if problem is None:
            return answer
        print(problem)


def _is_id(text: str) -> str | None:
    return None if _ID.fullmatch(text) else "letters, digits, _ and - only, 64 at most"
