"""`config`: the configuration file, checked and shown."""

import argparse
import json
import sys
from pathlib import Path

from gateway.cli import exits
from gateway.cli.box import add_config
from gateway.cli.output import add_json, print_json, show
from gateway.config.loader import check, effective, read


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    config = commands.add_parser("config", help="check and show the configuration")
    actions = config.add_subparsers(metavar="ACTION", required=True)
    checked = actions.add_parser(
        "check",
        help="is it valid, and does it fit this machine? (exit code 2: not valid)",
        epilog="example: scangate config check && systemctl reload scangate",
    )
    add_config(checked)
    checked.set_defaults(run=_check)
    shown = actions.add_parser(
        "show", help="the values in force and where each comes from", epilog="example: scangate config show --json"
    )
    add_config(shown)
    add_json(shown)
    shown.set_defaults(run=_show)
    described = actions.add_parser(
        "schema",
        help="every key, as a JSON Schema",
        epilog="example: scangate config schema > scangate.schema.json",
    )
    described.set_defaults(run=_schema)


def _check(arguments: argparse.Namespace) -> int:
    from gateway.config.warnings import warnings

    document = read(arguments.config)
    config = check(document)
    print(f"{arguments.config}: ok")
    for warning in (*document.notes, *warnings(config)):
        print(f"! {warning}", file=sys.stderr)
    return exits.DONE


def _show(arguments: argparse.Namespace) -> int:
    document = read(arguments.config)
    config = check(document)
    rows = [{"key": key, "value": value, "origin": origin} for key, value, origin in effective(document, config)]
    if not arguments.json:
        for row in rows:
            row["origin"] = Path(row["origin"]).name
            row["value"] = None if row["value"] is None else json.dumps(row["value"], ensure_ascii=False)
    show(rows, {"key": "key", "value": "value", "origin": "from"}, as_json=arguments.json)
    return exits.DONE


def _schema(_arguments: argparse.Namespace) -> int:
    from gateway.config.json_schema import documented_schema

    print_json(documented_schema())
    return exits.DONE
