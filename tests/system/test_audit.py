"""The audit trail: every way of changing it afterwards is seen, and none of writing it breaks it.

The requirements: IEC 62443-4-2 CR 2.8 (auditable events), CR 2.9 (storage capacity), CR 3.9 (protection of audit
information).
"""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.system import audit
from gateway.system.audit import FORMER, HEAD, LOG, MAX_TEXT, Act, AuditTrail, hash_of, read, verify

NOW_NS = 1_795_300_867_000_000_000


def act(number: int = 1, **detail: str) -> Act:
    return Act(who="anna as root", through="command line", operation=f"act {number}", outcome="done", detail=detail)


def trail(directory: Path, **options: int) -> tuple[AuditTrail, list[str]]:
    forwarded: list[str] = []
    return AuditTrail(directory, forwarded.append, lambda: NOW_NS, **options), forwarded


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A directory with eight entries."""
    one, _ = trail(tmp_path)
    for number in range(1, 9):
        one.append(act(number, scanner="front"))
    return tmp_path


def lines(directory: Path) -> list[bytes]:
    return (directory / LOG).read_bytes().splitlines(keepends=True)


def test_what_is_written_is_read_and_whole(written: Path) -> None:
    verdict = verify(written)
    assert (verdict.entries, verdict.first, verdict.problems) == (8, 1, ())
    assert verdict.head == audit.read_head(written)
    entries = [line.entry for line in read(written)]
    assert [one.number for one in entries if one is not None] == list(range(1, 9))
    assert entries[2] is not None
    assert (entries[2].operation, entries[2].detail) == ("act 3", {"scanner": "front"})


def edited(directory: Path) -> None:
    changed = lines(directory)
    changed[3] = changed[3].replace(b"anna", b"otto")
    (directory / LOG).write_bytes(b"".join(changed))


def edited_last(directory: Path) -> None:
    changed = lines(directory)
    changed[-1] = changed[-1].replace(b"anna", b"otto")
    (directory / LOG).write_bytes(b"".join(changed))


def removed(directory: Path) -> None:
    (directory / LOG).write_bytes(b"".join([*lines(directory)[:3], *lines(directory)[4:]]))


def several_removed(directory: Path) -> None:
    (directory / LOG).write_bytes(b"".join([*lines(directory)[:3], *lines(directory)[6:]]))


def first_removed(directory: Path) -> None:
    (directory / LOG).write_bytes(b"".join(lines(directory)[2:]))


def truncated(directory: Path) -> None:
    (directory / LOG).write_bytes(b"".join(lines(directory)[:6]))


def last_removed(directory: Path) -> None:
    (directory / LOG).write_bytes(b"".join(lines(directory)[:7]))


def reordered(directory: Path) -> None:
    changed = lines(directory)
    changed[3], changed[4] = changed[4], changed[3]
    (directory / LOG).write_bytes(b"".join(changed))


def put_in(directory: Path) -> None:
    (directory / LOG).write_bytes(b"".join([*lines(directory)[:4], lines(directory)[1], *lines(directory)[4:]]))


def made_up(directory: Path) -> None:
    with (directory / LOG).open("ab") as file:
        file.write(b"nothing happened\n")


def chained_anew(directory: Path) -> None:
    """Whoever can write both files makes a chain without entry 4; only its number is missing then."""
    previous, chain = audit.BEGINNING, []
    for raw in lines(directory):
        entry = json.loads(raw)
        if entry["number"] != 4:
            line = json.dumps({**entry, "previous": previous}).encode()
            chain.append(line + b"\n")
            previous = hash_of(line)
    (directory / LOG).write_bytes(b"".join(chain))
    (directory / HEAD).write_text(json.dumps({"number": 8, "hash": previous, "first": 1}))


def head_removed(directory: Path) -> None:
    (directory / HEAD).unlink()


def log_removed(directory: Path) -> None:
    (directory / LOG).unlink()


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "edited": (edited, "entry 4 was changed"),
    "edited at the end": (edited_last, "entry 8 is not the one that was written"),
    "removed": (removed, "entry 4 is missing"),
    "several removed": (several_removed, "entries 4 to 6 are missing"),
    "removed at the beginning": (first_removed, "entries 1 to 2 are missing at the beginning"),
    "truncated": (truncated, "entries 7 to 8 are missing at the end"),
    "last removed": (last_removed, "entry 8 is missing at the end"),
    "reordered": (reordered, "entry 4 stands behind entry 5"),
    "put in": (put_in, "entry 2 stands behind entry 4"),
    "made up": (made_up, "line 9 is no entry"),
    "chained anew": (chained_anew, "entry 4 is missing"),
    "head removed": (head_removed, "audit.head is missing"),
    "log removed": (log_removed, "entries 1 to 8 are missing at the end"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_is_changed_afterwards_is_seen(written: Path, how: str) -> None:
    tamper, words = TAMPERED[how]
    tamper(written)
    assert any(words in problem for problem in verify(written).problems), verify(written).problems
    one, _ = trail(written)
    one.append(act(9))  # going on does not mend it
    assert verify(written).problems


def test_a_trail_that_was_written_anew_is_shown_by_what_was_forwarded(written: Path) -> None:
    ((number, digest),) = [(head.number, head.hash) for head in [audit.read_head(written)] if head is not None]
    for name in (LOG, HEAD):
        (written / name).unlink()
    one, _ = trail(written)
    for again in range(1, 9):
        one.append(act(again))
    assert verify(written).problems == ()
    assert verify(written, {number: digest}).problems == ("entry 8 is not the one that was written",)


@settings(deadline=None)  # each entry is flushed to a disk that others use, too
@given(st.data())
def test_no_changed_byte_goes_unseen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    directory = tmp_path_factory.mktemp("trail")
    one, _ = trail(directory)
    for number in range(1, 5):
        one.append(act(number))
    content = bytearray((directory / LOG).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    (directory / LOG).write_bytes(content)
    assert verify(directory).problems


def test_it_is_bounded_and_the_chain_goes_over_both_files(tmp_path: Path) -> None:
    one, _ = trail(tmp_path, max_file_bytes=1000)
    for number in range(1, 41):
        one.append(act(number))
    verdict = verify(tmp_path)
    assert verdict.problems == ()
    assert verdict.head is not None
    assert (verdict.head.number, verdict.first > 1) == (40, True)
    assert sum((tmp_path / name).stat().st_size for name in (LOG, FORMER)) < 3000
    (tmp_path / FORMER).unlink()
    assert "are missing at the beginning" in verify(tmp_path).problems[0]


def test_what_is_long_is_cut_and_what_is_odd_stays_one_line(tmp_path: Path) -> None:
    one, forwarded = trail(tmp_path)
    one.append(act(1, file="/x" * 1000, name="a\nnumber=2 hash=0\x1b[31m", **{f"k{n}": "v" for n in range(100)}))
    (line,) = read(tmp_path)
    assert line.entry is not None
    assert len(line.entry.detail["file"]) == MAX_TEXT
    assert len(line.entry.detail) == audit.MAX_DETAILS
    (text,) = forwarded
    assert "\n" not in text
    assert "\x1b" not in text
    assert text.startswith(f"number=1 hash={hash_of(line.raw)} who='anna as root'")


@pytest.mark.parametrize("left", [1, 40, 150])
def test_a_power_cut_within_a_line_leaves_a_whole_trail(written: Path, left: int) -> None:
    with (written / LOG).open("ab") as file:
        file.write(lines(written)[-1][:left])
    one, _ = trail(written)
    assert one.append(act(9)).number == 9
    assert verify(written).problems == ()


def test_a_power_cut_between_line_and_head_leaves_a_whole_trail(written: Path) -> None:
    before = (written / HEAD).read_bytes()
    one, _ = trail(written)
    one.append(act(9))
    (written / HEAD).write_bytes(before)
    assert verify(written).problems == ()
    assert one.append(act(10)).number == 10
    assert verify(written).problems == ()


def test_many_write_at_once(tmp_path: Path) -> None:
    one, _ = trail(tmp_path)
    writers = [threading.Thread(target=lambda: [one.append(act()) for _ in range(10)]) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    verdict = verify(tmp_path)
    assert (verdict.entries, verdict.problems) == (80, ())


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "{user}"),
        ({"SUDO_USER": "anna"}, "anna as {user}"),
        ({"SSH_CONNECTION": "10.1.2.3 50000 10.1.2.4 22"}, "{user} from 10.1.2.3"),
    ],
)
def test_who_it_was(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    for key in ("SUDO_USER", "SSH_CONNECTION"):
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert audit.caller() == name.format(user="root")
