"""`articles`: the cached article master. Import, sync, and what past scans say of it have files of their own."""

import argparse
import sys
import time
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from gateway.cli import articles_import, articles_journal, articles_sync, exits
from gateway.cli.articles_box import NO_MASTER, add_box, master_of
from gateway.cli.output import print_json, show


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    articles = commands.add_parser("articles", help="the cached article master")
    actions = articles.add_subparsers(metavar="ACTION", required=True)
    articles_import.add(actions)
    articles_sync.add(actions)
    status = actions.add_parser(
        "status",
        help="sources, versions, rows, age, deltas (exit code 1: something of it cannot be used)",
        epilog="example: scangate articles status --conflicts",
    )
    status.add_argument(
        "--conflicts",
        action="store_true",
        help="where sources contradict each other; the first in precedence counts",
    )
    add_box(status)
    status.set_defaults(run=_status)
    lookup = actions.add_parser(
        "lookup",
        help="what the master says of an article, and which source says what (exit code 1: it does not know it)",
        epilog="example: scangate articles lookup 7350000000017",
    )
    lookup.add_argument(
        "text",
        metavar="TEXT",
        help="device identifier, GTIN in any length, article or catalogue number, whole code",
    )
    add_box(lookup)
    lookup.set_defaults(run=_lookup)
    articles_journal.add(actions)
    rollback = actions.add_parser(
        "rollback",
        help="put the previous master in force again; once more undoes it",
        epilog="example: scangate articles rollback",
    )
    add_box(rollback)
    rollback.set_defaults(run=_rollback, audited="articles rollback")


def _status(arguments: argparse.Namespace) -> int:
    from gateway.articles.lookup.conflicts import MAX_CONFLICTS, conflicts
    from gateway.articles.lookup.status_message import status_message
    from gateway.outbox import unknown_articles

    master, directory = master_of(arguments)
    with master:
        info = master.info()
    if arguments.conflicts:
        found = [msgspec.to_builtins(one) for one in conflicts(directory / "articles")]
        if not arguments.json:
            for row in found:
                row["said"] = "; ".join(f"{name}: {value}" for name, value in row["said"].items())
        columns = {"deviceIdentifier": "article", "field": "field", "said": "who says what"}
        show(found, columns, as_json=arguments.json, empty="the sources do not contradict each other")
        if len(found) == MAX_CONFLICTS:
            print(f"the first {MAX_CONFLICTS}; there may be more", file=sys.stderr)
        return exits.DONE
    outbox = directory / "outbox.db"
    missing = [one for one in unknown_articles.read(outbox) if one.resolved_ns is None] if outbox.exists() else []
    message = status_message(info, time.time_ns(), unknown=len(missing))
    sources = [{**msgspec.to_builtins(one), "ageDays": _age_days(one.version)} for one in message.sources]
    if arguments.json:
        print_json({**msgspec.to_builtins(message), "sources": sources})
    else:
        columns = {
            "name": "source",
            "priority": "priority",
            "version": "imported",
            "asOf": "as of",
            "ageDays": "days old",
            "rows": "articles",
            "deltaNumber": "last delta",
        }
        show(sources, columns, as_json=False, empty=NO_MASTER)
    for name in info.gaps:
        (delta,) = [one for one in info.deltas if one.name == name]
        runs = ", ".join(f"{first}-{last}" if first < last else f"{first}" for first, last in delta.missing[:3])
        print(f"! {name}: deltas {runs} are missing: have them sent again (recalls perhaps)", file=sys.stderr)
    if message.problem is not None:
        print(f"! {message.problem}", file=sys.stderr)
    return exits.NOT_WELL if info.gaps or message.problem is not None else exits.DONE


def _lookup(arguments: argparse.Namespace) -> int:
    from gateway.articles.precedence import in_order
    from gateway.udi import decode
    from gateway.udi.dispatch import split_symbology
    from gateway.udi.notation import characters

    master, _ = master_of(arguments)
    symbology, text = split_symbology(characters(arguments.text))
    identifier = decode(text, symbology, today=_today()).device_identifier
    with master:
        found = master.look_up(text, identifier)
        statements = master.statements(text, identifier)
    known = found.article is not None
    article: dict[str, Any] = msgspec.to_builtins(found.article) if known else {}
    recalls = [msgspec.to_builtins(recall) for recall in found.recalls]
    answer = {"match": found.match, "source": found.source, "masterVersion": found.master_version}
    by_source = [
        {"source": row.source, "from": "delta" if row.key == 0 else "file", **msgspec.to_builtins(row.article)}
        for row in in_order(statements.rows)
    ]
    if arguments.json:
        print_json(
            {
                **answer,
                "deviceIdentifier": identifier,
                "article": article or None,
                "recalls": recalls,
                "sources": by_source,
            }
        )
    elif known:
        rows = [{"what": what, "value": value} for what, value in {**answer, **article}.items()]
        rows += [{"what": "recall", "value": _in_words(recall)} for recall in recalls]
        if len(by_source) > 1:
            rows += [
                {"what": f"{one.pop('source')} ({one.pop('from')})", "value": _in_words(one)} for one in by_source
            ]
        show(rows, {"what": "", "value": ""}, as_json=False)
    else:
        print(NO_MASTER if found.master_version is None else "the article master does not know it", file=sys.stderr)
    return exits.DONE if known else exits.NOT_WELL


def _in_words(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {' '.join(map(str, value)) if isinstance(value, (list, tuple)) else value}"
        for name, value in values.items()
    )


def _rollback(arguments: argparse.Namespace) -> int:
    from gateway.articles.build.import_job import rollback

    master, directory = master_of(arguments)
    rollback(directory / "articles")
    with master:
        info = master.info()
    if arguments.json:
        print_json({"version": info.version})
    else:
        print(f"the master of {info.version} is in force again; `scangate articles rollback` undoes this")
    return exits.DONE


def _age_days(version: str | None) -> int | None:
    return None if version is None else max(0, (datetime.now(UTC) - datetime.fromisoformat(version)).days)


def _today() -> date:
    return datetime.now().astimezone().date()
