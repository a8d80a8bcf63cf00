"""`scangate outbox dead|retry|backup|restore`: on real files, with and without a daemon."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from gateway.app import state_lock
from gateway.outbox.reader import OutboxReader
from gateway.outbox.writer import Dead, Outbox
from gateway.system.control_socket import ControlServer
from tests.cli.conftest import LABELS, Box, Run, clock, configuration, draft

BROKER = '[broker]\nurls = ["mqtt://127.0.0.1:1"]\n'


@pytest.fixture
def dead_box(box: Box, tmp_path: Path) -> Box:
    """A box with a broker: the second and third of its four scans are dead letters, the fourth waits."""
    box.config_file.write_text(configuration(tmp_path, BROKER))
    outbox = box.outbox()
    outbox.park(Dead(sequence=2, reason="larger than the broker's maximum packet size"))
    outbox.park(Dead(sequence=3, reason="refused by the broker: Payload format invalid"))
    outbox.mark_delivered(3)
    outbox.close(clock(700))
    return box


def asked(box: Box) -> list[int]:
    with closing(OutboxReader(box.outbox_file)) as backlog:
        return [sequence for sequence, _ in backlog.asked_again()]


def bodies(path: Path) -> list[bytes]:
    with closing(OutboxReader(path)) as backlog:
        return [one.body for one in backlog.journal()]


@contextmanager
def daemon(outbox: Outbox, path: Path) -> Iterator[None]:
    """What a daemon does for these commands: it holds the lock, writes to the outbox, and answers at the socket."""
    writing = Lock()

    def retry(arguments: dict[str, Any]) -> dict[str, Any]:
        with writing:
            return {"sequences": outbox.retry(arguments["sequences"], clock(800))}

    server = ControlServer(path, {"status": lambda _: {"sequence": {"epoch": outbox.epoch}}, "retry": retry})
    with state_lock(outbox.path.parent):
        server.start()
        try:
            yield
        finally:
            server.stop()


def test_dead(run: Run, dead_box: Box) -> None:
    ran = run("outbox", "dead", "-c", dead_box.config_file, "--json")
    rows = json.loads(ran.out)
    assert ran.code == 0
    assert [(row["sequence"], row["reason"], row["serialNumber"], row["asked"]) for row in rows] == [
        (2, "larger than the broker's maximum packet size", "PM4400871", None),
        (3, "refused by the broker: Payload format invalid", "77DEFG45", None),
    ]
    assert all(row["ageSeconds"] >= 0 for row in rows)
    table = run("outbox", "dead", "-c", dead_box.config_file).out
    assert "Payload format invalid" in table
    assert "09520002000101"[:8] in table


def test_no_dead_letters(run: Run, box: Box) -> None:
    ran = run("outbox", "dead", "-c", box.config_file)
    assert (ran.code, ran.out, ran.err) == (0, "", "no dead letters\n")


@pytest.mark.parametrize(
    "arguments",
    [["dead", "--export", "{file}"], ["export", "--state", "dead", "-o", "{file}"]],
)
def test_dead_letters_in_a_file(run: Run, dead_box: Box, tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "dead.ndjson"
    ran = run("outbox", *(word.format(file=file) for word in arguments), "-c", dead_box.config_file)
    assert (ran.code, ran.err) == (0, "2 events exported\n")
    assert file.read_bytes().splitlines() == bodies(dead_box.outbox_file)[1:3]


@pytest.mark.parametrize(
    ("arguments", "code", "will_be", "words"),
    [
        (["2"], 0, [2], "1 of 1 dead letters are sent again"),
        (["3", "2", "2"], 0, [2, 3], "2 of 2 dead letters are sent again"),
        (["--all"], 0, [2, 3], "2 of 2 dead letters are sent again"),
        (["1", "2"], 1, [2], "1 is not sent: it is no dead letter"),
        (["99"], 1, [], "99 is not sent: it is no dead letter"),
        ([], 2, [], "name the dead letters by their sequence, or give --all"),
        (["--all", "2"], 2, [], "name the dead letters"),
    ],
    ids=str,
)
@pytest.mark.parametrize("running", [False, True])
def test_retry(
    run: Run,
    dead_box: Box,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    will_be: list[int],
    words: str,
    *,
    running: bool,
) -> None:
    socket = tmp_path / "control.sock"
    command = ["outbox", "retry", "-c", dead_box.config_file, "--socket", socket, *arguments]
    if running:
        outbox = dead_box.outbox()
        with daemon(outbox, socket):
            ran = run(*command)
        outbox.abandon()
    else:
        ran = run(*command)
    assert ran.code == code
    assert words in ran.err
    assert asked(dead_box) == will_be


def test_retry_says_what_was_asked_and_what_is_damaged(run: Run, dead_box: Box) -> None:
    outbox = dead_box.outbox()
    outbox._db.execute("UPDATE event SET body = x'7b7b' WHERE sequence = 3")
    outbox.close(clock(700))
    ran = run("outbox", "retry", "-c", dead_box.config_file, "--all")
    assert ran.code == 1
    assert "3 is not sent: its bytes are damaged" in ran.err
    rows = json.loads(run("outbox", "dead", "-c", dead_box.config_file, "--json").out)
    assert [row["asked"] is None for row in rows] == [False, True]
    assert rows[1]["type"] == "unreadable"


def test_retry_where_another_daemon_answers(run: Run, dead_box: Box, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Outbox(tmp_path / "other" / "outbox.db", dead_box.config.outbox, dead_box.identity())
    socket = tmp_path / "control.sock"
    with daemon(other, socket), state_lock(dead_box.config.state_directory):
        ran = run("outbox", "retry", "-c", dead_box.config_file, "--socket", socket, "--all")
    assert ran.code == 3
    assert "does not keep" in ran.err
    other.close(clock(900))
    assert asked(dead_box) == []


def test_backup_beside_a_daemon_and_restore_without(run: Run, box: Box, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    outbox = box.outbox()
    with daemon(outbox, tmp_path / "control.sock"):
        ran = run("outbox", "backup", "-c", box.config_file, backup)
        assert (ran.code, ran.err) == (0, f"4 events are in {backup}\n")
        before = bodies(box.outbox_file)
        now = clock(900)
        outbox.append([draft(LABELS[0], now)], now, seal=True)
        ran = run("outbox", "restore", "-c", box.config_file, backup)
        assert ran.code == 3
        assert "another scangate runs there; stop it" in ran.err
        assert len(bodies(box.outbox_file)) == 5
    outbox.close(clock(901))
    ran = run("outbox", "restore", "-c", box.config_file, backup)
    assert ran.code == 0
    assert "4 events restored, 4 of them to be delivered; epoch" in ran.err
    assert "begins with 5" in ran.err
    assert "1 scans in it wait for delivery and are not in the backup" in ran.err
    assert bodies(box.outbox_file) == before
    (aside,) = tmp_path.glob("state/outbox.db.before-restore-*[0-9]")
    file = tmp_path / "left.ndjson"
    arguments = ["outbox", "export", "-c", box.config_file, "--state", "waiting", "--from", aside, "-o", file]
    assert run(*arguments).code == 0
    assert file.read_bytes().splitlines()[4:] == bodies(aside)[4:]
    with closing(OutboxReader(box.outbox_file)) as backlog:
        assert backlog.delivered() == 0, "an export of another outbox marks nothing here"


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_what_cannot_be_done_says_what_to_do(run: Run, box: Box, tmp_path: Path, command: str) -> None:
    ran = run("outbox", command, "-c", box.config_file, tmp_path / "nowhere" / "x.db")
    assert ran.code == 3
    assert ran.err.startswith("scangate: cannot ")
    assert ran.err.count("\n") == 1
