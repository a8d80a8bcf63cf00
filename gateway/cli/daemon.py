"""`run` and `status`: the daemon, and what it says of itself."""

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from gateway.cli import exits
from gateway.cli.box import add_config, add_socket
from gateway.cli.output import add_json, print_json, show


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    run = commands.add_parser(
        "run", help="the daemon", epilog="example: scangate run -c /etc/scangate/scangate.toml"
    )
    add_config(run)
    add_socket(run)
    run.add_argument(
        "--reading-socket", metavar="PATH", type=Path, help="a second one, over which a display may only read"
    )
    run.set_defaults(run=_run)
    status = commands.add_parser(
        "status", help="what the running daemon says of itself", epilog="example: scangate status --json"
    )
    add_socket(status)
    add_json(status)
    status.set_defaults(run=_status)


def _run(arguments: argparse.Namespace) -> int:
    from gateway.app import Ending, run
    from gateway.config.loader import load
    from gateway.scanning.carry_over import CarryOver
    from gateway.system.logging import set_up

    set_up()
    # A signal that comes before the daemon is ready, or between two lives, waits: its default would end us at once.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    ending, carry_over = Ending.RELOAD, CarryOver()
    while ending is Ending.RELOAD:
        config = load(arguments.config)
        ending = run(
            config,
            arguments.socket,
            check_reload=lambda: _check(arguments),
            carry_over=carry_over,
            reading_path=arguments.reading_socket,
        )
    return exits.DONE


def _check(arguments: argparse.Namespace) -> None:
    from gateway.config.loader import load

    load(arguments.config)


def _status(arguments: argparse.Namespace) -> int:
    from gateway.system.control_socket import ask

    status = ask(arguments.socket, "status")
    if arguments.json:
        print_json(status)
    else:
        show(_lines(status), {"what": "", "value": ""}, as_json=False)
        for alarm in status["alarms"]:
            print(f"! {alarm}", file=sys.stderr)
    return exits.DONE if status["ok"] else exits.NOT_WELL


def _lines(status: dict[str, Any]) -> list[dict[str, object]]:
    sequence, broker, master = status["sequence"], status["broker"], status["master"]
    oldest = sequence["oldestWaitingSeconds"]
    waiting = f"{sequence['waiting']}" + (f", the oldest for {oldest} s" if oldest is not None else "")
    if broker is None:
        delivery = "no broker configured: this box stands alone"
    elif broker["url"]:
        delivery = f"{broker['url']} (MQTT {broker['protocol']}), authorisation {broker['authorisation']}"
    else:
        delivery = f"not connected: {broker['problem'] or 'connecting'}"
    age = master["ageDays"]
    counted = ", ".join(f"{name} {count}" for name, count in sorted(status["counters"].items())) or "none yet"
    return [
        {"what": "gateway", "value": f"{status['gateway']} (scangate {status['version']})"},
        {"what": "up", "value": f"{status['uptimeSeconds']} s"},
        {"what": "broker", "value": delivery},
        {"what": "stored", "value": f"{sequence['stored']} (epoch {sequence['epoch']})"},
        {"what": "delivered", "value": sequence["delivered"]},
        {"what": "waiting", "value": waiting},
        {"what": "dead letters", "value": sequence["deadLetters"]},
        {"what": "room", "value": f"{status['disk']['room']}, {status['disk']['usedBytes'] // 1024} KiB used"},
        {
            "what": "article master",
            "value": "none" if age is None else f"{master['rows']} articles, {age} days old ({master['version']})",
        },
        {"what": "clock", "value": "synchronised" if status["clock"]["synchronised"] else "not synchronised"},
        {"what": "scans", "value": counted},
        *({"what": f"scanner {one['name']}", "value": one["failure"] or one["link"]} for one in status["scanners"]),
    ]
