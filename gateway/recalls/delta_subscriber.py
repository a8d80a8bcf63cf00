"""Article deltas as they come over MQTT: applied at once, what is missing asked for, recalls followed up."""

import logging
import threading
from collections import deque
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from gateway.articles.errors import MasterError
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.overlay.applier import DeltaApplier
from gateway.articles.overlay.delta_message import opened
from gateway.articles.overlay.signing import KeyFileError, read_public_key, verifier
from gateway.articles.overlay.statements import Recalled, RefusedDelta
from gateway.articles.overlay.store import Overlay
from gateway.articles.sync.request import request_sync
from gateway.outbox.schema import OutboxError
from gateway.system.clock import Clock

if TYPE_CHECKING:  # it brings paho along
    from gateway.mqtt.connection import Message

log = logging.getLogger(__name__)

MAX_RECALLS: Final = 10_000
"""Recalls whose past scans are counted together; the oldest go first. `articles affected` looks at all."""
MAX_STATE_BYTES: Final = 65_536
"""Of the message that says how far each source's deltas have come; a hundred sources take a tenth."""
MAX_NUMBER: Final = 2**53 - 1

_states = msgspec.json.Decoder(dict[str, int])


class DeltaSubscriber:
    """Takes deltas, and what the central side says of how far they have come.

    `take` and `take_state` are called by one thread; the rest is safe from any.
    """

    def __init__(
        self, articles: Path, outbox: Path, sources: Collection[str], key_file: str | None, clock: Clock
    ) -> None:
        """`sources`: those configured; a delta of another one is refused."""
        self._articles = articles
        self._outbox = outbox
        self._key_file = key_file
        self._clock = clock
        self._applier = DeltaApplier(articles, sources)
        self._recalls: deque[Recalled] = deque(maxlen=MAX_RECALLS)
        self._to_count = threading.Lock()
        self._counting = False
        self._count_again = False
        self.affected: int | None = None
        """Past scans that the recalls of deltas touch; None where there is none, or before they are counted."""
        self.problem: str | None = None
        """Why the newest delta, or a part of it, was refused; None when it was not."""

    def resume(self) -> None:
        """Follow up the recalls of earlier lives: a restart must not end their alarm. Once, before `take`."""
        overlay = Overlay(self._articles)
        try:
            recalls = overlay.recalls()
        finally:
            overlay.close()
        if recalls:
            self._follow_up(tuple(recalls))

    def take(self, message: "Message") -> None:
        """Apply one delta; what it brings is in force within a fraction of a second."""
        try:
            key = self._key()
        except KeyFileError as error:
            self._refuse(str(error))
            return
        outcome = self._applier.apply(message.body, key, today=self._clock.now().certain_date())
        if outcome.refused is not None:
            self._refuse(outcome.refused)
        elif not outcome.repeated:
            self.problem = None
        log.info("articles delta source=%s number=%s applied=%s", outcome.source, outcome.number, outcome.applied)
        if outcome.unmatched:
            log.warning(
                "articles delta source=%s number=%s: no article here has %s: it counts as soon as one comes",
                *(outcome.source, outcome.number, ", ".join(outcome.unmatched[:10])),
            )
        if outcome.missing and outcome.source is not None:
            self._ask_for_sync(outcome.source)
        if outcome.recalls:
            self._follow_up(outcome.recalls)

    def take_state(self, message: "Message") -> None:
        """Compare what has come with what there is: `{"source": number, ...}`, retained, at every connect."""
        if not message.body:
            return
        try:
            key = self._key()
            body = opened(message.body, None if key is None else verifier(key), must_be_signed=False)
            if isinstance(body, RefusedDelta):
                self._refuse(f"the state of the deltas: {body.reason}")
                return
            numbers = _states.decode(body[:MAX_STATE_BYTES])
        except (KeyFileError, msgspec.DecodeError) as error:
            self._refuse(f"the state of the deltas: {error}")
            return
        for source, number in numbers.items():
            if not 0 < number <= MAX_NUMBER:
                continue
            try:
                if self._applier.announced(source, number):
                    self._ask_for_sync(source)
            except OSError as error:
                self._refuse(str(error))

    def _key(self) -> bytes | None:
        return None if self._key_file is None else read_public_key(self._key_file)

    def _ask_for_sync(self, source: str) -> None:
        log.warning("articles deltas are missing source=%s: a sync is asked for", source)
        try:
            request_sync(self._articles, source)
        except (OSError, ValueError) as error:
            log.error("a sync cannot be asked for: %s", error)  # noqa: TRY400 - its words say it all

    def _refuse(self, reason: str) -> None:
        if reason != self.problem:
            log.warning("articles delta refused: %s", reason)
        self.problem = reason

    def _follow_up(self, recalls: tuple[Recalled, ...]) -> None:
        """Count past scans in a thread of its own: a long journal takes a while, and nothing waits for it."""
        with self._to_count:
            self._recalls.extend(recalls)
            self._count_again = True
            if self._counting:
                return
            self._counting = True
        threading.Thread(target=self._count, name="recalls", daemon=True).start()

    def _count(self) -> None:
        while True:
            with self._to_count:
                if not self._count_again:
                    self._counting = False
                    return
                self._count_again = False
                recalls = list(self._recalls)
            self._count_once(recalls)

    def _count_once(self, recalls: list[Recalled]) -> None:
        from gateway.recalls.affected_scans import count_affected  # the journal's reader; most days none is needed

        try:
            with ArticleMaster(self._articles) as master:
                affected = count_affected(self._outbox, master, recalls)
        except (MasterError, OutboxError) as error:
            log.error("past scans of a recall could not be counted: %s", error)  # noqa: TRY400 - see above
            return
        self.affected = affected
        log.warning("recall: past scans that it touches count=%d (scangate articles affected)", affected)
