"""A display whose daemon is played by the test: the real control socket, follower and server in this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.display import follower
from gateway.display.follower import Follower
from gateway.display.screen import Screen
from gateway.display.server import DisplayServer
from gateway.display.settings import DisplaySettings
from gateway.system.control_socket import ControlServer
from tests.display.daemon_messages import status, view
from tests.end_to_end.plant import wait_for


class Stage:
    """`tell` is what the daemon tells, `status` and `view` what it answers."""

    def __init__(self, directory: Path, language: str, result_seconds: float, *, sound: bool) -> None:
        self.status = status()
        self.view: dict[str, Any] | None = view(language=language)
        self.case: dict[str, Any] | None = None
        self.asked = 0
        """How often the display has asked for the status."""
        self.path = directory / "control.sock"
        self.follower = Follower(self.path, Screen(language=language, result_seconds=result_seconds))
        self.server = DisplayServer(DisplaySettings(listen="127.0.0.1:0", sound=sound), self.follower, language)
        self.url = f"http://127.0.0.1:{self.server.port}/"
        self._control: ControlServer | None = None

    def _answer(self, _args: object) -> dict[str, Any]:
        self.asked += 1
        return self.status

    def begin(self) -> None:
        """Start the daemon's part, and wait until the display has it."""
        self._control = ControlServer(
            self.path, {"status": self._answer, "station": lambda _: self.view, "case": lambda _: self.case}
        )
        self._control.start()
        wait_for(lambda: self._control and self._control._watchers, "the display watches")
        wait_for(lambda: self.follower.page().idle.state != "lost", "the display has asked")

    def tell(self, *events: dict[str, Any]) -> None:
        """Tell each once the one before was taken: the stream drops what a watcher is too slow for."""
        assert self._control is not None
        for event in events:
            before = self.follower._version
            self._control.show(event)
            assert self.follower.wait(before, 10) != before, "the display does not take it"

    def end(self) -> None:
        """Stop the daemon's part."""
        if self._control is not None:
            self._control.stop()
            self._control = None


@contextmanager
def stage(
    directory: Path, language: str = "sv", result_seconds: float = 30, *, sound: bool = False
) -> Iterator[Stage]:
    """Play a daemon and show it."""
    one = Stage(directory, language, result_seconds, sound=sound)
    patch = pytest.MonkeyPatch()
    patch.setattr(follower, "ASK_SECONDS", 0.05)
    one.follower.start()
    threading.Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        one.begin()
        yield one
    finally:
        one.end()
        one.follower.stop()
        one.server.shutdown()
        one.server.server_close()
        patch.undo()
