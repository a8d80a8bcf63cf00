"""The page in a real browser, beside a daemon that the test plays. Needs Debian's chromium-headless-shell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.model import Signal
from drivers.signal_forms import FORMS, GAP_SECONDS, LONG_SECONDS, SHORT_SECONDS
from gateway.display.state import State
from tests.display.browser import Browser, browser, installed
from tests.display.daemon_messages import behind, code, findings, scan, status, view
from tests.display.layout import resize
from tests.display.stage import stage
from tests.display.test_display_page import LEAST, contrast

Told = dict[str, Any]


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
    known = ("ERR_", "AudioContext was not allowed")  # a connection that a test ended; sound before a touch
    told = [one for one in chrome.messages if not any(words in str(one) for words in known)]
    assert told == []


def is_state(state: State) -> str:
    return f"document.body.dataset.state === '{state}'"


def test_a_scan_is_shown_and_fades(chrome: Browser, tmp_path: Path) -> None:
    with stage(tmp_path, result_seconds=1) as one:
        chrome.go(one.url)
        chrome.until(is_state(State.READY), "ready")
        one.tell(scan())
        chrome.until(is_state(State.ACCEPTED), "the scan")
        text = chrome.value("document.getElementById('panel').innerText")
        for shown in ("Godkänd", "Nordan Stam 12", "L2A0417", "NS700312", "2045-12-31"):
            assert shown in text
        chrome.until(is_state(State.READY), "it fades to neutral")
        assert "Nordan Stam 12" not in chrome.value("document.getElementById('panel').innerText")
        assert "Nordan Stam 12" in chrome.value("document.getElementById('list').innerText")
        asked = {address.removeprefix(one.url) for address in chrome.requested}
        assert asked - {"icon.svg"} == {"", "page.css", "page.js", "sound.js", "events"}, (
            "nothing comes from elsewhere"
        )


HOSTILE = "<script>window.hit=1</script><img src=x onerror=window.hit=1>"


def test_markup_is_text(chrome: Browser, tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        chrome.go(one.url)
        chrome.until(is_state(State.READY), "ready")
        data = {"udi": {"lotNumber": HOSTILE, "serialNumber": HOSTILE, "expirationDate": HOSTILE}}
        hostile = scan(Signal.WARNING, article={"tradeName": HOSTILE}, verdict=findings((HOSTILE, "error")), **data)
        one.tell(hostile | {"station": view(action=HOSTILE)})
        chrome.until(is_state(State.WARNING), "the scan")
        assert chrome.value("document.getElementById('article').textContent").endswith("window.hit=1>")
        assert chrome.value("document.querySelector('#list .lot').textContent") == HOSTILE
        assert chrome.value("document.querySelectorAll('script').length") == 2
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
        assert heap() - used < 1024 * 1024, "a kilobyte a scan would be a leak"


def test_the_page_says_when_it_hears_no_more(chrome: Browser, tmp_path: Path) -> None:
    """The server is gone, as after a crash: the page knows by itself."""
    with stage(tmp_path) as one:
        chrome.go(one.url)
        one.tell(scan())
        chrome.until(is_state(State.ACCEPTED), "the scan")
    own_words = "document.getElementById('reason').textContent === 'Gå efter skannerns signal.'"
    chrome.until(f"{is_state(State.LOST)} && {own_words}", "no contact", 60)
    assert chrome.value("document.getElementById('headline').textContent") == "Ingen kontakt"
    assert chrome.value("document.getElementById('foot').innerText").strip() == ""
    assert chrome.value("document.getElementById('action').textContent") == ""


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


def test_every_text_stands_out_from_its_ground(chrome: Browser, tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        one.status = status(alarms=["x"], sequence=behind(123))
        chrome.go(one.url)
        chrome.until("document.getElementById('delivery').textContent.includes('123')", "the status is shown")
        for told in (scan(), scan(Signal.WARNING, repeats="x"), scan(Signal.REFUSED), code(Signal.MORE)):
            one.tell(told)
            chrome.until(f"document.body.dataset.state === '{told['signal']}'", "the scan")
            for text, ink, ground in chrome.value(GROUNDS):
                assert contrast(rgb(ink), rgb(ground)) >= LEAST, text


def test_the_page_speaks_the_stations_language(chrome: Browser, tmp_path: Path) -> None:
    with stage(tmp_path, "en") as one:
        chrome.go(one.url)
        chrome.until(is_state(State.READY), "ready")
        assert chrome.value("document.documentElement.lang") == "en"


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
        resize(chrome, 1920, 1080, 32.0)  # where the list has a place
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


SPANS = """
(async () => {
  const { tones, seconds } = sound.forms, found = {};
  for (const [name, form] of Object.entries(tones)) {
    const context = new OfflineAudioContext(1, 48000 * 2, 48000);
    sound.schedule(context, form, seconds, 0);
    const samples = (await context.startRendering()).getChannelData(0);
    const spans = [];
    for (let at = 0, quiet = 1e9; at < samples.length; at += 1) { // a wave passes through nothing, but not for 4 ms
      if (Math.abs(samples[at]) < 0.001) { quiet += 1; continue; }
      if (quiet > 192) spans.push([at, at]);
      quiet = 0;
      spans[spans.length - 1][1] = at;
    }
    found[name] = spans.map(([begin, end]) => [begin / 48000, end / 48000]);
  }
  window.spans = found;
})(), 0
"""
"""The spans of sound of every signal, in seconds, as the browser itself computes them."""


def test_the_page_plays_the_rhythms_of_the_table(chrome: Browser, tmp_path: Path) -> None:
    with stage(tmp_path, sound=True) as one:
        chrome.go(one.url)
        chrome.value(SPANS)
        spans = chrome.until("window.spans", "all are rendered")
        for signal, form in FORMS.items():
            expected, at = [], 0.0
            for element in form.rhythm:
                length = LONG_SECONDS if element == "-" else SHORT_SECONDS
                expected += [at, at + length]
                at += length + GAP_SECONDS
            assert [time for span in spans[signal] for time in span] == pytest.approx(expected, abs=0.006), signal


def test_the_page_sounds_with_each_new_result_and_not_with_an_old_one(chrome: Browser, tmp_path: Path) -> None:
    sounded = "document.body.dataset.sounded"
    with stage(tmp_path, sound=True) as one:
        one.tell(scan())
        chrome.go(one.url)
        chrome.until(is_state(State.ACCEPTED), "the scan that was there before")
        chrome.do("Input.dispatchMouseEvent", type="mousePressed", x=5, y=5, button="left", clickCount=1)
        chrome.until("sound.ready()", "it was touched, and may sound")
        assert chrome.value("document.getElementById('sound').hidden")
        assert chrome.value(f"{sounded} === undefined"), "it says nothing of what was there before it"
        one.tell(scan(Signal.REFUSED))
        chrome.until(f"{sounded} === 'refused'", "it sounds")
        one.tell(code(Signal.TROUBLE))
        chrome.until(f"{sounded} === 'trouble'", "it sounds again")


def test_a_page_is_silent_unless_somebody_wants_it_to_sound(chrome: Browser, tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        chrome.go(one.url)
        chrome.do("Input.dispatchMouseEvent", type="mousePressed", x=5, y=5, button="left", clickCount=1)
        chrome.until(is_state(State.READY), "ready")
        one.tell(scan())
        chrome.until(is_state(State.ACCEPTED), "the scan")
        assert chrome.value("sound.forms === null && document.body.dataset.sounded === undefined")
