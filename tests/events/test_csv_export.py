"""Events as CSV: cells are safe for spreadsheets, and nothing is lost."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events import cloudevent
from gateway.events.exports.csv import COLUMNS, GUARDED, cell, lines
from gateway.events.exports.flat import UNREADABLE, flat
from gateway.events.stored_event import StoredEvent


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # OWASP, "CSV Injection": what a spreadsheet takes for a formula
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+A99912345/$$5", "'+A99912345/$$5"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'{x09}=1"),
        ("\uff1d1", "'\uff1d1"),
        ("'quoted", "''quoted"),
        ("10A\x1d21B", "10A{GS}21B"),
        ("[)>\x1e06\x1d9N\x1e\x04", "[)>{RS}06{GS}9N{RS}{EOT}"),
        ("a\r\nb", "a{x0D}{x0A}b"),
        ("01=", "01="),
        ("", ""),
        (None, ""),
        (True, "true"),
        (-5, "-5"),
    ],
)
def test_cell(value: str | int | None, expected: str) -> None:
    assert cell(value) == expected


@given(st.text())
def test_any_text_is_safe(text: str) -> None:
    made = cell(text)
    assert not made.startswith(GUARDED[:-1])
    assert not any(ord(character) < ord(" ") for character in made)


@given(st.binary(max_size=200) | st.just(b'{"type":"scangate.scan.v1","id":"x"}'))
def test_any_stored_bytes_are_a_row(body: bytes) -> None:
    text = b"".join(lines([StoredEvent(sequence=7, body=body, state="waiting")])).decode()
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["sequence"], row["state"], row["type"]) == ("7", "waiting", UNREADABLE)


def test_a_clock_event_is_a_row() -> None:
    at = cloudevent.Position(epoch="5f0c2a9b1d7e4c83", sequence=8, recorded_ns=1_795_000_000_000_000_000)
    body = cloudevent.clock_event(
        "an-id", "urn:scangate:a:b:c", cloudevent.ClockData(boot_id="boot", offset_ns=-5), at
    )
    event = flat(StoredEvent(sequence=8, body=body, state="delivered"))
    assert (event.type, event.boot_id, event.clock_offset_ns) == (cloudevent.CLOCK_TYPE, "boot", -5)


def test_an_event_of_a_type_to_come_keeps_its_place() -> None:
    event = flat(StoredEvent(sequence=9, body=b'{"type":"scangate.other.v1","id":"x","data":[]}', state="waiting"))
    assert (event.sequence, event.type, event.id) == (9, "scangate.other.v1", "x")


def test_columns_only_grow_at_the_end() -> None:
    """Whoever reads the file by position relies on it."""
    assert (
        *("sequence", "state", "type", "id", "epoch", "source", "time", "recordedTime", "clockSynchronised"),
        *("bootId", "clockOffsetNs", "station", "scanner", "profile", "action", "quantity", "undoes", "repeats"),
        *("disposition", "findings", "issuer", "deviceIdentifier", "lotNumber", "serialNumber", "expirationDate"),
        *("manufactureDate", "match", "articleNumber", "articleSource", "tradeName", "manufacturerName", "case"),
        *("text", "reason", "corrects", "usedDespite", "count", "destination", "location", "patient", "performer"),
        *("implant", "riskClass", "owner", "baseQuantity"),
    ) == COLUMNS
