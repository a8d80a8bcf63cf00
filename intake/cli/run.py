"""`scangate-intake run`: the service."""

import argparse
import logging
import signal
import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from intake.cli.options import add_broker, add_config, settings_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from intake.lock import ExclusiveLock
    from intake.settings import Settings
    from intake.sources import Source
    from intake.sources.mqtt import BrokerSettings
    from intake.topics import TenantTopics

log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 1.0
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
    from intake.delta_sender import DeltaSender
    from intake.deltas import Deltas
    from intake.lock import ExclusiveLock
    from intake.service import Intake
    from intake.signing import Signer
    from intake.store import Store
    from intake.topics import TenantTopics
    from intake.web.server import PageCache, WebServer

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for noisy in ("alembic", "nats"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    settings = settings_of(chosen)
    topics = TenantTopics.of(settings.checked_tenant())
    signer = Signer.from_file(settings.sign_key)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    now, counters = partial(datetime.now, UTC), Counters()
    make_source(settings, topics)  # a wrong setting is said before anything is waited for
    engine = open_patiently(settings.checked_database(), stop)
    if engine is None:
        return 0
    # an MQTT session is one client's: a second intake stands by until the first is gone
    ready = Readiness()
    web = WebServer(settings.listen, PageCache(engine, counters, ready, now)) if settings.listen else None
    if web is not None:
        web.start()
    lock = None if settings.nats else ExclusiveLock(engine, f"mqtt {settings.checked_tenant()}")
    try:
        while not stop.is_set() and (lock is None or wait_for_lock(lock, stop)):
            source = make_source(settings, topics)
            deltas = DeltaSender(source, Deltas(engine, now), topics, signer)
            intake = Intake(source, Store(engine, now), topics, signer, now, counters, deltas)
            ready.source = source
            intake.run(stop, lock.held if lock else lambda: True)
    finally:
        if web is not None:
            web.close()
        if lock is not None:
            lock.release()
        engine.dispose()
    return 0


class Readiness:
    """Whether the present source is ready; none while another intake has the session."""

    def __init__(self) -> None:
        self.source: Source | None = None

    def __call__(self) -> bool:
        """Return it."""
        return self.source is not None and self.source.ready


def open_patiently(url: str, stop: threading.Event) -> "sa.Engine | None":
    """Open the database, however long it is away; None when asked to stop before. Raises DatabaseError."""
    from intake.database import DatabaseError, open_database

    while not stop.is_set():
        try:
            return open_database(url)
        except DatabaseError as error:
            if not error.away:
                raise
            log.error("%s", error)  # noqa: TRY400 - its cause is in its words
            stop.wait(AGAIN_SECONDS)
    return None


def wait_for_lock(lock: "ExclusiveLock", stop: threading.Event) -> bool:
    """Wait until no other intake has the session; False when asked to stop before."""
    from intake.database import DatabaseError

    said = False
    while not stop.is_set():
        try:
            if lock.acquire():
                return True
            if not said:
                log.warning("another intake has this tenant's MQTT session: standing by until it ends")
                said = True
        except DatabaseError as error:
            log.error("%s", error)  # noqa: TRY400 - its cause is in its words
        stop.wait(AGAIN_SECONDS)
    return False


def make_source(settings: "Settings", topics: "TenantTopics") -> "Source":
    """Choose where events come from. Raises SettingsError."""
    from intake.sources.mqtt import MqttSource

    tenant = settings.checked_tenant()
    broker = broker_settings(settings)
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


def broker_settings(settings: "Settings") -> "BrokerSettings":
    """Return how to reach the MQTT broker. Raises SettingsError."""
    from intake.sources.mqtt import BrokerSettings

    tenant = settings.checked_tenant()
    return BrokerSettings(
        url=settings.checked_broker(),
        client_id=settings.client_id or (_own_id(tenant) if settings.nats else f"intake-{tenant}"),
        username=settings.username,
        password_file=settings.password_file,
        ca_file=settings.ca_file,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
    )


def _own_id(tenant: str) -> str:
    """Several intakes run side by side on NATS: no two clients may have one identifier."""
    import secrets

    return f"intake-{tenant}-{secrets.token_hex(4)}"
