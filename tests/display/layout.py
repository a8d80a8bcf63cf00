"""What the page must show in every state, and how a browser measures it."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from drivers.model import Signal
from tests.display.browser import Page
from tests.display.daemon_messages import case, chosen, code, findings, scan, status, view

SIZES: Final = [
    (800, 480, 7.0),
    (1024, 600, 10.1),
    (1280, 800, 10.1),
    (1920, 1080, 15.6),
    (800, 1280, 10.1),
]
"""Width and height in pixels, diagonal in inches: screens that are sold for such boards, and one on its side."""
DISTANCE_M: Final = 2.0
VERDICT_ARC: Final = 22.0
"""Minutes of arc of a capital letter: ISO 9241-303, 5.5.4 prefers 20 to 22."""
LARGE_ARC: Final = 16.0
"""The smallest that ISO 9241-303 allows."""
CAPITAL: Final = 0.729
"""A capital letter's height in DejaVu Sans, of the font size: its OS/2 table, sCapHeight 1493 of 2048."""

NAME: Final = "Extraktionsinstrument för kirurgiskt bruk, engångs, sterilt, förpackat i par, storlek 12 höger"
COMPOUND: Final = "Höftprotesrevisionsinstrumentbricksinsats vänster 54"
SHORT: Final = "Nordan Stam 12"
TWENTY: Final = "ABCDEFGHIJ0123456789"
"""Lot and serial numbers have 20 characters at most (GS1 General Specifications, AI 10 and 21)."""
LONGEST: Final = {
    "udi": {
        "deviceIdentifier": "09520001000102",
        "lotNumber": TWENTY,
        "serialNumber": TWENTY,
        "expirationDate": "2045-12-31",
        "expirationPrecision": "day",
    },
}
THREE: Final = findings(("RECALL_POSSIBLE", "error"), ("GS1_CHECK_DIGIT", "error"), ("EXPIRED", "warning"))
INFOS: Final = findings(("CONSIGNMENT", "info"), ("EXPIRES_SOON", "info"), ("UNIT_OF_USE", "info"))
ACTIONS: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "discard": {"action": "discard", "reason": "opened-unused", "actionExpiresAt": "2026-11-21T22:41:07.312+01:00"},
    "many": {"quantity": 999},
}
_WORST: Final = ("ARTICLE_RECALLED", "INCOMPLETE_LABEL", "IMPLANT_NOT_TRACEABLE", "CLOCK_UNTRUSTED", "GS1_DATE")


def _items(add: Callable[..., None]) -> None:
    """Add each verdict with each kind of name and action."""
    for signal in (Signal.ACCEPTED, Signal.WARNING, Signal.REFUSED):
        verdict = INFOS if signal is Signal.ACCEPTED else THREE
        for title, name in (("short", SHORT), ("long", NAME), ("compound", COMPOUND)):
            article = {"tradeName": name, "articleNumber": "VGR-104233-LONG"}
            for action, seen in ACTIONS.items():
                add(f"{signal} {title} {action}", scan(signal, article=article, verdict=verdict, **LONGEST), **seen)
        for one in _WORST if signal is not Signal.ACCEPTED else ():
            named = {"tradeName": NAME, "articleNumber": "VGR-104233-LONG"}
            add(f"{signal} {one}", scan(signal, article=named, verdict=findings((one, "error")), **LONGEST))
        add(f"{signal} unknown", scan(signal, article=None, **LONGEST))


def _cases(add: Callable[..., None]) -> None:
    """Add closed cases, with and without what is to be sorted out."""
    closing = {"control": "close-case"}
    unsettled = ((NAME, "INCOMPLETE_LABEL"), (SHORT, "REFUSED"), (COMPOUND, "LABELS_INTERLEAVED"))
    used = ((NAME, 1), (SHORT, 12), (COMPOUND, 999), *((f"{SHORT} {number}", number) for number in range(1, 30)))
    add("closed case of nothing", code(Signal.ACCEPTED, closed=case(), **closing))
    add("closed case", code(Signal.ACCEPTED, closed=case(used=((SHORT, 1),)), **closing))
    add("closed case of many", code(Signal.ACCEPTED, closed=case(*unsettled, used=used), **closing))


def _several(add: Callable[..., None]) -> None:
    """Add actions of several scanners behind the longest result."""
    until = {"expiresAt": "2026-11-21T22:41:07.312+01:00"}
    longest = {"action": "discard", "reason": "opened-unused", "quantity": 999, "oneItem": True, **until}
    place = {"action": "transfer", "destination": "https://id.gs1.org/414/7300009000009", "quantity": 12, **until}
    counted = {"action": "inventory", "count": "replace", "locked": True, **until}
    rows = [chosen("front", **longest), chosen("kirurgi-2", **place), chosen("lager-vänster", **counted)]
    names = ["front", "kirurgi-2", "lager-vänster", "ultraljudsrummet-1", "ultraljudsrummet-2"]
    answer = status(scanners=[{"name": one, "link": "connected", "failure": None} for one in names])
    refused = scan(Signal.REFUSED, article={"tradeName": NAME}, verdict=THREE, **LONGEST)
    add("several scanners", scan(article={"tradeName": SHORT}), answer, scanners=rows[:2])
    add("several scanners, refused", refused, answer, scanners=rows)
    many = [*rows, *(chosen(name, **longest) for name in names[3:])]
    add("five scanners, refused", refused, answer, scanners=many)
    add("five scanners, ready", {"scanner": None, "signal": None}, answer, scanners=many)


def states(language: str) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return name -> message of the daemon, and what it answers to `status`; the largest texts there are."""
    found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def add(name: str, told: dict[str, Any], answer: dict[str, Any] | None = None, **seen: Any) -> None:  # noqa: ANN401
        found[name] = (told | {"station": view(language=language, **seen)}, answer or {})

    _items(add)
    add("repeat", scan(Signal.WARNING, article={"tradeName": NAME}, repeats="x", **LONGEST))
    add("repeat of a recalled one", scan(Signal.REFUSED, article={"tradeName": NAME}, repeats="x", verdict=THREE))
    add("undone", scan(action="undo", undoes="x", article={"tradeName": NAME}))
    add("discarded item", scan(action="discard", reason="opened-unused", quantity=999, article={"tradeName": NAME}))
    add("trouble", code(Signal.TROUBLE))
    add("withheld", code(Signal.REFUSED, withheld={"kind": "text", "length": 3}))
    for reason in ("no-key", "other-site", "malformed", "bad-signature"):
        add(f"foreign {reason}", code(Signal.REFUSED, foreign=reason))
    add("context refused", code(Signal.REFUSED, contextRefused="patient"))
    add("discarded reading", code(Signal.REFUSED, discarded="too-long"))
    add("nothing to undo", code(Signal.REFUSED, control="undo"))
    for control in ("cancel", "clear-context"):
        add(f"control {control}", code(Signal.ACCEPTED, control=control))
    add("action", code(Signal.ACCEPTED, control="action"), **ACTIONS["discard"])
    for kind in ("case", "location", "patient"):
        add(f"context {kind}", code(Signal.ACCEPTED, context=kind))
    add("who am I", code(Signal.MORE, control="who-am-i"))
    add(
        "noted", scan(Signal.DEVIATING, article={"tradeName": NAME}, verdict=THREE, **LONGEST), **ACTIONS["discard"]
    )
    add("corrects", scan(Signal.DEVIATING, article={"tradeName": NAME}, corrects="x", **LONGEST))
    add("used despite", scan(Signal.WARNING, article={"tradeName": NAME}, usedDespite={"id": "x"}, verdict=THREE))
    add("new quantity", code(Signal.WARNING, control="quantity"), **ACTIONS["many"])
    add("item to undo", code(Signal.ACCEPTED, control="undo-item"))
    seen: dict[str, Any]
    for seen in ({"contextKinds": ["patient"]}, {"contextKinds": []}, {"contextRestored": True}):
        add(f"question {seen}", code(Signal.QUESTION, context="patient"), **seen)
    for missing in (["lot", "serial", "expiry"], ["production-identifier"], ["device-identifier"]):
        waiting = [{"scanner": "front", "symbols": 1, "missing": missing, "expiresAt": ""}]
        add(f"open label {missing[0]}", code(Signal.MORE), waiting=waiting)
    _cases(add)
    _several(add)
    quiet = {"scanner": None, "signal": None}
    add("ready", quiet)
    add("full", quiet, status(disk={"room": "full"}))
    add("unplugged", quiet, status(scanners=[{"name": "ultraljudsrummet-1", "link": "missing", "failure": None}]))
    add("port taken", quiet, status(scanners=[{"name": "front", "link": "busy", "failure": None}]))
    add("asked", quiet, asks=True)
    add("no clock", quiet, status(clock={"synchronised": False}))
    add("no master", quiet, status(master={"version": None}))
    return found


MEASURE: Final = """
(() => {
  const ids = ['headline', 'reason', 'article', 'action'].filter(id => {
    const one = document.getElementById(id);
    return one.checkVisibility() && one.textContent !== '';
  });
  const boxes = Object.fromEntries(ids.map(id => {
    const one = document.getElementById(id), range = document.createRange();
    range.selectNodeContents(one);
    const text = range.getBoundingClientRect();
    return [id, { left: text.left, right: text.right, top: text.top, bottom: text.bottom, text: one.textContent,
      size: parseFloat(getComputedStyle(one).fontSize), cut: one.scrollWidth > one.clientWidth + 1 }];
  }));
  const panel = document.getElementById('panel').getBoundingClientRect();
  const rows = [...document.querySelectorAll('#case li')].filter(one => one.checkVisibility()).map(one => ({
    bottom: one.getBoundingClientRect().bottom, size: parseFloat(getComputedStyle(one).fontSize),
    cut: one.scrollWidth > one.clientWidth + 1, text: one.textContent }));
  return { boxes, rows, all: document.querySelectorAll('#case li').length,
    panel: { bottom: panel.bottom, right: panel.right }, width: innerWidth, height: innerHeight,
    overflow: document.getElementById('panel').scrollHeight > document.getElementById('panel').clientHeight + 1 };
})()
"""


def resize(chrome: Page, width: int, height: int, diagonal: float) -> float:
    """Give the page a screen; return one minute of arc on it in pixels."""
    chrome.value(f"document.documentElement.dataset.diagonal = '{diagonal}'")
    chrome.resize(width, height)
    pixel_mm = diagonal * 25.4 / math.hypot(width, height)
    arc = DISTANCE_M * 1000 * math.tan(math.radians(1 / 60)) / pixel_mm
    drawn = "parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--arc'))"
    chrome.value("dispatchEvent(new Event('resize'))")
    chrome.until(f"innerWidth === {width} && Math.abs({drawn} - {arc}) < 0.01", "the page has its size")
    return arc


def _faults_of_rows(measured: dict[str, Any], arc: float) -> Iterator[str]:
    if measured["all"] and not measured["rows"]:
        yield "no row of the case is shown"
    for row in measured["rows"]:
        if row["cut"] or row["bottom"] > measured["panel"]["bottom"] + 1:
            yield f"{row['text']} is cut off"
        if row["size"] * CAPITAL / arc < LARGE_ARC:
            yield f"{row['text']} is too small"


def faults(measured: dict[str, Any], arc: float) -> list[str]:
    """Return what of the verdict, the reason, the article and the next action cannot be read."""
    boxes = measured["boxes"]
    found = [f"{one} is missing" for one in ("headline", "action") if one not in boxes]
    if measured["overflow"]:
        found.append("the panel overflows")
    order = [(one, boxes[one]) for one in ("headline", "reason", "article", "action") if one in boxes]
    for one, box in order:
        if (
            box["cut"]
            or box["left"] < 0
            or box["right"] > measured["width"] + 1
            or box["bottom"] > measured["height"]
        ):
            found.append(f"{one} is cut off")
        least = {"headline": VERDICT_ARC, "action": 0.0}.get(one, LARGE_ARC)
        if box["size"] * CAPITAL / arc < least:
            found.append(f"{one} has {box['size'] * CAPITAL / arc:.1f} minutes of arc, {least} are needed")
    found += _faults_of_rows(measured, arc)
    for (upper, above), (lower, below) in itertools.pairwise(order):
        if above["bottom"] > below["top"] + 0.15 * below["size"]:
            found.append(f"{upper} and {lower} overlap")
    return found
