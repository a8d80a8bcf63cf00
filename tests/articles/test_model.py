"""Any sequence of files, deltas, late deltas, restarts and rollbacks, against a plain model of what is barred.

No piece that is barred is ever accepted, and none that is free is refused.
"""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.articles.build.import_job import import_file, rollback
from gateway.articles.settings import SourceSettings
from tests.articles.conftest import NOW, Box, delta

EACHES = ("09520001000102", "09520001000119")
FAMILIES = tuple((each, f"19520{each[5:12]}{case}", f"59520{each[5:12]}{pallet}") for each, case, pallet in (
    (EACHES[0], "09", "07"),
    (EACHES[1], "16", "14"),
))  # fmt: skip
ALL = [identifier for family in FAMILIES for identifier in family]
NUMBERS = {"N-1": EACHES[0], "N-2": EACHES[1]}
LOTS = ("L1", "L2")
SOURCES = ("told", "silent")
"""A file with a column for the status, and one without."""
BASE = "deviceIdentifier;articleNumber;packageLevel;baseDeviceIdentifier;baseQuantity\n" + "".join(
    f"{each};{number};;;\n{case};;package;{each};10\n{pallet};;package;{case};12\n"
    for (each, case, pallet), number in zip(FAMILIES, NUMBERS, strict=True)
)
Row = tuple[str, str]
"""Name and status of a row."""


class Source:
    """What the model knows of one source: its file, and the messages that have come."""

    def __init__(self, *, tells: bool) -> None:
        self.tells = tells
        self.rows: dict[str, Row] = {}
        self.bars: dict[str, tuple[str, str]] = {}
        """Article -> status and name of the row that barred it last, and has not been taken back by a row."""
        self.sent = 0
        self.held: dict[int, list[dict[str, Any]]] = {}
        self.came: dict[int, list[tuple[str, dict[str, Any], Row | None, tuple[str, str] | None]]] = {}
        """Number -> each change for each article it means, with row and bar of the file when it came."""

    def file(self, rows: dict[str, Row]) -> None:
        for identifier, (name, status) in rows.items():
            if self.tells:
                self.bars.pop(identifier, None)
                if status != "active":
                    self.bars[identifier] = (status, name)
        self.rows = rows

    def barred(self, identifier: str) -> tuple[str | None, set[str | None]]:
        """Return the strictest status by rows and blocks, and the recalled lots; None stands for all."""
        said = [
            (number, change, row, bar)
            for number in sorted(self.came)
            for about, change, row, bar in self.came[number]
            if about in {identifier, "*"}
        ]
        now, file_bar = self.rows.get(identifier), self.bars.get(identifier)
        by_row: Any = file_bar
        from_file, block = True, False
        recalls: list[tuple[str | None, int, str | None, str | None]] = []
        releases = [one for one in said if one[1]["op"] == "release" and "id" not in one[1]]
        for one in said:
            number, change, row, bar = one
            if change["op"] == "block":
                block = True
            elif change["op"] == "upsert" and "status" in change["article"]:
                if row == now or not (self.tells and now is not None):
                    status = change["article"]["status"]
                    by_row, from_file = (None if status == "active" else (status, "")), False
            elif change["op"] == "recall":
                recalls += [
                    (change.get("id"), number, change.get("reason"), lot) for lot in change.get("lots") or [None]
                ]
            elif change["op"] == "release" and "id" in change:
                recalls = [recall for recall in recalls if recall[0] != change["id"]]
            elif change["op"] == "release":
                block = False
                if not from_file or (one is releases[-1] and bar == file_bar):
                    by_row = None
                nameless = {recall[2] or recall[1] for recall in recalls if recall[0] is None}
                if len(nameless) == 1:
                    recalls = [recall for recall in recalls if recall[0] is not None]
        lots = {recall[3] for recall in recalls}
        status = by_row[0] if by_row else None
        return ("blocked" if block and status is None else status), lots


class Master(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.directory = Path(self.folder.name) / "articles"
        self.box = Box(self.directory, "base", *SOURCES)
        self.sources = {"told": Source(tells=True), "silent": Source(tells=False)}
        self.before: dict[str, tuple[dict[str, Row], dict[str, tuple[str, str]]]] | None = None
        self.minutes = 0
        self._import("base", BASE)

    def _import(self, name: str, text: str) -> None:
        self.minutes += 1
        file = Path(self.folder.name) / "rows.csv"
        file.write_text(text)
        now = NOW + timedelta(minutes=self.minutes)
        report = import_file(self.directory, SourceSettings(name=name), file, now=now, max_shrink=1.0)
        assert report.swapped, report.refusal

    @rule(
        name=st.sampled_from(SOURCES),
        rows=st.dictionaries(
            st.sampled_from(ALL),
            st.tuples(st.sampled_from(["x", "y"]), st.sampled_from(["active", "active", "blocked", "recalled"])),
            min_size=1,
        ),
    )
    def file(self, name: str, rows: dict[str, Row]) -> None:
        source = self.sources[name]
        if not source.tells:
            rows = {identifier: (row[0], "active") for identifier, row in rows.items()}
        status = source.tells
        self.before = {one: (dict(of.rows), dict(of.bars)) for one, of in self.sources.items()}
        self._import(
            name,
            f"deviceIdentifier;tradeName{';status' if status else ''}\n"
            + "".join(f"{one};{row[0]}{f';{row[1]}' if status else ''}\n" for one, row in rows.items()),
        )
        source.file(rows)

    @rule()
    def go_back(self) -> None:
        if self.before is None:
            return
        now = {one: (dict(of.rows), dict(of.bars)) for one, of in self.sources.items()}
        rollback(self.directory)
        for one, (rows, bars) in self.before.items():
            self.sources[one].rows, self.sources[one].bars = dict(rows), dict(bars)
        self.before = now

    @rule(
        name=st.sampled_from(SOURCES),
        what=st.sampled_from(["block", "recall", "recall", "release", "release", "upsert", "delete"]),
        about=st.sampled_from([*ALL, *NUMBERS]),
        fsn=st.sampled_from(["A", "B", None]),
        lots=st.sampled_from([["L1"], ["L2"], ["L1", "L2"], []]),
        status=st.sampled_from([None, "active", "blocked", "recalled"]),
        late=st.booleans(),
    )
    def change(
        self,
        name: str,
        what: str,
        about: str,
        fsn: str | None,
        lots: list[str],
        status: str | None,
        late: bool,  # noqa: FBT001 - drawn
    ) -> None:
        field = "articleNumber" if about in NUMBERS else "deviceIdentifier"
        if what == "upsert":
            identifier = NUMBERS.get(about, about)
            stated = {} if status is None else {"status": status}
            one: dict[str, Any] = {
                "op": what,
                "article": {"deviceIdentifier": identifier, "tradeName": "z", **stated},
            }
        elif what == "recall":
            one = {"op": what, field: about, "lots": lots, **({} if fsn is None else {"id": fsn})}
        elif what == "release":
            named = {} if fsn is None else {"id": fsn}
            one = {"op": what, **named} if fsn is not None and lots == [] else {"op": what, field: about, **named}
        else:
            one = {"op": what, field: about}
        source = self.sources[name]
        source.sent += 1
        source.held[source.sent] = [one]
        if not late:
            self._deliver(name, source.sent)

    @rule(name=st.sampled_from(SOURCES), data=st.data())
    def arrives(self, name: str, data: st.DataObject) -> None:
        held = sorted(self.sources[name].held)
        if held:
            self._deliver(name, data.draw(st.sampled_from(held)))

    def _deliver(self, name: str, number: int) -> None:
        source = self.sources[name]
        changes = source.held.pop(number)
        message = delta(number, *changes, source=name)
        outcome = self.box.apply(message)
        assert outcome.refused is None or "must name a recall" in outcome.refused
        assert self.box.apply(message).repeated
        source.came[number] = [
            (about, change, source.rows.get(about), source.bars.get(about))
            for change in changes
            for about in _about(change)
        ]
        assert outcome.missing == bool(set(range(1, max(source.came) + 1)) - set(source.came))

    @rule()
    def restart(self) -> None:
        self.box.restart()

    @invariant()
    def what_is_barred_is_refused_and_nothing_else(self) -> None:
        for family in FAMILIES:
            said = {member: [source.barred(member) for source in self.sources.values()] for member in family}
            recalled = {lot for answers in said.values() for _, lots in answers for lot in lots}
            whole = None in recalled or any(
                status == "recalled" for answers in said.values() for status, _ in answers
            )
            for depth, member in enumerate(family):
                blocked = any(status == "blocked" for inner in family[: depth + 1] for status, _ in said[inner])
                for lot in LOTS:
                    barred = whole or blocked or lot in recalled
                    assert (self.box.refuses(member, lot) != "free") is barred, (member, lot, said)

    def teardown(self) -> None:
        if hasattr(self, "box"):
            self.box.close()
            self.folder.cleanup()


def _about(change: dict[str, Any]) -> list[str]:
    """Return the articles a change means."""
    if change["op"] == "upsert":
        return [change["article"]["deviceIdentifier"]]
    if "articleNumber" in change:
        return [NUMBERS[change["articleNumber"]]]
    return [change.get("deviceIdentifier", "*")]


TestMaster = Master.TestCase
TestMaster.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
