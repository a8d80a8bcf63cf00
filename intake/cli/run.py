"""`scangate-intake run`: the service."""

import argparse
import logging
import signal
import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from intake.cli.options import add_broker, add_config, settings_of

if TYPE_CHECKING:
    from intake.settings import Settings
    from intake.sources import Source
    from intake.topics import TenantTopics

EXAMPLES = """examples:
  scangate-intake run --tenant vgr --broker mqtt://127.0.0.1 --database sqlite:///events.db
  scangate-intake run --tenant vgr --nats nats://n1 --nats nats://n2 --nats nats://n3 --broker mqtt://n1:1883 \\
      --database postgresql://intake@db/scangate --listen 127.0.0.1:8090
"""


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public name for it
    """Describe the command."""
    parser = commands.add_parser(
        "run",
        help="take events, commit them, acknowledge them",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    add_broker(parser)
    parser.add_argument("--listen", metavar="HOST:PORT", help="page at / and metrics at /metrics")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Work until a signal ends it."""
    from intake.counters import Counters
    from intake.database import open_database
    from intake.delta_sender import DeltaSender
    from intake.deltas import Deltas
    from intake.service import Intake
    from intake.signing import Signer
    from intake.store import Store
    from intake.topics import TenantTopics

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("alembic", "nats"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    settings = settings_of(chosen)
    topics = TenantTopics.of(settings.checked_tenant())
    signer = Signer.from_file(settings.sign_key)
    source = make_source(settings, topics)
    engine = open_database(settings.checked_database())
    now = partial(datetime.now, UTC)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        deltas = DeltaSender(source, Deltas(engine, now), topics, signer)
        Intake(source, Store(engine, now), topics, signer, now, Counters(), deltas).run(stop)
    finally:
        engine.dispose()
    return 0


def make_source(settings: "Settings", topics: "TenantTopics") -> "Source":
    """Choose where events come from. Raises SettingsError."""
    from intake.sources.mqtt import BrokerSettings, MqttSource

    tenant = settings.checked_tenant()
    broker = BrokerSettings(
        url=settings.checked_broker(),
        client_id=settings.client_id or (_own_id(tenant) if settings.nats else f"intake-{tenant}"),
        username=settings.username,
        password_file=settings.password_file,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
    )
    if not settings.nats:
        return MqttSource(broker, topics)
    from intake.sources.nats import NatsSettings, NatsSource

    servers = NatsSettings(
        urls=settings.nats,
        tenant=tenant,
        username=settings.username,
        password_file=settings.password_file,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
    )
    return NatsSource(servers, MqttSource(broker, topics, events=False))


def _own_id(tenant: str) -> str:
    """Several intakes run side by side on NATS: no two clients may have one identifier."""
    import secrets

    return f"intake-{tenant}-{secrets.token_hex(4)}"
