"""A real Firefox without a screen, spoken to by its own remote control, Marionette.

Marionette takes commands as JSON on a TCP port of this machine, each behind its length: `42:[0,1,"WebDriver:Navigate",
{...}]`, and answers `[1,1,error,result]`. It is in every Firefox; geckodriver, which Debian lacks, only passes
WebDriver on to it.
"""

import base64
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.display.browser import BrowserError, Page

PROGRAMS: Final = ("firefox-esr", "firefox")
START_SECONDS: Final = 120.0
PREFERENCES: Final = """
user_pref("marionette.port", 0);
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.proxy.type", 0);
user_pref("toolkit.telemetry.enabled", false);
user_pref("ui.prefersReducedMotion", 1);
"""


def installed() -> str | None:
    """Return the path of a Firefox, or None."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Firefox(Page):
    """One page of one Firefox."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""
        self._number = 0
        self._receive()  # its greeting
        self._do("WebDriver:NewSession")

    def resize(self, width: int, height: int) -> None:
        """Give the page this size: the window is larger by what is around it."""
        for _ in range(3):
            inner = self.value("[innerWidth, innerHeight]")
            if inner == [width, height]:
                return
            outer = self._do("WebDriver:GetWindowRect")
            around = (outer["width"] - inner[0], outer["height"] - inner[1])
            self._do("WebDriver:SetWindowRect", width=width + around[0], height=height + around[1])
            self.until(f"innerWidth === {width} || innerHeight === {height}", "the window has its size")
        raise BrowserError(f"no window of {width} x {height}: {self.value('[innerWidth, innerHeight]')}")

    def go(self, url: str) -> None:
        self._do("WebDriver:Navigate", url=url)

    def value(self, script: str) -> Any:  # noqa: ANN401 - whatever JSON the script makes
        return self._do("WebDriver:ExecuteScript", script=f"return ({script.strip()})", args=[])["value"]

    def picture(self) -> bytes:
        return base64.b64decode(self._do("WebDriver:TakeScreenshot", full=False)["value"])

    def _do(self, name: str, **parameters: object) -> Any:  # noqa: ANN401 - whatever JSON it answers
        self._number += 1
        command = json.dumps([0, self._number, name, parameters]).encode()
        self._connection.sendall(b"%d:%b" % (len(command), command))
        _, number, error, result = self._receive()
        if error is not None or number != self._number:
            raise BrowserError(f"{name}: {error}")
        return result

    def _receive(self) -> Any:  # noqa: ANN401 - whatever JSON it sends
        while b":" not in self._buffer:
            self._more()
        length, _, rest = self._buffer.partition(b":")
        self._buffer = rest
        while len(self._buffer) < int(length):
            self._more()
        message, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
        return json.loads(message)

    def _more(self) -> None:
        data = self._connection.recv(65_536)
        if not data:
            raise BrowserError("Firefox has ended")
        self._buffer += data


def _port(profile: Path, process: "subprocess.Popen[bytes]") -> int:
    """Wait until Firefox has written which port it took."""
    deadline = time.monotonic() + START_SECONDS
    file = profile / "MarionetteActivePort"
    while not (text := file.read_text() if file.exists() else "").strip().isdigit():
        if time.monotonic() > deadline or process.poll() is not None:
            raise BrowserError("Firefox did not start")
        select.select([], [], [], 0.05)
    return int(text)


@contextmanager
def firefox(program: str) -> Iterator[Firefox]:
    """Start a Firefox with a profile of its own; end it and all its processes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        (Path(profile) / "user.js").write_text(PREFERENCES)
        process = subprocess.Popen(
            [program, "--headless", "--marionette", "--no-remote", "--profile", profile],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile, "MOZ_HEADLESS_WIDTH": "2400", "MOZ_HEADLESS_HEIGHT": "2000"},
            start_new_session=True,
        )
        try:
            with socket.create_connection(
                ("127.0.0.1", _port(Path(profile), process)), START_SECONDS
            ) as connection:
                yield Firefox(connection)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
