"""The page in a real browser, beside a daemon that the test plays. Needs Debian's chromium-headless-shell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.model import Signal
from gateway.display.words import Language, State
from tests.display.browser import Browser, browser, installed
from tests.display.stage import stage
from tests.display.test_display_page import LEAST, contrast
from tests.display.told import code, findings, scan, status, view

LONG = "Extraktionsinstrument för kirurgiskt bruk, engångs, sterilt, förpackat i par, storlek 12"
SIZES = [(800, 480), (1920, 1080)]
ALL_FINDINGS = findings(("GS1_CHECK_DIGIT", "error"), ("IMPLANT_NOT_TRACEABLE", "error"), ("EXPIRED", "warning"))
STATES: dict[State, dict[str, Any]] = {
    State.ACCEPTED: scan(article={"tradeName": LONG}),
    State.WARNING: scan(Signal.WARNING, article={"tradeName": LONG}, verdict=ALL_FINDINGS),
    State.DEVIATING: scan(Signal.DEVIATING, action="discard", reason="opened-unused", article={"tradeName": LONG}),
    State.QUESTION: code(Signal.QUESTION, context="patient"),
    State.REFUSED: scan(Signal.REFUSED, article={"tradeName": LONG}, verdict=ALL_FINDINGS),
    State.INVALID: code(Signal.REFUSED, withheld={"kind": "text", "length": 3}),
    State.MORE: code(Signal.MORE),
    State.TROUBLE: code(Signal.TROUBLE),
    State.CHOSEN: code(Signal.ACCEPTED, control="clear-context"),
    State.UNDONE: scan(action="undo", undoes="x"),
    State.IDENTIFIED: code(Signal.MORE, control="who-am-i"),
}
"""What leads to each state that a scan can lead to; the largest texts there are."""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    program = installed()
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    with browser(program) as one:
        yield one


@pytest.fixture(autouse=True)
def quiet(chrome: Browser) -> Iterator[None]:
    """Nothing that the page does may be an error, or against its own policy."""
    chrome.resize(800, 480)
    chrome.messages.clear()
    chrome.requested.clear()
    yield
    chrome.go("about:blank")
    told = [one for one in chrome.messages if "ERR_" not in str(one)]  # a connection that a test ended
    assert told == []


def is_state(state: State) -> str:
    return f"document.body.dataset.state === '{state}'"


def test_a_scan_is_shown_and_fades(chrome: Browser, tmp_path: Path) -> None:
    with stage(tmp_path, result_seconds=1) as one:
        chrome.go(one.url)
        chrome.until(is_state(State.READY), "ready")
        one.tell(scan())
        assert chrome.until(is_state(State.ACCEPTED), "the scan") < 1
        text = chrome.value("document.getElementById('panel').innerText")
        for shown in ("Godkänd", "Nordan Stam 12", "L2A0417", "NS700312", "2045-12-31", "Förbruka"):
            assert shown in text
        chrome.until(is_state(State.READY), "it fades to neutral", 3)
        assert "Nordan Stam 12" not in chrome.value("document.getElementById('panel').innerText")
        assert "Nordan Stam 12" in chrome.value("document.getElementById('list').innerText")
        asked = {address.removeprefix(one.url) for address in chrome.requested}
        assert asked - {"icon.svg"} == {"", "page.css", "page.js", "events"}, "nothing comes from elsewhere"


HOSTILE = "<script>window.hit=1</script><img src=x onerror=window.hit=1>"


def test_markup_is_text(chrome: Browser, tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        chrome.go(one.url)
        chrome.until(is_state(State.READY), "ready")
        data = {"udi": {"lotNumber": HOSTILE, "serialNumber": HOSTILE, "expirationDate": HOSTILE}}
        hostile = scan(Signal.WARNING, article={"tradeName": HOSTILE}, verdict=findings((HOSTILE, "error")), **data)
        one.tell(hostile | {"station": view(action=HOSTILE)})
        chrome.until(is_state(State.WARNING), "the scan")
        assert chrome.value("document.getElementById('article').textContent") == HOSTILE
        assert chrome.value("document.querySelector('#list .lot').textContent") == HOSTILE
        assert chrome.value("document.querySelectorAll('script').length") == 1
        assert chrome.value("document.querySelectorAll('img').length") == 0
        assert chrome.value("window.hit === undefined")


COUNT = "document.getElementsByTagName('*').length"


def test_a_thousand_scans_do_not_grow_the_page(chrome: Browser, tmp_path: Path) -> None:
    def heap() -> int:
        chrome.do("HeapProfiler.collectGarbage")
        used: int = chrome.do("Runtime.getHeapUsage")["usedSize"]
        return used

    def last_is(number: int) -> str:
        return f"document.querySelector('#list .lot')?.textContent === 'L{number}'"

    with stage(tmp_path) as one:
        chrome.go(one.url)
        one.tell(*(scan(udi={"lotNumber": f"L{number}"}) for number in range(20)))
        chrome.until(last_is(19), "twenty scans")
        elements, used = chrome.value(COUNT), heap()
        one.tell(*(scan(udi={"lotNumber": f"L{number}"}) for number in range(20, 1020)))
        chrome.until(last_is(1019), "a thousand more")
        assert chrome.value(COUNT) == elements
        assert chrome.value("document.querySelectorAll('#list li').length") == 10
        assert heap() - used < 256 * 1024


def test_the_page_says_when_it_hears_no_more(chrome: Browser, tmp_path: Path) -> None:
    """The server is gone, as after a crash: the page knows by itself."""
    with stage(tmp_path) as one:
        chrome.go(one.url)
        one.tell(scan())
        chrome.until(is_state(State.ACCEPTED), "the scan")
    own_words = "document.getElementById('notes').textContent.startsWith('Skärmen får inga nyheter')"
    assert chrome.until(f"{is_state(State.LOST)} && {own_words}", "no contact", 10) < 8
    assert chrome.value("document.getElementById('headline').textContent") == "Ingen kontakt"
    assert chrome.value("document.getElementById('foot').innerText").strip() == ""


def rgb(colour: str) -> str:
    """Turn `rgb(1, 2, 3)` into `#010203`."""
    return "#" + "".join(f"{int(part):02x}" for part in colour.removeprefix("rgb(").removesuffix(")").split(","))


GROUNDS = """
[...document.querySelectorAll('body *')].filter(one => one.checkVisibility() &&
  [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())).map(one => {
    let under = one;
    while (getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement;
    return [one.textContent, getComputedStyle(one).color, getComputedStyle(under).backgroundColor];
  })
"""
"""Every text that is seen, its colour, and that of its ground."""
CUT_OFF = """
['panel', 'words', 'headline', 'facts', 'foot', 'delivery', 'action'].filter(id => {
  const one = document.getElementById(id);
  return one.checkVisibility() && (one.scrollWidth > one.clientWidth + 1 && one.clientWidth ||
    id !== 'words' && one.scrollHeight > one.clientHeight + 1 && one.clientHeight);
})
"""


def is_readable(chrome: Browser) -> None:
    for width, height in SIZES:
        chrome.resize(width, height)
        assert chrome.value(CUT_OFF) == [], width
        size = chrome.value("parseFloat(getComputedStyle(document.getElementById('headline')).fontSize)")
        assert size >= height / 10
        for text, ink, ground in chrome.value(GROUNDS):
            assert contrast(rgb(ink), rgb(ground)) >= LEAST, text


@pytest.mark.parametrize("language", ["sv", "en"])
def test_every_result_can_be_read(chrome: Browser, tmp_path: Path, language: Language) -> None:
    seen = {"station": view(language=language, contextKinds=["case"])}
    with stage(tmp_path, language) as one:
        one.status = status(alarms=["x"], sequence={"waiting": 123})
        chrome.go(one.url)
        for state, told in STATES.items():
            one.tell(told | seen)
            chrome.until(is_state(state), f"{state} is shown")
            is_readable(chrome)
            assert chrome.value("document.documentElement.lang") == language


@pytest.mark.parametrize("language", ["sv", "en"])
def test_what_stands_there_without_a_result_can_be_read(
    chrome: Browser, tmp_path: Path, language: Language
) -> None:
    waiting = [{"scanner": "front", "symbols": 1, "missing": ["production-identifier"]}]
    with stage(tmp_path, language) as one:
        chrome.go(one.url)
        chrome.until(is_state(State.READY), "ready")
        is_readable(chrome)
        one.status = status(scanners=[{"name": "front", "link": "missing", "failure": None}])
        chrome.until(is_state(State.ATTENTION), "the scanner is unplugged")
        is_readable(chrome)
        one.tell({"station": view(language=language, waiting=waiting)})
        chrome.until(is_state(State.MORE), "half a label")
        is_readable(chrome)
        one.end()
        chrome.until(is_state(State.LOST), "no daemon")
        is_readable(chrome)


def test_it_moves_only_for_those_who_do_not_mind(chrome: Browser, tmp_path: Path) -> None:
    moves = "getComputedStyle(document.getElementById('shape')).animationName"
    with stage(tmp_path) as one:
        chrome.go(one.url)
        one.tell(scan())
        chrome.until(is_state(State.ACCEPTED), "the scan")
        first = chrome.value(moves)
        one.tell(scan())
        chrome.until(f"{moves} !== '{first}'", "the next scan is seen to be another one")
        chrome.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        assert chrome.value(moves) == "none"
        chrome.do("Emulation.setEmulatedMedia", features=[])


def test_who_cannot_see_hears_it(chrome: Browser, tmp_path: Path) -> None:
    """The tree that a screen reader gets: the result is announced, the shapes of the list have words."""
    with stage(tmp_path) as one:
        chrome.go(one.url)
        one.tell(scan())
        chrome.until(is_state(State.ACCEPTED), "the scan")
        nodes = chrome.do("Accessibility.getFullAXTree")["nodes"]
        named = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if "role" in node}
        assert {("heading", "Godkänd"), ("region", "Senaste skanningar"), ("image", "Godkänd")} <= named
        (panel,) = [node for node in nodes if node.get("role", {}).get("value") == "status"]
        live = {one["name"]: one["value"]["value"] for one in panel["properties"]}
        assert (live["live"], live["atomic"]) == ("assertive", True)


def test_a_beat_changes_nothing_that_is_shown(chrome: Browser, tmp_path: Path) -> None:
    """Else a screen reader would say the result every two seconds."""
    with stage(tmp_path) as one:
        chrome.go(one.url)
        one.tell(scan())
        chrome.until(is_state(State.ACCEPTED), "the scan")
        chrome.value(
            "window.changes = 0, window.beats = 0, new MutationObserver(() => changes++).observe("
            "document.getElementById('panel'), {childList: true, subtree: true, characterData: true}), "
            "new EventSource('events').onmessage = () => { beats++; }, 0"
        )
        chrome.until("window.beats >= 3", "three beats")
        assert chrome.value("window.changes") == 0
