"""What the main thread does beside the scans: health, clock, registry."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from drivers.model import ConnectionChange, ConnectionState
from gateway import VERSION
from gateway.articles.errors import MasterError
from gateway.articles.lookup.master import ArticleMaster, MasterInfo
from gateway.articles.lookup.status_message import StatusMessage, encode, status_message
from gateway.articles.sync.request import request_sync
from gateway.config.loader import Config
from gateway.devices.settings_monitor import SettingsMonitor
from gateway.devices.station_registry import RegistryError, StationRegistry
from gateway.events.cloudevent import DAY_NS, gateway_source
from gateway.monitoring import alarms
from gateway.monitoring.health import (
    BrokerHealth,
    ClockHealth,
    DiskHealth,
    Health,
    MasterHealth,
    ScannerHealth,
    SequenceHealth,
    essence,
)
from gateway.monitoring.host import read_board
from gateway.monitoring.identity_watch import IdentityWatch
from gateway.mqtt.publisher_status import PublisherStatus
from gateway.mqtt.supervisor import PublisherSupervisor
from gateway.scanning.inbox import Inbox, Notice
from gateway.scanning.reader import Reader
from gateway.scanning.worker import Worker
from gateway.system.atomic_file import whole_file
from gateway.system.clock import NS, Clock, local_rfc3339
from gateway.system.disk_writes import Wear

if TYPE_CHECKING:  # lamps and a broker are not everywhere
    from drivers.indicator import Indicator
    from gateway.recalls.delta_subscriber import DeltaSubscriber

log = logging.getLogger(__name__)

COMPLETING_SECONDS: Final = 1800.0
"""Between two writes of what has been learned of labels: some 60 KB, which an SD card takes for years."""
CLOCK_SECONDS: Final = 10.0
"""Between two looks at a clock that is not set yet."""
CERTIFICATE_LOOK_SECONDS: Final = 60.0
"""Between two looks at when this box's own certificate ends: a renewed one shows within a minute."""
METRICS_MODE: Final = 0o644
MAX_LINK_CHANGES: Final = 256
"""Changes that wait for the registry; only the newest of each scanner matters."""


class Monitor:
    """Used by the main thread, except `note_link`."""

    def __init__(  # noqa: PLR0913 - it reports of everything
        self,
        config: Config,
        worker: Worker,
        inbox: Inbox,
        readers: Mapping[str, Reader],
        clock: Clock,
        registry: StationRegistry,
        start_alarms: Sequence[str],
        *,
        settings_monitor: SettingsMonitor,
        delivery: PublisherSupervisor | None,
        feed: "DeltaSubscriber | None",
        identity: IdentityWatch,
        indicator: "Indicator | None",
        troubles: Callable[[], Iterable[str | None]] = tuple,
    ) -> None:
        """`delivery`, `feed`: None without a broker; `feed` takes article deltas. `indicator`: lamps, if any.

        `troubles`: what else is to be an alarm.
        """
        self._config = config
        self._worker = worker
        self._inbox = inbox
        self._readers = readers
        self._clock = clock
        self._registry = registry
        self._completing_at = time.monotonic() + COMPLETING_SECONDS
        self._start_alarms = tuple(start_alarms)
        self._master = ArticleMaster(config.articles_directory, config.articles.priorities())
        self._started = time.monotonic()
        self._links: deque[ConnectionChange] = deque(maxlen=MAX_LINK_CHANGES)
        self._replaced: dict[str, str] = {}
        self._gs_noted: set[str] = set()
        self._clock_at = 0.0
        self._told_at = 0.0
        self._told: Health | None = None
        self._feed = feed
        self._settings_monitor = settings_monitor
        self._delivery = delivery
        self._identity = identity
        self._troubles = troubles
        self._failure: str | None = None
        self._machine = identity.machine
        self._indicator = indicator
        self._certificate_at = 0.0
        self._client_certificate_ends: float | None = None
        self._delivered = 0
        self._moved_at = time.monotonic()
        self._info = MasterInfo()
        self._info_problem: str | None = None
        self._overlay_lost = False
        self._board = read_board()
        self._wear = Wear(worker.status.stored)
        self._metrics_problem: str | None = None
        self._source = gateway_source(config.gateway.tenant, config.gateway.site, config.gateway.id)

    def note_link(self, change: ConnectionChange) -> None:
        """A scanner came or went. Safe from any thread."""
        self._links.append(change)
        if change.connection is ConnectionState.CONNECTED:
            self._settings_monitor.connected(change.scanner)

    def poll_safely(self) -> str:
        """Do what is due; a fault of it (no descriptor left, a disk that fails) is an alarm, and costs no scan."""
        try:
            line = self.poll()
        except Exception as error:
            if self._failure is None:
                log.exception("looking after the box failed; it goes on")
            self._failure = f"looking after the box failed: {type(error).__name__}: see the log"
            return self._failure
        self._failure = None
        return line

    def poll(self) -> str:
        """Do what is due; return one line that says how the box is."""
        self._write_registry()
        self._settings_monitor.turn()
        now = time.monotonic()
        if now >= self._clock_at:
            self._clock_at = now + CLOCK_SECONDS
            self._board = read_board()
            before = self._clock.now().synchronised
            if self._clock.observe() and not before:
                log.info("clock synchronised")
                self._inbox.post(Notice.CLOCK_SET)
        if self._config.broker is not None and now >= self._certificate_at:
            self._certificate_at = now + CERTIFICATE_LOOK_SECONDS
            self._look_at_certificate()
        self._look_at_master()
        if now >= self._completing_at:
            self._completing_at = now + COMPLETING_SECONDS
            self._keep_completing()
        current = self.examine()
        if self._delivery is not None:
            self._delivery.publish_articles(encode(self._told_master()))  # sent when it has changed
        changed = self._told is None or essence(current) != essence(self._told)
        if changed or now - self._told_at >= self._config.health.interval:
            self._tell(current)
            self._told, self._told_at = current, now
        summary = f"{current.sequence.stored} scans stored, {current.sequence.waiting} waiting"
        return f"{summary}; {current.alarms[0]}" if current.alarms else summary

    def _tell(self, current: Health) -> None:
        if self._delivery is not None:
            self._delivery.publish_health(current.encode())
        metrics = self._config.health.prometheus_file
        if metrics is not None:
            try:
                from gateway.monitoring import prometheus

                with whole_file(Path(metrics), METRICS_MODE) as file:
                    file.write(prometheus.text(current).encode())
            except OSError as error:
                self._metrics_problem = f"cannot write {metrics}: {error.strerror}; check [health] prometheus_file"
            else:
                self._metrics_problem = None

    def examine(self) -> Health:
        """Say how the box is."""
        worker = self._worker.status
        reading, now = self._clock.now(), time.monotonic()
        capacity = worker.capacity
        status = None if self._delivery is None else self._delivery.status
        delivered = max(worker.delivered, self._delivery.delivered if self._delivery is not None else 0)
        waiting = max(0, worker.stored - delivered)
        oldest = worker.oldest_waiting_ns if waiting else None
        oldest_seconds = None if oldest is None else max(0, (reading.wall_ns - oldest) // NS)
        stalled = max(self._stalled(delivered, waiting, now), oldest_seconds or 0)
        written, written_per_scan = self._wear.look(worker.stored)
        master, feed = self._info, self._feed
        master_problem = self._info_problem or worker.master_trouble
        affected = None if feed is None else feed.affected
        found = (
            *self._start_alarms,
            *(trouble for trouble in (self._failure, *self._troubles()) if trouble),
            *alarms.storing(worker, self._config.state_directory),
            *alarms.delivering(
                status,
                stalled_seconds=stalled,
                client_certificate_ends=self._client_certificate_ends,
                now=now,
            ),
            *alarms.attributing(worker.view),
            *alarms.impersonated(seen=self._identity.seen),
            *alarms.scanning(self._readers.values()),
            *alarms.drifting(self._settings_troubles),
            *alarms.showing(self._indicator),
            *alarms.of_board(self._board),
            *((self._metrics_problem,) if self._metrics_problem else ()),
            *alarms.mastering(
                self._told_master(), master_problem, None if feed is None else feed.problem, affected
            ),
        )
        return Health(
            gateway=self._source,
            machine=self._machine,
            version=VERSION,
            time=local_rfc3339(reading.wall_ns),
            uptime_seconds=int(time.monotonic() - self._started),
            ok=not found,
            alarms=found,
            sequence=SequenceHealth(
                epoch=worker.epoch,
                epoch_begins=worker.epoch_begins,
                stored=worker.stored,
                published=max(delivered, self._delivery.published if self._delivery is not None else 0),
                delivered=delivered,
                waiting=waiting,
                oldest_waiting_seconds=oldest_seconds,
                dead_letters=worker.dead_letters,
            ),
            disk=DiskHealth(
                room=capacity.level.value,
                used_bytes=capacity.used_bytes,
                free_bytes=capacity.free_bytes,
                written_bytes=written,
                written_bytes_per_scan=written_per_scan,
            ),
            broker=self._broker(status, now),
            scanners=tuple(
                ScannerHealth(
                    name=reader.name,
                    link=reader.scanner.connection.value,
                    detail=reader.scanner.connection_detail or None,
                    failure=reader.trouble,
                    calibrated=reader.scanner.calibrated
                    if reader.scanner.settings.driver == "hid-keyboard"
                    else None,
                    replaced=self._replaced.get(reader.name),
                    settings=self._settings_troubles.get(reader.name),
                    queue_full=reader.dropped,
                )
                for reader in self._readers.values()
            ),
            master=MasterHealth(
                version=master.version,
                age_days=None if master.built_ns is None else max(0, (reading.wall_ns - master.built_ns) // DAY_NS),
                rows=sum(source.rows for source in master.sources),
                problem=master_problem,
                affected_scans=affected,
            ),
            clock=ClockHealth(synchronised=reading.synchronised, boot_id=reading.boot_id),
            board=self._board,
            counters=dict(worker.counters),
            quality=dict(self._worker.quality.report().scanners),
        )

    @property
    def _settings_troubles(self) -> dict[str, str]:
        return self._settings_monitor.troubles

    def _stalled(self, delivered: int, waiting: int, now: float) -> float:
        """Return for how many seconds events have waited and none was delivered, whatever the wall clock does."""
        if delivered != self._delivered or not waiting:
            self._delivered, self._moved_at = delivered, now
        return now - self._moved_at

    def status(self) -> dict[str, object]:
        """Return the box's health as plain values."""
        plain: dict[str, object] = msgspec.to_builtins(self.examine())
        return plain

    def scanners(self) -> list[dict[str, object]]:
        """List the configured scanners, what answers under their names, and why one does not."""
        listed: list[dict[str, object]] = []
        for reader in self._readers.values():
            settings = reader.scanner.settings
            listed.append(
                {
                    "name": reader.name,
                    "driver": settings.driver,
                    "device": settings.device,
                    "match": None if settings.match is None else msgspec.to_builtins(settings.match),
                    "dialect": settings.dialect,
                    "link": reader.scanner.connection.value,
                    "detail": reader.scanner.connection_detail or None,
                    "failure": reader.trouble,
                    "calibrated": reader.scanner.calibrated,
                    "gsSeen": reader.scanner.gs_seen,
                    "replaced": self._replaced.get(reader.name),
                    "identity": msgspec.to_builtins(reader.scanner.identity()),
                }
            )
        return listed

    def close(self) -> None:
        """Write what is left and close everything."""
        self._write_registry()
        self._keep_completing()
        self._master.close()

    def _broker(self, status: PublisherStatus | None, now: float) -> BrokerHealth | None:
        if status is None:
            return None
        return BrokerHealth(
            url=status.url,
            protocol=status.protocol,
            problem=status.problem,
            authorisation="proven" if status.path_proven else "unproven",
            acknowledged=status.acknowledged,
            refused=status.refused,
            inbound_problem=status.inbound_problem,
            certificate_ends=_day(status.broker_certificate_ends),
            client_certificate_ends=_day(self._client_certificate_ends),
            acks_awaited=status.acks_awaited,
            reconnects=sum(now - at < alarms.FLAPPING_SECONDS for at in status.breaks),
            replays=status.replays,
        )

    def _look_at_certificate(self) -> None:
        from gateway.mqtt.tls import file_ends  # it brings ssl along

        broker = self._config.broker
        self._client_certificate_ends = None if broker is None else file_ends(broker.cert_file)

    def _look_at_master(self) -> None:
        """Read the master's state; only here, because one thread uses it."""
        try:
            self._info, self._info_problem = self._master.info(), None
        except MasterError as error:
            self._info, self._info_problem = MasterInfo(), str(error)
        if self._info.overlay_problem is not None and not self._overlay_lost:
            self._sync_everything()
        self._overlay_lost = self._info.overlay_problem is not None
        if self._info.built_ns is not None:
            self._clock.not_before(self._info.built_ns)

    def _sync_everything(self) -> None:
        """What deltas had said is lost: newer files must say it."""
        for source in self._config.articles.source:
            try:
                request_sync(self._config.articles_directory, source.name)
            except OSError as error:
                log.error("a sync cannot be asked for: %s", error)  # noqa: TRY400 - its words say it all

    def _told_master(self) -> StatusMessage:
        return status_message(
            self._info,
            self._clock.now().wall_ns,
            max_age_days=self._config.articles.max_age_days,
            unknown=self._worker.status.unknown_articles,
            problem=self._info_problem,
        )

    def _keep_completing(self) -> None:
        """Keep what has been learned of labels; losing it costs a few hints."""
        counts = self._worker.completing.to_keep()
        if counts is None:
            return
        try:
            self._registry.note_completing_symbols(counts)
        except RegistryError as error:
            log.error("registry: %s", error)  # noqa: TRY400 - its words say it all

    def _write_registry(self) -> None:
        while self._links:
            change = self._links.popleft()
            if change.connection is not ConnectionState.CONNECTED:
                continue
            self._gs_noted.discard(change.scanner)
            identity = msgspec.to_builtins(self._readers[change.scanner].scanner.identity())
            try:
                replaced = self._registry.scanner_seen(
                    change.scanner, identity, local_rfc3339(self._clock.now().wall_ns)
                )
            except RegistryError as error:
                log.error("registry: %s", error)  # noqa: TRY400 - its words say it all
                continue
            if replaced:
                self._replaced[change.scanner] = replaced
                log.warning(
                    "scanner=%s is another one, or sits elsewhere, than before=%s", change.scanner, replaced
                )
        self._note_gs()

    def _note_gs(self) -> None:
        for reader in self._readers.values():
            scanner = reader.scanner
            if scanner.gs_seen and reader.name not in self._gs_noted:
                self._gs_noted.add(reader.name)
                if self._registry.trust(scanner).gs_seen:
                    continue
                try:
                    self._registry.note_gs(scanner)
                except RegistryError as error:
                    log.error("registry: %s", error)  # noqa: TRY400 - its words say it all


def _day(moment: float | None) -> str | None:
    """Return a moment, seconds since 1970, as RFC 3339."""
    return None if moment is None else local_rfc3339(int(moment) * NS)
