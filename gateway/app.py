"""The whole life of the daemon: `run` starts everything in order, waits, and stops everything in order."""

import contextlib
import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drivers.hotplug import Hotplug
from drivers.indicator import Indicator
from drivers.model import ConnectionChange
from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import Config, ConfigError, client_id_of
from gateway.devices.calibrator import Calibrator
from gateway.devices.settings_monitor import SettingsMonitor
from gateway.devices.station_registry import RegistryError, StationRegistry
from gateway.events.cloudevent import gateway_source
from gateway.events.topics import Topics
from gateway.monitoring.monitor import Monitor
from gateway.outbox.box_identity import read_identity
from gateway.outbox.salvage import open_outbox
from gateway.outbox.used_pieces import UsedPieceReader
from gateway.scanning.carry_over import CarryOver
from gateway.scanning.inbox import Inbox, Notice
from gateway.scanning.pipeline import Pipeline
from gateway.scanning.reader import Reader
from gateway.scanning.retry_request import DeadLetters
from gateway.scanning.station_state import StationState
from gateway.scanning.worker import Worker
from gateway.station.values import Station
from gateway.system.clock import Clock
from gateway.system.control_socket import ControlServer, RequestError
from gateway.system.systemd import ServiceManager

if TYPE_CHECKING:
    from gateway.mqtt.delivery_state import Handler
    from gateway.mqtt.publisher import Publisher

log = logging.getLogger(__name__)

TURN_SECONDS: Final = 1.0
"""The main thread looks after everything else so often."""
READERS_STOP_SECONDS: Final = 1.6
WORKER_STOP_SECONDS: Final = 1.2
PUBLISHER_STOP_SECONDS: Final = 1.8
"""Shares of the five seconds an ordered stop may take."""
STUCK_SECONDS: Final = 120.0
"""A publisher whose loop has not turned for so long hangs in a call that will not return."""


class Ending(StrEnum):
    """Why the daemon's life ends."""

    STOPPED = "stopped"
    RELOAD = "reload"
    """It is to begin again with the configuration as it is now."""


class Life:
    """Whether the daemon is to go on. `end` may be called from any thread and from a signal handler."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._ending = Ending.STOPPED

    def end(self, ending: Ending = Ending.STOPPED) -> None:
        """Begin the ordered stop. Who asks for a stop gets one, even where a reload has begun."""
        if ending is Ending.STOPPED or not self._over.is_set():
            self._ending = ending
        self._over.set()

    def over(self, wait: float = 0.0) -> bool:
        """Wait so many seconds for the end; tell whether it has come."""
        return self._over.wait(wait)

    @property
    def ending(self) -> Ending:
        """Why it ended."""
        return self._ending


class AppError(Exception):
    """The daemon cannot start or go on: operation, object, cause, next step."""


def run(
    config: Config,
    control_path: Path,
    *,
    life: Life | None = None,
    check_reload: Callable[[], None] | None = None,
    on_event: Callable[[Mapping[str, object]], None] | None = None,
    carried: CarryOver | None = None,
) -> Ending:
    """Live: start in order, work until SIGTERM, SIGINT or `life.end()`, stop in order within five seconds.

    `check_reload` raises ConfigError when the configuration, as it is now, cannot be used; with it, SIGHUP and the
    request `reload` end this life with Ending.RELOAD. `carried`: from the life before, and for the next one. Raises
    AppError, OutboxError, DriverError.
    """
    life, carried = life or Life(), carried or CarryOver()
    service_manager = ServiceManager()
    state = config.state_directory
    with contextlib.ExitStack() as stack:
        stack.callback(service_manager.close)
        # 1. The state directory is ours alone, and every scan of an earlier life is safe in it.
        stack.enter_context(state_lock(state))
        clock = Clock()
        outbox = open_outbox(
            state / "outbox.db",
            config.outbox,
            read_identity(source_of(config)),
            clock.now(),
            service_manager.at_work,
        )
        clock.not_before(outbox.last_trusted_ns() or 0)
        alarms = []
        if outbox.new_epoch_because:
            alarms.append(f"the outbox came from another box ({outbox.new_epoch_because}): a new epoch has begun")
            log.warning("new epoch=%s because the %s differs", outbox.epoch, outbox.new_epoch_because)
        # 2. The pipeline, from the scanner's end to the operator's signal.
        inbox = Inbox()
        registry = stack.enter_context(contextlib.closing(_registry(state)))
        readers = {one.name: Reader(one, inbox, registry.recognise) for one in config.scanner}
        pipeline = Pipeline(
            config,
            ArticleMaster(config.articles_directory, config.articles.priorities()),
            used_pieces=UsedPieceReader(state / "outbox.db"),
        )
        _take_over(pipeline, registry, carried.given(config))
        alarms.extend(pipeline.key_trouble)
        calibrator = Calibrator(readers, registry, clock)
        worker = Worker(inbox, outbox, pipeline, clock, readers, service_manager, calibrator.diversions)
        worker.indicator = _indicator(config, stack)
        drift = SettingsMonitor(state, readers, registry, clock)
        housekeeping = stack.enter_context(
            contextlib.closing(Monitor(config, worker, inbox, readers, clock, registry, alarms))
        )
        housekeeping.drift = drift
        # 3. Whoever asks.
        control = ControlServer(
            control_path,
            {
                "status": lambda _: housekeeping.status(),
                "scanners": lambda _: housekeeping.scanners(),
                "station": lambda _: worker.view,
                "quality": lambda _: worker.quality.report(),
                "calibrate": calibrator.begin,
                "calibration": calibrator.look,
                "settle": lambda _: inbox.post(Notice.UNSETTLED),
                "exported": lambda args: _exported(config, worker, args),
                "retry": DeadLetters(worker, clock).retry,
                "reload": lambda _: _reload(check_reload, life),
            },
            {"lend": drift.lender.lend},
        )
        worker.on_event = _announce(housekeeping, control, on_event)
        _open(control, control_path)
        stack.callback(control.stop)
        # 4. Threads: the worker first, so that nothing waits for it; the network last, because nothing needs it.
        worker_thread = threading.Thread(target=worker.run, name="worker", daemon=True)
        worker_thread.start()
        for reader in readers.values():
            reader.start()
        stack.enter_context(Hotplug(lambda: [reader.scanner for reader in readers.values()]))
        stack.enter_context(_signals(life, check_reload))
        service_manager.ready("reading scanners")
        log.info("ready scanners=%d waiting=%d", len(readers), outbox.last - outbox.delivered)
        inbound = _inbound(config, worker, housekeeping, clock, check_reload, life)
        over = False
        while not over and worker_thread.is_alive():
            worker.publisher = _sound_publisher(config, worker.publisher, inbox, inbound)
            service_manager.status(housekeeping.turn())
            over = life.over(TURN_SECONDS)
        # 5. The ordered stop: what scanners still send, then what is queued, then what is under way.
        if life.ending is Ending.STOPPED:  # to systemd, a reload is no stop
            service_manager.stopping()
        drift.close()
        _stop_readers(readers.values())
        inbox.post(Notice.STOP)
        _finish(worker, worker_thread, in_order=life.over())
        carried.keep(config, pipeline.memory.station)
    return life.ending


def _finish(worker: Worker, thread: threading.Thread, *, in_order: bool) -> None:
    """Wait for the worker and the publisher, and let the outbox go. Raises AppError."""
    thread.join(WORKER_STOP_SECONDS)
    if worker.publisher is not None and not worker.publisher.stop(PUBLISHER_STOP_SECONDS):
        log.warning("the publisher did not end in time; what it had under way is sent again")
    if thread.is_alive() or not in_order:
        raise AppError("the worker did not end in order: see the log; what was accepted is on disk")
    worker.finish()
    log.info("stopped stored=%d delivered=%d", worker.outbox.last, worker.outbox.delivered)


@contextlib.contextmanager
def state_lock(state: Path) -> Iterator[None]:
    """Hold the state directory, made if need be: one writer at a time. Raises AppError."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AppError(
            f"cannot use the state directory {state}: {error.strerror}; check [state] directory and its owner"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise AppError(f"cannot use the state directory {state}: another scangate runs there; stop it") from error
    finally:
        os.close(lock)


def source_of(config: Config) -> str:
    """Return the URN of the configured box."""
    return gateway_source(config.gateway.tenant, config.gateway.site, config.gateway.id)


def _registry(state: Path) -> StationRegistry:
    """Open the station registry; one that cannot be read trusts no scanner, and is no reason to read none."""
    registry = StationRegistry(state / "station.json")
    try:
        registry.load()
    except RegistryError as error:
        log.error("registry: %s", error)  # noqa: TRY400 - its words say it all
    return registry


def _take_over(pipeline: Pipeline, registry: StationRegistry, station: Station) -> None:
    """Go on with what an earlier life has chosen and learned; labels are learned anew where that cannot be read."""
    pipeline.memory = StationState(station=station)
    try:
        pipeline.completing.restore(registry.completing_symbols())
    except RegistryError as error:
        log.error("registry: %s", error)  # noqa: TRY400 - its words say it all


def _indicator(config: Config, stack: contextlib.ExitStack) -> Indicator | None:
    """Let the configured lamps and the buzzer speak until the end."""
    if config.gpio is None:
        return None
    indicator = Indicator(config.gpio)
    indicator.start()
    stack.callback(indicator.close)
    return indicator


def _open(control: ControlServer, path: Path) -> None:
    try:
        control.start()
    except OSError as error:
        raise AppError(
            f"cannot open the control socket {path}: {error.strerror}; "
            "its directory must be there and be ours (--socket names another)"
        ) from error


def _announce(
    housekeeping: Monitor, control: ControlServer, on_event: Callable[[Mapping[str, object]], None] | None
) -> Callable[[Mapping[str, object]], None]:
    """Return what tells everybody who wants to know of a scan or a scanner."""

    def announce(event: Mapping[str, object]) -> None:
        link = event.get("link")
        if isinstance(link, ConnectionChange):
            housekeeping.note_link(link)
        control.tell(event)
        if on_event is not None:
            on_event(event)

    return announce


def _inbound(
    config: Config,
    worker: Worker,
    housekeeping: Monitor,
    clock: Clock,
    check_reload: Callable[[], None] | None,
    life: Life,
) -> "dict[str, Handler]":
    """Return who takes what the broker brings: topic filter -> handler."""
    if config.broker is None:
        return {}
    from gateway.monitoring.remote_commands import Remote
    from gateway.mqtt.command_envelope import Commands  # these bring paho along, too
    from gateway.recalls.delta_subscriber import DeltaSubscriber

    def publisher() -> "Publisher":
        if worker.publisher is None:
            raise RuntimeError("a message came before there was a publisher")
        return worker.publisher

    box = config.gateway
    topics = Topics.of(box.tenant, box.site, box.id)
    remote = Remote(config, worker, housekeeping, publisher, lambda: _reload(check_reload, life))
    commands = Commands(topics, remote.handlers(), clock.now, lambda reply: publisher().reply(reply))
    feed = DeltaSubscriber(
        config.articles_directory,
        config.state_directory / "outbox.db",
        config.articles.priorities(),
        config.articles.delta_key_file,
        clock,
    )
    feed.resume()
    housekeeping.feed = feed
    return {
        topics.commands: commands.take,
        topics.deltas: feed.take,
        topics.delta_state: feed.take_state,
    }


def _sound_publisher(
    config: Config, present: "Publisher | None", inbox: Inbox, inbound: "Mapping[str, Handler]"
) -> "Publisher | None":
    """Return a publisher that works: the present one, or a new one in the place of one that is stuck."""
    broker = config.broker
    if broker is None or (present is not None and not present.stuck(STUCK_SECONDS)):
        return present
    from gateway.mqtt.publisher import Publisher  # paho's import takes longer than the rest of the start

    if present is not None:
        log.error("the publisher is stuck; it is replaced")
        present.stop(0.0)
    box = config.gateway
    publisher = Publisher(
        broker,
        Topics.of(box.tenant, box.site, box.id),
        client_id_of(config, broker),
        config.state_directory / "outbox.db",
        on_unsettled=lambda: inbox.post(Notice.UNSETTLED),
        subscriptions=inbound,
    )
    publisher.start()
    return publisher


def _stop_readers(readers: Collection[Reader]) -> None:
    for reader in readers:
        reader.stop()
    deadline = time.monotonic() + READERS_STOP_SECONDS
    for reader in readers:
        reader.join(max(0.0, deadline - time.monotonic()))


def _exported(config: Config, worker: Worker, args: Mapping[str, object]) -> None:
    """Take an export for delivery, which it is only where there is no broker."""
    upto = args.get("upTo")
    if config.broker is not None:
        raise RequestError("this box has a broker: only what the broker acknowledges is delivered")
    if not isinstance(upto, int):
        raise RequestError('expected args {"upTo": SEQUENCE}')
    worker.exported(upto)


def _reload(check: Callable[[], None] | None, life: Life) -> str:
    """Begin again with the configuration as it is now, or keep the present one and say why."""
    if check is None:
        raise RequestError("this daemon was started without a configuration file")
    try:
        check()
    except ConfigError as error:
        log.error("reload refused, the present configuration stays: %s", error)  # noqa: TRY400
        raise RequestError(f"the present configuration stays: {error}") from error
    life.end(Ending.RELOAD)
    return "reloading"


@contextlib.contextmanager
def _signals(life: Life, check_reload: Callable[[], None] | None) -> Iterator[None]:
    """SIGTERM and SIGINT stop, SIGHUP reloads. Only the main thread of a process gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hang_up(_number: int, _frame: object) -> None:
        with contextlib.suppress(RequestError):  # it has been logged
            _reload(check_reload, life)

    handlers = {
        signal.SIGTERM: lambda _number, _frame: life.end(),
        signal.SIGINT: lambda _number, _frame: life.end(),
        signal.SIGHUP: hang_up,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
