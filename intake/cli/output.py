"""How a command answers: a table on a terminal, JSON with `--json`."""

import sys
from collections.abc import Iterable, Sequence

import msgspec

from gateway.events.visible_text import visible, visible_json


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    print(visible_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their headings; control characters are made visible."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(Text(_cell(value)) for value in row))
    Console(width=None if sys.stdout.isatty() else 240, highlight=False).print(made)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return visible(str(value))
