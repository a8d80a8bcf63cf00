"""Log lines: one line each, whatever is in them, and never what a scanner read."""

import io
import logging
import re
import sys
from collections.abc import Callable, Iterator

import pytest

from gateway.events import cloudevent
from gateway.system.logging import set_up

Lines = Callable[[], list[str]]


@pytest.fixture(params=[True, False], ids=["journal", "terminal"])
def lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Set logging up as the daemon does; return a function that gives the lines so far."""
    text = io.StringIO()
    monkeypatch.setattr(sys, "stderr", text)
    if request.param:
        monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    else:
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers = []
    set_up()
    yield lambda: text.getvalue().splitlines()
    root.handlers, root.level = before[0], before[1]


def test_a_line(lines: Lines) -> None:
    logging.getLogger("gateway.mqtt.publisher").warning("not delivering problem=%r", "x y")
    (line,) = lines()
    assert re.fullmatch(
        r"(<4>|time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d )"
        r"level=warning area=mqtt.publisher not delivering problem='x y'",
        line,
    )


@pytest.mark.parametrize(
    "separator", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2J"]
)
def test_nothing_in_a_message_begins_a_line_or_drives_a_terminal(lines: Lines, separator: str) -> None:
    logging.getLogger("gateway.app").error("device=%s", f"a{separator}level=info area=app stopped")
    (line,) = lines()
    assert "\x1b" not in line
    assert "area=app device=a " in line


def test_an_exception_says_where_and_not_what(lines: Lines) -> None:
    """A ValueError quotes what it could not read, and that may be what somebody typed."""
    try:
        cloudevent.parse_time("hunter2 1212")
    except ValueError:
        logging.getLogger("gateway.scanning.worker").exception(
            "scanner=front a scan could not be judged length=%d", 13
        )
    (line,) = lines()
    assert "hunter2" not in line
    assert "scanner=front a scan could not be judged length=13 exception=ValueError at=test_logging.py:" in line
    assert ":parse_time" in line


def test_no_exception_to_tell_of(lines: Lines) -> None:
    logging.getLogger("gateway.app").info("x", exc_info=True)  # noqa: LOG014 - that is the case
    (line,) = lines()
    assert line.endswith("area=app x")


def test_details_are_left_out(lines: Lines) -> None:
    logging.getLogger("gateway.app").debug("x")
    assert lines() == []
