"""`display`: the page for a screen at the station."""

import argparse

from gateway.cli import exits
from gateway.cli.box import add_config, add_socket


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    display = commands.add_parser(
        "display",
        help="the page for a screen at the station",
        description="Serves a page that shows the result of each scan in large, with the last ten scans. It "
        "listens on [display] listen and shows what the running daemon tells; never who a patient or a member of "
        "staff is.",
        epilog="example: scangate display, and in a browser on the same machine http://127.0.0.1:8080/",
    )
    add_config(display)
    add_socket(display)
    display.set_defaults(run=_display)


def _display(arguments: argparse.Namespace) -> int:
    from gateway.config.loader import load
    from gateway.display.service import run
    from gateway.system.logging import set_up

    config = load(arguments.config)
    set_up()
    run(config.display, config.station.language, arguments.socket)
    return exits.DONE
