"""`scangate outbox`: on real files, with and without a daemon."""

import csv
import io
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.app import state_lock
from gateway.events.exports.csv import COLUMNS
from gateway.outbox.reader import OutboxReader
from gateway.outbox.search import read_since
from gateway.outbox.writer import Dead, Outbox
from gateway.system.clock import NS
from gateway.system.control_socket import ControlServer
from tests.cli.conftest import LABELS, RECORDED, Box, Run, clock, configuration, draft

BROKER = '[broker]\nurls = ["mqtt://127.0.0.1:1"]\n'


def bodies(box: Box) -> list[bytes]:
    with closing(sqlite3.connect(box.outbox_file)) as db:
        return [body for (body,) in db.execute("SELECT body FROM event ORDER BY sequence")]


def delivered(box: Box) -> int:
    with closing(OutboxReader(box.outbox_file)) as backlog:
        return backlog.delivered()


def append(box: Box, text: str, *, synchronised: bool = True) -> None:
    outbox = box.outbox()
    now = clock(700, synchronised=synchronised)
    outbox.append([draft(text, now)], now, seal=False)
    outbox.close(now)


@contextmanager
def daemon(outbox: Outbox, path: Path, *, can_settle: bool = True) -> Iterator[None]:
    """What a daemon does for this command: it holds the lock, writes to the outbox, and answers at the socket."""
    writing = threading.Lock()

    def settle(_arguments: dict[str, Any]) -> None:
        with writing:
            outbox.seal(clock(800, synchronised=False))

    def exported(arguments: dict[str, Any]) -> None:
        with writing:
            outbox.mark_delivered(arguments["upTo"])
            outbox.write_marks(clock(800))

    handlers = {
        "status": lambda _: {"sequence": {"epoch": outbox.epoch}},
        "exported": exported,
        **({"settle": settle} if can_settle else {}),
    }
    server = ControlServer(path, handlers)
    with state_lock(outbox.path.parent):
        server.start()
        try:
            yield
        finally:
            server.stop()


@pytest.mark.parametrize(
    ("arguments", "sequences"),
    [
        ([], [1, 2, 3, 4]),
        (["--limit", "2"], [3, 4]),
        (["--di", "09520001000102"], [1]),
        (["--di", "9520001000102"], [1]),
        (["--di", "A999123450"], []),
        (["--di", "A99912345"], [3]),
        (["--lot", "L2A0417"], [1]),
        (["--lot", "L2A041"], []),
        (["--serial", "PM4400871"], [2]),
        (["--serial", "77DEFG45", "--lot", "10X3"], [3]),
        (["--serial", "77DEFG45", "--lot", "L2A0417"], []),
        (["--lot", 'no"thing\\'], []),
        (["--lot", "\udc80"], []),
        (["--since", "2026-11-21T12:02+00:00"], [3, 4]),
        (["--since", "2099-01-01"], []),
        (["--state", "waiting"], [1, 2, 3, 4]),
        (["--state", "delivered"], []),
        (["--state", "waiting", "--limit", "1"], [4]),
    ],
    ids=ascii,
)
def test_list(run: Run, box: Box, arguments: list[str], sequences: list[int]) -> None:
    ran = run("outbox", "list", "-c", box.config_file, "--json", *arguments)
    assert ran.code == 0
    assert [row["sequence"] for row in json.loads(ran.out)] == sequences


def test_list_by_state(run: Run, box: Box) -> None:
    outbox = box.outbox()
    outbox.park(Dead(sequence=2, reason="payload format invalid"))
    outbox.mark_delivered(3)
    outbox.close(clock(700))
    for state, sequences in (("delivered", [1, 3]), ("dead", [2]), ("waiting", [4])):
        rows = json.loads(run("outbox", "list", "-c", box.config_file, "--json", "--state", state).out)
        assert [(row["sequence"], row["state"]) for row in rows] == [(sequence, state) for sequence in sequences]


def test_list_as_a_table(run: Run, box: Box) -> None:
    out = run("outbox", "list", "-c", box.config_file).out
    for words in ("09520001000102", "L2A0417", "NS700312", "2045-12-31", "waiting"):
        assert words in out


@pytest.mark.parametrize("wrong", ["last week", "3y", "2026-13-01", "99999-01-01", ""])
def test_since_that_is_no_time(run: Run, box: Box, wrong: str) -> None:
    ran = run("outbox", "list", "-c", box.config_file, "--since", wrong)
    assert ran.code == 2
    assert "expected YYYY-MM-DD" in ran.err


@pytest.mark.parametrize(
    ("text", "seconds_before"),
    [("30m", 1800), ("2h", 7200), ("3d", 259_200), ("1w", 604_800), ("2026-11-21T11:00:00Z", 3600)],
)
def test_since(text: str, seconds_before: int) -> None:
    now = int(RECORDED.timestamp()) * NS
    assert read_since(text, now) == now - seconds_before * NS


def test_show(run: Run, box: Box) -> None:
    stored = json.loads(bodies(box)[1])
    for name in ("2", "0000000000000002", stored["id"]):
        ran = run("outbox", "show", "-c", box.config_file, name)
        assert ran.code == 0
        assert json.loads(ran.out) == stored


@pytest.mark.parametrize("name", ["0", "5", "9" * 18, "9" * 40, "no-such-id", "\udc80"], ids=ascii)
def test_show_of_what_is_not_there(run: Run, box: Box, name: str) -> None:
    ran = run("outbox", "show", "-c", box.config_file, name)
    assert ran.code == 1
    assert ran.err.startswith("scangate: there is no event")


def test_damaged_bytes_are_listed_as_such(run: Run, box: Box) -> None:
    with closing(sqlite3.connect(box.outbox_file)) as db, db:
        db.execute("UPDATE event SET body = x'00ff7b' WHERE sequence = 2")
    rows = json.loads(run("outbox", "list", "-c", box.config_file, "--json").out)
    assert [row["type"] for row in rows][:2] == ["scangate.scan.v1", "unreadable"]
    ran = run("outbox", "show", "-c", box.config_file, "2")
    assert (ran.code, ran.out) == (1, "")
    assert "event 2 is damaged" in ran.err


def test_status(run: Run, box: Box) -> None:
    outbox = box.outbox()
    outbox.mark_delivered(1)
    outbox.close(clock(700))
    ran = run("outbox", "status", "-c", box.config_file, "--json")
    status = json.loads(ran.out)
    assert ran.code == 0
    assert (status["stored"], status["delivered"], status["waiting"]) == (4, 1, 3)
    assert status["epoch"] == outbox.epoch


def test_status_with_a_dead_letter(run: Run, box: Box) -> None:
    outbox = box.outbox()
    outbox.park(Dead(sequence=2, reason="payload format invalid"))
    outbox.close(clock(700))
    ran = run("outbox", "status", "-c", box.config_file)
    assert ran.code == 1
    assert "dead letter 2: payload format invalid" in ran.err


@pytest.mark.parametrize("action", [["status"], ["list"], ["show", "1"], ["export"]])
def test_no_outbox(run: Run, tmp_path: Path, action: list[str]) -> None:
    (tmp_path / "state").mkdir()
    file = tmp_path / "scangate.toml"
    file.write_text(configuration(tmp_path))
    ran = run("outbox", *action, "-c", file)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("scangate: cannot read")
    assert ran.err.count("\n") == 1


def test_export_is_byte_for_byte_and_goes_on_behind_itself(run: Run, box: Box) -> None:
    stored = bodies(box)
    first = run("outbox", "export", "-c", box.config_file)
    assert first.out.encode().splitlines() == stored
    assert "4 events exported" in first.err
    assert delivered(box) == 4
    assert run("outbox", "export", "-c", box.config_file).out == ""
    append(box, LABELS[0])
    assert run("outbox", "export", "-c", box.config_file).out.encode().splitlines() == bodies(box)[4:]
    assert run("outbox", "export", "-c", box.config_file, "--all").out.encode().splitlines() == bodies(box)
    assert delivered(box) == 5


@pytest.mark.parametrize(("more", "arguments"), [("", ["--all"]), ("", ["--since", "2026-11-21"]), (BROKER, [])])
def test_export_that_marks_nothing(run: Run, box: Box, tmp_path: Path, more: str, arguments: list[str]) -> None:
    box.config_file.write_text(configuration(tmp_path, more))
    ran = run("outbox", "export", "-c", box.config_file, *arguments)
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 4
    assert delivered(box) == 0


def test_export_to_a_file(run: Run, box: Box, tmp_path: Path) -> None:
    file = tmp_path / "scans.ndjson"
    file.write_text("an older one")
    assert run("outbox", "export", "-c", box.config_file, "-o", file).out == ""
    assert file.read_bytes().splitlines() == bodies(box)
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scangate.toml", "scans.ndjson", "state"]


def test_export_that_cannot_be_written_marks_nothing(run: Run, box: Box, tmp_path: Path) -> None:
    for place in (tmp_path / "missing" / "scans.csv", Path("/dev/full")):
        ran = run("outbox", "export", "-c", box.config_file, "-o", place)
        assert ran.code == 3
        assert f"cannot write {place}" in ran.err
    assert delivered(box) == 0


def test_export_settles_times_first(run: Run, box: Box) -> None:
    """An event's bytes are fixed when it is handed over: a clock learnt later must not change them."""
    append(box, LABELS[0], synchronised=False)
    exported = run("outbox", "export", "-c", box.config_file).out.encode().splitlines()
    assert len(exported) == 5
    outbox = box.outbox()
    assert outbox.seal(clock(900)) == 0
    outbox.close(clock(900))
    assert bodies(box) == exported


def test_export_beside_a_daemon(run: Run, box: Box, tmp_path: Path) -> None:
    append(box, LABELS[0], synchronised=False)
    socket = tmp_path / "control.sock"
    outbox = box.outbox()
    with daemon(outbox, socket):
        ran = run("outbox", "export", "-c", box.config_file, "--socket", socket)
        assert ran.code == 0
        assert ran.out.encode().splitlines() == bodies(box)
        assert outbox.delivered == 5
    outbox.close(clock(900))


def test_export_beside_a_daemon_that_cannot_settle(run: Run, box: Box, tmp_path: Path) -> None:
    append(box, LABELS[0], synchronised=False)
    socket = tmp_path / "control.sock"
    outbox = box.outbox()
    with daemon(outbox, socket, can_settle=False):
        ran = run("outbox", "export", "-c", box.config_file, "--socket", socket)
        assert (ran.code, len(ran.out.splitlines())) == (0, 4)
        assert "export again" in ran.err
        assert outbox.delivered == 4
    outbox.close(clock(900))


def test_export_never_marks_in_another_boxs_daemon(run: Run, box: Box, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Outbox(tmp_path / "other" / "outbox.db", box.config.outbox, box.identity())
    socket = tmp_path / "control.sock"
    with daemon(other, socket), state_lock(box.config.state_directory):
        ran = run("outbox", "export", "-c", box.config_file, "--socket", socket)
    assert ran.code == 3
    assert "does not keep" in ran.err
    assert "the next repeats it" in ran.err
    assert other.delivered == 0
    other.close(clock(900))
    assert delivered(box) == 0


def test_csv(run: Run, box: Box) -> None:
    out = run("outbox", "export", "-c", box.config_file, "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["sequence"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["deviceIdentifier"] == "09520001000102"
    assert rows[0]["text"] == LABELS[0].replace("\x1d", "{GS}")
    assert rows[2]["text"] == "'" + LABELS[2]  # HIBC begins with +, which a spreadsheet takes for a formula
    assert rows[3]["issuer"] == ""
    assert rows[0]["clockSynchronised"] == "true"


def test_csv_for_excel(run: Run, box: Box) -> None:
    out = run("outbox", "export", "-c", box.config_file, "--format", "csv", "--excel", "--all").out
    assert out.startswith("\ufeffsequence;state;type;")
    assert run("outbox", "export", "-c", box.config_file, "--excel").code == 2
