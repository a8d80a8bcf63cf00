"""Recalls that deltas brought, and the files that come after them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.overlay import writer as applying
from gateway.articles.overlay.store import Overlay
from tests.articles.conftest import NOW, Importing

GTIN, CASE, OTHER = "09520001000102", "19520001000109", "09520001000119"
HEADER = "deviceIdentifier;articleNumber;tradeName;packageLevel;baseDeviceIdentifier;baseQuantity;status\n"
FILE = f"{HEADER}{GTIN};VGR-1;Stam;;;;\n{CASE};;Ask;package;{GTIN};10;\n{OTHER};;Enhet;;;;\n;VGR-3;Hylla;;;;\n"
RECALL = {"op": "recall", "deviceIdentifier": GTIN, "reason": "FSN 17", "lots": ["L1"]}
RELEASE = {"op": "release", "deviceIdentifier": GTIN}


def delta(number: int, issued: datetime, *changes: dict[str, Any]) -> bytes:
    whole = {"source": "miv", "number": number, "issuedAt": issued.isoformat(), "changes": changes}
    return json.dumps(whole).encode()


@pytest.fixture
def master(importing: Importing, directory: Path) -> Iterator[ArticleMaster]:
    importing(FILE, as_of=NOW)
    with ArticleMaster(directory) as opened:
        yield opened


def told(master: ArticleMaster, text: str) -> tuple[str | None, str, int]:
    """Name, status and count of recalls, after a look-up."""
    found = master.look_up(text, text if text.isdigit() else None)
    article = found.article
    return (article.trade_name, article.status.value, len(found.recalls)) if article else (None, "none", 0)


@pytest.mark.parametrize(
    ("lots", "status", "recalls"), [(["L1"], "active", 1), ([], "recalled", 0)], ids=["some devices", "the article"]
)
def test_no_file_swallows_a_recall(
    importing: Importing, master: ArticleMaster, lots: list[str], status: str, recalls: int
) -> None:
    """A file has no columns for lots, and often none for a status: the night's export must not end a recall."""
    master.apply(
        delta(1, NOW + timedelta(minutes=1), {"op": "block", "articleNumber": "VGR-3"}, {**RECALL, "lots": lots})
    )
    for day in (1, 2):
        importing(FILE, now=NOW + timedelta(days=day), as_of=NOW + timedelta(days=day))
        assert told(master, GTIN) == ("Stam", status, recalls)
        assert told(master, CASE) == ("Ask", status, recalls)
        assert told(master, "VGR-3") == ("Hylla", "active", 0), "a block is, as before"
    importing(f"{HEADER};VGR-3;Hylla;;;;\n", now=NOW + timedelta(days=3), as_of=NOW + timedelta(days=3))
    assert told(master, GTIN) == (None, status, recalls), "also when it is sold no more"
    master.apply(delta(2, NOW + timedelta(days=4), RELEASE))
    assert told(master, GTIN) == (None, "none", 0)


def test_what_is_recalled_is_known_after_a_restart(master: ArticleMaster, directory: Path) -> None:
    upsert = {"op": "upsert", "article": {"deviceIdentifier": CASE, "status": "recalled", "statusReason": "FSN 3"}}
    block = {"op": "block", "articleNumber": "VGR-3"}
    whole = {"op": "recall", "deviceIdentifier": OTHER, "reason": "FSN 2"}
    outcome = master.apply(delta(1, NOW + timedelta(minutes=1), RECALL, block, whole, upsert))
    with closing(Overlay(directory)) as overlay:
        found = overlay.recalls()
    assert {(one.identity, one.recall.reason, one.recall.lots) for one in found} == {
        (GTIN, "FSN 17", ("L1",)),
        (OTHER, "FSN 2", ()),
        (CASE, "FSN 3", ()),
    }
    assert sorted(found, key=str) == sorted(outcome.recalls, key=str)
    master.apply(
        delta(2, NOW + timedelta(minutes=2), *({**RELEASE, "deviceIdentifier": one} for one in (GTIN, OTHER)))
    )
    with closing(Overlay(directory)) as overlay, closing(Overlay(directory / "elsewhere")) as empty:
        assert [one.identity for one in overlay.recalls()] == [CASE]
        assert empty.recalls() == []


def test_recalls_stay_where_room_is_made(
    importing: Importing, master: ArticleMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "MAX_CHANGES_KEPT", 3)
    blocks = [{"op": "block", "articleNumber": f"A-{n}"} for n in range(2)]
    master.apply(
        delta(1, NOW + timedelta(minutes=1), RECALL, {**RECALL, "deviceIdentifier": OTHER, "lots": []}, blocks[0])
    )
    importing(FILE, now=NOW + timedelta(days=1), as_of=NOW + timedelta(days=1))
    assert master.apply(delta(2, NOW + timedelta(days=2), blocks[1])).applied
    assert told(master, GTIN)[2] == 1
    assert told(master, OTHER)[1] == "recalled"


SAYS_NOTHING = f"deviceIdentifier;articleNumber;tradeName\n{GTIN};VGR-1;Stam\n"
WHOLE = {"op": "recall", "deviceIdentifier": GTIN, "reason": "FSN 18"}
BLOCK = {"op": "block", "deviceIdentifier": GTIN}
BLOCKED_ROW = {
    "op": "upsert",
    "article": {"deviceIdentifier": GTIN, "articleNumber": "VGR-1", "tradeName": "Ny", "status": "blocked"},
}
UPSERT = {"op": "upsert", "article": {"deviceIdentifier": GTIN, "articleNumber": "VGR-1", "tradeName": "Ny"}}


@pytest.mark.parametrize(
    ("file", "changes", "status"),
    [
        (FILE, [BLOCK], "active"),  # the column is there, and empty: active
        (SAYS_NOTHING, [BLOCK], "blocked"),
        (SAYS_NOTHING, [{**BLOCK, "deviceIdentifier": None, "articleNumber": "VGR-1"}], "blocked"),
        (SAYS_NOTHING, [BLOCKED_ROW], "blocked"),
        (FILE, [BLOCKED_ROW], "active"),
        (SAYS_NOTHING, [BLOCK, RELEASE], "active"),
        (SAYS_NOTHING, [BLOCKED_ROW, RELEASE], "active"),
        (SAYS_NOTHING, [BLOCK, UPSERT], "active"),
    ],
)
def test_a_file_that_cannot_speak_of_blocks_ends_none(
    importing: Importing,
    master: ArticleMaster,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    changes: list[dict[str, Any]],
    status: str,
) -> None:
    swallowed = delta(1, NOW + timedelta(minutes=1), {"op": "block", "articleNumber": "A-1"})
    assert master.apply(swallowed.replace(b'"miv"', b'"other"')).applied
    for number, change in enumerate(changes, 1):
        assert master.apply(delta(number, NOW + timedelta(minutes=number), change)).applied
    importing(file, now=NOW + timedelta(days=1), as_of=NOW + timedelta(days=1))
    assert told(master, GTIN)[:2] == ("Stam", status)
    importing(f"{HEADER}{OTHER};;Enhet;;;;\n", name="other", now=NOW + timedelta(days=2))
    assert told(master, GTIN)[:2] == ("Stam", status), "the next generation knows it, too"
    monkeypatch.setattr(applying, "MAX_CHANGES_KEPT", master.info().changes)
    assert master.apply(delta(8, NOW + timedelta(days=3), {"op": "block", "articleNumber": "A-2"})).applied
    assert told(master, GTIN)[:2] == ("Stam", status), "nor does making room"


def test_a_generation_of_before_has_files_that_speak(
    importing: Importing, master: ArticleMaster, directory: Path
) -> None:
    importing(SAYS_NOTHING, now=NOW + timedelta(days=1), as_of=NOW + timedelta(days=1))
    with closing(sqlite3.connect(directory / "current.db", isolation_level=None)) as db:
        db.execute("DROP TABLE silent_on_status")
    master.close()
    master.apply(delta(1, NOW + timedelta(minutes=1), BLOCK))
    assert told(master, GTIN)[:2] == ("Stam", "active")
    importing(f"{HEADER}{OTHER};;Enhet;;;;\n", name="other", now=NOW + timedelta(days=2))
    assert told(master, GTIN)[:2] == ("Stam", "active")


@pytest.mark.parametrize(
    ("changes", "since"),
    [
        ([{**WHOLE, "from": "2026-12-01"}], "2026-12-01"),
        ([BLOCK, {**WHOLE, "from": "2026-12-01"}], None),
        ([{**WHOLE, "from": "2026-12-01"}, {**BLOCK, "from": "2026-11-25"}], "2026-11-25"),
    ],
)
def test_what_is_blocked_stays_so_until_the_recall_is_in_force(
    master: ArticleMaster, changes: list[dict[str, Any]], since: str | None
) -> None:
    with master:
        master.apply(delta(1, NOW + timedelta(minutes=1), *changes))
        article = master.look_up("x", GTIN).article
    assert article is not None
    assert (article.status.value, article.status_from) == ("recalled", since)
