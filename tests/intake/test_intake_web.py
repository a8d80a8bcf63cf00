"""Page and metrics: read-only, whole without a database, and nothing of a label is markup."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from intake.counters import Counters
from intake.database import open_database
from intake.deltas import Deltas, RecallChange
from intake.event import EventRow, read_event
from intake.messages import read_box_message
from intake.settings import SettingsError
from intake.store import ReceivedBatch, Store
from intake.web.server import PageCache, WebServer
from tests.display.browser import browser, installed
from tests.intake.boxes import body, health, source, topic

NOW = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
HOSTILE = "<script>window.hit=1</script>"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def web(engine: sa.Engine) -> Iterator[WebServer]:
    server = WebServer("127.0.0.1:0", PageCache(engine, Counters(), lambda: True, lambda: NOW))
    server.start()
    yield server
    server.close()


def fill(engine: sa.Engine) -> None:
    unknown = {"udi": {"issuer": "GS1", "deviceIdentifier": HOSTILE}, "article": {"match": "none"}}
    rows = [row(1), row(2), row(4), row(1, "gw2", data=unknown)]
    words = [read_box_message(source(), "status", b"online", NOW)]
    words.append(
        read_box_message(
            source(), "health", health(alarms=["scanner front: missing", HOSTILE], version=HOSTILE), NOW
        )
    )
    words.append(read_box_message(source(), "articles", b'{"sources":[{"name":"miv","deltaNumber":1}]}', NOW))
    Store(engine, lambda: NOW - timedelta(minutes=5)).commit(
        ReceivedBatch(events=tuple(rows), boxes=tuple(one for one in words if one is not None))
    )
    deltas = Deltas(engine, lambda: NOW)
    deltas.mark_sent([deltas.add("miv", [RecallChange(article_number="VGR-1", reason=HOSTILE)])])


def row(sequence: int, box: str = "gw1", /, **changes: Any) -> EventRow:  # noqa: ANN401 - JSON
    read = read_event(topic(box), body(sequence, box, **changes), NOW)
    assert isinstance(read, EventRow)
    return read


def get(web: WebServer, path: str, method: str = "GET") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", web.port, timeout=20)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_page_says_how_things_are(engine: sa.Engine, web: WebServer) -> None:
    fill(engine)
    code, text = get(web, "/")
    assert code == 200
    assert "holes" in text
    assert "1 of 1 boxes" in text
    assert re.search(
        r"vgr / su / gw1</td><td>.*?</td><td>.*online.*?<td class=n>2</td><td class=n>.*1</span>", text
    )
    assert "<li>missing: 3, for 5 min" in text
    assert "<li>scanner front: missing</li><li>&lt;script&gt;" in text, "alarms in the box's own words"
    assert HOSTILE not in text
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 3


def test_the_boxes_that_have_not_taken_a_recall_are_named(engine: sa.Engine, web: WebServer) -> None:
    fill(engine)
    word = read_box_message(source("gw2"), "status", b"online", NOW)
    assert word is not None
    Store(engine, lambda: NOW).commit(ReceivedBatch(boxes=(word,)))
    text = get(web, "/")[1]
    assert "1 of 2 boxes" in text
    assert "<li>not taken yet: vgr / su / gw2</li>" in text


def test_metrics_are_what_prometheus_reads(engine: sa.Engine, web: WebServer) -> None:
    fill(engine)
    code, text = get(web, "/metrics")
    assert code == 200
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples["scangate_intake_events"] == "4"
    assert samples['scangate_intake_missing{site="su",gateway="gw1"}'] == "1"
    assert samples['scangate_intake_hole_seconds{site="su",gateway="gw1"}'] == "300"
    assert samples['scangate_intake_box_online{site="su",gateway="gw1"}'] == "1"
    assert samples["scangate_intake_database_ready"] == "1"
    promtool = shutil.which("promtool")
    if promtool is not None:
        done = subprocess.run([promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False)
        assert done.returncode == 0, done


@pytest.mark.parametrize(("path", "code"), [("/nothing", 404), ("/../etc/passwd", 404), ("/?x=1", 200)])
def test_there_is_nothing_else(web: WebServer, path: str, code: int) -> None:
    assert get(web, path)[0] == code


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(web: WebServer, method: str) -> None:
    assert get(web, "/", method)[0] == 501


def test_without_its_database_it_says_so(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'events.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP VIEW box_health"))
    server = WebServer("127.0.0.1:0", PageCache(engine, Counters(), lambda: False, lambda: NOW))
    server.start()
    assert get(server, "/")[0] == 503
    assert "scangate_intake_database_ready 0" in get(server, "/metrics")[1]
    server.close()
    engine.dispose()


def test_many_at_once_are_answered_or_hung_up_on(engine: sa.Engine, web: WebServer) -> None:
    fill(engine)
    answers: list[int] = []

    def ask() -> None:
        try:
            answers.append(get(web, "/")[0])
        except OSError:
            answers.append(0)

    threads = [threading.Thread(target=ask) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert set(answers) <= {0, 200}
    assert get(web, "/")[0] == 200


@pytest.mark.parametrize("listen", ["nowhere:80", "127.0.0.1:x", "127.0.0.1:99999", "192.0.2.1:80"])
def test_a_wrong_address_is_named(engine: sa.Engine, listen: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(listen)):
        WebServer(listen, PageCache(engine, Counters(), lambda: True, lambda: NOW))


def test_in_a_real_browser(engine: sa.Engine, web: WebServer) -> None:
    program = installed()
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    fill(engine)
    with browser(program) as chrome:
        for width in (1280, 400):
            chrome.resize(width, 900)
            chrome.go(f"http://127.0.0.1:{web.port}/")
            chrome.until("document.querySelectorAll('svg').length === 2", "the plots")
            assert chrome.value("window.hit === undefined")
            assert chrome.value("document.documentElement.scrollWidth <= window.innerWidth"), (
                "no sideways scrolling"
            )
            assert "gw1" in chrome.value("document.querySelector('table').innerText")
        assert chrome.messages == []
