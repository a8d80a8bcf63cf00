"""`firmware`: the scanners' own settings: what a station needs, what they are, and bringing them there."""

import argparse
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gateway.cli import exits
from gateway.cli.box import add_config, add_socket, open_box
from gateway.cli.output import add_json, print_json, show
from gateway.cli.pages import add_page, write_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivers.base import ScannerSettings
    from firmware_config.model import Report, ScannerProfile, Step
    from gateway.cli.lent import Borrowed
    from gateway.config.loader import Config

DIFFERENCES = {"setting": "setting", "present": "is", "wanted": "needed", "meaning": "which means"}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    firmware = commands.add_parser("firmware", help="the scanners' own settings")
    group = firmware.add_subparsers(metavar="COMMAND", required=True)
    profiles = group.add_parser(
        "profiles",
        help="what a station needs of each vendor's scanners",
        description="Lists the profiles, or all settings of one with their sources. `verified` says that a manual "
        "that was read confirms a setting; none was tried on a scanner.",
        epilog="example: scangate firmware profiles honeywell",
    )
    profiles.add_argument("profile", nargs="?", metavar="PROFILE", help="show this one in full")
    add_json(profiles)
    profiles.set_defaults(run=_profiles)
    _add_scanner(group, "show", "what a scanner's settings are", "Asks the scanner, and changes nothing.", _show)
    _add_scanner(
        group,
        "check",
        "whether a scanner's settings are as needed",
        "Asks the scanner, and changes nothing. Exit code 1: they are not.",
        _check,
    )
    apply = _add_scanner(
        group,
        "apply",
        "bring a scanner's settings to what is needed",
        "Writes what differs, first until power is lost, and to flash once it has been read back. What fails is "
        "put back. Settings that no manual confirms are left alone. Scans go on meanwhile.",
        _apply,
    )
    apply.set_defaults(audited="firmware apply")
    apply.add_argument("--dry-run", action="store_true", help="show the bytes and what they mean; write nothing")
    page = group.add_parser(
        "page",
        help="a page for scanners that take no settings over a cable",
        description="Names each setting and where the vendor's own code for it stands: no codes are made up. Ends "
        "with the symbol that shows whether it worked.",
        epilog="example: scangate firmware page honeywell -o honeywell.pdf",
    )
    page.add_argument("profile", metavar="PROFILE")
    add_page(page)
    page.set_defaults(run=_page)


def _add_scanner(
    group: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    words: str,
    description: str,
    run: Any,  # noqa: ANN401 - argparse's own
) -> argparse.ArgumentParser:
    command = group.add_parser(
        name, help=words, description=description, epilog=f"example: scangate firmware {name} front"
    )
    command.add_argument("scanner", nargs="?", metavar="NAME", help="needed where there are several")
    command.add_argument("--profile", metavar="PROFILE", help="default: `firmware_profile` of the [[scanner]]")
    command.add_argument(
        "--allow-unverified", action="store_true", help="count and write settings that no manual confirms, too"
    )
    add_config(command)
    add_socket(command)
    add_json(command)
    command.set_defaults(run=run)
    return command


def _profiles(arguments: argparse.Namespace) -> int:
    from firmware_config.profiles import load, names
    from gateway.devices.firmware_report import profile_told, setting_told

    if arguments.profile is None:
        rows = [profile_told(load(name)) for name in names()]
        columns = {"name": "name", "title": "vendor", "settings": "settings", "verified": "verified"}
        columns |= {"overThePort": "over the port", "refused": "why not"}
        show(rows, columns, as_json=arguments.json)
        return exits.DONE
    profile = load(arguments.profile)
    settings = [setting_told(setting) for setting in profile.settings]
    if arguments.json:
        print_json({**profile_told(profile), "settings": settings})
        return exits.DONE
    for note in profile.notes:
        print(note)
    columns = {"setting": "setting", "wanted": "value", "meaning": "which means", "verified": "verified"}
    show(settings, columns | {"source": "source"}, as_json=False)
    return exits.DONE


def _show(arguments: argparse.Namespace) -> int:
    from gateway.devices.firmware_report import present_told, report_told

    with _scanner(arguments) as (config, settings, profile, borrowed):
        report = _look(arguments, config, settings, profile, borrowed)
    rows = list(present_told(profile, report))
    if arguments.json:
        print_json({**report_told(settings.name, report), "settings": rows})
        return exits.DONE
    _say_identity(settings.name, report)
    columns = {"setting": "setting", "present": "is", "wanted": "needed", "differs": "differs"}
    show(rows, columns | {"verified": "verified", "meaning": "which means"}, as_json=False)
    return exits.DONE


def _check(arguments: argparse.Namespace) -> int:
    from gateway.devices.firmware_report import report_told

    with _scanner(arguments) as (config, settings, profile, borrowed):
        report = _look(arguments, config, settings, profile, borrowed)
    if arguments.json:
        print_json(report_told(settings.name, report))
    else:
        _say(settings, profile, report)
    return exits.DONE if report.as_needed else exits.NOT_WELL


def _apply(arguments: argparse.Namespace) -> int:
    from firmware_config.apply import apply
    from gateway.devices.firmware_report import report_told
    from gateway.devices.settings_monitor import journal_of, record_of

    with _scanner(arguments) as (config, settings, profile, borrowed):
        report = found = _look(arguments, config, settings, profile, borrowed)
        if found.differences and not arguments.dry_run:
            arguments.written = ", ".join(one.setting.name for one in found.differences)  # for the audit trail
            report = apply(
                borrowed.port,
                profile,
                allow_unverified=arguments.allow_unverified,
                on_step=_tell,
                journal=journal_of(config.state_directory, settings.name),
            )
            if report.as_needed:
                borrowed.note(record_of(found, report))
    if arguments.json:
        print_json({**report_told(settings.name, report), "dryRun": arguments.dry_run})
    else:
        _say(settings, profile, report)
        if arguments.dry_run:
            _say_bytes(report)
    return exits.DONE if arguments.dry_run or report.as_needed else exits.NOT_WELL


def _page(arguments: argparse.Namespace) -> int:
    from firmware_config.profiles import load
    from gateway.printing.firmware_page import entries, title

    profile = load(arguments.profile)
    return write_page(arguments, title(profile), list(entries(profile)))


@contextmanager
def _scanner(arguments: argparse.Namespace) -> "Iterator[tuple[Config, ScannerSettings, ScannerProfile, Borrowed]]":
    """Find out which scanner and profile are meant, and have the scanner's port."""
    from firmware_config.errors import PortGoneError
    from firmware_config.profiles import load
    from firmware_config.vendors import vendor_of
    from gateway.cli.lent import borrowed
    from gateway.devices.firmware_choice import chosen_profile, chosen_scanner

    config = open_box(arguments)
    settings = chosen_scanner(config.scanner, arguments.scanner)
    profile = load(chosen_profile(settings, arguments.profile))
    vendor_of(profile)  # refused before anything is opened
    with borrowed(config, arguments.socket, settings, profile.vendor) as have:
        if not have.by_daemon:
            print("no daemon runs: what is scanned meanwhile goes nowhere", file=sys.stderr)
        yield config, settings, profile, have
        try:
            withheld = have.give_back()
        except PortGoneError:
            return  # a lease that has ended ends no more; what was found is said all the same
        if withheld:
            print(
                f"{withheld} lines that came meanwhile were taken for answers: if somebody scanned and heard "
                "nothing, scan again",
                file=sys.stderr,
            )


def _look(
    arguments: argparse.Namespace,
    config: "Config",
    settings: "ScannerSettings",
    profile: "ScannerProfile",
    borrowed: "Borrowed",
) -> "Report":
    """Compare the scanner with the profile; note what is as needed."""
    from firmware_config.apply import check
    from gateway.devices.settings_monitor import journal_of, record_of

    report = check(
        borrowed.port,
        profile,
        allow_unverified=arguments.allow_unverified,
        on_step=_tell,
        journal=journal_of(config.state_directory, settings.name),
    )
    if report.as_needed:
        borrowed.note(record_of(report))
    return report


def _tell(step: "Step") -> None:
    print(f"- {step.text}", file=sys.stderr, flush=True)


def _say_identity(name: str, report: "Report") -> None:
    one = report.identity
    details = [f"{what} {value}" for what, value in (("firmware", one.firmware), ("serial", one.serial)) if value]
    print(", ".join([f"{name}: {one.model or 'a scanner that does not say its model'}", *details]))


def _say(settings: "ScannerSettings", profile: "ScannerProfile", report: "Report") -> None:
    from gateway.devices.firmware_report import difference_told, setting_told, unlike

    _say_identity(settings.name, report)
    show([difference_told(one) for one in report.differences], DIFFERENCES, as_json=False)
    if report.left_out:
        print("differ, and are left alone, because no manual confirms them (--allow-unverified):")
        rows = [setting_told(one) for one in report.left_out]
        columns = {"setting": "setting", "wanted": "needed", "meaning": "which means", "whyUnverified": "unknown"}
        show(rows, columns, as_json=False)
    if report.unknown:
        print(f"this model does not know: {', '.join(one.name for one in report.unknown)}")
    far = ", as far as manuals confirm it" if report.left_out else ""
    if report.trouble:
        back = "; what was there before is there again" if report.restored else ""
        print(f"not done: {report.trouble}{back}")
    elif report.applied:
        print(f"set as needed{far}, and kept; writes to flash so far: {report.flash_writes}")
    elif report.as_needed:
        print(f"set as needed{far}")
    for words in unlike(settings, profile.use):
        print(words, file=sys.stderr)


def _say_bytes(report: "Report") -> None:
    from gateway.devices.firmware_report import readable

    if report.messages:
        print("would be sent, in this order:")
    for message in report.messages:
        print(f"  {message.hex(' ')}\n    {readable(message)}")
