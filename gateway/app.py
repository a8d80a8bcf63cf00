"""The whole life of the daemon: `run` starts everything in order, waits, and stops everything in order."""

import contextlib
import fcntl
import logging
import os
import resource
import select
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from drivers.hotplug import Hotplug
from drivers.indicator import Indicator
from drivers.model import ConnectionChange, Signal
from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import Config, ConfigError, client_id_of
from gateway.devices.calibrator import Calibrator
from gateway.devices.settings_monitor import SettingsMonitor
from gateway.devices.station_registry import RegistryError, StationRegistry
from gateway.events.cloudevent import gateway_source
from gateway.events.topics import Topics
from gateway.monitoring.audit_notes import AuditNotes
from gateway.monitoring.identity_watch import IdentityWatch
from gateway.monitoring.monitor import Monitor
from gateway.mqtt.supervisor import PublisherSupervisor
from gateway.outbox.box_identity import read_identity
from gateway.outbox.delivery import StandAlone
from gateway.outbox.salvage import open_outbox
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.used_pieces import StationJournal
from gateway.outbox.writer import UNPROVEN_END, Outbox
from gateway.scanning.carry_over import CarryOver
from gateway.scanning.case_requests import Cases
from gateway.scanning.completing_symbols import CompletingSymbols
from gateway.scanning.inbox import Inbox, Notice
from gateway.scanning.pipeline import Pipeline
from gateway.scanning.reader import Reader
from gateway.scanning.retry_request import RetryRequests
from gateway.scanning.worker import Worker
from gateway.station.keys import read_keys
from gateway.system.clock import Clock
from gateway.system.control_socket import ControlServer, RequestError, Role
from gateway.system.session_key import session_key
from gateway.system.signed_envelope import Unseal, unsealed
from gateway.system.systemd import ServiceManager
from gateway.system.upgrade import taken_back
from gateway.system.wake_pipe import WakePipe

if TYPE_CHECKING:
    from gateway.recalls.delta_subscriber import DeltaSubscriber

log = logging.getLogger(__name__)

TURN_SECONDS: Final = 1.0
"""The main thread looks after everything else so often."""
READERS_STOP_SECONDS: Final = 1.6
WORKER_STOP_SECONDS: Final = 1.2
PUBLISHER_STOP_SECONDS: Final = 1.8
"""Shares of the five seconds an ordered stop may take."""
NOTED: Final = frozenset({"calibrate", "close-case", "exported", "lend", "reload", "retry"})
"""What changes something, and stands in the audit trail."""
ROLES: Final = {
    **dict.fromkeys(("status", "scanners", "station", "quality", "case", "watch"), Role.READ),
    **dict.fromkeys(("calibrate", "calibration", "lend", "retry", "reload", "close-case", "signal"), Role.OPERATE),
}
"""Who may ask what of the control socket. Of the rest, `exported` makes events ones that may be removed by age."""
DESCRIPTORS: Final = 96
"""Files of the outbox, the article master and the log, two connections, 16 clients of the control socket."""
DESCRIPTORS_PER_SCANNER: Final = 4
"""A device, its wake pipe, and a lease."""


class Ending(StrEnum):
    """Why the daemon's life ends."""

    STOPPED = "stopped"
    RELOAD = "reload"
    """It is to begin again with the configuration as it is now."""


class Life:
    """Whether the daemon is to go on. `end` may be called from any thread.

    Signals come in as bytes on the same pipe (signal.set_wakeup_fd), and are acted upon by the main loop: however
    many come, and however close, no lock is taken twice and no frame stacks on another.
    """

    def __init__(self) -> None:
        self._pipe = WakePipe()
        self._ending: Ending | None = None
        self.hang_up = False
        """SIGHUP has come; whoever acts upon it resets it."""

    def end(self, ending: Ending = Ending.STOPPED) -> None:
        """Begin the ordered stop. A stop always wins, even where a reload has begun."""
        if ending is Ending.STOPPED or self._ending is None:
            self._ending = ending
        self._pipe.wake()

    def over(self, wait: float = 0.0) -> bool:
        """Wait up to so many seconds for a signal or the end; return whether the end has come."""
        if self._ending is None:
            select.select([self._pipe.fileno()], [], [], wait)
        for number in self._pipe.read():
            if number in {signal.SIGTERM, signal.SIGINT}:
                self._ending = Ending.STOPPED
            elif number == signal.SIGHUP:
                self.hang_up = True
        return self._ending is not None

    @property
    def ending(self) -> Ending:
        """Why it ended."""
        return self._ending or Ending.STOPPED

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Take SIGTERM, SIGINT and SIGHUP meanwhile. Only the main thread of a process gets signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        waker = signal.set_wakeup_fd(self._pipe.writer, warn_on_full_buffer=False)
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(waker)


class AppError(Exception):
    """The daemon cannot start or go on: operation, object, cause, next step."""


def run(  # noqa: C901, PLR0915 - the whole life of the daemon in one place
    config: Config,
    control_path: Path,
    *,
    life: Life | None = None,
    check_reload: Callable[[], None] | None = None,
    on_event: Callable[[Mapping[str, object]], None] | None = None,
    carry_over: CarryOver | None = None,
    reading_path: Path | None = None,
) -> Ending:
    """Live: start in order, work until SIGTERM, SIGINT or `life.end()`, stop in order within five seconds.

    `check_reload` raises ConfigError when the configuration, as it is now, cannot be used; with it, SIGHUP and the
    request `reload` end this life with Ending.RELOAD. `carry_over`: from the life before, and for the next one.
    `reading_path`: a second control socket, over which everybody only reads. Raises AppError, OutboxError,
    DriverError.
    """
    life, carry_over = life or Life(), carry_over or CarryOver()
    allow_descriptors(len(config.scanner))
    service_manager = ServiceManager()
    state = config.state_directory
    with contextlib.ExitStack() as stack:
        stack.callback(service_manager.close)
        # 1. The state directory is ours alone, and every scan of an earlier life is safe in it.
        stack.enter_context(state_lock(state))
        clock = Clock()
        box = read_identity(source_of(config))
        came_back = taken_back() is not None
        if came_back:
            _bring_recalls_back(config)
        outbox = open_outbox(
            state / "outbox.db",
            _kept(config),
            box,
            clock.now(),
            service_manager.at_work,
            came_back=came_back,
        )
        clock.not_before(outbox.last_trusted_ns() or 0)
        alarms = _alarms_of_the_start(outbox)
        notes = AuditNotes(state)
        notes.configuration(config)
        # 2. The scan path, from the scanner's end to the operator's signal.
        inbox = Inbox()
        registry = stack.enter_context(contextlib.closing(_registry(state)))
        readers = {one.name: Reader(one, inbox, registry.recognise) for one in config.scanner}
        for reader in readers.values():
            stack.callback(reader.close)
        pipeline = Pipeline(
            config,
            ArticleMaster(config.articles_directory, config.articles.priorities()),
            read_keys(config.station.code_key_file, config.context, session_key(control_path.parent)),
            StationJournal(state / "outbox.db"),
            station=carry_over.restore(config),
            completing=_completing(registry),
        )
        alarms.extend(pipeline.key_trouble)
        calibrator = Calibrator(readers, registry, clock)
        settings_monitor = SettingsMonitor(state, readers, registry, clock)
        indicator = _indicator(config, stack)
        unseal = _unseal(config, alarms)
        publisher = _publisher(config, inbox, unseal)
        alone = StandAlone()

        def announce(event: Mapping[str, object]) -> None:
            """Pass on a scan, or a change of a scanner, to everybody who watches."""
            change = event.get("link")
            if isinstance(change, ConnectionChange):
                monitor.note_link(change)
            control.show(event)
            if on_event is not None:
                on_event(event)

        worker = Worker(
            inbox,
            outbox,
            pipeline,
            clock,
            readers,
            service_manager,
            delivery=publisher or alone,
            interceptions=calibrator.diversions,
            indicator=indicator,
            on_event=announce,
        )
        cases = Cases(worker, pipeline, clock.now)
        feed = _feed(config, clock)
        identity = IdentityWatch(box.machine)
        # 3. Whoever asks.
        control = ControlServer(
            control_path,
            {
                "status": lambda _: monitor.status(),
                "scanners": lambda _: monitor.scanners(),
                "station": lambda _: worker.status.view,
                "quality": lambda _: worker.quality.report(),
                "case": lambda _: cases.look(),
                "close-case": lambda _: cases.close(),
                "calibrate": calibrator.begin,
                "calibration": calibrator.look,
                "signal": lambda args: _play(worker, args),
                "settle": lambda _: inbox.post(Notice.UNSETTLED),
                "exported": lambda args: _exported(config, worker, alone, args),
                "retry": RetryRequests(worker).retry,
                "reload": lambda _: _reload(check_reload, life),
            },
            {"lend": settings_monitor.lender.lend},
            roles=ROLES,
            reading=reading_path,
            noted=dict.fromkeys(NOTED, notes.asked),
        )
        monitor = Monitor(
            config,
            worker,
            inbox,
            readers,
            clock,
            registry,
            alarms,
            settings_monitor=settings_monitor,
            delivery=publisher,
            feed=feed,
            identity=identity,
            indicator=indicator,
            troubles=lambda: (control.trouble, registry.trouble, notes.trouble),
        )
        stack.enter_context(contextlib.closing(monitor))
        _open(control, control_path)
        stack.callback(control.stop)
        # 4. Threads: the worker first, so that nothing waits for it; the network last, because nothing needs it.
        worker_thread = threading.Thread(target=worker.run, name="worker", daemon=True)
        worker_thread.start()
        for reader in readers.values():
            reader.start()
        stack.enter_context(Hotplug(lambda: [reader.scanner for reader in readers.values()]))
        stack.enter_context(life.signals())
        service_manager.ready("reading scanners")
        log.info("ready scanners=%d waiting=%d", len(readers), worker.status.stored - worker.status.delivered)
        if publisher is not None and feed is not None:
            from gateway.monitoring.remote_commands import Remote
            from gateway.mqtt.command_envelope import Commands  # these bring paho along

            feed.resume()
            topics = _topics(config)
            remote = Remote(
                config, worker, cases, monitor.status, publisher.replay, lambda: _reload(check_reload, life)
            )
            publisher.start(
                {
                    topics.commands: Commands(
                        topics,
                        *(remote.handlers(), clock.now, publisher.reply, publisher.memory, unseal, notes.commanded),
                    ).take,
                    topics.deltas: feed.take,
                    topics.delta_state: feed.take_state,
                    topics.health: identity.take,
                }
            )
        over = False
        while not over and worker_thread.is_alive():
            if publisher is not None:
                publisher.poll()
            service_manager.status(monitor.poll_safely())
            service_manager.main_turned()
            over = life.over(TURN_SECONDS)
            if life.hang_up:
                life.hang_up = False
                with contextlib.suppress(RequestError):  # it has been logged
                    _reload(check_reload, life)
        # 5. The ordered stop: what scanners still send, then what is queued, then what is under way. The ports stay
        # open until the worker has answered the last scan.
        if life.ending is Ending.STOPPED:  # to systemd, a reload is no stop
            service_manager.stopping()
        settings_monitor.close()
        _stop_readers(readers.values())
        inbox.post(Notice.STOP)
        _finish(worker, worker_thread, publisher, in_order=life.over())
        carry_over.save(config, pipeline.memory.station)
    life.over()  # a stop that came during a reload's stop is one
    return life.ending


def allow_descriptors(scanners: int) -> None:
    """Raise the limit of open files where that is allowed. Raises AppError where too few are left to work."""
    needed = DESCRIPTORS + DESCRIPTORS_PER_SCANNER * scanners
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < needed:
        raise AppError(
            f"cannot start: at most {wanted} files may be open, and {scanners} scanners need {needed}; raise "
            "LimitNOFILE= of the unit, or `ulimit -n`"
        )


def _finish(
    worker: Worker, thread: threading.Thread, publisher: PublisherSupervisor | None, *, in_order: bool
) -> None:
    """Wait for the worker and the publisher, and close the outbox. Raises AppError."""
    thread.join(WORKER_STOP_SECONDS)
    if publisher is not None and not publisher.stop(PUBLISHER_STOP_SECONDS):
        log.warning("the publisher did not end in time; what it had under way is sent again")
    if thread.is_alive() or not in_order:
        raise AppError("the worker did not end in order: see the log; what was accepted is on disk")
    worker.finish()
    log.info("stopped stored=%d delivered=%d", worker.status.stored, worker.status.delivered)


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


def _kept(config: Config) -> OutboxSettings:
    """Return the outbox's settings; how long its journal is kept depends on whether there is a broker."""
    return replace(config.outbox, keep_delivered_days=config.outbox.days(alone=config.broker is None))


def source_of(config: Config) -> str:
    """Return the URN of the configured box."""
    return gateway_source(config.gateway.tenant, config.gateway.site, config.gateway.id)


def _bring_recalls_back(config: Config) -> None:
    """Go on with the article changes that this version had, where a newer one has brought them forward."""
    from gateway.articles.overlay.schema import bring_back
    from gateway.articles.overlay.store import OVERLAY

    try:
        if bring_back(config.articles_directory / OVERLAY):
            log.warning("article changes are those from before the upgrade: what came since is asked for again")
    except OSError as error:  # the overlay's own alarm says that it is of a newer version
        log.error("article changes cannot be brought back: %s", error)  # noqa: TRY400 - its words say it all


def _alarms_of_the_start(outbox: Outbox) -> list[str]:
    """Return what a person should know of how this life begins."""
    alarms = []
    if outbox.new_epoch_because == UNPROVEN_END:
        log.warning(
            "new epoch=%s behind sequence=%d: the box was not stopped in order, and nothing proves that its newest "
            "events are still there",
            outbox.epoch,
            outbox.last,
        )
    elif outbox.new_epoch_because:
        alarms.append(f"the outbox came from another box ({outbox.new_epoch_because}): a new epoch has begun")
        log.warning("new epoch=%s because the %s differs", outbox.epoch, outbox.new_epoch_because)
    if (back := taken_back()) is not None:
        alarms.append(f"version {back.new} was taken back, this is the former one: {back.reason}")
    return alarms


def _registry(state: Path) -> StationRegistry:
    """Open the station registry; one that cannot be read trusts no scanner, and is no reason to read none."""
    registry = StationRegistry(state / "station.json")
    try:
        registry.load()
    except RegistryError as error:
        log.error("registry: %s", error)  # noqa: TRY400 - its words say it all
    return registry


def _completing(registry: StationRegistry) -> CompletingSymbols:
    """Return what an earlier life has learned of labels; where it cannot be read, it is learned anew."""
    completing = CompletingSymbols()
    try:
        completing.restore(registry.completing_symbols())
    except RegistryError as error:
        log.error("registry: %s", error)  # noqa: TRY400 - its words say it all
    return completing


def _indicator(config: Config, stack: contextlib.ExitStack) -> Indicator | None:
    """Start the configured lamps and the buzzer; they work until the end."""
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


def _unseal(config: Config, alarms: list[str]) -> Unseal:
    """Return what opens messages of the central system, checking their signature where a key is configured."""
    name = config.central.key_file or config.articles.delta_key_file
    if name is None:
        return lambda body: unsealed(body, None)
    from gateway.articles.overlay.signing import KeyFileError, read_public_key, verifier

    try:
        verify = verifier(read_public_key(name))
    except KeyFileError as error:
        alarms.append(f"commands and acknowledgements cannot be checked, and are refused: {error}")
        return lambda body: unsealed(body, lambda _message, _signature: False)
    return lambda body: unsealed(body, verify)


def _play(worker: Worker, args: Mapping[str, object]) -> None:
    """Play a signal for training. Raises RequestError."""
    name, scanner = args.get("signal"), args.get("scanner")
    wanted = next((one for one in Signal if one == name), None)
    if wanted is None or not (scanner is None or isinstance(scanner, str)):
        raise RequestError(f"no signal {name!r}; there are {', '.join(Signal)}")
    if not worker.play(wanted, scanner):
        raise RequestError("the signal cannot be played: there is no such scanner, or too many requests wait")


def _publisher(config: Config, inbox: Inbox, unseal: Unseal) -> PublisherSupervisor | None:
    """Return what delivers, where a broker is configured."""
    broker = config.broker
    if broker is None:
        return None
    return PublisherSupervisor(
        broker,
        _topics(config),
        client_id_of(config, broker),
        config.state_directory,
        on_unsettled=lambda: inbox.post(Notice.UNSETTLED),
        unseal=unseal,
    )


def _topics(config: Config) -> Topics:
    return Topics.of(config.gateway.tenant, config.gateway.site, config.gateway.id)


def _feed(config: Config, clock: Clock) -> "DeltaSubscriber | None":
    """Return what takes article deltas, where a broker is configured."""
    if config.broker is None:
        return None
    from gateway.recalls.delta_subscriber import DeltaSubscriber

    return DeltaSubscriber(
        config.articles_directory,
        config.state_directory / "outbox.db",
        config.articles.priorities(),
        config.central.key_file or config.articles.delta_key_file,
        clock,
    )


def _stop_readers(readers: Collection[Reader]) -> None:
    for reader in readers:
        reader.stop()
    deadline = time.monotonic() + READERS_STOP_SECONDS
    for reader in readers:
        reader.join(max(0.0, deadline - time.monotonic()))


def _exported(config: Config, worker: Worker, alone: StandAlone, args: Mapping[str, object]) -> None:
    """Take an export for delivery, which it is only where there is no broker."""
    upto = args.get("upTo")
    if config.broker is not None:
        raise RequestError("this box has a broker: only what the broker acknowledges is delivered")
    stored = worker.status.stored
    if type(upto) is not int or not 0 <= upto <= stored:
        raise RequestError(f'expected args {{"upTo": SEQUENCE}}, of the events up to {stored}')
    alone.exported(upto)


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
