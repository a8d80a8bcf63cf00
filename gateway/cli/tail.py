"""`tail`: what the broker carries of this gateway."""

import argparse
import sys

from gateway.cli import exits
from gateway.cli.box import add_config
from gateway.events.visible_text import visible, visible_json


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    tail = commands.add_parser(
        "tail",
        help="events and state of this gateway as the broker carries them",
        description="Subscribes as a second client with this gateway's credentials and prints each message.",
        epilog="example: scangate tail --json | jq .data.verdict",
    )
    add_config(tail)
    tail.add_argument("--count", type=int, metavar="N", help="end after N messages")
    tail.add_argument("--json", action="store_true", help="print only the JSON, one message a line")
    tail.set_defaults(run=_tail)


def _tail(arguments: argparse.Namespace) -> int:
    from gateway.config.loader import client_id_of, load
    from gateway.events.topics import Topics
    from gateway.mqtt.subscriber import Subscriber

    config = load(arguments.config)
    if config.broker is None:
        print("scangate: this box stands alone: its configuration has no [broker]", file=sys.stderr)
        return exits.USAGE
    topics = Topics.of(config.gateway.tenant, config.gateway.site, config.gateway.id)
    seen = 0
    with Subscriber(config.broker, f"{client_id_of(config, config.broker)}-tail") as listener:
        listener.subscribe(topics.everything)
        for message in listener.messages():
            text = message.body.decode(errors="replace")
            if not arguments.json:
                kept = " (retained)" if message.retained else ""
                print(visible(f"{message.topic}{kept} {text}"), flush=True)
            elif text.startswith("{"):
                print(" ".join(visible_json(text).splitlines()), flush=True)
            seen += 1
            if seen == arguments.count:
                break
    return exits.DONE
