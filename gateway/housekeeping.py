"""What the main thread does beside the scans: health, clock, registry, and rebuilding what got stuck."""

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from drivers.model import Link, LinkChange
from gateway import VERSION
from gateway.articles.errors import MasterError
from gateway.articles.store import ArticleMaster, MasterInfo
from gateway.clock import NS, Clock, local_rfc3339
from gateway.config import Config
from gateway.delivery.health import (
    BrokerHealth,
    ClockHealth,
    DiskHealth,
    Health,
    MasterHealth,
    ScannerHealth,
    SequenceHealth,
    essence,
)
from gateway.delivery.room import Room
from gateway.delivery.salvage import quarantined
from gateway.delivery.wire import DAY_NS, gateway_source
from gateway.inbox import Inbox, Notice
from gateway.readers import Reader
from gateway.registry import RegistryError, StationRegistry
from gateway.worker import Worker

log = logging.getLogger(__name__)

CLOCK_SECONDS: Final = 10.0
"""Between two looks at a clock that is not set yet."""
MAX_LINK_CHANGES: Final = 256
"""Changes that wait for the registry; only the newest of each scanner matters."""


class Housekeeping:
    """Used by the main thread, except `note_link`."""

    def __init__(
        self,
        config: Config,
        worker: Worker,
        inbox: Inbox,
        readers: Mapping[str, Reader],
        clock: Clock,
        registry: StationRegistry,
        alarms: Sequence[str],
    ) -> None:
        self._config = config
        self._worker = worker
        self._inbox = inbox
        self._readers = readers
        self._clock = clock
        self._registry = registry
        self._start_alarms = tuple(alarms)
        self._master = ArticleMaster(config.articles_directory)
        self._started = time.monotonic()
        self._links: deque[LinkChange] = deque(maxlen=MAX_LINK_CHANGES)
        self._clock_at = 0.0
        self._told_at = 0.0
        self._told: Health | None = None
        self._source = gateway_source(config.gateway.tenant, config.gateway.site, config.gateway.id)

    def note_link(self, change: LinkChange) -> None:
        """A scanner came or went. Safe from any thread."""
        self._links.append(change)

    def turn(self) -> str:
        """Do what is due; return one line that says how the box is."""
        self._write_registry()
        now = time.monotonic()
        if now >= self._clock_at:
            self._clock_at = now + CLOCK_SECONDS
            if not self._clock.now().synchronised and self._clock.observe():
                log.info("clock synchronised")
                self._inbox.post(Notice.CLOCK_SET)
        current = self.examine()
        publisher = self._worker.publisher
        changed = self._told is None or essence(current) != essence(self._told)
        if publisher is not None and (changed or now - self._told_at >= self._config.health.interval):
            publisher.tell_health(current.encode())
            self._told, self._told_at = current, now
        summary = f"{current.sequence.stored} scans stored, {current.sequence.waiting} waiting"
        return f"{summary}; {current.alarms[0]}" if current.alarms else summary

    def examine(self) -> Health:
        """Say how the box is."""
        outbox, worker = self._worker.outbox, self._worker
        reading = self._clock.now()
        room = outbox.room
        publisher = worker.publisher
        delivered = max(outbox.delivered, publisher.progress.delivered if publisher else 0)
        waiting = max(0, outbox.last - delivered)
        oldest = worker.oldest_waiting_ns if waiting else None
        master, master_problem = self._master_info()
        alarms = self._alarms(master_problem)
        return Health(
            gateway=self._source,
            version=VERSION,
            time=local_rfc3339(reading.wall_ns),
            uptime_seconds=int(time.monotonic() - self._started),
            ok=not alarms,
            alarms=alarms,
            sequence=SequenceHealth(
                epoch=outbox.epoch,
                epoch_begins=outbox.epoch_begins,
                stored=outbox.last,
                delivered=delivered,
                waiting=waiting,
                oldest_waiting_seconds=None if oldest is None else max(0, (reading.wall_ns - oldest) // NS),
                dead_letters=outbox.dead_letters,
            ),
            disk=DiskHealth(room=room.room.value, used_bytes=room.used_bytes, free_bytes=room.free_bytes),
            broker=self._broker(),
            scanners=tuple(
                ScannerHealth(
                    name=reader.name,
                    link=reader.scanner.link.value,
                    failure=reader.trouble,
                    queue_full=reader.dropped,
                )
                for reader in self._readers.values()
            ),
            master=MasterHealth(
                version=master.version,
                age_days=None if master.built_ns is None else max(0, (reading.wall_ns - master.built_ns) // DAY_NS),
                rows=sum(source.rows for source in master.sources),
                problem=master_problem,
            ),
            clock=ClockHealth(synchronised=reading.synchronised, boot_id=reading.boot_id),
            counters=dict(worker.counters),
        )

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
                    "dialect": settings.dialect,
                    "link": reader.scanner.link.value,
                    "failure": reader.trouble,
                    "identity": msgspec.to_builtins(reader.scanner.identity()),
                }
            )
        return listed

    def close(self) -> None:
        """Write what is left and let everything go."""
        self._write_registry()
        self._master.close()

    def _broker(self) -> BrokerHealth | None:
        publisher = self._worker.publisher
        if publisher is None:
            return None
        progress = publisher.progress
        proven = progress.protocol == "5" and progress.acknowledged > 0
        return BrokerHealth(
            url=progress.url,
            protocol=progress.protocol,
            problem=progress.problem,
            authorisation="proven" if proven else "unproven",
            acknowledged=progress.acknowledged,
            refused=progress.refused,
        )

    def _master_info(self) -> tuple[MasterInfo, str | None]:
        try:
            info = self._master.info()
        except MasterError as error:
            return MasterInfo(), str(error)
        if info.built_ns is not None:
            self._clock.not_before(info.built_ns)
        return info, self._worker.master_trouble

    def _alarms(self, master_problem: str | None) -> tuple[str, ...]:
        worker = self._worker
        alarms = list(self._start_alarms)
        if worker.trouble is not None:
            alarms.append(f"scans are not stored: {worker.trouble}")
        alarms.extend(
            f"the outbox was damaged and salvaged: check the disk, look at {name}, move it away"
            for name in quarantined(self._config.state_directory)
        )
        if worker.outbox.room.room is not Room.FREE:
            alarms.append(f"room for scans: {worker.outbox.room.room.value}")
        if worker.outbox.dead_letters:
            alarms.append(f"dead letters: {worker.outbox.dead_letters}")
        if worker.publisher is not None and worker.publisher.progress.problem:
            alarms.append(f"not delivering: {worker.publisher.progress.problem}")
        for reader in self._readers.values():
            if trouble := reader.trouble:
                alarms.append(f"scanner {reader.name}: {trouble}")
            elif reader.scanner.link is not Link.CONNECTED:
                alarms.append(f"scanner {reader.name}: {reader.scanner.link.value}")
        if master_problem:
            alarms.append(f"article master: {master_problem}")
        return tuple(alarms)

    def _write_registry(self) -> None:
        while self._links:
            change = self._links.popleft()
            if change.link is not Link.CONNECTED:
                continue
            identity = msgspec.to_builtins(self._readers[change.scanner].scanner.identity())
            try:
                replaced = self._registry.scanner_seen(
                    change.scanner, identity, local_rfc3339(self._clock.now().wall_ns)
                )
            except RegistryError as error:
                log.error("registry: %s", error)  # noqa: TRY400 - its words say it all
                continue
            if replaced:
                log.warning("scanner=%s is another one than before", change.scanner)
