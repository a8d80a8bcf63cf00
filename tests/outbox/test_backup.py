"""Backups, and the way back from one: nothing passes for what it is not, and the former outbox is kept."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.events import cloudevent
from gateway.outbox.backup import Restored, back_up, restore
from gateway.outbox.box_identity import BoxIdentity
from gateway.outbox.entry import JournalledSymbol
from gateway.outbox.reader import OutboxReader
from gateway.outbox.salvage import set_aside
from gateway.outbox.schema import SCHEMA_VERSION, CorruptOutboxError, NewerOutboxError, OutboxError
from gateway.outbox.writer import Dead, Outbox
from tests.brokers import wait_for
from tests.outbox.events import BOX, NOW_NS, ROOMY, S, draft, reading, stocked, stored
from tests.outbox.test_outbox_open import VERSION_1
from tests.outbox.test_salvage import leaf_page, overwrite

LATER = reading(at_ns=NOW_NS + 60 * S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state" / "outbox.db"


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "backup.db"


def restored(path: Path, backup: Path, identity: BoxIdentity = BOX) -> Restored:
    return restore(path, backup, ROOMY, identity, LATER)


class TestBackup:
    def test_it_holds_what_is_only_in_the_wal(self, path: Path, backup: Path) -> None:
        outbox = stocked(path, 20)
        outbox.park(Dead(sequence=2, reason="refused"))
        outbox.mark_delivered(5)
        outbox.write_marks(reading())
        assert back_up(path, backup) == 20
        assert stored(backup) == stored(path)
        with closing(OutboxReader(backup)) as copy:
            assert (copy.delivered(), copy.dead()) == (5, [(2, "refused")])
        assert backup.stat().st_mode & 0o777 == 0o600
        outbox.append([draft(21)], reading(), seal=True)
        assert back_up(path, backup) == 21, "an older one is replaced"
        assert sorted(one.name for one in backup.parent.iterdir()) == ["backup.db", "state"], (
            "one file, nothing else"
        )
        outbox.abandon()

    def test_while_another_process_writes(self, path: Path, backup: Path) -> None:
        """Each backup is one moment: a row of numbers without a gap, whatever comes meanwhile."""
        writer = """
import sys
from pathlib import Path
from gateway.outbox.writer import Outbox
from tests.outbox.events import BOX, ROOMY, draft, reading
outbox = Outbox(Path(sys.argv[1]), ROOMY, BOX)
while True:
    outbox.append([draft(outbox.last + 1)], reading(), seal=True)
    outbox.mark_delivered(outbox.last // 2)
"""
        root = Path(__file__).parents[2]
        process = subprocess.Popen([sys.executable, "-c", writer, str(path)], cwd=root)
        try:
            wait_for(lambda: path.exists() and path.with_name("outbox.db-wal").exists(), "it writes")
            wait_for(lambda: _count(path) > 20, "some are stored")
            counts = [back_up(path, backup) for _ in range(5)]
            assert list(stored(backup)) == list(range(1, counts[-1] + 1))
            assert counts == sorted(counts)
            wait_for(lambda: _count(path) > counts[-1] + 20, "the writer goes on")
        finally:
            process.kill()
            process.wait()

    @pytest.mark.parametrize(
        ("destination", "words"),
        [
            ("missing/backup.db", "No such file or directory; choose a directory"),
            ("state/outbox.db", "it is the outbox itself; choose another name"),
        ],
    )
    def test_where_it_cannot_go(self, path: Path, tmp_path: Path, destination: str, words: str) -> None:
        stocked(path, 3).close(reading())
        before = path.read_bytes()
        with pytest.raises(OutboxError, match=words):
            back_up(path, tmp_path / destination)
        assert path.read_bytes() == before

    def test_a_damaged_outbox_does_not_replace_a_sound_backup(self, path: Path, backup: Path) -> None:
        stocked(path, 300, size=600).close(reading())
        back_up(path, backup)
        sound = backup.read_bytes()
        overwrite(path, leaf_page(path))
        with pytest.raises(OutboxError, match="damaged"):
            back_up(path, backup)
        assert backup.read_bytes() == sound
        assert [one.name for one in backup.parent.iterdir() if one.name.startswith(".")] == []

    def test_no_outbox(self, path: Path, backup: Path) -> None:
        with pytest.raises(OutboxError, match="there is no such file"):
            back_up(path, backup)


def _count(path: Path) -> int:
    try:
        return len(stored(path))
    except OutboxError:
        return 0


class TestRestore:
    def test_numbers_and_bytes_stay_and_a_new_epoch_begins(self, path: Path, backup: Path) -> None:
        outbox = stocked(path, 20)
        outbox.park(Dead(sequence=3, reason="refused"))
        outbox.mark_delivered(5)
        outbox.write_marks(reading())
        back_up(path, backup)
        before = stored(backup)
        outbox.append([draft(number) for number in range(21, 31)], reading(), seal=True)
        outbox.mark_delivered(30)
        outbox.close(reading())
        done = restored(path, backup)
        assert stored(path) == before
        assert (done.events, done.waiting, done.epoch_begins, done.left_behind) == (20, 15, 21, 0)
        assert done.epoch != outbox.epoch
        again = Outbox(path, ROOMY, BOX)
        assert again.new_epoch_because is None, "the epoch has begun"
        assert (again.epoch, again.delivered, again.dead_letters) == (done.epoch, 5, 1)
        assert again.append([draft(99)], LATER, seal=True) == [21]
        event = cloudevent.decode_scan(stored(path)[21])
        assert (event.epoch, event.sequence) == (done.epoch, "0000000000000021")
        again.abandon()

    def test_the_former_outbox_is_kept_whole_and_named(self, path: Path, backup: Path) -> None:
        outbox = stocked(path, 10)
        back_up(path, backup)
        outbox.append([draft(number) for number in range(11, 15)], reading(), seal=True)
        outbox.mark_delivered(12)
        outbox.write_marks(reading())
        before = stored(path)
        outbox.abandon()
        done = restored(path, backup)
        assert done.aside is not None
        assert stored(done.aside) == before
        assert done.left_behind == 2, "those that the central system has not had, and the backup neither"
        assert set_aside(path.parent) == [done.aside.name]

    def test_a_crashed_outbox_is_kept_with_its_wal(self, path: Path, backup: Path, tmp_path: Path) -> None:
        """The newest scans are only in the -wal of a box that was switched off."""
        outbox = stocked(path, 10)
        back_up(path, backup)
        outbox.append([draft(11)], reading(), seal=True)
        crashed = tmp_path / "crashed" / "outbox.db"
        crashed.parent.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{crashed}{suffix}")
        outbox.close(reading())
        done = restored(crashed, backup)
        assert done.aside is not None
        assert list(stored(done.aside)) == list(range(1, 12))
        assert list(stored(crashed)) == list(range(1, 11))
        assert done.left_behind == 1

    def test_on_a_new_card_there_is_nothing_to_keep(self, path: Path, backup: Path) -> None:
        stocked(path, 10).close(reading())
        back_up(path, backup)
        path.unlink()
        done = restored(path, backup, msgspec.structs.replace(BOX, board="b2"))
        assert (done.aside, done.left_behind, done.events) == (None, 0, 10)
        again = Outbox(path, ROOMY, msgspec.structs.replace(BOX, board="b2"))
        assert again.new_epoch_because is None
        again.abandon()

    def test_a_damaged_outbox_is_kept_as_it_is(self, path: Path, backup: Path) -> None:
        stocked(path, 300, size=600).close(reading())
        back_up(path, backup)
        overwrite(path, 1)
        damaged = path.read_bytes()
        done = restored(path, backup)
        assert done.aside is not None
        assert done.aside.read_bytes() == damaged
        assert len(stored(path)) == 300

    def test_a_half_scanned_label_of_the_backup_goes_out(self, path: Path, backup: Path) -> None:
        outbox = stocked(path, 1)
        outbox.append([JournalledSymbol(scanner="front", draft=draft(2))], reading(), seal=True)
        back_up(path, backup)
        outbox.abandon()
        restored(path, backup)
        again = Outbox(path, ROOMY, BOX)
        assert [one.id for one in again.left_open] == ["id-2"]
        again.abandon()

    def test_a_backup_of_version_1(self, path: Path, backup: Path) -> None:
        with closing(sqlite3.connect(backup)) as db:
            db.executescript(VERSION_1.read_text())
        before = stored(backup)
        done = restored(path, backup)
        assert stored(path) == before
        assert (done.events, done.epoch_begins) == (6, 7)
        with closing(sqlite3.connect(backup)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (1,), "the backup is left as it is"

    @pytest.mark.parametrize(
        ("spoil", "error", "words"),
        [
            ("newer", NewerOutboxError, f"it has version {SCHEMA_VERSION + 1}, this scangate knows"),
            ("other", OutboxError, "it is no outbox; give a file that"),
            ("damaged", OutboxError, "it is damaged|malformed"),
            ("text", OutboxError, "not a database"),
            ("missing", OutboxError, "there is no such file"),
            ("directory", OutboxError, "there is no such file"),
        ],
    )
    def test_what_is_no_sound_backup_changes_nothing(
        self, path: Path, backup: Path, spoil: str, error: type[OutboxError], words: str
    ) -> None:
        stocked(path, 300, size=600).close(reading())
        back_up(path, backup)
        match spoil:
            case "newer" | "other":
                with closing(sqlite3.connect(backup)) as db:
                    db.execute(
                        f"PRAGMA user_version = {SCHEMA_VERSION + 1}" if spoil == "newer" else "DROP TABLE event"
                    )
                    db.commit()
            case "damaged":
                overwrite(backup, leaf_page(backup))
            case "text":
                backup.write_bytes(b"these are no scans" * 1000)
            case _:
                backup.unlink()
                if spoil == "directory":
                    backup.mkdir()
        before = path.read_bytes()
        with pytest.raises(error, match=words) as caught:
            restored(path, backup)
        assert not isinstance(caught.value, CorruptOutboxError)
        assert path.read_bytes() == before
        assert {one.name for one in path.parent.iterdir()} <= {"outbox.db", "outbox.db-wal", "outbox.db-shm"}

    @pytest.mark.parametrize("complete", [False, True])
    def test_a_power_cut_on_the_way(self, path: Path, backup: Path, *, complete: bool) -> None:
        """Before the new file is complete the outbox is as it was; after, the next start takes the new one."""
        outbox = stocked(path, 10)
        back_up(path, backup)
        outbox.append([draft(11)], reading(), seal=True)
        outbox.close(reading())
        shutil.copy(backup, path.with_name("outbox.db.salvaged" if complete else "outbox.db.restoring"))
        from gateway.outbox.salvage import open_outbox

        again = open_outbox(path, ROOMY, BOX, LATER)
        assert again.last == (10 if complete else 11)
        again.abandon()
        assert restored(path, backup).events == 10
        assert list(path.parent.glob("*.restoring*")) == []


class TestClone:
    def test_a_cloned_card_and_its_original_never_say_the_same(self, path: Path, tmp_path: Path) -> None:
        """Same image, another board: both go on, and no event of one passes for one of the other."""
        outbox = stocked(path, 10)
        outbox.mark_delivered(4)
        outbox.close(reading())
        clone = tmp_path / "clone" / "outbox.db"
        shutil.copytree(path.parent, clone.parent)
        first = Outbox(path, ROOMY, BOX)
        second = Outbox(clone, ROOMY, msgspec.structs.replace(BOX, board="b2"))
        assert (first.new_epoch_because, second.new_epoch_because) == (None, "board")
        first.append([draft(11, identity="a")], LATER, seal=True)
        second.append([draft(11, identity="b")], LATER, seal=True)
        mine, theirs = stored(path), stored(clone)
        assert {n: body for n, body in mine.items() if n <= 10} == {
            n: body for n, body in theirs.items() if n <= 10
        }
        keys = {(event.epoch, event.sequence) for event in map(cloudevent.decode_scan, (mine[11], theirs[11]))}
        assert len(keys) == 2
        first.abandon()
        second.abandon()

    def test_a_clone_that_learns_its_board_later_is_still_noticed(self, path: Path) -> None:
        """A board's serial that could not be read at first counts from when it can."""
        blind = msgspec.structs.replace(BOX, board=None, machine=None)
        Outbox(path, ROOMY, blind).abandon()
        seeing = Outbox(path, ROOMY, BOX)
        assert seeing.new_epoch_because is None
        seeing.abandon()
        other = Outbox(path, ROOMY, msgspec.structs.replace(BOX, board="b2"))
        assert other.new_epoch_because == "board"
        other.abandon()
