"""Article deltas as they come over MQTT: applied at once, gaps answered with a sync, recalls followed up."""

import logging
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.articles.changes import Recalled
from gateway.articles.errors import MasterError
from gateway.articles.laying import FileState
from gateway.articles.overlay import Overlay
from gateway.articles.signing import KeyFileError, read_public_key
from gateway.articles.store import ArticleMaster
from gateway.articles.sync_request import request_sync
from gateway.outbox.schema import OutboxError
from gateway.system.clock import Clock

if TYPE_CHECKING:  # it brings paho along
    from gateway.mqtt.connection import Message

log = logging.getLogger(__name__)

MAX_RECALLS: Final = 256
"""Recalls whose past scans are counted together; the oldest go first. `articles affected` looks at all."""


class MasterFeed:
    """Takes delta messages. `take` is called by one thread; the rest is safe from any."""

    def __init__(self, articles: Path, outbox: Path, key_file: str | None, clock: Clock) -> None:
        self._articles = articles
        self._outbox = outbox
        self._key_file = key_file
        self._clock = clock
        self._overlay = Overlay(articles)
        self._recalls: deque[Recalled] = deque(maxlen=MAX_RECALLS)
        self._lock = threading.Lock()
        self._counting = False
        self._count_again = False
        self.affected: int | None = None
        """Past scans that the recalls of deltas touch; None where there is none, or before they are counted."""
        self.problem: str | None = None
        """Why the newest delta was refused; None when it was not."""

    def resume(self) -> None:
        """Follow up the recalls of earlier lives: a restart must not end their alarm. Once, before `take`."""
        recalls = self._overlay.recalls()
        if recalls:
            self._follow_up(tuple(recalls))

    def take(self, message: "Message") -> None:
        """Apply one delta; what it brings is in force within a fraction of a second."""
        try:
            key = None if self._key_file is None else read_public_key(self._key_file)
        except KeyFileError as error:
            self._refuse(str(error))
            return
        clock = self._clock.now()
        outcome = self._overlay.apply(
            message.body, key, files=self._files(), now_ns=clock.wall_ns if clock.synchronised else None
        )
        if outcome.refused is not None:
            self._refuse(outcome.refused)
        else:
            self.problem = None
            log.info(
                "articles delta source=%s number=%s applied=%s", outcome.source, outcome.number, outcome.applied
            )
        if outcome.gap and outcome.source is not None:
            log.warning("articles deltas are missing source=%s: a sync is asked for", outcome.source)
            try:
                request_sync(self._articles, outcome.source)
            except (OSError, ValueError) as error:
                log.error("a sync cannot be asked for: %s", error)  # noqa: TRY400 - its words say it all
        if outcome.applied and outcome.recalls:
            self._follow_up(outcome.recalls)

    def _refuse(self, reason: str) -> None:
        if reason != self.problem:
            log.warning("articles delta refused: %s", reason)
        self.problem = reason

    def _files(self) -> FileState:
        """Return what the sources' files can have swallowed: that makes room for new changes."""
        with ArticleMaster(self._articles) as master:
            try:
                return master.files()
            except MasterError:
                return FileState()

    def _follow_up(self, recalls: tuple[Recalled, ...]) -> None:
        """Count past scans in a thread of its own: a long journal takes a while, and nothing waits for it."""
        self._recalls.extend(recalls)
        with self._lock:
            self._count_again = True
            if self._counting:
                return
            self._counting = True
        try:
            threading.Thread(target=self._count, name="recalls", daemon=True).start()
        except RuntimeError as error:  # no thread can be started now; the next recall counts this one, too
            self._counting = False
            log.error("past scans of a recall are not counted: %s", error)  # noqa: TRY400 - its words say it all

    def _count(self) -> None:
        from gateway.recalls.affected_scans import (
            count_affected,  # the journal's reader; most days there is no recall
        )

        while self._more_to_count():
            try:
                with ArticleMaster(self._articles) as master:
                    self.affected = count_affected(self._outbox, master, list(self._recalls))
            except (MasterError, OutboxError) as error:
                log.error("past scans of a recall could not be counted: %s", error)  # noqa: TRY400 - see above
                continue
            log.warning("recall: past scans that it touches count=%d (scangate articles affected)", self.affected)

    def _more_to_count(self) -> bool:
        """Return whether recalls have come since the last count; the counting itself holds no lock."""
        with self._lock:
            more, self._count_again = self._count_again, False
            self._counting = more
            return more
