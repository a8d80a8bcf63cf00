"""`station`: the sheets to print, the signals for training, the keys of a site, the case that is set."""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from drivers.model import Signal
from drivers.signal_forms import FORMS, drawn
from gateway.cli import exits, station_case
from gateway.cli.box import add_config, add_socket
from gateway.cli.pages import add_languages, add_page, languages_of, write_page
from gateway.languages import LANGUAGES
from gateway.station.rules import PROFILES

PAUSE_SECONDS: Final = 4.0
"""Between two signals: to hear one, look up, and say what it was."""
MAX_PAUSE_SECONDS: Final = 600.0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    station = commands.add_parser("station", help="sheets to print, signals for training, keys of a site, the case")
    group = station.add_subparsers(metavar="COMMAND", required=True)
    _add_sheet(group)
    _add_guide(group)
    _add_signals(group)
    _add_key(group)
    station_case.add(group)


def _add_sheet(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    sheet = group.add_parser(
        "sheet",
        help="the page of control codes to print",
        description="Makes the control codes of this site as Data Matrix symbols with captions, on A4. Print it at "
        "100 % on matt paper; laminated matt it can be wiped. It has what this kind of place needs, and works at "
        "every station with the same key.",
        epilog="example: scangate station sheet -o codes.pdf",
    )
    add_config(sheet)
    add_languages(sheet)
    sheet.add_argument(
        "--keyed",
        action="store_true",
        help="the pages for labels that cannot be read: their text is typed with them",
    )
    sheet.add_argument("--profile", choices=PROFILES, help="of the place the page is for (default: this station's)")
    add_page(sheet)
    sheet.set_defaults(run=_sheet)


def _add_guide(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    guide = group.add_parser(
        "guide",
        help="the quick guide to print: signals, what to do, the codes needed most",
        description="Makes one page for the wall: what each colour and sound means, what to do, and the control "
        "codes that are needed most (with [station] code_key_file). Print it at 100 %; laminated matt it can be "
        "wiped, and its codes are still read.",
        epilog="examples: scangate station guide -o guide.pdf; scangate station guide --language en --paper A5 "
        "-o guide-a5.pdf",
    )
    add_config(guide)
    guide.add_argument("--language", choices=LANGUAGES, help="of the page (default: this station's)")
    guide.add_argument("--profile", choices=PROFILES, help="of the place the page is for (default: this station's)")
    add_page(guide)
    guide.set_defaults(run=_guide)


def _add_signals(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    signals = group.add_parser(
        "signals",
        help="play each signal in turn, so that people learn them",
        description="Plays each signal on the scanners, lamps and screen of the running station, one after the "
        "other, and says what it means and what to do. Nothing is scanned or stored.",
        epilog="examples: scangate station signals; scangate station signals --only refused --scanner front; "
        "scangate station signals --list",
    )
    add_config(signals)
    add_socket(signals)
    signals.add_argument("--only", choices=[one.value for one in Signal], help="this signal alone")
    signals.add_argument("--scanner", metavar="NAME", help="on this scanner alone (default: on all)")
    signals.add_argument(
        "--pause",
        type=_seconds,
        default=PAUSE_SECONDS,
        metavar="SECONDS",
        help="between two (default: %(default)s)",
    )
    signals.add_argument("--list", action="store_true", help="only say what there is; needs no daemon")
    signals.set_defaults(run=_signals)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= MAX_PAUSE_SECONDS:
        raise argparse.ArgumentTypeError(f"between 0 and {MAX_PAUSE_SECONDS:.0f}")
    return seconds


def _add_key(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    key = group.add_parser(
        "key",
        help="make a key of the site",
        description="Makes a key file that only its owner can read. control: signs the control codes, the same "
        "file on all boxes of the site. seal: a key pair; the private key is for the central system and must not "
        "be on a box, FILE.pub is for the boxes. hmac: for pseudonyms; another one is added behind those there.",
        epilog="example: scangate station key control -o /etc/scangate/credentials/control-code-key",
    )
    key.add_argument("kind", choices=("control", "seal", "hmac"))
    key.add_argument("-o", "--output", type=Path, metavar="FILE", required=True)
    key.add_argument("--id", metavar="ID", help="hmac: name of the key in events, such as 2026-11")
    key.set_defaults(run=_key, audited="station key")


def _sheet(arguments: argparse.Namespace) -> int:
    from gateway.config.loader import load
    from gateway.printing.station_sheet import cells, keyed_cells, title
    from gateway.station.control_codes import ControlCodes
    from gateway.station.keys import control_key_of

    config = load(arguments.config)
    site = config.gateway.site
    codes = ControlCodes(site, control_key_of(config.station.code_key_file))
    profile = arguments.profile or config.station.profile
    languages = languages_of(arguments)
    page = keyed_cells(codes, languages) if arguments.keyed else cells(codes, languages, profile)
    return write_page(arguments, title(site, languages), list(page))


def _guide(arguments: argparse.Namespace) -> int:
    from gateway.config.loader import load
    from gateway.languages import vocabulary
    from gateway.printing.quick_guide import entries
    from gateway.station.control_codes import ControlCodes
    from gateway.station.keys import control_key_of

    config = load(arguments.config)
    words = vocabulary(arguments.language or config.station.language)
    codes = None
    if config.station.code_key_file is None:
        print("scangate: without [station] code_key_file the guide has no codes", file=sys.stderr)
    else:
        codes = ControlCodes(config.gateway.site, control_key_of(config.station.code_key_file))
    profile = arguments.profile or config.station.profile
    title = f"{words.guide_title}: {config.gateway.site}"
    return write_page(arguments, title, list(entries(words, codes, profile)))


def _signals(arguments: argparse.Namespace) -> int:
    from gateway.config.loader import load
    from gateway.languages import vocabulary
    from gateway.system.control_socket import ask

    words = vocabulary(load(arguments.config).station.language)
    wanted = [one for one in FORMS if arguments.only in {None, one.value}]
    for number, signal in enumerate(wanted):
        if number and not arguments.list:
            time.sleep(arguments.pause)
        if not arguments.list:
            ask(arguments.socket, "signal", signal=signal.value, scanner=arguments.scanner)
        guidance = words.signals[signal]
        print(f"{drawn(FORMS[signal].rhythm):<8} {words.headlines[signal]:<15} {guidance.meaning}", flush=True)
        print(f"{'':<24} {guidance.deed}", flush=True)
    return exits.DONE


def _key(arguments: argparse.Namespace) -> int:
    from gateway.station import new_keys

    path: Path = arguments.output
    if (arguments.kind == "hmac") != (arguments.id is not None):
        print("scangate: --id goes with hmac, and hmac needs it", file=sys.stderr)
        return exits.USAGE
    if arguments.kind == "control":
        new_keys.make_control_key(path)
        print(f"{path}: put it on every box of the site, and name it in [station] code_key_file")
    elif arguments.kind == "hmac":
        new_keys.add_hmac_key(path, arguments.id)
        print(f"{path}: name it in [context] hmac_key_file; its last key, {arguments.id}, is used")
    else:
        public = new_keys.make_seal_keys(path)
        print(f"{path}: for the central system only: take it off this machine if it is a box")
        print(f"{public}: put it on every box, and name it in [context] seal_key_file")
    return exits.DONE
