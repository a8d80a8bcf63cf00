"""How a command answers: a table on a terminal, JSON with `--json`."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.events.visible_text import visible, visible_json

WHOLE: Final = 16
"""Characters: a column whose cells are all this short is never broken; it holds times, states and short names."""


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
    cells = [[_cell(row.get(key)) for key in columns] for row in rows]
    for index, heading in enumerate(columns.values()):
        widest = max(len(line) for row in cells for line in [heading, *row[index].split("\n")])
        # on a narrow terminal the long texts take more lines, and numbers and states stay whole
        table.add_column(heading, overflow="fold", no_wrap=widest <= WHOLE)
    for row in cells:
        table.add_row(*map(Text, row))
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else 240, highlight=False).print(table)


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    print(visible_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def _cell(value: object) -> str:
    """What a table shows, each part of a list on its line.

    Control characters are made visible: a listing never drives the terminal.
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return "\n".join(map(_cell, value))
    return visible(str(value))
