"""From a symbol as read to an event that waits for its place in the order: decode, guard, look up, judge."""

import logging
import re
from typing import Final

from drivers.model import RawScan
from gateway.articles.errors import MasterError
from gateway.articles.store import ArticleMaster
from gateway.clock import ClockReading
from gateway.config import Config
from gateway.delivery import wire
from gateway.delivery.outbox import Draft
from gateway.model import LookUp, Match
from gateway.station.privacy import Withheld, withheld
from gateway.station.verdict import judge
from gateway.udi import decode
from gateway.udi.personal import redact

log = logging.getLogger(__name__)

PIECES: Final = 1
"""One scan is one piece; of what the label itself counts, `udi.quantity` tells."""


class Pipeline:
    """The way of one scan. Reads the article master, and else does no I/O. Used by one thread."""

    def __init__(self, config: Config, master: ArticleMaster) -> None:
        self._settings = config.station
        self._station_id = config.station.id or config.gateway.id
        self._patterns = tuple(re.compile(pattern) for pattern in config.station.item_patterns)
        self._master = master
        self.master_trouble: str | None = None
        """Why the article master cannot be used; None when it can."""

    def consider(self, scan: RawScan, clock: ClockReading, identity: str) -> Draft | Withheld:
        """Return the event of a scan, with `identity` as its id, or what may be counted of a text that is none."""
        text, redacted = redact(scan.text, scan.symbology)
        raw = (scan.symbology or "").encode() + text.encode() if redacted else scan.frame.data
        decoded = decode(text, scan.symbology, today=clock.today())
        look_up = self._look_up(text, decoded.device_identifier)
        kept_back = withheld(text, scan.symbology, decoded, look_up, self._patterns)
        if kept_back is not None:
            return kept_back
        data = wire.ScanData(
            action=self._settings.default_action,
            reason=None,
            quantity=PIECES,
            undoes=None,
            repeats=None,
            station=wire.Station(id=self._station_id, scanner=scan.scanner, profile=self._settings.profile),
            clock=wire.ClockStamp(
                synchronised=clock.synchronised,
                corrected=False,
                boot_id=clock.boot_id,
                monotonic_ns=scan.frame.started_ns,
            ),
            symbols=(wire.symbol(raw, scan.symbology, text, scan.quality),),
            udi=decoded if decoded.complete else None,
            article=wire.event_article(look_up, clock.wall_ns),
            verdict=judge(decoded, look_up, clock, self._settings, redacted=redacted),
            context=wire.Context(),
        )
        return Draft(id=identity, time_ns=clock.wall_at(scan.frame.started_ns), data=data, raw=(raw,))

    def close(self) -> None:
        """Let the article master go."""
        self._master.close()

    def _look_up(self, text: str, device_identifier: str | None) -> LookUp:
        """Ask the master; a master that cannot be read is an alarm, not a lost scan."""
        try:
            look_up = self._master.look_up(text, device_identifier)
        except MasterError as error:
            if str(error) != self.master_trouble:
                log.error("article master: %s", error)  # noqa: TRY400 - its words say it all
            self.master_trouble = str(error)
            return LookUp(match=Match.NONE)
        self.master_trouble = None
        return look_up
