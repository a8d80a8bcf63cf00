"""The list of articles the master did not know: what gets on it, how often, until when, and how many."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.events import cloudevent
from gateway.model import Decoded, Disposition, Finding, Issuer, Severity, Verdict
from gateway.outbox import unknown_articles
from gateway.outbox.migrations import MIGRATIONS
from gateway.outbox.unknown_articles import UnknownArticle, listed, note, settle

GTIN = "09520001000102"
UNKNOWN = Finding(code="ARTICLE_UNKNOWN", severity=Severity.WARNING, message="")
INFO = Finding(code="ARTICLE_UNKNOWN", severity=Severity.INFO, message="")
EXPIRED = Finding(code="EXPIRED", severity=Severity.ERROR, message="")


class Scan(NamedTuple):
    """As much of a NewEvent as the list reads."""

    data: cloudevent.ScanData


def scan(
    identifier: str | None = GTIN, *findings: Finding, text: str = "text", issuer: Issuer = Issuer.GS1
) -> Scan:
    udi = (
        None if identifier is None else Decoded(ok=True, issuer=issuer, device_identifier=identifier, complete=True)
    )
    return Scan(
        cloudevent.ScanData(
            action="consume",
            reason=None,
            quantity=1,
            undoes=None,
            repeats=None,
            station=cloudevent.Station(id="op3", scanner="front", profile="operating-room"),
            clock=cloudevent.ClockStamp(synchronised=True, corrected=False, boot_id="b", monotonic_ns=1),
            symbols=(cloudevent.symbol(text.encode(), None, text, frozenset()),),
            udi=udi,
            article=None,
            verdict=Verdict(disposition=Disposition.ACCEPTED, findings=findings or (UNKNOWN,)),
            context=cloudevent.Context(),
        )
    )


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript("".join(MIGRATIONS))
        yield connection


@pytest.mark.parametrize(
    ("one", "entry"),
    [
        (scan(), (GTIN, "GS1")),
        (scan(GTIN, EXPIRED, INFO), (GTIN, "GS1")),
        (scan("A99912345", issuer=Issuer.HIBCC), ("A99912345", "HIBCC")),
        (scan(None, text="VGR-200010"), ("VGR-200010", None)),
        (scan(GTIN, EXPIRED), None),
        (scan(None, text=""), None),
        (scan(None, text="x" * 129), None),
        (scan("9" * 129), None),
    ],
)
def test_what_is_listed(db: sqlite3.Connection, one: Scan, entry: tuple[str, str | None] | None) -> None:
    note(db, [one], 5)
    assert [(found.identifier, found.issuer) for found in listed(db)] == ([] if entry is None else [entry])


def test_how_often_and_when(db: sqlite3.Connection) -> None:
    for now in (10, 20, 30):
        note(db, [scan(), scan("09520001000119")] if now == 20 else [scan()], now)
    assert list(listed(db)) == [
        UnknownArticle(identifier=GTIN, issuer="GS1", scans=3, first_ns=10, last_ns=30),
        UnknownArticle(identifier="09520001000119", issuer="GS1", scans=1, first_ns=20, last_ns=20),
    ]


def test_what_the_master_learns_is_resolved_and_what_it_forgets_opens_again(db: sqlite3.Connection) -> None:
    note(db, [scan(), scan(), scan("09520001000119"), scan(None, text="VGR-1")], 10)
    asked: list[tuple[str, str | None]] = []

    def known(identifier: str, issuer: str | None) -> bool:
        asked.append((identifier, issuer))
        return identifier == GTIN

    assert settle(db, known, 50) == (1, None)
    assert asked == [(GTIN, "GS1"), ("09520001000119", "GS1"), ("VGR-1", None)]
    assert [(one.identifier, one.resolved_ns) for one in listed(db)] == [
        ("09520001000119", None),
        ("VGR-1", None),
        (GTIN, 50),
    ]
    assert unknown_articles.count_open(db) == 2
    assert settle(db, known, 60) == (0, None), "what is resolved is not asked for again"
    note(db, [scan()], 70)
    (first, *_) = listed(db)
    assert (first.identifier, first.scans, first.first_ns, first.resolved_ns) == (GTIN, 3, 10, None)


def test_settling_goes_on_in_pieces(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_articles, "SETTLE_ROWS", 2)
    note(db, [scan(None, text=f"A-{n}") for n in range(5)], 1)
    after: str | None = ""
    marked = 0
    for _ in range(4):
        if after is None:
            break
        count, after = settle(db, lambda identifier, _: identifier != "A-3", 2, after=after)
        marked += count
    assert (marked, after) == (4, None)


def test_the_list_is_bounded(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_articles, "MAX_UNKNOWN", 5)
    monkeypatch.setattr(unknown_articles, "ROOM_MADE", 2)
    for n in range(5):
        note(db, [scan(None, text=f"A-{n}")], n)
    settle(db, lambda identifier, _: identifier == "A-4", 100)
    note(db, [scan(None, text="B-1")], 200)
    assert {one.identifier for one in listed(db)} == {"A-1", "A-2", "A-3", "B-1"}, (
        "the resolved one, then the oldest"
    )
    note(db, [scan(None, text="A-1")], 300)
    note(db, [scan(None, text="B-2")], 400)
    note(db, [scan(None, text="B-3")], 500)
    assert {one.identifier for one in listed(db)} == {"A-1", "B-1", "B-2", "B-3"}


def test_what_can_be_read_of_a_damaged_list_is_carried_over(db: sqlite3.Connection) -> None:
    note(db, [scan()], 1)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        fresh.executescript("".join(MIGRATIONS))
        unknown_articles.carry_over(db, fresh)
        assert list(listed(fresh)) == list(listed(db))
        db.execute("DROP TABLE unknown")
        unknown_articles.carry_over(db, fresh)
        assert unknown_articles.count(fresh) == 1


def test_an_outbox_that_is_not_there(tmp_path: Path) -> None:
    from gateway.outbox.schema import OutboxError

    with pytest.raises(OutboxError, match="is there an outbox"):
        unknown_articles.read(tmp_path / "outbox.db")
