"""A recall, drilled: forty articles in three levels of packages, three sources, ten thousand past scans.

Whatever comes between (the box was off, its clock or the sender's is wrong, a file is swapped, the overlay is full,
another recall is released): every touched piece is refused and every touched past scan listed, and no other.
"""

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.articles.build.import_job import rollback
from gateway.articles.overlay import writer
from gateway.outbox.box_identity import read_identity
from gateway.outbox.reader import OutboxReader
from gateway.outbox.settings import OutboxSettings
from gateway.outbox.writer import Outbox
from gateway.recalls.affected_scans import affected
from gateway.udi.checks import gs1_check_digit
from tests.articles.conftest import NOW, Box, Importing, delta, directory, importing
from tests.cli.conftest import SOURCE, Run, clock, draft, run

__all__ = ["directory", "importing", "run"]

ARTICLES, SCANS, SERIALS = 40, 10_000, 1000
LOTS = ("L0", "L1", "L2")


def identifier(article: int, level: int) -> str:
    body = f"{(0, 1, 5)[level]}9520001{article:05d}"
    return f"{body}{gs1_check_digit(body)}"


class Scan(NamedTuple):
    article: int
    level: int
    lot: str
    serial: str

    @property
    def text(self) -> str:
        return f"01{identifier(self.article, self.level)}10{self.lot}\x1d21{self.serial}"


JOURNAL = [
    Scan(n % ARTICLES, n // ARTICLES % 3, LOTS[n // (3 * ARTICLES) % 3], f"S{n % SERIALS:04d}")
    for n in range(SCANS)
]
"""Any piece is scanned on any level, in any lot, with a serial number of its own."""

RECALLS: list[dict[str, Any]] = [
    {"op": "recall", "id": "FSN-1", "deviceIdentifier": identifier(0, 0)},
    {"op": "recall", "id": "FSN-2", "deviceIdentifier": identifier(1, 1), "lots": ["L1"]},
    {"op": "recall", "id": "FSN-3", "articleNumber": "A-2"},
    {
        "op": "recall",
        "id": "FSN-4",
        "deviceIdentifier": identifier(3, 2),
        "serialRanges": [{"from": "S0100", "to": "S0249"}],
    },
]


def touched(scan: Scan, recalled: set[str]) -> bool:
    """What the four notices mean, without any of the code."""
    return (
        (scan.article == 0 and "FSN-1" in recalled)
        or (scan.article == 1 and scan.lot == "L1" and "FSN-2" in recalled)
        or (scan.article == 2 and "FSN-3" in recalled)
        or (scan.article == 3 and 100 <= int(scan.serial[1:]) <= 249 and "FSN-4" in recalled)
    )


def rows(*, number: str = "A", without: int | None = None) -> str:
    lines = ["deviceIdentifier;articleNumber;tradeName;packageLevel;baseDeviceIdentifier;baseQuantity;status"]
    for article in range(ARTICLES):
        each, case, pallet = (identifier(article, level) for level in range(3))
        if article != without:
            lines += [
                f"{each};{number}-{article};Artikel {article};;;;",
                f"{case};;;package;{each};10;",
                f"{pallet};;;package;{case};12;",
            ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("state") / "outbox.db"
    outbox = Outbox(file, OutboxSettings(), read_identity(SOURCE))
    for first in range(0, SCANS, 1000):
        now = clock(first)
        outbox.append([draft(scan.text, now) for scan in JOURNAL[first : first + 1000]], now, seal=False)
    outbox.close(clock(SCANS))
    return file


class Hospital:
    """A box, its files, and what is recalled."""

    def __init__(self, box: Box, importing: Importing, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.box, self.importing, self.journal, self.patch = box, importing, journal, monkeypatch
        self.days = 0
        self.file("miv", rows())
        self.file("gudid", rows().replace("Artikel", "Article").replace(";A-", ";"))
        self.file("konsignation", f"deviceIdentifier;consignment\n{identifier(7, 0)};ja\n")

    def file(self, source: str, text: str, *, dated: int | None = None) -> None:
        self.days += 1
        now = NOW + timedelta(days=self.days)
        report = self.importing(text, name=source, now=now, as_of=now if dated is None else NOW + timedelta(dated))
        assert report.swapped

    def refused(self) -> tuple[set[Scan], set[Scan]]:
        """Scan pieces of every article, level and lot again; return those that are refused, and all."""
        again = {scan for scan in JOURNAL if int(scan.serial[1:]) % 50 == 49 or scan.article in range(5)}
        return {
            scan
            for scan in again
            if self.box.refuses(identifier(scan.article, scan.level), scan.lot, scan.serial) != "free"
        }, again

    def listed(self) -> set[int]:
        """Sequence numbers of the past scans that are listed as touched, all of them certainly."""
        reader = OutboxReader(self.journal)
        try:
            found = list(affected(reader.journal(), self.box.master))
        finally:
            reader.close()
        assert all(one.certain for one in found)
        return {one.event.sequence for one in found}

    def check(self, recalled: set[str]) -> None:
        refused, again = self.refused()
        assert refused == {scan for scan in again if touched(scan, recalled)}
        assert self.listed() == {sequence for sequence, scan in enumerate(JOURNAL, 1) if touched(scan, recalled)}


@pytest.fixture
def hospital(
    directory: Path, importing: Importing, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hospital]:
    box = Box(directory, "miv", "gudid", "konsignation", "recalls")
    yield Hospital(box, importing, journal, monkeypatch)
    box.close()


ALL_FOUR = {"FSN-1", "FSN-2", "FSN-3", "FSN-4"}


def off(hospital: Hospital) -> None:
    """The box was off: another message tells that one is missing; it comes later."""
    assert hospital.box.announce("recalls", 2)
    assert hospital.box.master.info().gaps == ("recalls",)
    hospital.box.apply(delta(2, {"op": "block", "articleNumber": "X-1"}, source="recalls"))
    assert hospital.box.apply(delta(1, *RECALLS, source="recalls")).applied


def clocks(hospital: Hospital) -> None:
    """The sender's clock is a century ahead, the box's in 1970, and a release issued later has a lower number."""
    release = {"op": "release", "id": "FSN-1"}
    hospital.box.apply(delta(1, release, source="recalls", issued="2126-01-01T00:00:00Z"), today=date(1970, 1, 1))
    message = delta(2, *RECALLS, source="recalls", issued="1999-01-01T00:00:00Z")
    assert hospital.box.apply(message, today=date(1970, 1, 1)).applied


def swapped(hospital: Hospital) -> None:
    """Files come that are renumbered, lack an article, are old ones again; and the former generation."""
    assert hospital.box.apply(delta(1, *RECALLS, source="recalls")).applied
    hospital.file("miv", rows(number="B"), dated=400)
    hospital.file("miv", rows(), dated=-400)
    hospital.file("miv", rows(without=9), dated=500)
    rollback(hospital.box.directory)
    rollback(hospital.box.directory)


def full(hospital: Hospital) -> None:
    """The overlay is full of upserts and of recalls that ended long ago."""
    hospital.patch.setattr(writer, "MAX_ROWS", 50)
    hospital.patch.setattr(writer, "ENDED_BARS_KEPT", 50)
    upserts = [{"op": "upsert", "article": {"articleNumber": f"U-{n}"}} for n in range(50)]
    ended = [{"op": "recall", "articleNumber": f"E-{n}", "lots": ["X"], "to": "2020-12-31"} for n in range(60)]
    assert hospital.box.apply(delta(1, *upserts)).applied
    assert hospital.box.apply(delta(1, *ended, source="konsignation"), today=date(2026, 11, 28)).applied
    assert hospital.box.apply(delta(2, *upserts[:1])).applied
    assert hospital.box.apply(delta(1, *RECALLS, source="recalls"), today=date(2026, 11, 28)).applied


def restarted(hospital: Hospital) -> None:
    assert hospital.box.apply(delta(1, *RECALLS, source="recalls")).applied
    hospital.box.restart()


@pytest.mark.parametrize("between", [off, clocks, swapped, full, restarted], ids=lambda one: one.__name__)
def test_a_recall(hospital: Hospital, between: Callable[[Hospital], None]) -> None:
    hospital.check(set())
    between(hospital)
    hospital.check(ALL_FOUR)
    number = 10
    for name in sorted(ALL_FOUR):
        number += 1
        release = (
            {"op": "release", "id": name}
            if name != "FSN-3"
            else {"op": "release", "articleNumber": "A-2", "id": name}
        )
        hospital.box.apply(delta(number, release, source="recalls"))
        left = {one for one in ALL_FOUR if one > name}
        if name in {"FSN-1", "FSN-4"}:
            hospital.check(left)


def test_the_command(hospital: Hospital, run: Run, tmp_path: Path) -> None:
    """`scangate articles drill` says what the recall does, and changes nothing."""
    state = hospital.box.directory.parent
    (state / "outbox.db").symlink_to(hospital.journal)
    file = tmp_path / "fsn.json"
    file.write_bytes(delta(1, *RECALLS))
    ran = run("articles", "drill", file, "--state", state, "--json")
    assert ran.code == 0, [(one["article"], one["known"], one["effect"]) for one in json.loads(ran.out)["articles"]]
    tried = json.loads(ran.out)
    effects = {one["article"]: (one["effect"], one["known"]) for one in tried["articles"]}
    assert effects[identifier(0, 0)] == ("recalled", True)
    assert effects[identifier(1, 1)] == ("some", True)
    assert effects["#A-2"] == ("recalled", True)
    assert {one["event"]["sequence"] for one in tried["scans"]} == {
        sequence for sequence, scan in enumerate(JOURNAL, 1) if touched(scan, ALL_FOUR)
    }
    hospital.box.restart()
    hospital.check(set())
    file.write_bytes(delta(1, {"op": "recall", "articleNumber": "A-999"}))
    ran = run("articles", "drill", file, "--state", state)
    assert ran.code == 1
    assert "#A-999" in ran.out
    file.write_bytes(b"{}")
    ran = run("articles", "drill", file, "--state", state)
    assert ran.code == 1
    assert "the box would refuse it" in ran.err
