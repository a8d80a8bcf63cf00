"""Follows the daemon over its control socket and keeps the page up to date."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.display.daemon_messages import Case, Event, Status, View, read
from gateway.display.screen import (
    Page,
    Screen,
    after_answer,
    after_case,
    after_event,
    after_loss,
    after_unreadable,
    page,
)
from gateway.system.control_socket import DaemonUnreachableError, RequestError, ask, watch

log = logging.getLogger(__name__)

ASK_SECONDS: Final = 1.0
"""Between two questions how the box is, and between two attempts to reach a daemon that is gone."""
_NO_ANSWER: Final = (DaemonUnreachableError, RequestError, OSError, ValueError)
"""What says that a daemon is not there; ValueError: it was killed in the middle of a line."""


class Follower:
    """Two threads: one listens to the scans, one asks how the box is. `page` and `wait` are for any thread."""

    def __init__(self, path: Path, screen: Screen) -> None:
        self._path = path
        self._screen = screen
        self._news = threading.Condition()
        self._version = 0
        self._over = threading.Event()
        self._asked_at: int | None = None
        """Number of the result after which the case was asked for; None: there is no case."""

    def start(self) -> None:
        """Begin to follow the daemon, whether it runs or not."""
        for name, work in (("display-watch", self._watch), ("display-ask", self._ask)):
            threading.Thread(target=work, name=name, daemon=True).start()

    def stop(self) -> None:
        """Follow no longer, and end every `wait`."""
        self._over.set()
        with self._news:
            self._version += 1
            self._news.notify_all()

    @property
    def over(self) -> bool:
        """It was stopped."""
        return self._over.is_set()

    def wait(self, version: int, seconds: float) -> int:
        """Wait until something is newer than `version`, or so many seconds; return the present version."""
        with self._news:
            self._news.wait_for(lambda: self._version != version, seconds)
            return self._version

    def page(self) -> Page:
        """Return what is to be shown now."""
        with self._news:
            screen = self._screen
        return page(screen, time.monotonic(), time.time())

    def _watch(self) -> None:
        while not self._over.is_set():
            self._change(lambda screen: replace(screen, watching=True))
            try:
                for message in watch(self._path):
                    self._take(message)
            except _NO_ANSWER:
                pass  # the page says so
            self._change(after_loss)
            self._over.wait(ASK_SECONDS)

    def _take(self, message: object) -> None:
        try:
            event = read(message, Event)
        except msgspec.ValidationError as error:
            log.warning("a message of the daemon is not understood: %s", error)
            self._change(after_unreadable)
            return
        at = time.strftime("%H:%M:%S")
        self._change(lambda screen: after_event(screen, event, at, time.monotonic()))

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                status = read(ask(self._path, "status"), Status)
                view = None
                if self._screen.view is None and (answer := ask(self._path, "station")) is not None:
                    view = read(answer, View)
            except _NO_ANSWER as error:
                if isinstance(error, msgspec.ValidationError):
                    log.warning("an answer of the daemon is not understood: %s", error)
            else:
                self._answered(status, view)
                self._ask_for_case()
            self._over.wait(ASK_SECONDS)

    def _ask_for_case(self) -> None:
        """Ask what the case comes to, once after each result: the daemon goes through its journal for it."""
        screen = self._screen
        number = screen.number if screen.has_case else None
        if number == self._asked_at:
            return
        try:
            answer = ask(self._path, "case") if screen.has_case else None
            case = None if answer is None else read(answer, Case)
        except _NO_ANSWER:
            case = None  # an older daemon does not know the question
        self._asked_at = number
        self._change(lambda screen: after_case(screen, case))

    def _answered(self, status: Status, view: View | None) -> None:
        self._change(lambda screen: after_answer(screen, status, view, time.monotonic()))

    def _change(self, change: Callable[[Screen], Screen]) -> None:
        """Put another screen in the place of the present one; wake who waits where it shows something else."""
        with self._news:
            before, self._screen = self._screen, change(self._screen)
            if replace(before, heard_at=None) != replace(self._screen, heard_at=None) or before.heard_at is None:
                self._version += 1
                self._news.notify_all()
