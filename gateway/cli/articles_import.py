"""`articles import`: a file into the article master."""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import msgspec

from gateway.articles.errors import SourceFileError
from gateway.articles.settings import Field, SourceSettings
from gateway.cli import exits
from gateway.cli.articles_box import add_box, config_of, directory_of
from gateway.cli.box import act_as_owner
from gateway.cli.output import add_json, print_json
from gateway.config.loader import ConfigError

if TYPE_CHECKING:
    from gateway.articles.reports import ImportProgress, ImportReport, Rejection
    from gateway.config.loader import Config

SHOWN_REJECTIONS: Final = 10
"""Rejected rows shown on the terminal; `--rejected` takes more."""
REJECTED_MODE: Final = 0o640


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command, below `articles`."""
    parser = actions.add_parser(
        "import",
        help="replace the rows of one source by those of a file",
        description="Checks a file of articles and puts the new master in force at once; a running daemon "
        "follows by itself. Settings of the source come from its [[articles.source]] in the configuration, "
        "where there is one; options outrank them. What is blocked or recalled stays so until the source says "
        "active, or releases it. Exit code 1: nothing was taken, too many rows were rejected or are missing.",
        epilog="example: scangate articles import --source miv articles.csv --column articleNumber=ITEM_NO",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--source", required=True, metavar="NAME", help="the source whose rows these are")
    parser.add_argument(
        "--column",
        type=_column,
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help=f"which column of the file a field is in; fields: {', '.join(get_args(Field))}",
    )
    parser.add_argument("--format", choices=_choices("format"), help="default csv")
    parser.add_argument("--delimiter", type=_delimiter, help="; , | or tab")
    parser.add_argument("--encoding", choices=_choices("encoding"))
    parser.add_argument(
        "--max-rejected",
        type=_percent,
        default=5.0,
        metavar="PERCENT",
        help="take nothing when more rows are bad (default 5)",
    )
    parser.add_argument(
        "--rejected", type=Path, metavar="FILE", help="write the rejected rows there: a JSON object a line"
    )
    parser.add_argument(
        "--check", action="store_true", help="read and report everything, and leave the master as it is"
    )
    parser.add_argument(
        "--force", action="store_true", help="also where more than a fifth of the rows in force would go"
    )
    parser.add_argument(
        "--as-of", type=_moment, metavar="TIME", help="when the file was made (default: the file's own date)"
    )
    parser.add_argument(
        "--up-to",
        type=int,
        metavar="NUMBER",
        help="whatever the source's deltas up to this number say is known otherwise: none of them is missing",
    )
    add_box(parser)
    parser.set_defaults(run=_import, audited="articles import")
    profile = actions.add_parser(
        "profile",
        help="propose the [[articles.source]] of an unknown file: columns, encoding, delimiter, words",
        description="Looks at the beginning of the file and prints a block to paste into the configuration; try it "
        "with `scangate articles import --check`. Exit code 1: something must be said by you.",
        epilog="example: scangate articles profile export.csv --source miv",
    )
    profile.add_argument("file", type=Path, metavar="FILE")
    profile.add_argument("--source", default="NAME", metavar="NAME", help="the name of the source")
    add_json(profile)
    profile.set_defaults(run=_profile)


def _import(arguments: argparse.Namespace) -> int:
    from gateway.articles.build.import_job import MAX_SHRINK, import_file

    config = config_of(arguments)
    source = _source(arguments, config)
    with contextlib.ExitStack() as stack:
        readable = stack.enter_context(_as_owner(arguments, directory_of(arguments, config)))
        progress = stack.enter_context(_progress(shown=sys.stderr.isatty() and not arguments.json))
        try:
            note = stack.enter_context(_rejected_file(arguments.rejected))
        except OSError as error:
            print(f"scangate: cannot write {arguments.rejected}: {error.strerror}", file=sys.stderr)
            return exits.UNREACHABLE
        report = import_file(
            directory_of(arguments, config) / "articles",
            source,
            readable,
            now=datetime.now(UTC),
            max_rejected=arguments.max_rejected / 100,
            max_shrink=1.0 if arguments.force else MAX_SHRINK,
            check_only=arguments.check,
            progress=progress,
            on_rejection=note,
            as_of=arguments.as_of,
        )
        if arguments.up_to is not None and report.swapped:
            _settle(directory_of(arguments, config) / "articles", source.name, arguments.up_to)
    report = msgspec.structs.replace(report, file=str(arguments.file))
    if arguments.json:
        print_json(report)
    else:
        _print_report(report, arguments.rejected)
    if report.refusal is not None:
        print(
            f"scangate: nothing was taken: {report.refusal}; correct the file, or raise --max-rejected",
            file=sys.stderr,
        )
    return exits.DONE if report.refusal is None else exits.NOT_WELL


def _settle(articles: Path, source: str, number: int) -> None:
    from gateway.articles.overlay.applier import DeltaApplier

    with DeltaApplier(articles, (source,)) as deltas:
        deltas.settle(source, number)


def _profile(arguments: argparse.Namespace) -> int:
    from gateway.articles.importers.archive import ArchiveError
    from gateway.articles.importers.profile import as_toml, profile

    try:
        found = profile(arguments.file)
    except (OSError, ArchiveError) as error:
        print(f"scangate: cannot profile {arguments.file}: {error}", file=sys.stderr)
        return exits.USAGE
    if arguments.json:
        print_json(found)
    else:
        print(as_toml(found, arguments.source), end="")
    for remark in found.remarks:
        print(f"! {remark}", file=sys.stderr)
    if found.unused:
        print(f"columns without a field: {', '.join(found.unused)}", file=sys.stderr)
    return exits.NOT_WELL if found.remarks else exits.DONE


def _print_report(report: "ImportReport", rejected: Path | None) -> None:
    if report.swapped:
        print(f"{report.source}: {report.accepted} articles are in force, version {report.version}")
    elif report.refusal is None:
        print(f"{report.source}: {report.accepted} articles would be taken; nothing was changed")
    if report.duplicates:
        print(f"{report.duplicates} rows only repeated others and were left out")
    if report.rejected:
        print(f"{report.rejected} of {report.rows_read} rows rejected:", file=sys.stderr)
        for one in report.rejections[:SHOWN_REJECTIONS]:
            column = f", column {one.column}" if one.column else ""
            print(f"  line {one.line}{column}: {one.reason}", file=sys.stderr)
        if report.rejected > SHOWN_REJECTIONS:
            more = f"see {rejected}" if rejected else "see them with --rejected FILE"
            print(f"  and {report.rejected - SHOWN_REJECTIONS} more: {more}", file=sys.stderr)


@contextlib.contextmanager
def _rejected_file(path: Path | None) -> "Iterator[Callable[[Rejection], None] | None]":
    """Yield what writes one rejected row, or None where nobody asked. Raises OSError."""
    if path is None:
        yield None
        return
    from gateway.system.atomic_file import whole_file

    with whole_file(path, REJECTED_MODE) as stream:

        def note(rejection: "Rejection") -> None:
            stream.write(msgspec.json.encode(rejection) + b"\n")

        yield note


def _source(arguments: argparse.Namespace, config: "Config | None") -> SourceSettings:
    """Return the source as configured, changed by what was given. Raises ConfigError."""
    configured = () if config is None else config.articles.source
    known = next((one for one in configured if one.name == arguments.source), None)
    if known is None and configured:
        names = ", ".join(one.name for one in configured)
        print(f"{arguments.source} is not in {arguments.config} (there: {names}): a new source", file=sys.stderr)
    settings: dict[str, Any] = {"name": arguments.source} if known is None else msgspec.to_builtins(known)
    settings["columns"] = {**settings.get("columns", {}), **dict(arguments.column)}
    for key in ("format", "delimiter", "encoding"):
        if getattr(arguments, key) is not None:
            settings[key] = getattr(arguments, key)
    try:
        return msgspec.convert(settings, SourceSettings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"--source {arguments.source}: {error}") from error


@contextlib.contextmanager
def _as_owner(arguments: argparse.Namespace, directory: Path) -> Iterator[Path]:
    """Go on as the owner of the box's files, and hand out a path of the file that this user may read, too.

    What lies in the home of whoever typed the command is closed to that user: it is copied from here.
    """
    file: Path = arguments.file
    try:
        stream = file.open("rb")
    except OSError:
        act_as_owner(directory)
        yield file  # the import says what is wrong with it
        return
    with stream:
        act_as_owner(directory)
        if os.access(file, os.R_OK, effective_ids=True):
            yield file
            return
        with contextlib.ExitStack() as stack:
            try:
                copy = stack.enter_context(tempfile.NamedTemporaryFile(dir=directory, prefix="import-"))
                shutil.copyfileobj(stream, copy)
                copy.flush()
            except OSError as error:
                raise SourceFileError("copy", file, str(error), f"check {directory}", recoverable=True) from error
            yield Path(copy.name)


@contextlib.contextmanager
def _progress(*, shown: bool) -> Iterator["Callable[[ImportProgress], None] | None"]:
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    begun = time.monotonic()
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.fields[rows]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", rows="")

        def tell(now: "ImportProgress") -> None:
            rate = now.rows_read / max(time.monotonic() - begun, 0.001)
            rows = f"{now.rows_read} rows, {now.rejected} rejected, {rate:.0f} rows/s"
            bar.update(task, total=now.bytes_total, completed=now.bytes_read, rows=rows)

        yield tell


def _choices(setting: str) -> tuple[str, ...]:
    return get_args(get_type_hints(SourceSettings)[setting])


def _column(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not equals or not column or field not in get_args(Field):
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected FIELD=COLUMN, FIELD one of {', '.join(get_args(Field))}"
        )
    return field, column


def _delimiter(text: str) -> str:
    delimiter = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if delimiter not in _choices("delimiter"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected ; , | or tab")
    return delimiter


def _percent(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 100:  # noqa: PLR2004 - percent
        raise argparse.ArgumentTypeError(f"{text}: expected 0 to 100")
    return number


def _moment(text: str) -> datetime:
    """Read a time; one without zone is local time."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError) as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected YYYY-MM-DDTHH:MM, with or without zone") from error
