"""`doctor`: one line for each thing that can be wrong, with what to do."""

import argparse

from gateway.cli import exits
from gateway.cli.box import add_config, add_socket
from gateway.cli.output import add_json, print_json

MARKS = {"good": ("ok", "green"), "warning": ("!!", "yellow"), "bad": ("XX", "red")}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    doctor = commands.add_parser(
        "doctor",
        help="clock, disk, permissions, scanners, article master, broker: one line each, with what to do",
        epilog="example: scangate doctor",
    )
    add_config(doctor)
    add_socket(doctor)
    add_json(doctor)
    doctor.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from gateway.monitoring.doctor import CheckState, examine

    found = []
    for diagnosis in examine(arguments.config, arguments.socket):
        found.append(diagnosis)
        if not arguments.json:
            from rich.console import Console
            from rich.text import Text

            mark, colour = MARKS[diagnosis.health]
            line = Text.assemble((f"{mark} ", f"bold {colour}"), f"{diagnosis.subject}: {diagnosis.found}")
            if diagnosis.do:
                line.append(f"\n   -> {diagnosis.do}")
            Console(highlight=False, soft_wrap=True).print(line)
    if arguments.json:
        print_json(found)
    return exits.NOT_WELL if any(one.health is CheckState.BAD for one in found) else exits.DONE
