"""`articles unknown`, `affected`, `rollback`, `status --conflicts`: the master and past scans of a box."""

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest

from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.overlay.applier import DeltaApplier
from gateway.articles.overlay.statements import Recalled
from gateway.model import Disposition, Finding, Recall, Severity, Verdict
from gateway.recalls.affected_scans import count_affected, recall_of
from tests.cli.conftest import Box, Run, clock, draft

GTIN, LOT, SERIAL = "09520001000102", "L2A0417", "NS700312"
"""Of the first of conftest's LABELS."""
CASE = "19520001000109"
PM = "09520002000101"
HEADER = (
    "deviceIdentifier;articleNumber;tradeName;packageLevel;baseDeviceIdentifier;baseQuantity;status;statusReason\n"
)
KNOWN = f"{GTIN};VGR-1;Stam;;;;;\n{CASE};;Ask;package;{GTIN};10;;\n"


UNKNOWN = Verdict(
    disposition=Disposition.ACCEPTED,
    findings=(Finding(code="ARTICLE_UNKNOWN", severity=Severity.WARNING, message=""),),
)


def importing(run: Run, box: Box, rows: str, source: str = "miv") -> None:
    file = box.config_file.parent / "articles.csv"
    file.write_text(HEADER + rows)
    assert run("articles", "import", "-c", box.config_file, "--source", source, file).code == 0


def scanned(box: Box, *texts: str) -> None:
    """Scan labels that the master does not know."""
    outbox = box.outbox()
    now = clock(700)
    for text in texts:
        made = draft(text, now)
        data = msgspec.structs.replace(made.data, verdict=UNKNOWN)
        outbox.append([msgspec.structs.replace(made, data=data)], now, seal=False)
    outbox.close(now)


def test_unknown(run: Run, box: Box) -> None:
    scanned(box, f"01{GTIN}10A", f"01{GTIN}10B", f"01{PM}10C", "VGR-200010")
    importing(run, box, KNOWN)
    command = ("articles", "unknown", "-c", box.config_file)
    listed = json.loads(run(*command, "--json").out)
    assert [(one["identifier"], one["issuer"], one["scans"], one["resolved"]) for one in listed] == [
        (PM, "GS1", 1, False),
        ("VGR-200010", None, 1, False),
    ]
    assert listed[0]["first"] == listed[0]["last"] == "2026-11-21T12:11:40Z"
    (resolved,) = json.loads(run(*command, "--resolved", "--json").out)
    assert (resolved["identifier"], resolved["scans"], resolved["articleNumber"]) == (GTIN, 2, "VGR-1")
    assert len(json.loads(run(*command, "--all", "--json").out)) == 3
    assert PM in run(*command).out
    header, *rows = csv.reader(io.StringIO(run(*command, "--csv").out))
    assert header[:3] == ["identifier", "issuer", "scans"]
    assert [row[0] for row in rows] == [PM, "VGR-200010"]


def test_unknown_where_nothing_was_scanned(run: Run, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    ran = run("articles", "unknown", "--state", tmp_path / "state")
    assert (ran.code, ran.out) == (0, "")
    assert "no such articles" in ran.err


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((GTIN,), [(1, True)]),
        (("9520001000102",), [(1, True)]),
        (("VGR-1",), [(1, True)]),
        ((GTIN, "--lot", LOT), [(1, True)]),
        ((GTIN, "--lot", "OTHER", "--lot", LOT), [(1, True)]),
        ((GTIN, "--serial", SERIAL), [(1, True)]),
        ((PM, "--lot", "OTHER"), [(2, False)]),  # its label carries none
        (("A99912345", "--lot", "10X3"), [(3, True)]),
        (("VGR-200010",), [(4, True)]),
        ((CASE,), [(1, True)]),  # what is in a case that is recalled
        ((f"01{GTIN}",), [(1, True)]),
        ((f"]d201{GTIN}10{LOT}",), [(1, True)]),
        (("vgr-1",), [(1, False)]),
        ((" VGR-1",), [(1, False)]),
        ((GTIN, "--lot", LOT.lower()), [(1, False)]),
        ((GTIN, "--lot", f" {LOT}"), [(1, False)]),
        ((GTIN, "--lot", f"00{LOT}"), [(1, False)]),
        ((GTIN, "--since", "2026-11-21T13:00:00+00:00"), []),
    ],
)
def test_affected(run: Run, box: Box, asked: tuple[str, ...], found: list[tuple[int, bool]]) -> None:
    importing(run, box, f"{KNOWN};VGR-200010;Hylla;;;;;\n")
    ran = run("articles", "affected", "-c", box.config_file, *asked, "--json")
    assert ran.code == 0
    assert [(one["event"]["sequence"], one["certain"]) for one in json.loads(ran.out)] == found


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("nonsense",), "'nonsense' is no article of this box"),
        (("09520009999993",), "is no article of this box"),
        ((GTIN, "--lot", LOT[1:]), f"alike are: {LOT}"),
        ((GTIN, "--lot", "OTHER"), f"there are: {LOT}"),
        ((GTIN, "--serial", "OTHER"), f"there are: {SERIAL}"),
    ],
)
def test_what_names_nothing_is_an_error(run: Run, box: Box, asked: tuple[str, ...], words: str) -> None:
    """A slip of the hand must not read as `nothing is affected`."""
    importing(run, box, KNOWN)
    ran = run("articles", "affected", "-c", box.config_file, *asked, "--json")
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_affected_by_what_the_master_knows_as_recalled(run: Run, box: Box) -> None:
    scanned(box, f"01{CASE}10A")
    importing(run, box, KNOWN)
    command = ("articles", "affected", "-c", box.config_file)
    assert "no scans of this box's journal are affected" in run(*command).err
    importing(run, box, f"{GTIN};;;;;;recalled;FSN 17\n", "gudid")
    found = json.loads(run(*command, "--json").out)
    assert [(one["event"]["sequence"], one["certain"], one["reason"]) for one in found] == [
        (1, True, "FSN 17"),
        (5, True, "FSN 17"),  # the package of what is recalled
    ]
    last = run(*command, "--json", "--limit", "1")
    assert [one["event"]["sequence"] for one in json.loads(last.out)] == [5]
    assert "there are more" in last.err
    assert run(*command, "--limit", "2").err == ""
    table = run(*command).out
    assert LOT in table
    assert "FSN 17" in table


def test_affected_by_a_delta(run: Run, box: Box) -> None:
    scanned(box, f"01{CASE}10{LOT}")
    importing(run, box, KNOWN)
    articles = box.config.articles_directory
    change = {"op": "recall", "deviceIdentifier": GTIN, "lots": [LOT], "reason": "FSN 18", "to": "2020-01-01"}
    message = {"source": "miv", "number": 1, "issuedAt": "2099-01-01T00:00:00Z", "changes": [change]}
    with ArticleMaster(articles) as master, DeltaApplier(articles) as deltas:
        outcome = deltas.apply(json.dumps(message).encode())
        assert count_affected(box.outbox_file, master, outcome.recalls) == 2
        other = [Recalled(identity=GTIN, recall=Recall(source="miv", lots=("OTHER",)))]
        assert count_affected(box.outbox_file, master, other) == 0
        assert count_affected(box.outbox_file, master, [recall_of("#VGR-1")]) == 2
    ran = run("articles", "affected", "-c", box.config_file, "--json")
    assert [one["event"]["sequence"] for one in json.loads(ran.out)] == [1, 5]
    looked_up = json.loads(run("articles", "lookup", GTIN, "-c", box.config_file, "--json").out)
    assert looked_up["recalls"] == [{"source": "miv", "reason": "FSN 18", "ends": "2020-01-01", "lots": [LOT]}]
    assert "FSN 18" in run("articles", "lookup", GTIN, "-c", box.config_file).out


def test_affected_tells_what_was_taken_back(run: Run, box: Box) -> None:
    importing(run, box, KNOWN)
    outbox, now = box.outbox(), clock(700)
    scan, undo = draft(f"01{GTIN}10B", now), draft(f"01{GTIN}10B", now)
    data = msgspec.structs.replace(undo.data, action="undo", undoes=scan.id, symbols=())
    outbox.append([scan, msgspec.structs.replace(undo, data=data, raw=())], now, seal=False)
    outbox.close(now)
    command = ("articles", "affected", "-c", box.config_file, GTIN)
    found = json.loads(run(*command, "--json").out)
    assert [(one["event"]["sequence"], one["takenBack"]) for one in found] == [(1, False), (5, True)]
    assert "taken back" in run(*command).out


def test_lot_without_article(run: Run, box: Box) -> None:
    ran = run("articles", "affected", "-c", box.config_file, "--lot", "x")
    assert (ran.code, ran.out) == (2, "")
    assert "need an ARTICLE" in ran.err


def test_rollback(run: Run, box: Box) -> None:
    command = ("articles", "rollback", "-c", box.config_file)
    ran = run(*command)
    assert ran.code == 1
    assert "there is no previous generation" in ran.err
    importing(run, box, KNOWN)
    importing(run, box, ";VGR-2;Ny;;;;;\n")
    assert "in force again" in run(*command).out
    assert run("articles", "lookup", "VGR-1", "-c", box.config_file).code == 0
    assert json.loads(run(*command, "--json").out)["version"] is not None
    assert run("articles", "lookup", "VGR-1", "-c", box.config_file).code == 1


def test_conflicts_and_who_says_what(run: Run, box: Box) -> None:
    importing(run, box, KNOWN)
    importing(run, box, f"{GTIN};VGR-1;Stem;;;;;\n", "gudid")
    command = ("articles", "status", "-c", box.config_file)
    (conflict,) = json.loads(run(*command, "--conflicts", "--json").out)
    assert (conflict["field"], conflict["said"]) == ("tradeName", {"miv": "Stam", "gudid": "Stem"})
    assert "miv: Stam; gudid: Stem" in run(*command, "--conflicts").out
    table = run("articles", "lookup", GTIN, "-c", box.config_file).out
    assert "miv (file)" in table
    assert "gudid (file)" in table


def test_missing_deltas_are_told(run: Run, box: Box) -> None:
    importing(run, box, KNOWN)
    change = {"op": "block", "deviceIdentifier": GTIN}
    message = {"source": "miv", "number": 9, "issuedAt": "2099-01-01T00:00:00Z", "changes": [change]}
    with DeltaApplier(box.config.articles_directory) as deltas:
        deltas.apply(json.dumps(message).encode())
    ran = run("articles", "status", "-c", box.config_file)
    assert ran.code == 1
    assert "miv: deltas 1-8 are missing: have them sent again" in ran.err
    status = json.loads(run("articles", "status", "-c", box.config_file, "--json").out)
    assert (status["sources"][0]["deltaNumber"], status["sources"][0]["gap"], status["changes"]) == (9, True, 1)


def test_as_of(run: Run, box: Box) -> None:
    file = box.config_file.parent / "articles.csv"
    file.write_text(HEADER + KNOWN)
    command = ("articles", "import", "-c", box.config_file, "--source", "miv", file)
    assert run(*command, "--as-of", "2020-01-02T03:04:05Z").code == 0
    status = json.loads(run("articles", "status", "-c", box.config_file, "--json").out)
    assert status["sources"][0]["asOf"] == "2020-01-02T03:04:05Z"
    assert run(*command, "--as-of", "yesterday").code == 2
