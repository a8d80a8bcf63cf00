"""`enrol` and `decommission`: a box gets its certificate, and a box that is no more leaves nothing behind."""

import argparse
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.cli import exits
from gateway.cli.box import add_config
from gateway.config.loader import Config, client_id_of, load
from gateway.system.credentials import CREDENTIALS
from gateway.system.enrolment import CERTIFICATE, KEY, accept, request

if TYPE_CHECKING:
    from gateway.mqtt.connection import Message
    from gateway.mqtt.subscriber import Subscriber

ANSWER_SECONDS: Final = 10.0
"""For one round trip over a slow line."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    enrol = commands.add_parser(
        "enrol",
        help="this box's own certificate: ask for it, and put the answer in place",
        description="Without options, makes a new key, which never leaves this box, and prints a certificate "
        "request for it. The site's certificate authority signs it; --certificate puts the answer in place. "
        "The same two steps renew a certificate before it ends.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  ssh root@op3 scangate enrol > op3.csr\n"
        "  ssh root@op3 scangate enrol --certificate - < op3.crt",
    )
    enrol.add_argument("--certificate", type=Path, metavar="FILE", help="the signed certificate, PEM; - reads it")
    enrol.add_argument("--folder", type=Path, default=CREDENTIALS, metavar="DIR", help="default %(default)s")
    add_config(enrol)
    enrol.set_defaults(run=_enrol, audited="enrol")
    gone = commands.add_parser(
        "decommission",
        help="remove what the broker keeps of this box, when it is taken out of service",
        description="Clears this box's retained messages (status, health, articles) at the broker, so that nobody "
        "waits for a box that is no more. Stop the daemon first; scans on the box stay.",
        epilog="example: systemctl disable --now scangate && scangate decommission --yes",
    )
    gone.add_argument("--yes", action="store_true", help="this box is out of service")
    add_config(gone)
    gone.set_defaults(run=_decommission, audited="decommission")


def _enrol(arguments: argparse.Namespace) -> int:
    config = load(arguments.config)
    box = config.gateway
    if arguments.certificate is None:
        print(request(arguments.folder, box.id, box.tenant, box.site), end="")
        print("sign it, then: scangate enrol --certificate FILE", file=sys.stderr)
        return exits.DONE
    given = arguments.certificate
    accept(arguments.folder, sys.stdin.buffer.read() if str(given) == "-" else given.read_bytes())
    print(f"{arguments.folder / CERTIFICATE} is in place", file=sys.stderr)
    if not _configured(config):
        print(f'! give [broker] cert_file = "{CERTIFICATE}" and key_file = "{KEY}"', file=sys.stderr)
    elif subprocess.run(["systemctl", "--quiet", "is-active", "scangate"], check=False).returncode == 0:
        subprocess.run(["systemctl", "reload", "scangate"], check=True)
        print("the daemon has taken it", file=sys.stderr)
    return exits.DONE


def _configured(config: Config) -> bool:
    broker = config.broker
    return broker is not None and (broker.cert_file, broker.key_file) == (CERTIFICATE, KEY)


def _decommission(arguments: argparse.Namespace) -> int:
    from gateway.app import state_lock
    from gateway.events.topics import Topics
    from gateway.mqtt.subscriber import Subscriber

    config = load(arguments.config)
    if not arguments.yes:
        print("scangate: this takes the box out of service at the broker: give --yes", file=sys.stderr)
        return exits.USAGE
    if config.broker is None:
        print("no [broker] is configured: there is none that keeps anything of this box", file=sys.stderr)
        return exits.DONE
    topics = Topics.of(config.gateway.tenant, config.gateway.site, config.gateway.id)
    own = (topics.status, topics.health, topics.articles)
    client_id = f"{client_id_of(config, config.broker)}-doctor"
    with state_lock(config.state_directory), Subscriber(config.broker, client_id) as subscriber:
        subscriber.subscribe(topics.doctor)
        for topic in own:
            subscriber.connection.retain(topic, b"", qos=1)
        _round_trip(subscriber, topics.doctor)
        # A broker may drop what its access list forbids without a word: so look what stands there now.
        for topic in own:
            subscriber.connection.subscribe(topic)
        found = _round_trip(subscriber, topics.doctor)
    left = sorted({message.topic for message in found if message.retained and message.body} & set(own))
    if left:
        print(f"scangate: the broker keeps {', '.join(left)}: does its access list allow that?", file=sys.stderr)
        return exits.NOT_WELL
    print("the broker keeps nothing of this box any more", file=sys.stderr)
    return exits.DONE


def _round_trip(subscriber: "Subscriber", topic: str) -> "list[Message]":
    """Send something and wait until it is back: what was asked before is done. Return what came before it."""
    from gateway.mqtt.subscriber import BrokerUnreachableError

    token = uuid.uuid4().hex.encode()
    subscriber.connection.publish(topic, token)
    before: list[Message] = []
    for message in subscriber.messages(ANSWER_SECONDS):
        if message.body == token:
            return before
        before.append(message)
    raise BrokerUnreachableError(
        f"the broker did not answer on {topic} within {ANSWER_SECONDS:.0f} s: it may keep what it had; try again"
    )
