"""How a command answers: a table on a terminal, JSON with `--json`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


def add_json(parser: argparse.ArgumentParser) -> None:
    """Give a command the option `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def show(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str = "") -> None:
    """Print rows as a table (`columns`: key -> heading), or all their keys as a JSON list.

    `empty` is said on stderr when there is nothing to list.
    """
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        if empty:
            print(empty, file=sys.stderr)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(key))) for key in columns))
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else 240, highlight=False).print(table)


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _cell(value: object) -> str:
    """What a table shows. Control characters are made visible: a listing never drives the terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(one if one.isprintable() else f"<{ord(one):02X}>" for one in str(value))
