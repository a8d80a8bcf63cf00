"""Deltas over the files: in force at once, after a restart, whatever file comes; ended by their release alone."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.articles.build.import_job import rollback
from gateway.articles.errors import MasterError
from gateway.articles.overlay import writer
from gateway.articles.overlay.applier import DAMAGED
from gateway.articles.overlay.schema import SCHEMA_VERSION, bring_back, open_writer
from gateway.articles.overlay.store import OVERLAY, Overlay
from gateway.model import Match
from tests.articles.conftest import NOW, Box, Importing, delta

ROOT = Path(__file__).parents[2]
GTIN, CASE, PALLET, OTHER = "09520001000102", "19520001000109", "59520001000107", "09520001000119"
HEADER = "deviceIdentifier;articleNumber;tradeName;packageLevel;baseDeviceIdentifier;baseQuantity;status\n"
FILE = (
    f"{HEADER}{GTIN};VGR-1;Stam;;;;\n{CASE};;Ask;package;{GTIN};10;\n{PALLET};;Pall;package;{CASE};12;\n"
    f"{OTHER};VGR-2;Enhet;;;;blocked\n;VGR-3;Hylla;;;;\n"
)
SILENT = f"deviceIdentifier;articleNumber;tradeName\n{GTIN};VGR-1;Stam\n{OTHER};VGR-2;Enhet\n"
BLOCK = {"op": "block", "deviceIdentifier": GTIN, "reason": "avtal"}
RECALL = {"op": "recall", "deviceIdentifier": GTIN, "reason": "FSN 17", "lots": ["L1"]}
FSN_A = {"op": "recall", "deviceIdentifier": GTIN, "id": "FSN-A", "lots": ["L1"]}
FSN_B = {"op": "recall", "deviceIdentifier": GTIN, "id": "FSN-B", "lots": ["L2"]}
WHOLE = {"op": "recall", "deviceIdentifier": GTIN, "reason": "FSN 18"}
UPSERT = {"op": "upsert", "article": {"deviceIdentifier": GTIN, "articleNumber": "VGR-9", "tradeName": "Ny"}}
DELETE = {"op": "delete", "deviceIdentifier": GTIN}
RELEASE = {"op": "release", "deviceIdentifier": GTIN}


def upsert(**more: str) -> dict[str, Any]:
    return {"op": "upsert", "article": {**UPSERT["article"], **more}}  # type: ignore[dict-item]  # a mapping


@pytest.fixture
def filled(importing: Importing, box: Box) -> Box:
    report = importing(FILE)
    assert (report.accepted, report.rejected) == (5, 0)
    return box


@pytest.mark.parametrize(
    ("changes", "text", "expected"),
    [
        ([BLOCK], GTIN, ("Stam", "blocked", "VGR-1", 0)),
        ([BLOCK], "VGR-1", ("Stam", "blocked", "VGR-1", 0)),
        ([BLOCK], CASE, ("Ask", "blocked", "VGR-1", 0)),  # a package with what is in it
        ([BLOCK], PALLET, ("Pall", "blocked", "VGR-1", 0)),
        ([{**BLOCK, "deviceIdentifier": CASE}], GTIN, ("Stam", "active", "VGR-1", 0)),  # another order unit
        ([BLOCK], OTHER, ("Enhet", "blocked", "VGR-2", 0)),  # as its file says
        ([RECALL], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([RECALL], CASE, ("Ask", "active", "VGR-1", 1)),
        ([RECALL], PALLET, ("Pall", "active", "VGR-1", 1)),
        ([RECALL], "VGR-1", ("Stam", "active", "VGR-1", 1)),
        ([{**RECALL, "deviceIdentifier": PALLET}], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([{**WHOLE, "deviceIdentifier": CASE}], GTIN, ("Stam", "recalled", "VGR-1", 0)),
        ([{**WHOLE, "deviceIdentifier": CASE}], PALLET, ("Pall", "recalled", "VGR-1", 0)),
        ([{**WHOLE, "deviceIdentifier": CASE}], OTHER, ("Enhet", "blocked", "VGR-2", 0)),
        ([RECALL, {**RECALL, "lots": ["L2"]}], GTIN, ("Stam", "active", "VGR-1", 2)),
        ([WHOLE], GTIN, ("Stam", "recalled", "VGR-1", 0)),
        ([{"op": "block", "articleNumber": "VGR-1"}], GTIN, ("Stam", "blocked", "VGR-1", 0)),
        ([{"op": "block", "articleNumber": "VGR-3"}], "VGR-3", ("Hylla", "blocked", "VGR-3", 0)),
        ([{"op": "recall", "articleNumber": "VGR-1", "lots": ["L1"]}], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([UPSERT], GTIN, ("Ny", "active", "VGR-9", 0)),
        ([UPSERT], "VGR-9", ("Ny", "active", "VGR-9", 0)),
        ([UPSERT], "VGR-1", (None, "none", None, 0)),
        # what bars ends by its own release, by nothing else
        ([BLOCK, UPSERT], GTIN, ("Ny", "blocked", "VGR-9", 0)),
        ([BLOCK, upsert(status="active")], GTIN, ("Ny", "blocked", "VGR-9", 0)),
        ([RECALL, UPSERT], GTIN, ("Ny", "active", "VGR-9", 1)),
        ([UPSERT, BLOCK], GTIN, ("Ny", "blocked", "VGR-9", 0)),
        ([upsert(status="recalled")], GTIN, ("Ny", "recalled", "VGR-9", 0)),
        ([upsert(status="recalled")], CASE, ("Ask", "recalled", "VGR-9", 0)),
        ([upsert(status="recalled"), UPSERT], GTIN, ("Ny", "recalled", "VGR-9", 0)),
        ([upsert(status="recalled"), DELETE], GTIN, ("Ny", "recalled", "VGR-9", 0)),
        ([upsert(status="recalled"), upsert(status="active")], GTIN, ("Ny", "active", "VGR-9", 0)),
        ([upsert(status="recalled"), RELEASE], GTIN, ("Ny", "active", "VGR-9", 0)),
        ([DELETE], GTIN, (None, "none", None, 0)),
        ([DELETE], "VGR-1", (None, "none", None, 0)),
        # what is recalled is commonly taken out of the range the same day
        ([BLOCK, RECALL, DELETE], GTIN, ("Stam", "blocked", "VGR-1", 1)),
        ([RECALL, DELETE], CASE, ("Ask", "active", "VGR-1", 1)),
        ([RECALL, DELETE], "VGR-1", ("Stam", "active", "VGR-1", 1)),
        ([WHOLE, DELETE], GTIN, ("Stam", "recalled", "VGR-1", 0)),
        ([WHOLE, UPSERT], GTIN, ("Ny", "recalled", "VGR-9", 0)),
        ([WHOLE, BLOCK], GTIN, ("Stam", "recalled", "VGR-1", 0)),
        ([WHOLE, UPSERT, RELEASE], GTIN, ("Ny", "active", "VGR-9", 0)),
        ([WHOLE, DELETE, RELEASE], GTIN, (None, "none", None, 0)),
        ([RECALL, DELETE, UPSERT], GTIN, ("Ny", "active", "VGR-9", 1)),
        ([RELEASE, RECALL], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([{"op": "recall", "articleNumber": "VGR-1"}, DELETE], GTIN, ("Stam", "recalled", "VGR-1", 0)),
        ([{"op": "recall", "articleNumber": "VGR-1"}, UPSERT], GTIN, ("Ny", "recalled", "VGR-9", 0)),
        (
            [{"op": "recall", "articleNumber": "VGR-1"}, UPSERT, {"op": "release", "articleNumber": "VGR-1"}],
            GTIN,
            ("Ny", "active", "VGR-9", 0),
        ),
        ([{"op": "delete", "articleNumber": "VGR-3"}], "VGR-3", (None, "none", None, 0)),
        ([BLOCK, RELEASE], GTIN, ("Stam", "active", "VGR-1", 0)),
        ([RECALL, RELEASE], GTIN, ("Stam", "active", "VGR-1", 0)),
        ([{"op": "release", "deviceIdentifier": OTHER}], OTHER, ("Enhet", "active", "VGR-2", 0)),
        # a release names its recall
        ([FSN_A, FSN_B], GTIN, ("Stam", "active", "VGR-1", 2)),
        ([FSN_A, FSN_B, {**RELEASE, "id": "FSN-A"}], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([FSN_A, FSN_B, {"op": "release", "id": "FSN-A"}], CASE, ("Ask", "active", "VGR-1", 1)),
        ([{"op": "release", "id": "FSN-A"}, FSN_A], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([FSN_A, RECALL, RELEASE], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([FSN_A, BLOCK, RELEASE], GTIN, ("Stam", "active", "VGR-1", 1)),
        ([RECALL, {**RECALL, "reason": "FSN 18"}, RELEASE], GTIN, ("Stam", "active", "VGR-1", 2)),
        ([RECALL, {**RECALL, "lots": ["L2"]}, RELEASE], GTIN, ("Stam", "active", "VGR-1", 0)),  # sent again
        ([RECALL, {**RECALL, "reason": "18"}, {**RELEASE, "id": "18"}], GTIN, ("Stam", "active", "VGR-1", 1)),
        # what no file knows
        ([{**BLOCK, "deviceIdentifier": "9520003000100"}], "09520003000100", (None, "blocked", None, 0)),
        ([{**RECALL, "deviceIdentifier": "9520003000100"}], "09520003000100", (None, "active", None, 1)),
        ([{**RELEASE, "deviceIdentifier": "9520003000100"}], "09520003000100", (None, "none", None, 0)),
        ([{**BLOCK, "deviceIdentifier": "A99912345"}], "A99912345", (None, "blocked", None, 0)),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["one-message", "one-each"])
@pytest.mark.parametrize("again", [False, True], ids=["at-once", "after-a-restart"])
def test_changes(
    filled: Box,
    changes: list[dict[str, Any]],
    text: str,
    expected: tuple[object, ...],
    together: bool,  # noqa: FBT001 - a case
    again: bool,  # noqa: FBT001 - a case
) -> None:
    """A delta is a JSON object of changes; docs/integration.md, Articles."""
    messages = [delta(1, *changes)] if together else [delta(n, one) for n, one in enumerate(changes, 1)]
    filled.shows(text)
    for message in messages:
        filled.apply(message)
    if again:
        filled.restart()
    assert filled.shows(text) == expected


def test_numbers_order_and_no_clock_does(filled: Box) -> None:
    """A box, or the sender, whose clock is wrong: the later number counts, not the later time."""
    filled.apply(delta(1, RELEASE, issued="2026-11-21T11:00:00Z"))
    assert filled.apply(delta(2, RECALL, issued="2026-11-21T10:00:00Z")).applied
    assert filled.refuses(GTIN, "L1") == "recalled"
    for number, issued in enumerate(("9999-12-31T23:59:59.999999-14:00", "0001-01-01T00:00:00+14:00"), 3):
        assert filled.apply(
            delta(number, {**RELEASE, "id": "FSN 17"}, {**WHOLE, "id": str(number)}, issued=issued)
        ).applied
        assert filled.refuses(GTIN) == "recalled"


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1), (2, 1, 3), (3, 1, 2), (1, 3, 2)])
@pytest.mark.parametrize(
    ("changes", "lots"),
    [
        ([FSN_A, FSN_B, {**RELEASE, "id": "FSN-A"}], {"L1": "free", "L2": "recalled"}),
        ([FSN_A, {"op": "release", "id": "FSN-A"}, FSN_B], {"L1": "free", "L2": "recalled"}),
        ([FSN_A, {**RELEASE, "id": "FSN-A"}, FSN_A], {"L1": "recalled", "L2": "free"}),
        ([RECALL, RELEASE, {**RECALL, "lots": ["L2"]}], {"L1": "free", "L2": "recalled"}),
        ([RECALL, {**FSN_B, "id": None, "reason": "x"}, RELEASE], {"L1": "recalled", "L2": "recalled"}),
        ([BLOCK, RELEASE, UPSERT], {"L1": "free", "L2": "free"}),
        ([RELEASE, BLOCK, UPSERT], {"L1": "blocked", "L2": "blocked"}),
    ],
)
def test_messages_in_any_order_end_alike(
    filled: Box, order: tuple[int, ...], changes: list[dict[str, Any]], lots: dict[str, str]
) -> None:
    """MQTT 5, 4.6: the order of messages holds for one session only."""
    for number in order:
        filled.apply(delta(number, changes[number - 1]))
    assert filled.master.info().gaps == ()
    assert {lot: filled.refuses(GTIN, lot) for lot in lots} == lots
    filled.apply(delta(4, {"op": "block", "articleNumber": "VGR-3"}, {"op": "block", "deviceIdentifier": GTIN}))
    filled.apply(delta(5, RELEASE))
    assert {lot: filled.refuses(GTIN, lot) for lot in lots if lots[lot] != "recalled"} == {
        lot: "free" for lot in lots if lots[lot] != "recalled"
    }


def test_a_release_that_names_none_of_several_says_so(filled: Box) -> None:
    filled.apply(delta(1, FSN_A, FSN_B))
    outcome = filled.apply(delta(2, RELEASE, {"op": "block", "articleNumber": "VGR-3"}))
    assert not outcome.applied
    assert outcome.refused is not None
    assert "recalls FSN-A, FSN-B stay in force" in outcome.refused
    assert filled.shows("VGR-3")[1] == "blocked", "the rest of the message is"
    assert filled.apply(delta(3, {**RELEASE, "id": "FSN-B"})).applied


def test_what_a_recall_says_reaches_the_verdict(filled: Box) -> None:
    outcome = filled.apply(delta(1, {**RECALL, "serials": ["S1"], "from": "2026-11-01", "to": "2026-12-31"}))
    (recall,) = filled.master.look_up("x", GTIN).recalls
    assert outcome.recalls[0].identity == GTIN
    assert outcome.recalls[0].recall == recall
    assert (recall.source, recall.reason) == ("miv", "FSN 17")
    assert [recall.in_force(day) for day in ("2026-10-31", "2026-11-01", "2026-12-31", "2027-01-01")] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("lot", "serial", "verdict"),
    [
        ("L2A0417", None, "recalled"),
        ("l2a0417", None, "possible"),
        (" L2A 0417", None, "possible"),
        ("00L2A0417", None, "possible"),
        ("2A0417", "X", "free"),
        (None, None, "possible"),
        ("X", "SN0998", "recalled"),
        ("X", "SN1002", "recalled"),
        ("X", "SN1000", "recalled"),
        ("X", "sn1000", "possible"),
        ("X", "SN01000", "possible"),
        ("X", "SN1003", "free"),
        ("X", "SM1000", "free"),
        ("X", "1000", "free"),
        ("X", None, "possible"),
    ],
)
def test_lots_and_serial_numbers(filled: Box, lot: str | None, serial: str | None, verdict: str) -> None:
    """Exact is certain; typed by hand (case, spaces, leading zeros) is possible; a range counts its digits."""
    filled.apply(delta(1, {**RECALL, "lots": ["L2A0417"], "serialRanges": [{"from": "SN0998", "to": "SN1002"}]}))
    assert filled.refuses(GTIN, lot, serial) == verdict


def test_another_source_keeps_what_it_says(importing: Importing, filled: Box) -> None:
    importing(f"{HEADER}{GTIN};;Namn;;;;\n", name="gudid", priority=200)
    filled.apply(delta(1, DELETE))
    assert filled.shows(GTIN) == ("Namn", "active", None, 0)
    filled.apply(delta(1, BLOCK, source="konsignation"))
    assert filled.shows(GTIN) == ("Namn", "blocked", None, 0)
    assert filled.master.look_up("x", GTIN).source == "gudid", "who only blocks does not speak"


NEXT = FILE.replace("Stam", "Stam 12")


@pytest.mark.parametrize("file", [FILE, NEXT, SILENT, f"{HEADER}{OTHER};VGR-2;Enhet;;;;\n"])
@pytest.mark.parametrize("days", [-400, 0, 1, 400])
@pytest.mark.parametrize("change", [BLOCK, WHOLE, RECALL, {"op": "recall", "articleNumber": "VGR-1"}])
def test_no_file_ends_what_bars(
    importing: Importing, filled: Box, file: str, days: int, change: dict[str, Any]
) -> None:
    """Copied anew, older, newer, without the column, without the article: only a release ends it."""
    filled.apply(delta(1, change))
    before = filled.refuses(GTIN, "L1")
    importing(file, now=NOW + timedelta(hours=1), as_of=NOW + timedelta(days=days))
    assert filled.refuses(GTIN, "L1") == before != "free"
    rollback(filled.directory)
    assert filled.refuses(GTIN, "L1") == before
    filled.apply(delta(2, {**RELEASE, "id": "FSN 17"}))
    keys = ("deviceIdentifier", "articleNumber")
    done: dict[str, Any] = {"op": "release", **{key: change[key] for key in keys if key in change}}
    filled.apply(delta(3, done))
    assert filled.refuses(GTIN, "L1") == "free"


def test_a_row_by_a_delta_gives_way_to_a_file_that_has_changed_it(importing: Importing, filled: Box) -> None:
    filled.apply(delta(1, UPSERT, {"op": "delete", "deviceIdentifier": OTHER}))
    importing(FILE, as_of=NOW + timedelta(days=9))
    assert filled.shows(GTIN)[0] == "Ny", "the same file, copied anew, is no news"
    assert filled.shows(OTHER)[1] == "blocked", "and blocked it stays, though deleted"
    importing(NEXT)
    assert filled.shows(GTIN) == ("Stam 12", "active", "VGR-1", 0)
    rollback(filled.directory)
    assert filled.shows(GTIN)[0] == "Ny"


def test_a_release_of_what_a_file_bars_holds_until_the_file_bars_it_anew(importing: Importing, filled: Box) -> None:
    release = {"op": "release", "deviceIdentifier": OTHER}
    assert filled.apply(delta(1, release)).applied
    for file in (FILE, FILE.replace("Enhet", "Enhet 2"), FILE.replace("blocked", "active"), FILE):
        importing(file)
        assert filled.refuses(OTHER) == "free"
    importing(FILE.replace("blocked", "recalled"))
    assert filled.refuses(OTHER) == "recalled"


@pytest.mark.parametrize(
    ("file", "status"),
    [
        (f"{HEADER}{GTIN};VGR-1;Stam;;;;\n", "blocked"),  # delisted
        (SILENT, "blocked"),  # cannot say
        (FILE.replace("Enhet", "En\ahet"), "blocked"),  # rejected
        (FILE.replace("blocked", "active"), "active"),
        (FILE.replace("blocked", "recalled"), "recalled"),
        (FILE.replace("blocked", ""), "active"),  # the column is there, and empty
    ],
)
def test_what_a_file_bars_stays_barred_until_it_says_active(
    importing: Importing, filled: Box, file: str, status: str
) -> None:
    importing(file, max_rejected=0.5)
    assert filled.shows(OTHER)[1] == status
    importing(f"{HEADER}{GTIN};VGR-1;Stam;;;;\n")
    importing("articleNumber;tradeName\nX;x\n", name="other")
    assert filled.shows(OTHER)[1] == status if status != "active" else "none"
    assert filled.shows("VGR-2")[1] == status if status != "active" else "none"
    importing(FILE.replace("blocked", "active"))
    assert filled.shows(OTHER)[:2] == ("Enhet", "active")


def test_recalls_by_number_stay_on_the_articles_they_meant(importing: Importing, filled: Box) -> None:
    importing(f"{HEADER}{OTHER};K-1;Annan;;;;\n", name="konsignation", priority=5)
    assert filled.apply(delta(1, {"op": "recall", "articleNumber": "VGR-1"})).applied
    assert filled.apply(delta(1, {"op": "recall", "articleNumber": "VGR-2"}, source="gudid")).applied, (
        "of any source"
    )
    importing(FILE.replace("VGR-1", "B1"), now=NOW + timedelta(days=1))
    assert [filled.refuses(text) for text in (GTIN, "B1", "VGR-1", CASE)] == ["recalled"] * 4
    assert [filled.refuses(text) for text in (OTHER, "VGR-2", "K-1")] == ["recalled"] * 3
    assert filled.apply(delta(2, {"op": "release", "articleNumber": "VGR-1"})).applied
    assert [filled.refuses(text) for text in (GTIN, "B1", "VGR-1", CASE)] == ["free"] * 4


def test_what_names_no_article_is_said(filled: Box) -> None:
    wrong = {"op": "recall", "articleNumber": "VGR-11"}
    outcome = filled.apply(delta(1, wrong, RECALL, {**RECALL, "deviceIdentifier": "9520003000100"}))
    assert outcome.applied
    assert outcome.unmatched == ("VGR-11", "09520003000100")


@pytest.mark.parametrize(
    ("numbers", "applied", "missing"),
    [
        ([1, 2, 3], [True, True, True], [False, False, False]),
        ([1, 1], [True, False], [False, False]),
        ([1, 3], [True, True], [False, True]),
        ([2], [True], [True]),  # the first one is missing
        ([1, 3, 4], [True, True, True], [False, True, True]),
        ([1, 3, 2], [True, True, True], [False, True, False]),  # late, and nothing is missing any more
        ([1, 3, 3], [True, True, False], [False, True, False]),
    ],
)
def test_numbers(filled: Box, numbers: list[int], applied: list[bool], missing: list[bool]) -> None:
    outcomes = [filled.apply(delta(number, BLOCK)) for number in numbers]
    assert [outcome.applied for outcome in outcomes] == applied
    assert [outcome.missing for outcome in outcomes] == missing
    assert all(outcome.refused is None for outcome in outcomes)


def test_what_is_missing_is_told_until_it_comes(importing: Importing, filled: Box) -> None:
    filled.apply(delta(1, BLOCK))
    filled.apply(delta(5, BLOCK))
    assert filled.announce("miv", 8)
    (source,) = filled.master.info().deltas
    assert (source.number, source.missing) == (5, ((2, 4), (6, 8)))
    importing(FILE, as_of=NOW + timedelta(days=400))
    assert filled.master.info().gaps == ("miv",), "no file says what lots are recalled"
    for number in (8, 3, 2, 6, 4):
        filled.apply(delta(number, BLOCK))
    assert filled.master.info().deltas[0].missing == ((7, 7),)
    filled.settle("miv", 7)
    assert filled.master.info().gaps == ()
    assert not filled.announce("miv", 8)
    assert not filled.announce("unheard-of", 8)


def test_a_new_box_is_told_where_the_numbers_stand(filled: Box) -> None:
    filled.settle("miv", 4711)
    assert not filled.announce("miv", 4711)
    assert not filled.apply(delta(4712, BLOCK)).missing
    assert filled.announce("miv", 4713)


def test_a_source_that_counts_anew(filled: Box) -> None:
    """It bars, so it is in force; but what frees is only taken from whoever counts on."""
    filled.apply(delta(1, {**BLOCK, "deviceIdentifier": OTHER}))
    filled.apply(delta(2, {"op": "block", "articleNumber": "VGR-3"}))
    outcome = filled.apply(delta(1, WHOLE, {"op": "release", "articleNumber": "VGR-3"}))
    assert not outcome.applied
    assert outcome.refused is not None
    assert "has used the number 1 for another message" in outcome.refused
    assert filled.refuses(GTIN) == "recalled"
    assert filled.refuses("VGR-3") == "blocked"
    assert filled.apply(delta(1, WHOLE, {"op": "release", "articleNumber": "VGR-3"})).repeated
    assert filled.apply(delta(3, RELEASE)).applied
    assert filled.refuses(GTIN) == "free"


def test_refusals_change_nothing(filled: Box, directory: Path) -> None:
    for payload in (b"", b"{}", delta(1, BLOCK, {"op": "block"}), delta(1, BLOCK, source="a b")):
        outcome = filled.apply(payload)
        assert not outcome.applied
        assert outcome.refused
    unsigned = filled.apply(delta(1, BLOCK), bytes(32))
    assert unsigned.refused is not None
    assert "not signed" in unsigned.refused
    unknown = filled.apply(delta(1, BLOCK, source="stranger"))
    assert unknown.refused is not None
    assert "stranger is none of this box's sources: gudid, konsignation, miv" in unknown.refused
    assert filled.shows(GTIN)[1] == "active"
    assert not (directory / OVERLAY).exists()


def test_there_is_always_room_for_what_bars(
    importing: Importing, filled: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_ROWS", 3)
    monkeypatch.setattr(writer, "ENDED_BARS_KEPT", 20)
    rows = [{"op": "upsert", "article": {"articleNumber": f"U-{n}"}} for n in range(4)]
    assert filled.apply(delta(1, *rows[:3])).applied
    full = filled.apply(delta(2, rows[3], WHOLE))
    assert full.refused is not None
    assert "sync" in full.refused
    assert filled.refuses(GTIN) == "recalled", "the upsert goes, the recall stays"
    assert filled.shows("U-3")[1] == "none"
    importing(f"{FILE};U-0;a;;;;\n;U-1;b;;;;\n", now=NOW + timedelta(days=1))
    assert filled.apply(delta(3, rows[3])).applied, "what the file has caught up with makes room"
    ended = [
        {"op": "recall", "articleNumber": f"A-{n}", "lots": ["X"], "to": "2020-12-31", "id": "old"}
        for n in range(30)
    ]
    filled.apply(delta(4, *ended), today=date(2026, 11, 28))
    assert filled.master.info().changes < 20, "what ended long ago goes first"
    bars = [{"op": "block", "articleNumber": f"B-{n}"} for n in range(30)]
    assert filled.apply(delta(5, *bars)).applied
    assert filled.refuses("B-29") == "blocked"


def test_another_process_s_delta_is_followed(filled: Box, directory: Path) -> None:
    assert filled.shows(GTIN)[1] == "active"
    other = Box(directory)
    assert other.apply(delta(1, BLOCK)).applied
    other.close()
    filled.master.overlay._look_at = 0.0  # as after FOLLOW_SECONDS
    assert filled.shows(GTIN)[1] == "blocked"


def test_deltas_without_any_file(box: Box) -> None:
    assert box.apply(delta(1, UPSERT)).applied
    found = box.master.look_up("x", GTIN)
    assert (found.match, found.source, found.master_version) == (Match.DI, "miv", None)


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_recalls_hold_where_the_generation_is_damaged(filled: Box, directory: Path, content: bytes) -> None:
    filled.apply(delta(1, RECALL))
    (directory / "current.db").write_bytes(content)
    assert filled.refuses(GTIN, "L1") == "recalled"
    with pytest.raises(MasterError):
        filled.master.info()
    assert filled.apply(delta(2, {**WHOLE, "deviceIdentifier": OTHER})).applied
    assert filled.refuses(OTHER) == "recalled"


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_overlay_is_told_and_begun_anew(filled: Box, directory: Path, content: bytes) -> None:
    filled.apply(delta(1, BLOCK))
    (directory / OVERLAY).write_bytes(content)
    filled.master.overlay._look_at = 0.0
    assert filled.shows(GTIN)[1] == "active", "the file's own word goes on"
    problem = filled.master.info().overlay_problem
    assert problem is not None
    assert OVERLAY in problem
    outcome = filled.apply(delta(2, BLOCK))
    assert (outcome.applied, outcome.missing) == (True, True)
    assert filled.shows(GTIN)[1] == "blocked"
    assert filled.master.info().overlay_problem is None
    assert (directory / DAMAGED).read_bytes() == content


def test_an_overlay_of_a_newer_version_is_left_alone(filled: Box, directory: Path) -> None:
    filled.apply(delta(1, BLOCK))
    with closing(sqlite3.connect(directory / OVERLAY)) as db:
        db.execute("PRAGMA user_version = 9")
    before = (directory / OVERLAY).read_bytes()
    refused = filled.apply(delta(2, RELEASE)).refused
    assert refused is not None
    assert "newer scangate" in refused
    assert (directory / OVERLAY).read_bytes() == before
    assert filled.shows(GTIN)[1] == "active"


def test_damage_inside_is_told(filled: Box, directory: Path) -> None:
    filled.apply(delta(1, BLOCK))
    with closing(sqlite3.connect(directory / OVERLAY, isolation_level=None)) as db:
        db.execute("UPDATE change SET body = x'00', number = 9e15")
    filled.master.overlay._look_at = 0.0
    assert filled.shows(GTIN)[1] == "active"
    assert filled.master.info().overlay_problem


def test_a_full_disk_refuses_the_delta_and_changes_nothing(filled: Box, directory: Path) -> None:
    filled.apply(delta(1, BLOCK))
    script = f"""
import resource, signal, sys
from pathlib import Path
from gateway.articles.overlay.applier import DeltaApplier
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
outcome = DeltaApplier(Path(sys.argv[1])).apply({delta(2, RELEASE)!r})
print(outcome.applied, outcome.refused)
"""
    child = subprocess.run(
        [sys.executable, "-c", script, str(directory)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert child.stdout.startswith("False cannot write")
    assert filled.shows(GTIN)[1] == "blocked"
    assert filled.apply(delta(2, RELEASE)).applied


def test_a_release_of_all_that_is_named_leaves_nothing_open(filled: Box) -> None:
    """One message ends the block, and each of two recalls by its id: nothing is left that it did not name."""
    filled.apply(delta(1, FSN_A, FSN_B, BLOCK))
    named = [{**RELEASE, "id": "FSN-A"}, RELEASE, {**RELEASE, "id": "FSN-B"}]
    outcome = filled.apply(delta(2, *named))
    assert (outcome.applied, outcome.refused) == (True, None)
    assert [filled.refuses(GTIN, lot) for lot in ("L1", "L2")] == ["free", "free"]


@pytest.mark.parametrize("nth", range(1, 60, 4))
def test_a_killed_apply_is_whole_or_not_there(filled: Box, directory: Path, nth: int) -> None:
    """Killed at the n-th statement of SQLite, as its own trace tells them."""
    script = f"""
import os, signal, sqlite3, sys
from pathlib import Path
from gateway.articles.overlay import schema
from gateway.articles.overlay.applier import DeltaApplier
left = {nth}
def statement(_text):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
connect = sqlite3.connect
def traced(*arguments, **keywords):
    connection = connect(*arguments, **keywords)
    connection.set_trace_callback(statement)
    return connection
schema.sqlite3.connect = traced
DeltaApplier(Path(sys.argv[1])).apply({delta(1, BLOCK, RECALL)!r})
"""
    child = subprocess.run([sys.executable, "-c", script, str(directory)], cwd=ROOT, check=False)
    assert child.returncode in {0, -signal.SIGKILL}
    filled.restart()
    stored = filled.shows(GTIN) == ("Stam", "blocked", "VGR-1", 1)
    assert stored or filled.shows(GTIN) == ("Stam", "active", "VGR-1", 0)
    assert filled.apply(delta(1, BLOCK, RECALL)).repeated == stored
    assert filled.shows(GTIN) == ("Stam", "blocked", "VGR-1", 1)
    assert filled.apply(delta(2, RELEASE)).applied
    assert filled.shows(GTIN) == ("Stam", "active", "VGR-1", 0)
    assert filled.master.info().overlay_problem is None


def test_what_is_recalled_is_known_after_a_restart(filled: Box, directory: Path) -> None:
    row = {"op": "upsert", "article": {"deviceIdentifier": CASE, "status": "recalled", "statusReason": "FSN 3"}}
    block = {"op": "block", "articleNumber": "VGR-3"}
    whole = {"op": "recall", "deviceIdentifier": OTHER, "reason": "FSN 2"}
    filled.apply(delta(1, RECALL, block, whole, row))
    with closing(Overlay(directory)) as overlay:
        found = overlay.recalls()
    assert {(one.identity, one.recall.reason, one.recall.lots) for one in found} == {
        (GTIN, "FSN 17", ("L1",)),
        (OTHER, "FSN 2", ()),
        (CASE, "FSN 3", ()),
    }
    filled.apply(delta(2, *({**RELEASE, "deviceIdentifier": one} for one in (GTIN, OTHER))))
    with closing(Overlay(directory)) as overlay, closing(Overlay(directory / "elsewhere")) as empty:
        assert [one.identity for one in overlay.recalls()] == [CASE]
        assert empty.recalls() == []


@pytest.mark.parametrize(
    ("changes", "since"),
    [
        ([{**WHOLE, "from": "2026-12-01"}], "2026-12-01"),
        ([BLOCK, {**WHOLE, "from": "2026-12-01"}], None),
        ([{**WHOLE, "from": "2026-12-01"}, {**BLOCK, "from": "2026-11-25"}], "2026-11-25"),
    ],
)
def test_what_is_blocked_stays_so_until_the_recall_is_in_force(
    filled: Box, changes: list[dict[str, Any]], since: str | None
) -> None:
    filled.apply(delta(1, *changes))
    article = filled.master.look_up("x", GTIN).article
    assert article is not None
    assert (article.status.value, article.status_from) == ("recalled", since)


VERSION_1 = """
CREATE TABLE source (
    name TEXT PRIMARY KEY, number INTEGER NOT NULL, issued_ns INTEGER NOT NULL, gap_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE seen (source TEXT, number INTEGER, PRIMARY KEY (source, number)) WITHOUT ROWID;
CREATE TABLE change (
    source TEXT, identity TEXT, slot TEXT, issued_ns INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,
    article_number TEXT, catalog_number TEXT, PRIMARY KEY (source, identity, slot)
) WITHOUT ROWID;
CREATE INDEX change_identity ON change (identity);
PRAGMA user_version = 1;
"""
"""overlay.db as the first version made it."""


@pytest.mark.parametrize("by", ["a look-up", "a delta"])
def test_an_overlay_of_version_1_is_brought_forward(filled: Box, directory: Path, by: str) -> None:
    changes = [
        (GTIN, "recall 7.0", 20, "recall", '{"source":"miv","reason":"FSN 17","lots":["L1"]}', None),
        (OTHER, "recalled", 10, "status", '{"status":"recalled","reason":"FSN 2","since":"2026-01-01"}', None),
        ("#VGR-3", "status", 5, "status", '{"status":"blocked","reason":"avtal"}', None),
        (CASE, "status", 6, "released", '{"status":"active"}', None),
        ("#VGR-8", "row", 7, "row", '{"articleNumber":"VGR-8","tradeName":"Ny"}', "VGR-8"),
        ("#VGR-7", "row", 8, "gone", "{}", None),
    ]
    with closing(sqlite3.connect(directory / OVERLAY, isolation_level=None)) as db:
        db.executescript(VERSION_1)
        db.execute("INSERT INTO source VALUES ('miv', 7, 30, 0), ('gudid', 9, 1, 1)")
        db.execute("INSERT INTO seen VALUES ('miv', 7)")
        for identity, slot, issued, kind, body, number in changes:
            row = ("miv", identity, slot, issued, kind, body.encode(), number, None)
            db.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    filled.restart()
    if by == "a delta":
        assert filled.apply(delta(8, {"op": "block", "articleNumber": "VGR-99"})).applied
    assert [filled.refuses(GTIN, "L1"), filled.refuses(GTIN, "L2")] == ["recalled", "free"]
    assert filled.refuses(OTHER) == "recalled"
    assert filled.shows("VGR-3")[1] == "blocked"
    assert filled.shows("VGR-8")[0] == "Ny"
    sources = {one.name: (one.number, one.missing) for one in filled.master.info().deltas}
    assert sources == {"miv": (8 if by == "a delta" else 7, ()), "gudid": (9, ((1, 8),))}
    assert filled.apply(delta(9, RELEASE)).applied
    assert filled.refuses(GTIN, "L1") == "free"


def test_the_version_before_goes_on_with_the_recalls_it_had(tmp_path: Path) -> None:
    """A version on trial brings the overlay forward, and is taken back."""
    path = tmp_path / OVERLAY
    row = ("miv", GTIN, "recalled", 10, "status", b'{"status":"recalled"}', None, None)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(VERSION_1)
        db.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    assert not bring_back(path, version=1), "nothing has been brought forward"
    open_writer(path).close()
    assert not bring_back(path), "it is this version's own"
    assert bring_back(path, version=1)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT * FROM change").fetchall() == [row]
    assert not bring_back(path, version=1), "once"
    assert sorted(one.name for one in tmp_path.iterdir()) == [OVERLAY, f"{OVERLAY}.version-{SCHEMA_VERSION}"]
    # The next upgrade brings it forward again.
    open_writer(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_without_a_copy_a_newer_overlay_stays(tmp_path: Path) -> None:
    path = tmp_path / OVERLAY
    open_writer(path).close()
    before = path.read_bytes()
    assert not bring_back(path, version=1)
    assert path.read_bytes() == before
    assert not bring_back(tmp_path / "none")
    path.write_bytes(b"damaged" * 1000)
    assert not bring_back(path, version=1)


def test_a_generation_of_before_keeps_what_it_bars(importing: Importing, filled: Box, directory: Path) -> None:
    """It lacks the tables that later versions have added."""
    with closing(sqlite3.connect(directory / "current.db", isolation_level=None)) as db:
        for table in ("barred", "may_not_block", "silent_on_status"):
            db.execute(f"DROP TABLE {table}")
    filled.restart()
    assert filled.refuses(OTHER) == "blocked"
    importing("articleNumber\nX\n", name="other")
    importing(f"{HEADER}{GTIN};VGR-1;Stam;;;;\n")
    assert filled.refuses(OTHER) == "blocked"
