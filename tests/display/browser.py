"""A real browser without a screen: Debian's Chromium, spoken to over its DevTools protocol.

Chromium takes commands as JSON, each ended by a NUL, on file descriptor 3 and answers on 4
(--remote-debugging-pipe). Six commands are all these tests need, so that a pipe and json do what selenium (with
chromedriver) or playwright (with browsers of its own) would bring 50 MB for.
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

PROGRAMS: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first of them is enough: Debian's package of the same name has no window system."""
ANSWER_SECONDS: Final = 60.0
_LAUNCH: Final = """
import os, sys
ends = [os.dup(os.dup(int(one))) for one in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Puts the pipes where Chromium looks for them; copied first, so that neither takes the other's place."""


def installed() -> str | None:
    """Return the path of a browser, or None."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class BrowserError(Exception):
    """The browser refused a command, ended, or did not answer."""


class Page(ABC):
    """One page of a browser, whichever it is."""

    @abstractmethod
    def resize(self, width: int, height: int) -> None:
        """Give the page this size, CSS pixels."""

    @abstractmethod
    def go(self, url: str) -> None:
        """Load an address, and wait until it is."""

    @abstractmethod
    def value(self, script: str) -> Any:  # noqa: ANN401 - whatever JSON the script makes
        """Evaluate an expression in the page."""

    @abstractmethod
    def picture(self) -> bytes:
        """Return the page as PNG."""

    def until(self, script: str, what: str, seconds: float = 60.0) -> Any:  # noqa: ANN401 - whatever JSON it makes
        """Wait until an expression is true in the page; return its value."""
        began = time.monotonic()
        while not (value := self.value(script)):
            if time.monotonic() - began > seconds:
                seen = self.value("document.body.dataset.state + ': ' + document.body.innerText")
                raise AssertionError(f"{what}: not within {seconds:.0f} s; the page: {seen}")
            select.select([], [], [], 0.01)
        return value


class Browser(Page):
    """One page of one Chromium."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.messages: list[dict[str, Any]] = []
        """What the page's console, log and exceptions told."""
        self.requested: list[str] = []
        """Every address that the page asked for."""

    def open(self, width: int, height: int) -> None:
        """Take a page of this size."""
        target = self.do("Target.createTarget", url="about:blank", width=width, height=height)["targetId"]
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def go(self, url: str) -> None:
        self.do("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", "the page is loaded")

    def connect(self, url: str) -> None:
        """Go to a page whose server may not be up yet."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while self.do("Page.navigate", url=url).get("errorText"):
            if time.monotonic() > deadline:
                raise BrowserError(f"nothing answers at {url}")
            select.select([], [], [], 0.05)
        self.until("document.readyState === 'complete'", "the page is loaded")

    def value(self, script: str) -> Any:  # noqa: ANN401 - whatever JSON the script makes
        """Evaluate an expression in the page."""
        answer = self.do("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """Return the page as PNG."""
        return base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"])

    def do(self, method: str, **parameters: object) -> dict[str, Any]:
        """Give one command; return its result."""
        self._number += 1
        command: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            told = self._next(deadline)
            if told.get("id") == self._number:
                if "error" in told:
                    raise BrowserError(f"{method}: {told['error']}")
                result: dict[str, Any] = told["result"]
                return result
            if told.get("method") in {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}:
                self.messages.append(told)
            elif told.get("method") == "Network.requestWillBeSent":
                self.requested.append(told["params"]["request"]["url"])

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self._answers, 65_536) if ready else b""
            if not data:
                raise BrowserError(f"no answer from the browser (it {'ended' if ready else 'is silent'})")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        told: dict[str, Any] = json.loads(line)
        return told


@contextmanager
def browser(program: str, width: int = 800, height: int = 480) -> Iterator[Browser]:
    """Start a browser with a profile of its own, on a page of this size; end it and all its processes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        their_commands, commands = os.pipe()
        answers, their_answers = os.pipe()
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", _LAUNCH, str(their_commands), str(their_answers), program),
                *("--remote-debugging-pipe", "--headless", f"--user-data-dir={profile}", "--no-first-run"),
                *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
                *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                *("--no-proxy-server", "--force-color-profile=srgb", "about:blank"),
            ],
            pass_fds=(their_commands, their_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile},
            start_new_session=True,
        )
        os.close(their_commands)
        os.close(their_answers)
        try:
            one = Browser(commands, answers)
            one.open(width, height)
            yield one
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(commands)
            os.close(answers)
