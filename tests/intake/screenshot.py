"""Draws the intake's page for the documentation: `make pictures`."""

import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from intake.counters import Counters
from intake.database import open_database
from intake.deltas import Change, Deltas, RecallChange, ReleaseChange
from intake.event import EventRow, read_event
from intake.messages import BoxMessage, read_box_message
from intake.store import ReceivedBatch, Store
from intake.web.server import PageCache, WebServer
from tests.display.browser import browser, installed
from tests.intake.boxes import body, health, source, topic

NOW: Final = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
BOXES: Final = ("su-op1-gw01", "su-op2-gw01", "su-op3-gw01", "kungalv-op1-gw01", "su-store-gw01")
UNKNOWN: Final = (("09520009007707", 9), ("A99912345", 5), ("07350000000019", 2))
USES_A_DAY: Final = (31, 38, 29, 35, 27, 6, 4)


def fill(url: str) -> PageCache:
    """Make a month of a small region."""
    engine = open_database(url)
    events: list[EventRow] = []
    numbers = dict.fromkeys(BOXES, 0)

    def scan(box: str, when: datetime, **changes: Any) -> None:  # noqa: ANN401 - JSON
        numbers[box] += 1
        sent = body(numbers[box], box, time=when.isoformat(), recordedtime=when.isoformat(), **changes)
        read = read_event(topic(box), sent, NOW)
        if isinstance(read, EventRow):
            events.append(read)

    for day in range(30):
        for place in range(USES_A_DAY[day % 7] + day % 3):
            scan(BOXES[place % len(BOXES)], NOW - timedelta(days=29 - day, minutes=place))
    for identifier, times in UNKNOWN:
        for place in range(times):
            scan(
                BOXES[place % 4], NOW, data={"udi": {"deviceIdentifier": identifier}, "article": {"match": "none"}}
            )
    missing = next(one for one in events if one.source == source(BOXES[3]) and one.sequence == 40)
    words = [word for box in BOXES for word in _words(box)]
    Store(engine, lambda: NOW - timedelta(seconds=40)).commit(
        ReceivedBatch(events=tuple(one for one in events if one is not missing), boxes=tuple(words))
    )
    deltas = Deltas(engine, lambda: NOW - timedelta(hours=3))
    change: Change = RecallChange(device_identifier="09520001000102", lots=("L2A0417",), reason="FSN 17")
    sent = [deltas.add("jeeves-miv", [change])]
    sent.append(deltas.add("jeeves-miv", [ReleaseChange(article_number="VGR-104302")]))
    deltas.mark_sent(sent)
    return PageCache(engine, Counters(), lambda: True, lambda: NOW)


def _words(box: str) -> list[BoxMessage]:
    """What a box says of itself; one is away, one has alarms, and one has not taken the newest delta."""
    alarms = ["article master: 9 days old", "scanner front: not connected"] if box == BOXES[1] else []
    status = b"offline" if box == BOXES[3] else b"online"
    number = 1 if box == BOXES[3] else 2
    articles = json.dumps({"sources": [{"name": "jeeves-miv", "deltaNumber": number}]}).encode()
    return [
        word
        for word in (
            read_box_message(source(box), "status", status, NOW),
            read_box_message(source(box), "health", health(box, alarms=alarms), NOW),
            read_box_message(source(box), "articles", articles, NOW),
        )
        if word is not None
    ]


def main(directory: Path) -> None:
    """Draw the page into a directory."""
    program = installed()
    if program is None:
        sys.exit("no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    with tempfile.TemporaryDirectory() as place, browser(program) as chrome:
        web = WebServer("127.0.0.1:0", fill(f"sqlite:///{place}/events.db"))
        web.start()
        chrome.resize(1120, 1120)
        chrome.go(f"http://127.0.0.1:{web.port}/")
        chrome.until("document.querySelectorAll('svg').length === 2", "the plots")
        picture = chrome.picture()
        web.close()
    (directory / "intake.png").write_bytes(picture)
    print(f"{directory}/intake.png: {len(picture)} bytes")  # noqa: T201 - a script


if __name__ == "__main__":
    main(Path(sys.argv[1]))
