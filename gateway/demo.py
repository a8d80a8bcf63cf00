"""The whole chain on one machine with nothing set up: an embedded broker, the sample master, replayed scans.

Everything between the recording and the subscriber is the real pipeline in a temporary directory. The broker speaks
only MQTT 3.1.1, so the publisher's fall-back is part of the show.
"""

import asyncio
import contextlib
import logging
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from gateway import app, samples
from gateway.articles.build.import_job import import_file
from gateway.articles.settings import SourceSettings
from gateway.config.loader import Config, parse
from gateway.display.settings import DisplaySettings
from gateway.events import cloudevent
from gateway.events.topics import Topics
from gateway.system.control_socket import DaemonUnreachableError

BROKER_SECONDS: Final = 10.0
"""The broker starts in tenths of a second; a slow SD card gets its time."""
INTAKE_SECONDS: Final = 60.0
"""The intake tries MQTT 5 first, as the box does, and this broker speaks only 3.1.1."""
EVENT_SECONDS: Final = 120.0
"""Without an event for so long, something is wrong."""
SOURCE: Final = "sample"
CASE: Final = '{"after_ms":300,"text":"]C0orbit:DEMO-1","note":"a case begins"}\n'
"""Where an intake is there: what is used for a case can be posted to its account."""


class Show(NamedTuple):
    """What there is to see."""

    events: Iterator[tuple[cloudevent.ScanEvent, bytes]]
    """Each as it arrives at a subscriber."""
    page: str | None
    """Address of the station's page; None without."""


@contextlib.contextmanager
def demonstration(database: Path | None = None, *, page: bool = False) -> Iterator[Show]:
    """Set everything up in a temporary directory and yield what there is to see; clean up at the end.

    With `database`, an intake takes the events into that SQLite file, too, and what it acknowledges counts as
    delivered. `page`: the station's page is served on this machine. Its events raise DaemonUnreachableError when none
    arrives.
    """
    with tempfile.TemporaryDirectory(prefix="scangate-demo-") as folder, contextlib.ExitStack() as stack:
        directory = Path(folder)
        port = stack.enter_context(_broker())
        changes = {} if database is None else _central(directory)
        config = _config(directory, port, changes)
        source = SourceSettings(name=SOURCE)
        import_file(config.articles_directory, source, samples.articles_csv(), now=datetime.now(UTC))
        box = config.gateway
        scans = Topics.of(box.tenant, box.site, box.id).scan
        bodies = stack.enter_context(_subscribed(scans, port, "scangate-demo-consumer"))
        if database is not None:
            stack.enter_context(_intake(config, port, database))
        address = stack.enter_context(_page(config, directory / "control.sock")) if page else None
        stack.enter_context(_daemon(config, directory / "control.sock"))
        yield Show(_events(bodies), address)


def _central(directory: Path) -> dict[str, dict[str, object]]:
    """Return what differs where an intake is there: it acknowledges, and what is used belongs to a case."""
    recording = directory / "scans.ndjson"
    loop, *scans = samples.scans().read_text(encoding="utf-8").splitlines(keepends=True)
    recording.write_text("".join((loop, CASE, *scans)), encoding="utf-8")
    return {
        "broker": {"confirm": "ack"},
        "context": {"case_mode": "clear"},
        "scanner": {"device": str(recording)},
    }


def _config(directory: Path, port: int, changes: dict[str, dict[str, object]]) -> Config:
    broker = {"urls": [f"mqtt://127.0.0.1:{port}"]} | changes.get("broker", {})
    scanner = {"name": "replay", "driver": "replay", "device": str(samples.scans())} | changes.get("scanner", {})
    return parse(
        {
            "gateway": {"tenant": "demo", "site": "hospital", "id": "gw01"},
            "station": {"id": "op3", "profile": "operating-room", "language": "en"},
            "state": {"directory": str(directory / "state")},
            "scanner": [scanner],
            "broker": broker,
            "context": changes.get("context", {}),
            "articles": {"source": [{"name": SOURCE}]},
            "outbox": {"min_free_bytes": 0},
        },
        "demo",
    )


@contextlib.contextmanager
def _broker() -> Iterator[int]:
    """Run the embedded broker in a thread; yield its port on 127.0.0.1."""
    from amqtt.broker import Broker

    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # it logs each client that hangs up
    logging.getLogger("gateway.mqtt").setLevel(logging.ERROR)  # the way to 3.1.1 is announced where the demo begins
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(
        lambda _loop, _context: None
    )  # of clients that hang up, amqtt leaves some to the loop
    thread = threading.Thread(target=loop.run_forever, name="demo-broker", daemon=True)
    thread.start()

    async def start() -> Any:  # noqa: ANN401 - amqtt is not annotated
        broker = Broker(settings)
        await broker.start()
        return broker

    broker = asyncio.run_coroutine_threadsafe(start(), loop).result(BROKER_SECONDS)
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(broker.shutdown(), loop).result(BROKER_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(BROKER_SECONDS)
        loop.close()


@contextlib.contextmanager
def _subscribed(topic: str, port: int, client_id: str) -> Iterator["queue.Queue[bytes]"]:
    """Subscribe as the central system would; yield the queue that the messages come to."""
    bodies: queue.Queue[bytes] = queue.Queue()
    subscribed = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTv311)

    def arrived(_client: Client, _data: object, message: MQTTMessage) -> None:
        bodies.put(bytes(message.payload))

    client.on_message = arrived
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe(topic, qos=1)
    if not subscribed.wait(BROKER_SECONDS):
        raise DaemonUnreachableError(Path("127.0.0.1"), "the embedded broker did not answer")
    try:
        yield bodies
    finally:
        client.disconnect()
        client.loop_stop()


@contextlib.contextmanager
def _intake(config: Config, port: int, database: Path) -> Iterator[None]:
    """Run the intake as a process of its own: it is another program, on another machine as a rule."""
    command = (sys.executable, "-m", "intake", "run", "--tenant", config.gateway.tenant)
    options = ("--broker", f"mqtt://127.0.0.1:{port}", "--database", f"sqlite:///{database}")
    topic = Topics.of(config.gateway.tenant, config.gateway.site, config.gateway.id).intake
    with database.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen((*command, *options), stdout=log, stderr=log)
    try:
        with _subscribed(topic, port, "scangate-demo-waiter") as announcements:
            announcements.get(timeout=INTAKE_SECONDS)  # what comes before it listens would have to come again
        yield
    except queue.Empty:
        raise DaemonUnreachableError(database, "the intake did not start: see the .log beside it") from None
    finally:
        process.terminate()
        process.wait(BROKER_SECONDS)


@contextlib.contextmanager
def _page(config: Config, control_path: Path) -> Iterator[str]:
    """Serve the station's page on any free port of this machine; yield its address."""
    from gateway.display.follower import Follower
    from gateway.display.screen import Screen
    from gateway.display.server import DisplayServer

    language = config.station.language
    follower = Follower(control_path, Screen(language=language, result_seconds=config.display.result_seconds))
    with DisplayServer(DisplaySettings(listen="127.0.0.1:0"), follower, language) as server:
        follower.start()
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="demo-page", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}/"
        finally:
            follower.stop()
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def _daemon(config: Config, control_path: Path) -> Iterator[None]:
    """Run the daemon in a thread of this process."""
    life = app.Life()
    thread = threading.Thread(
        target=app.run, args=(config, control_path), kwargs={"life": life}, name="demo-daemon", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        life.end()
        thread.join()


def _events(bodies: "queue.Queue[bytes]") -> Iterator[tuple[cloudevent.ScanEvent, bytes]]:
    while True:
        try:
            body = bodies.get(timeout=EVENT_SECONDS)
        except queue.Empty:
            raise DaemonUnreachableError(Path("demo"), f"no event for {EVENT_SECONDS:.0f} s") from None
        yield msgspec.json.decode(body, type=cloudevent.ScanEvent), body
