"""`articles sync` and `articles sources`: the article master's sources, brought in by themselves."""

import argparse
import contextlib
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.cli import exits
from gateway.cli.box import add_config, open_box
from gateway.cli.output import add_json, print_json, show
from gateway.config.loader import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gateway.articles.reports import ImportProgress
    from gateway.articles.settings import SourceSettings
    from gateway.articles.sync.job import SourceOutcome, Watch
    from gateway.articles.sync.state import SourceHistory


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands, below `articles`."""
    sync = actions.add_parser(
        "sync",
        help="bring in what changed at the configured sources",
        description="Looks at every [[articles.source]] with a path or url whose interval has passed, or at those "
        "named, and imports the files that changed. scangate-articles.timer runs it. Exit code 1: a file was "
        "refused; 3: a server or folder could not be reached. The rows in force stay in both cases. Credentials "
        "are the service's: where a source needs one, type systemctl start scangate-articles instead.",
        epilog="example: scangate articles sync miv",
    )
    sync.add_argument("sources", nargs="*", metavar="SOURCE", help="these, whether they are due or not")
    sync.add_argument(
        "--force",
        action="store_true",
        help="import files that did not change, or lack many of the rows in force, too",
    )
    add_config(sync)
    add_json(sync)
    sync.set_defaults(run=_sync, audited="articles sync")
    sources = actions.add_parser(
        "sources",
        help="where the articles come from: last sync, result, next",
        epilog="example: scangate articles sources --json",
    )
    add_config(sources)
    add_json(sources)
    sources.set_defaults(run=_sources)


def _sync(arguments: argparse.Namespace) -> int:
    from gateway.articles.sync.job import sync

    config = open_box(arguments)
    sources = config.articles.source
    _check_names(arguments.sources, sources, arguments.config)
    done: list[SourceOutcome] = []
    with _watching(shown=sys.stderr.isatty() and not arguments.json) as watch:
        for outcome in sync(
            config.articles_directory,
            sources,
            now=_now,
            names=arguments.sources,
            force=arguments.force,
            watch=watch,
        ):
            done.append(outcome)
            if not arguments.json:
                _print_outcome(outcome, config.articles_directory)
    if arguments.json:
        print_json([_plain(outcome) for outcome in done])
    elif not done:
        print("no source is due; `scangate articles sources` says when", file=sys.stderr)
    return _code(done)


def _check_names(names: "Sequence[str]", sources: "Sequence[SourceSettings]", file: "Path") -> None:
    """Refuse what cannot be synced. Raises ConfigError."""
    configured = {source.name: source for source in sources}
    for name in names:
        if name not in configured:
            listed = ", ".join(configured) or "none"
            raise ConfigError(f"{file}: there is no [[articles.source]] named {name!r} (there: {listed})")
        if configured[name].path is None and configured[name].url is None:
            raise ConfigError(
                f"{file}: articles.source {name!r} has neither path nor url; "
                f"import it by hand: scangate articles import --source {name} FILE"
            )


def _code(done: "Sequence[SourceOutcome]") -> int:
    from gateway.articles.sync.state import FAILURES, SyncResult

    failures = {outcome.state.result for outcome in done} & FAILURES
    if failures - {SyncResult.UNREACHABLE}:
        return exits.NOT_WELL
    return exits.UNREACHABLE if failures else exits.DONE


def _print_outcome(outcome: "SourceOutcome", directory: "Path") -> None:
    from gateway.articles.sync.job import rejected_file
    from gateway.articles.sync.state import FAILURES

    state, report = outcome.state, outcome.report
    if state.result in FAILURES:
        print(f"scangate: {outcome.source}: {state.result}: {state.message}", file=sys.stderr)
    elif report is None:
        print(f"{outcome.source}: {state.result}" + (f": {state.message}" if state.message else ""))
    else:
        print(f"{outcome.source}: {report.accepted} articles are in force, version {report.version}")
        if report.rejected:
            rejected = rejected_file(directory, outcome.source)
            print(f"{outcome.source}: {report.rejected} of {report.rows_read} rows rejected: see {rejected}")


def _plain(outcome: "SourceOutcome") -> dict[str, object]:
    return {
        "source": outcome.source,
        "result": outcome.state.result,
        "message": outcome.state.message,
        "report": None if outcome.report is None else msgspec.to_builtins(outcome.report),
    }


def _sources(arguments: argparse.Namespace) -> int:
    from gateway.articles.sync.state import read_state

    config = open_box(arguments)
    known = read_state(config.articles_directory).sources
    rows = [_row(source, known.get(source.name)) for source in config.articles.source]
    columns = {
        "name": "source",
        "format": "format",
        "from": "from",
        "attempted": "last sync",
        "result": "result",
        "succeeded": "agreed",
        "rows": "articles",
        "next": "next",
        "message": "message",
    }
    show(rows, columns, as_json=arguments.json, empty="no [[articles.source]] is configured")
    return exits.DONE


def _row(source: "SourceSettings", known: "SourceHistory | None") -> dict[str, Any]:
    from gateway.articles.sync.state import next_due

    place = source.path or source.url
    return {
        "name": source.name,
        "format": source.format,
        "from": place or "by hand",
        "priority": source.priority,
        "attempted": None if known is None else _moment(known.attempted),
        "result": None if known is None else known.result,
        "succeeded": None if known is None else _moment(known.succeeded),
        "imported": None if known is None else _moment(known.imported),
        "rows": None if known is None else known.rows,
        "rejected": None if known is None else known.rejected,
        "next": None if place is None else _moment(next_due(source, known)) or "at the next run",
        "message": None if known is None else known.message or None,
    }


def _moment(seconds: int | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


def _now() -> datetime:
    return datetime.now(UTC)


@contextlib.contextmanager
def _watching(*, shown: bool) -> "Iterator[Watch]":
    """Yield whom a sync tells how far it is: a bar on a terminal."""
    from gateway.articles.sync.job import Watch

    if not shown:
        yield Watch()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", rate="")
        begun = time.monotonic()

        def begin(source: str) -> None:
            nonlocal begun
            begun = time.monotonic()
            bar.reset(task, description=source, rate="", total=None)

        def rate_of(amount: float) -> float:
            return amount / max(time.monotonic() - begun, 0.001)

        def fetched(got: int, total: int | None) -> None:
            bar.update(task, total=total, completed=got, rate=f"{rate_of(got) / 1e6:.1f} MB/s")

        def imported(progress: "ImportProgress") -> None:
            rate = (
                f"{progress.rows_read} rows, {progress.rejected} rejected, {rate_of(progress.rows_read):.0f} rows/s"
            )
            bar.update(task, total=progress.bytes_total, completed=progress.bytes_read, rate=rate)

        yield Watch(source=begin, fetched=fetched, imported=imported)
