"""What stands on the page, as messages and time change it."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from drivers.model import Signal
from gateway.display.daemon_messages import Event, Status, View, read
from gateway.display.screen import (
    HEARD_SECONDS,
    MAX_RECENT,
    Page,
    Screen,
    after_answer,
    after_event,
    after_loss,
    after_unreadable,
    page,
)
from gateway.display.state import State
from tests.display.daemon_messages import CASE, PATIENT, PERFORMER, behind, chosen, code, scan, status, view

NOW = 1000.0


def well(**told: Any) -> Screen:  # noqa: ANN401 - any JSON
    """A screen whose daemon has just answered."""
    screen = Screen(language="sv", result_seconds=30, watching=True)
    return after_answer(screen, read(status(**told), Status), read(view(), View), NOW)


def take(screen: Screen, *told: dict[str, Any], now: float = NOW) -> Screen:
    for one in told:
        screen = after_event(screen, read(one, Event), "14:32:07", now)
    return screen


def test_a_result_is_new_for_its_time_and_then_neutral() -> None:
    screen = take(well(), scan())
    new = page(screen, NOW)
    assert new.now is not None
    assert (new.now.state, new.left_ms, new.idle.state) == (State.ACCEPTED, 30_000, State.READY)
    late = page(replace(screen, heard_at=NOW + 29.5), NOW + 29.5)
    assert (late.now, late.left_ms) == (new.now, 500)
    old = page(replace(screen, heard_at=NOW + 30), NOW + 30)
    assert (old.now, old.left_ms, old.idle.state) == (None, 0, State.READY)
    assert [one.state for one in old.recent] == [State.ACCEPTED]


@pytest.mark.parametrize(
    "screen",
    [
        take(replace(well(), watching=False), scan()),
        replace(take(well(), scan()), heard_at=None),
        replace(take(well(), scan()), heard_at=NOW - HEARD_SECONDS - 0.1),
        after_loss(take(well(), scan())),
    ],
)
def test_a_daemon_that_is_gone(screen: Screen) -> None:
    lost = page(screen, NOW)
    assert lost.now is None
    assert lost.idle.state is State.LOST
    assert lost.idle.reason == "Skanna inte. Ring support."
    assert (lost.actions, lost.delivery, lost.alarm, lost.waiting) == ((), "Leverans okänd", "", True)


def test_a_daemon_that_comes_back_brings_no_old_result() -> None:
    screen = replace(after_loss(take(well(), scan())), watching=True)
    screen = after_answer(screen, read(status(), Status), read(view(), View), NOW + 1)
    back = page(screen, NOW + 1)
    assert (back.now, back.idle.state, len(back.recent)) == (None, State.READY, 1)


def test_a_daemon_that_hung_brings_no_old_result() -> None:
    silent = NOW + HEARD_SECONDS + 1
    screen = after_answer(take(well(), scan()), read(status(), Status), None, silent)
    assert (page(screen, silent).now, page(screen, silent).idle.state) == (None, State.READY)


def test_what_cannot_be_read_takes_the_last_result_away() -> None:
    assert page(after_unreadable(take(well(), scan())), NOW).now is None


def test_two_alike_are_two() -> None:
    once, twice = take(well(), scan()), take(well(), scan(), scan())
    assert page(twice, NOW).number == page(once, NOW).number + 1


def test_the_list_is_bounded_and_the_newest_first() -> None:
    many = [scan(udi={"lotNumber": f"L{number}"}) for number in range(1000)]
    recent = page(take(well(), *many), NOW).recent
    assert [one.lot for one in recent] == [f"L{number}" for number in range(999, 999 - MAX_RECENT, -1)]


@pytest.mark.parametrize(
    ("told", "listed"),
    [
        (code(Signal.MORE), []),
        (code(Signal.ACCEPTED, control="cancel"), []),
        (code(Signal.TROUBLE), [(State.TROUBLE, "Ej sparad", "")]),
        (code(Signal.REFUSED, withheld={"kind": "text", "length": 5}), [(State.INVALID, "Ogiltig kod", "")]),
        (scan(Signal.REFUSED), [(State.REFUSED, "Nordan Stam 12", "L2A0417")]),
        (scan(udi={"serialNumber": "S1"}), [(State.ACCEPTED, "Nordan Stam 12", "S1")]),
    ],
)
def test_what_is_listed(told: dict[str, Any], listed: list[tuple[State, str, str]]) -> None:
    assert [(one.state, one.article, one.lot) for one in page(take(well(), told), NOW).recent] == listed


ACKED = {"broker": {"acksAwaited": True}}


@pytest.mark.parametrize(
    ("told", "delivery", "waiting"),
    [
        ({}, "Allt skickat", False),
        ({"sequence": behind(3)}, "Sparat, 3 ej skickade", True),
        ({"broker": None}, "Allt sparat och exporterat", False),
        ({"broker": None, "sequence": behind(3)}, "Sparat, 3 ej exporterade", False),
        (ACKED, "Allt bokfört", False),
        ({**ACKED, "sequence": behind(5, 2)}, "Sparat, 2 ej skickade", True),
        ({**ACKED, "sequence": behind(5, 0)}, "Skickat, 5 ej bokförda", True),
        ({"sequence": behind(2, 0)}, "Sparat, 2 ej skickade", True),  # a PUBACK with a hole in front of it
    ],
)
def test_delivery(told: dict[str, Any], delivery: str, waiting: bool) -> None:  # noqa: FBT001 - a column
    shown = page(well(**told), NOW)
    assert (shown.delivery, shown.waiting) == (delivery, waiting)


@pytest.mark.parametrize(
    ("told", "delivery"),
    [
        (scan(), "Sparat, 1 ej skickade"),
        (scan(Signal.REFUSED), "Sparat, 1 ej skickade"),
        (scan() | {"stored": 14}, "Sparat, 2 ej skickade"),
        (code(Signal.TROUBLE), "Allt skickat"),
    ],
)
def test_a_scan_is_not_called_sent_before_the_daemon_says_so(told: dict[str, Any], delivery: str) -> None:
    screen = take(well(), told)
    assert page(screen, NOW).delivery == delivery
    assert page(after_answer(screen, read(status(), Status), None, NOW), NOW).delivery == "Allt skickat"


@pytest.mark.parametrize(
    ("published", "delivered", "broker", "stages"),
    [
        (10, 10, {"acksAwaited": True}, ["sparad", "sparad"]),
        (11, 10, {"acksAwaited": True}, ["sparad", "skickad"]),
        (12, 11, {"acksAwaited": True}, ["skickad", "bokförd"]),
        (12, 12, {"acksAwaited": True}, ["bokförd", "bokförd"]),
        (12, 12, {"acksAwaited": False}, ["skickad", "skickad"]),
        (12, 12, None, ["sparad", "sparad"]),
    ],
)
def test_how_far_each_scan_has_come(
    published: int, delivered: int, broker: dict[str, Any] | None, stages: list[str]
) -> None:
    sequence = {"stored": 12, "published": published, "delivered": delivered, "waiting": 12 - delivered}
    screen = take(well(sequence=sequence, broker=broker), scan() | {"stored": 11}, scan() | {"stored": 12})
    assert [one.stage for one in page(screen, NOW).recent] == stages
    assert [one.stage for one in page(after_loss(screen), NOW).recent] == ["", ""], "nobody can say"


def test_what_is_no_event_is_at_no_stage() -> None:
    assert [one.stage for one in page(take(well(), code(Signal.TROUBLE)), NOW).recent] == [""]


EXPIRES = {"expiresAt": "2026-11-21T22:41:07.312+01:00"}
DISCARD = chosen(action="discard", reason="expired", oneItem=True, **EXPIRES)
BACK = chosen("back", action="receive", locked=True, **EXPIRES)
FRONT_ONLY, TWO, FIVE = ("front",), ("front", "back"), ("front", "back", "left", "right", "table")


@pytest.mark.parametrize(
    ("names", "seen", "actions"),
    [
        (FRONT_ONLY, view(), ["Nästa: Förbruka"]),
        (FRONT_ONLY, view(scanners=[DISCARD]), ["Nästa: Kassera: utgången (en artikel, till 22:41)"]),
        (
            FRONT_ONLY,
            view(scanners=[chosen(quantity=3, **EXPIRES)]),
            ["Nästa: Förbruka, 3 st (en artikel, till 22:41)"],
        ),
        (FRONT_ONLY, view(scanners=[BACK | {"scanner": "front"}]), ["Nästa: Ta emot (tills den avbryts)"]),
        (
            FRONT_ONLY,
            view(scanners=[chosen(action="transfer", destination="https://id.gs1.org/414/7300009000009")]),
            ["Nästa: Flytta (till 7300009000009)"],
        ),
        (FRONT_ONLY, view(scanners=[chosen(action="inventory", count="add")]), ["Nästa: Inventera (läggs till)"]),
        (FRONT_ONLY, view(scanners=[chosen(fellBack="receive")]), ["Nästa: Förbruka"]),
        (TWO, view(), ["Nästa: Förbruka"]),
        (TWO, view(scanners=[DISCARD]), ["front: Kassera: utgången (en artikel, till 22:41)", "övriga: Förbruka"]),
        (
            TWO,
            view(scanners=[BACK, DISCARD]),
            ["back: Ta emot (tills den avbryts)", "front: Kassera: utgången (en artikel, till 22:41)"],
        ),
        (
            FIVE,
            view(scanners=[chosen(name, action="return") for name in FIVE]),
            ["front: Returnera", "back: Returnera", "left: Returnera", "right: Returnera · table: Returnera"],
        ),
        # A daemon that says nothing of single scanners.
        (
            FRONT_ONLY,
            {
                **{key: value for key, value in view().items() if key not in {"scanners", "defaultAction"}},
                "action": "discard",
                "reason": "expired",
                "actionExpiresAt": EXPIRES["expiresAt"],
            },
            ["Nästa: Kassera: utgången (till 22:41)"],
        ),
    ],
)
def test_what_the_next_scan_of_each_scanner_means(
    names: tuple[str, ...], seen: dict[str, Any], actions: list[str]
) -> None:
    scanners = [{"name": name, "link": "connected", "failure": None} for name in names]
    shown = page(take(well(scanners=scanners), {"station": seen}), NOW)
    assert [one.text for one in shown.actions] == actions


def test_the_row_of_the_scanner_that_has_scanned_is_the_last_to_give_way() -> None:
    scanners = [{"name": name, "link": "connected", "failure": None} for name in TWO]
    seen = view(scanners=[BACK])
    after = take(well(scanners=scanners), scan() | {"station": seen})
    assert [one.own for one in page(after, NOW).actions] == [False, True]
    after = take(after, scan() | {"scanner": "back", "station": seen})
    assert [one.own for one in page(after, NOW).actions] == [True, False]


@pytest.mark.parametrize(
    ("seen", "context"),
    [
        (view(), ""),
        (view(contextKinds=["case", "patient"]), "Ärende valt · Patient vald"),
        (view(contextKinds=["case"], caseSince="2026-11-21T22:41:07.312+01:00"), "Ärende sedan 22:41"),
        (view(contextKinds=["location", "performer"]), "Plats vald"),
        (view(contextKinds=["location"], location="https://id.gs1.org/414/7300009000009"), "Plats 7300009000009"),
        (view(contextKinds=["patient"], asks=True), "Samma patient? · Patient vald"),
    ],
)
def test_what_scans_belong_to(seen: dict[str, Any], context: str) -> None:
    assert page(take(well(), {"station": seen}), NOW).context == context


def test_a_signal_of_a_training_is_no_scan() -> None:
    played = code(Signal.REFUSED, training=True, station=None)
    shown = page(take(well(), played), NOW)
    assert shown.now is not None
    assert (shown.now.state, shown.now.article) == (State.REFUSED, "Övning")
    assert shown.recent == ()
    assert shown.delivery == "Allt skickat"


def waits(*scanners: str) -> dict[str, Any]:
    return view(waiting=[{"scanner": name, "symbols": 1, "missing": ["lot"]} for name in scanners])


def linked(*scanners: tuple[str, str, str | None]) -> dict[str, Any]:
    return {"scanners": [{"name": name, "link": link, "failure": failure} for name, link, failure in scanners]}


@pytest.mark.parametrize(
    ("told", "seen", "state", "reason", "article"),
    [
        ({}, view(), State.READY, "", ""),
        (linked(("front", "missing", None)), view(), State.ATTENTION, "Kontrollera sladden.", "front"),
        (
            linked(("a", "connected", "stuck"), ("b", "busy", None)),
            view(),
            State.ATTENTION,
            "Porten är upptagen. Ring support.",
            "a, b",
        ),
        ({}, waits("front"), State.MORE, "Skanna koden med lot", ""),
        (linked(("front", "missing", None)), waits("front"), State.ATTENTION, "Kontrollera sladden.", "front"),
        ({"disk": {"room": "full"}}, waits("front"), State.UNABLE, "Lagringen är full. Ring support.", ""),
        ({"disk": {"room": "nearly-full"}}, view(), State.READY, "", ""),
        ({"clock": {"synchronised": False}}, view(), State.LIMITED, "Klockan ej ställd. Läs utgångsdatum.", ""),
        ({"master": {"version": None}}, view(), State.LIMITED, "Artikelregister saknas. Läs etiketten.", ""),
        ({"broker": None, "sequence": behind(9)}, view(), State.READY, "", ""),
        ({}, view(endedKinds=["case"]), State.READY, "Inget ärende. Skanna nästa ärende.", ""),
        ({}, view(endedKinds=["case"], asks=True), State.QUESTION, "Avslutat. Skanna Samma patient?", ""),
    ],
)
def test_what_the_station_is_ready_for(
    told: dict[str, Any], seen: dict[str, Any], state: State, reason: str, article: str
) -> None:
    idle = page(take(well(**told), {"station": seen}), NOW).idle
    assert (idle.state, idle.reason, idle.article) == (state, reason, article)


def test_a_scanner_that_goes_takes_its_result_away_at_once() -> None:
    gone = {"link": {"scanner": "front", "link": "missing"}}
    screen = take(well(), scan(), gone)
    assert (page(screen, NOW).now, page(screen, NOW).idle.state) == (None, State.ATTENTION)
    back = take(screen, {"link": {"scanner": "front", "link": "connected"}})
    assert page(back, NOW).idle.state is State.READY
    other = take(well(), scan(), {"link": {"scanner": "back", "link": "missing"}})
    assert page(other, NOW).now is not None, "another scanner's result stays"


@pytest.mark.parametrize(
    ("expires_at", "until_ms"),
    [
        ("1970-01-01T00:00:14.500+00:00", 4_500),
        ("1970-01-01T00:00:09+00:00", 0),
        ("1970-01-02T00:00:00+00:00", 60_000),
        ("", None),
        ("of tomorrow", None),
    ],
)
def test_an_open_label_counts_down(expires_at: str, until_ms: int | None) -> None:
    seen = view(waiting=[{"scanner": "front", "symbols": 1, "missing": ["lot"], "expiresAt": expires_at}])
    shown = page(take(well(), code(Signal.MORE, station=seen)), NOW, 10.0)
    assert shown.now is not None
    assert (shown.now.until_ms, shown.idle.until_ms) == (until_ms, until_ms)


def test_alarms_are_told_without_their_words() -> None:
    assert page(well(alarms=["dead letters: 2"]), NOW).alarm == "Tillsyn behövs"


def test_the_language_is_the_stations() -> None:
    english = take(well(), {"station": view(language="en")}, scan() | {"station": view(language="en")})
    shown = page(english, NOW)
    assert (shown.language, shown.now and shown.now.headline, shown.lost.headline) == (
        "en",
        "Accepted",
        "No contact",
    )


def test_nothing_of_a_person_is_sent() -> None:
    seen = view(contextKinds=["case", "location", "patient", "performer"])
    sent: Page = page(take(well(), scan() | {"station": seen}), NOW)
    text = msgspec.json.encode(sent).decode()
    for one in (CASE, PATIENT["value"], PATIENT["kid"], PERFORMER["value"], "erformer"):
        assert one not in text
