"""A printed page as a command's answer: SVG or PDF, to a file or to standard output."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.cli import exits
from gateway.languages import LANGUAGES

if TYPE_CHECKING:
    from gateway.printing.sheet import Entry

BOTH: Final = ("sv", "en")
"""The languages of a sheet in two languages."""


def add_languages(parser: argparse.ArgumentParser) -> None:
    """Give a command the option `--language`."""
    parser.add_argument(
        "--language",
        choices=(*LANGUAGES, "both"),
        default="both",
        help="of the captions (default: both, Swedish and English)",
    )


def languages_of(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return what the option of `add_languages` says."""
    return BOTH if arguments.language == "both" else (arguments.language,)


def add_page(parser: argparse.ArgumentParser) -> None:
    """Give a command the options `--format` and `-o FILE`."""
    parser.add_argument("--paper", choices=("A4", "A5"), default="A4", help="size of the paper (default: A4)")
    parser.add_argument("--format", choices=("svg", "pdf"), help="default: as FILE ends, else pdf")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to (default: standard output)")


def write_page(arguments: argparse.Namespace, title: str, cells: Sequence["Entry"]) -> int:
    """Draw the page where the options of `add_page` say; return the exit code."""
    from gateway.printing.sheet import PAPERS, Cell, pdf, svg
    from gateway.system.atomic_file import whole_file

    output: Path | None = arguments.output
    form = arguments.format or (output.suffix.lstrip(".").lower() if output is not None else "pdf")
    if form not in {"svg", "pdf"}:
        print(f"scangate: {output}: end the name with .svg or .pdf, or give --format", file=sys.stderr)
        return exits.USAGE
    if output is None and form == "pdf" and sys.stdout.isatty():
        print("scangate: a PDF is nothing for a terminal: give -o FILE", file=sys.stderr)
        return exits.USAGE
    paper = PAPERS[arguments.paper]
    drawn = pdf(title, cells, paper) if form == "pdf" else svg(title, cells, paper).encode()
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
