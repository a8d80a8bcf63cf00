"""What one message of the daemon looks like."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.model import Signal
from gateway.display.daemon_messages import Event, read
from gateway.display.panel import MAX_NOTES, MAX_TEXT, Panel, clean, panel_of
from gateway.display.state import State
from gateway.languages import vocabulary
from tests.display.daemon_messages import CASE, PATIENT, PERFORMER, code, findings, scan, view


def shown(told: dict[str, Any], language: str = "sv") -> Panel:
    panel = panel_of(read(told, Event), "14:32:07", vocabulary(language))
    assert panel is not None
    return panel


def test_an_accepted_article() -> None:
    assert shown(scan()) == Panel(
        state=State.ACCEPTED,
        headline="Godkänd",
        article="Nordan Stam 12",
        facts=(
            ("Lot", "L2A0417"),
            ("Utgår", "2045-12-31"),
            ("Artikelnr", "VGR-104233"),
            ("Serienr", "NS700312"),
            ("", "Förbruka"),
        ),
        time="14:32:07",
        signal="accepted",
        scanner="front",
    )
    assert shown(scan(), "en").facts[1] == ("Expires", "31 Dec 2045")


WAITING = [{"scanner": "front", "symbols": 1, "missing": ["lot", "expiry"], "expiresAt": ""}]


@pytest.mark.parametrize(
    ("told", "state", "article", "reason"),
    [
        (scan(Signal.WARNING), State.WARNING, "Nordan Stam 12", ""),
        (
            scan(Signal.REFUSED, verdict=findings(("ARTICLE_RECALLED", "error"))),
            State.REFUSED,
            "Nordan Stam 12",
            "Återkallad. Lägg undan den.",
        ),
        (scan(Signal.WARNING, repeats="x"), State.WARNING, "Nordan Stam 12", "Etiketten skannades nyss."),
        (scan(action="undo", undoes="x"), State.UNDONE, "Nordan Stam 12", ""),
        (code(Signal.MORE), State.MORE, "", ""),
        (
            code(Signal.MORE, station=view(waiting=WAITING)),
            State.MORE,
            "",
            "Skanna koden med lot, datum",
        ),
        (code(Signal.TROUBLE), State.TROUBLE, "", "Skanna igen, eller ring support."),
        (
            code(Signal.REFUSED, withheld={"kind": "person-number", "length": 12}),
            State.INVALID,
            "",
            "Ingen artikelkod. Inget sparat.",
        ),
        (code(Signal.REFUSED, discarded="too-long"), State.INVALID, "", "Ofullständig läsning. Skanna igen."),
        (code(Signal.REFUSED, foreign="other-site"), State.INVALID, "", "Styrkod för en annan plats."),
        (code(Signal.REFUSED, foreign="of-tomorrow"), State.INVALID, "", "Styrkoden gäller inte här."),
        (code(Signal.REFUSED, control="undo"), State.INVALID, "", "Inget att ångra."),
        (
            code(Signal.REFUSED, contextRefused="patient", why="no-seal-key"),
            State.INVALID,
            "",
            "Koden kan inte användas här.",
        ),
        (
            code(Signal.ACCEPTED, control="action", station=view(action="discard", reason="damaged")),
            State.CHOSEN,
            "Kassera: skadad",
            "",
        ),
        (
            code(Signal.ACCEPTED, control="quantity", station=view(quantity=5)),
            State.CHOSEN,
            "Förbruka, 5 st",
            "",
        ),
        (code(Signal.ACCEPTED, control="cancel"), State.CHOSEN, "Påbörjat är avbrutet", ""),
        (code(Signal.ACCEPTED, context="case"), State.CHOSEN, "Ärende valt", ""),
        (code(Signal.ACCEPTED, context="patient"), State.CHOSEN, "Tillhörighet vald", ""),
        (code(Signal.MORE, control="who-am-i"), State.IDENTIFIED, "op3, front", ""),
        (code(Signal.ACCEPTED) | {"signal": "of-tomorrow"}, State.TROUBLE, "", "Skanna igen, eller ring support."),
    ],
)
def test_states(told: dict[str, Any], state: State, article: str, reason: str) -> None:
    panel = shown(told)
    assert (panel.state, panel.article, panel.reason) == (state, article, reason)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"article": None}, "Okänd artikel 09520001000102"),
        ({"article": {"match": "none", "tradeName": None, "articleNumber": None}}, "Okänd artikel 09520001000102"),
        ({"article": {"tradeName": None, "articleNumber": "VGR-1"}}, "VGR-1"),
        ({"article": None, "udi": None, "symbols": [{"text": "SHELF-77"}]}, "SHELF-77"),
        ({"article": None, "udi": {}, "symbols": [{"text": "8018..."}]}, "Okänd artikel"),
        ({"article": None, "udi": None, "symbols": []}, "Okänd artikel"),
    ],
)
def test_the_name_of_an_article(data: dict[str, Any], name: str) -> None:
    assert shown(scan(**data)).article == name


def test_the_gravest_comes_first_and_nothing_twice() -> None:
    verdict = findings(
        ("CONSIGNMENT", "info"),
        ("NOT_UDI", "info"),
        ("EXPIRED", "warning"),
        ("GS1_CHECK_DIGIT", "error"),
        ("HIBC_CHECK", "error"),
        ("LOT_MISSING", "warning"),
    )
    panel = shown(scan(Signal.REFUSED, verdict=verdict), "en")
    assert panel.reason == "Misread code. Scan again."
    assert panel.notes == (
        "Expired. Take another one.",
        "Lot number missing. Read the label.",
        "Consignment: the supplier's article.",
    )
    assert len(panel.notes) == MAX_NOTES
    assert shown(scan(verdict=findings(("CONSIGNMENT", "info"))), "en").reason == "", "an accepted item has remarks"


@pytest.mark.parametrize("told", [{"station": view()}, {"link": {"scanner": "front", "link": "missing"}}, {}])
def test_what_is_about_no_scan(told: dict[str, Any]) -> None:
    assert panel_of(read(told, Event), "", vocabulary("sv")) is None


@given(
    signal=st.sampled_from([*map(str, Signal), "of-tomorrow"]),
    text=st.text(max_size=200),
    other=st.none() | st.text(max_size=200),
    language=st.sampled_from(["sv", "en"]),
)
@settings(max_examples=100, deadline=None)
def test_whatever_a_label_says_fits_a_screen(signal: str, text: str, other: str | None, language: str) -> None:
    told = scan(
        udi={"lotNumber": text, "serialNumber": other, "expirationDate": text, "deviceIdentifier": other},
        article={"tradeName": other, "articleNumber": None},
        action=text,
        reason=other,
        verdict=findings((text, "error"), (text, "warning")),
    )
    panel = shown(told | {"signal": signal, "control": other}, language)
    for one in (panel.headline, panel.reason, panel.article, *panel.notes, *(value for _, value in panel.facts)):
        assert one.isprintable()
        assert len(one) <= MAX_TEXT * 3


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("kinds", [[], ["case", "location", "patient", "performer"]])
def test_nothing_of_a_person_is_handed_on(signal: Signal, kinds: list[str]) -> None:
    told = scan(signal) | {"station": view(contextKinds=kinds)}
    sent = msgspec.json.encode(shown(told)).decode()
    for one in (CASE, *PATIENT.values(), *PERFORMER.values()):
        assert one not in sent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L2A0417", "L2A0417"),
        ("A\x1d1\n", "A\ufffd1\ufffd"),
        ("12\u202e34", "12\ufffd34"),  # would show 12 43
        ("x" * MAX_TEXT, "x" * MAX_TEXT),
        ("x" * (MAX_TEXT + 1), "x" * (MAX_TEXT - 1) + "…"),
        ("Ö<b>", "Ö<b>"),  # escaping is the page's: it shows text only
    ],
)
def test_texts_are_made_fit_for_a_screen(text: str, expected: str) -> None:
    assert clean(text) == expected
