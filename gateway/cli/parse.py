"""`parse`: what a label says."""

import argparse
import sys
from collections.abc import Iterator
from datetime import date, datetime
from typing import BinaryIO, Final

from gateway.cli import exits
from gateway.cli.output import add_json, print_json, show
from gateway.model import Decoded, Severity
from gateway.udi.notation import characters

CHUNK_BYTES: Final = 64 * 1024
"""Read at most at once; what is there is answered at once, so that a script may wait for each answer."""
COLOURS: Final = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parse = commands.add_parser(
        "parse",
        help="what a label says",
        description="Decodes the texts of barcode symbols: GS1, HIBC, ISBT 128, IFA. Without CODE, each line of "
        "standard input is one. A control character may be written {GS}, {RS}, {EOT} or \\x1d; an AIM symbology "
        "identifier such as ]d2 may stand in front. Exit code 1: one of them is not ok.",
        epilog="examples: scangate parse ']d201087176482002741728063010ABC{GS}217'   |   "
        "scangate parse --item '+A123BJC5D6E71G' '+$$52001510X3GD'   |   "
        "scangate parse --explain ']C10109520001000508' ']C11745123110K7'   |   "
        "scangate parse --ndjson < scans.ndjson",
    )
    parse.add_argument("codes", nargs="*", metavar="CODE", help="text of a symbol")
    parse.add_argument("--item", action="store_true", help="the CODEs are the symbols of one item")
    parse.add_argument(
        "--explain", action="store_true", help="how the CODEs would be joined if they were scanned one by one"
    )
    parse.add_argument(
        "--today", type=_day, default=None, metavar="YYYY-MM-DD", help="day to judge dates by (default: today)"
    )
    parse.add_argument(
        "--ndjson",
        action="store_true",
        help="for scripts: each line of standard input is a JSON string, or an object "
        '{"symbology", "text"} or {"symbols": [...]}, and is answered by one line of JSON',
    )
    add_json(parse)
    parse.set_defaults(run=_parse)


def _parse(arguments: argparse.Namespace) -> int:
    today = arguments.today or datetime.now().astimezone().date()
    if arguments.ndjson:
        if arguments.codes or arguments.item:
            print("scangate: --ndjson reads standard input: leave out CODE and --item", file=sys.stderr)
            return exits.USAGE
        return _answer_lines(today)
    if arguments.explain:
        return _explain(arguments, today)
    from gateway.udi import decode, decode_symbols

    texts: Iterator[str] = map(characters, arguments.codes) if arguments.codes else _typed_lines()
    if arguments.item:
        results = iter([decode_symbols([(text, None) for text in texts], today=today)])
    else:
        results = (decode(text, today=today) for text in texts)
    code = exits.DONE
    for decoded in results:
        if arguments.json:
            print_json(decoded)
        else:
            _print(decoded, today)
        if not decoded.ok:
            code = exits.NOT_WELL
    return code


def _explain(arguments: argparse.Namespace, today: date) -> int:
    from gateway.station.explain_joining import explain_joining
    from gateway.udi.dispatch import split_symbology

    texts = list(map(characters, arguments.codes)) if arguments.codes else list(_typed_lines())
    symbols = [(text, symbology) for symbology, text in map(split_symbology, texts)]
    joinings = explain_joining(symbols, today)
    show(
        [{"symbol": one.symbol, "says": one.says or None, "label": one.label, "why": one.why} for one in joinings],
        {"symbol": "symbol", "says": "says", "label": "label", "why": "what it is"},
        as_json=arguments.json,
    )
    return exits.DONE


def _answer_lines(today: date) -> int:
    from gateway.udi.ndjson import answer, split_lines

    for lines in split_lines(_chunks(sys.stdin.buffer)):
        sys.stdout.buffer.writelines(answer(line, today) + b"\n" for line in lines)
        sys.stdout.buffer.flush()
    return exits.DONE


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    # read1 returns what is there; read would wait for a full chunk
    while chunk := stream.read1(CHUNK_BYTES):  # type: ignore[attr-defined] # BinaryIO does not declare it
        yield chunk


def _typed_lines() -> Iterator[str]:
    for line in sys.stdin.buffer:
        data = line.rstrip(b"\r\n")
        try:
            yield characters(data.decode())
        except UnicodeDecodeError:
            yield characters(data.decode("latin-1"))


def _print(decoded: Decoded, today: date) -> None:
    from rich.console import Console
    from rich.text import Text

    from gateway.udi.explain import explain, headline

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        Text("ok  ", "bold green") if decoded.ok else Text("not ok  ", "bold red"), headline(decoded), sep=""
    )
    show(
        [
            {"element": one.element, "value": one.value, "means": one.means or None}
            for one in explain(decoded, today)
        ],
        {"element": "element", "value": "on the label", "means": "means"},
        as_json=False,
    )
    for finding in decoded.findings:
        line = Text(f"{finding.severity}: ", COLOURS[finding.severity])
        line.append(finding.message, "default")
        line.append(f" ({finding.code})", "dim")
        console.print(line)
    console.print()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day: expected YYYY-MM-DD") from error
