"""Recalls that deltas brought, and the files that come after them."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.articles import applying
from gateway.articles.overlay import Overlay
from gateway.articles.store import ArticleMaster
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
    found = Overlay(directory).recalls()
    assert {(one.identity, one.recall.reason, one.recall.lots) for one in found} == {
        (GTIN, "FSN 17", ("L1",)),
        (OTHER, "FSN 2", ()),
        (CASE, "FSN 3", ()),
    }
    assert sorted(found, key=str) == sorted(outcome.recalls, key=str)
    master.apply(
        delta(2, NOW + timedelta(minutes=2), *({**RELEASE, "deviceIdentifier": one} for one in (GTIN, OTHER)))
    )
    assert [one.identity for one in Overlay(directory).recalls()] == [CASE]
    assert Overlay(directory / "elsewhere").recalls() == []


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
