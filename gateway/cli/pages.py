"""A printed page as a command's answer: SVG or PDF, to a file or to standard output."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli import exits

if TYPE_CHECKING:
    from gateway.printing.sheet import Entry


def add_page(parser: argparse.ArgumentParser) -> None:
    """Give a command the options `--format` and `-o FILE`."""
    parser.add_argument("--format", choices=("svg", "pdf"), help="default: as FILE ends, else pdf")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to (default: standard output)")


def write_page(arguments: argparse.Namespace, title: str, cells: Sequence["Entry"]) -> int:
    """Draw the page where the options of `add_page` say; return the exit code."""
    from gateway.printing.sheet import Cell, pdf, svg
    from gateway.system.atomic_file import whole_file

    output: Path | None = arguments.output
    form = arguments.format or (output.suffix.lstrip(".").lower() if output is not None else "pdf")
    if form not in {"svg", "pdf"}:
        print(f"scangate: {output}: end the name with .svg or .pdf, or give --format", file=sys.stderr)
        return exits.USAGE
    if output is None and form == "pdf" and sys.stdout.isatty():
        print("scangate: a PDF is nothing for a terminal: give -o FILE", file=sys.stderr)
        return exits.USAGE
    drawn = pdf(title, cells) if form == "pdf" else svg(title, cells).encode()
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(drawn)
        return exits.DONE
    try:
        with whole_file(output, 0o644) as stream:
            stream.write(drawn)
    except OSError as error:
        print(f"scangate: {output}: cannot be written: {error.strerror}", file=sys.stderr)
        return exits.USAGE
    print(f"{sum(isinstance(one, Cell) for one in cells)} codes in {output}")
    return exits.DONE
