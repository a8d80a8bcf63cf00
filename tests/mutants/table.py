"""Wrong lines that a test must notice, by area: the code that keeps the promise.

A line is given as it stands in its file, or as much of it as is nowhere else there. One that has moved on is named
by `make mutants`, which then does nothing: put the line of today here, or, where its fault is no longer possible,
another.
"""

from typing import Final, NamedTuple


class Mutant(NamedTuple):
    """One wrong line."""

    path: str
    line: str
    """What is there, exactly once in the file."""
    instead: str
    tests: tuple[str, ...] = ()
    """Where it must be noticed, if not by the tests of its area."""


class Area(NamedTuple):
    """Code that is tested together."""

    tests: tuple[str, ...]
    mutants: tuple[Mutant, ...]


WRITER: Final = "gateway/outbox/writer.py"
SCHEMA: Final = "gateway/outbox/schema.py"
SALVAGE: Final = "gateway/outbox/salvage.py"
MAINTENANCE: Final = "gateway/outbox/maintenance.py"
BATCH: Final = "gateway/outbox/batch.py"
RETENTION: Final = "gateway/outbox/retention.py"
EVENT: Final = "gateway/events/cloudevent.py"
WINDOW: Final = "gateway/mqtt/inflight_window.py"
ACK: Final = "gateway/mqtt/application_ack.py"
FRAMING: Final = "drivers/framing.py"
LOCKS: Final = "drivers/locks.py"
KEYMAP: Final = "drivers/keymap.py"
SERIAL: Final = "drivers/serial_port.py"
FRAMES: Final = ("tests/drivers/test_framing.py",)
KEYS: Final = ("tests/drivers/test_keymap.py", "tests/drivers/test_keymap_loss.py", "tests/drivers/test_locks.py")
DIALECTS: Final = ("tests/drivers/test_dialect_contract.py", "tests/drivers/test_dialect_honeywell.py")
LINES: Final = ("tests/drivers/test_serial_port.py",)
HARDWARE: Final = ("tests/drivers/test_hardware.py", "tests/drivers/test_hid_keyboard.py")
PRIVACY: Final = "gateway/station/privacy.py"
PAIRING: Final = "gateway/station/pairing.py"
REPEATS: Final = "gateway/station/repeats.py"
MACHINE: Final = "gateway/station/machine.py"
VERDICT: Final = "gateway/station/verdict.py"
INBOX: Final = "gateway/scanning/inbox.py"
WORKER: Final = "gateway/scanning/worker.py"

AREAS: Final[dict[str, Area]] = {
    "outbox": Area(
        ("tests/outbox", "tests/events"),
        (
            Mutant(SCHEMA, "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"),
            Mutant(SCHEMA, "if version > SCHEMA_VERSION:", "if version > SCHEMA_VERSION + 1:"),
            Mutant(SCHEMA, "MIGRATIONS[version:]", "MIGRATIONS"),
            Mutant(SCHEMA, "{sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}", "{sqlite3.SQLITE_NOTADB}"),
            Mutant(WRITER, "self.left_open = left\n", "pass\n"),
            Mutant(WRITER, "self._next += len(batch.events)", "self._next += 1"),
            Mutant(WRITER, "if batch.closed or batch.holds:", "if batch.holds:"),
            Mutant(WRITER, "int(seal or clock.synchronised)", "int(clock.synchronised)"),
            Mutant(WRITER, "if upto > max(self._mark or 0, self.delivered):", "if upto:"),
            Mutant(WRITER, "self.write_marks(clock)  # what was parked just now is one of them", "pass"),
            Mutant(WRITER, "bool(self._dead) or bool(self._revived)", "bool(self._dead)"),
            Mutant(WRITER, 'or self._meta("untrusted_boot") != clock.boot_id', ""),
            Mutant(WRITER, "if (scarce or too_old_ns is not None) and", "if too_old_ns is not None and"),
            Mutant(WRITER, "because = identity.differs_from(known) if stored", "because = None if stored"),
            Mutant(WRITER, "self.epoch_begins = self._read_next()", "self.epoch_begins = 1"),
            Mutant(WRITER, "max(int(newest), self.delivered) + 1", "int(newest) + 1"),
            Mutant(WRITER, "self._dead, self._revived = [], []", "self._dead = []"),
            Mutant(WRITER, 'self._db.execute("ROLLBACK")', "pass"),
            Mutant(WRITER, "if self._until_room_check <= 0 or self.room.room", "if self.room.room"),
            Mutant(BATCH, "waiting.pop(draft.closes, None)", "pass"),
            Mutant(BATCH, "self.holds.pop(draft.closes, None)", "pass"),
            Mutant(MAINTENANCE, " AND event NOT IN (SELECT sequence FROM dead)", ""),
            Mutant(MAINTENANCE, " AND sequence NOT IN (SELECT sequence FROM dead)", ""),
            Mutant(MAINTENANCE, "if trusted and recorded_ns >=", "if recorded_ns >="),
            Mutant(MAINTENANCE, "        if trusted:\n", "        if True:\n"),
            Mutant(MAINTENANCE, "(delivered, PRUNE_ROWS),", "(delivered, 10 * PRUNE_ROWS),"),
            Mutant(MAINTENANCE, "(SEAL_ROWS,)", "(10 * SEAL_ROWS,)"),
            Mutant(MAINTENANCE, "            if clock.synchronised\n", "            if True\n"),
            Mutant(RETENTION, "if clock.monotonic_ns < self._believed_from_ns:", "if False:"),
            Mutant(RETENTION, "not -STEP_NS <= wall_ns", "not 0 - AWAY_NS <= wall_ns"),
            Mutant(EVENT, "if stamp.boot_id != clock.boot_id:", "if False:"),
            Mutant(EVENT, "true_recorded = true_time + (recorded_ns - told_ns)", "true_recorded = recorded_ns"),
            Mutant("gateway/outbox/box_identity.py", "if mine is not None and theirs is not None and", "if"),
            Mutant("gateway/outbox/dead_letters.py", " if not letter.asked_ns]", "]"),
            Mutant("gateway/outbox/capacity.py", "used_bytes / settings.max_bytes, ", "0.0, "),
            Mutant(SALVAGE, "if row[0] > delivered and not", "if not"),
            Mutant(SALVAGE, 'fresh.execute("UPDATE cursor SET delivered = ?", (delivered,))', "pass"),
            Mutant(SALVAGE, "if gap == MAX_GAP and position < delivered:", "if False:"),
            Mutant(SALVAGE, 'remove(path, "-wal", "-shm")  #', "#"),
            Mutant(SALVAGE, "while aside.exists() and not aside.samefile(path):", "while False:"),
            Mutant(SALVAGE, 'fresh.execute("INSERT OR IGNORE INTO open_item VALUES (?, ?)", row)', "pass"),
            Mutant(SALVAGE, "os.fsync(descriptor)", "pass"),
        ),
    ),
    "mqtt": Area(
        ("tests/mqtt",),
        (
            Mutant(WINDOW, "if not self._order or self._order[0] != sequence:", "if not self._order:"),
            Mutant(WINDOW, "        if self._settled:\n", "        if False:\n"),
            Mutant(WINDOW, "bool(self._order) and not self._under_way", "bool(self._order)"),
            Mutant(WINDOW, " if sequence > self.delivered}", "}"),
            Mutant(WINDOW, "self._settled.discard(self.delivered)", "pass"),
            Mutant(
                WINDOW,
                "next(iter(self._under_way.values()), None)",
                "next(reversed(self._under_way.values()), None)",
            ),
        ),
    ),
    "drivers": Area(
        ("tests/drivers",),
        (
            Mutant(
                FRAMING,
                "        if self._started_ns is None:\n            self._started_ns",
                "        self._started_ns",
            ),
            Mutant(
                FRAMING,
                "self._length <= MAX_FRAME_BYTES:\n            self._held",
                "True:\n            self._held",
                FRAMES,
            ),
            Mutant(
                FRAMING,
                "            if self._started_ns is None:\n                pos",
                "            if True:\n                pos",
                FRAMES,
            ),
            Mutant(FRAMING, "if self._ending and not ended:", "if False:", FRAMES),
            Mutant(FRAMING, "self._doubtful or now_ns < self._late_until_ns", "self._doubtful", FRAMES),
            Mutant(FRAMING, "if begun and self._ending:", "if False:", FRAMES),
            Mutant(FRAMING, "data = data.lstrip(SKIPPED)", "pass", FRAMES),
            Mutant("drivers/clues.py", "if len(data) >= _LEAST and has_parity(data):", "if False:", FRAMES),
            Mutant(LOCKS, "self._state = not self._state", "pass", KEYS),
            Mutant(LOCKS, "self._habit = Habit.WANDERS", "pass", KEYS),
            Mutant(
                LOCKS,
                "if self._habit is Habit.WANDERS:\n                return",
                "if False:\n                return",
                KEYS,
            ),
            Mutant(LOCKS, "_Event.LOSS: {_C: _U", "_Event.LOSS: {_C: _C", KEYS),
            Mutant(KEYMAP, "self._num.light(right=value == 1)", "self._num.light(right=value == 0)", KEYS),
            Mutant(KEYMAP, "self._caps.light(right=value == 0)", "self._caps.light(right=value == 1)", KEYS),
            Mutant(KEYMAP, "if self._num.on and (", "if not self._num.on and (", KEYS),
            Mutant(
                KEYMAP, "self._caps.on is None or (self._caps.on and not letter)", "self._caps.on is None", KEYS
            ),
            Mutant(KEYMAP, ' or digits.startswith("0") else', " else", KEYS),
            Mutant(KEYMAP, 'text <= "~" or', "", KEYS),
            Mutant(KEYMAP, ' and "f8" in self._gs and self._framer.enveloped:', ":", KEYS),
            Mutant("drivers/dialects/plain.py", " and not (self._mark and self._mark in data)", "", DIALECTS),
            Mutant("drivers/dialects/plain.py", "self._framer.broken()  # it was no code", "pass", DIALECTS),
            Mutant(SERIAL, "if self._changed() or not data:", "if not data:", LINES),
            Mutant(SERIAL, "self._connection is ConnectionState.BUSY and holders(path)", "False", LINES),
            Mutant("drivers/hid_node.py", "if self._radio and not bluetooth_connected():", "if False:", HARDWARE),
            Mutant(
                "drivers/hardware.py",
                'None if hid.get("bus") == _BLUETOOTH else _usb_device',
                "_usb_device",
                HARDWARE,
            ),
            Mutant(
                FRAMING, "self._length == 0 or self._length > MAX_FRAME_BYTES", "self._length > MAX_FRAME_BYTES"
            ),
        ),
    ),
    "station": Area(
        ("tests/station",),
        (
            Mutant(
                PRIVACY,
                "decoded.device_identifier is not None and not doubtful",
                "decoded.device_identifier is not None",
            ),
            Mutant(PRIVACY, "if not redacted and is_label_part", "if is_label_part"),
            Mutant(PRIVACY, "symbology not in EAN_SYMBOLOGIES and is_person(text)", "is_person(text)"),
            Mutant(PRIVACY, "person_number(text) is not None or is_reserve", "is_reserve"),
            Mutant(VERDICT, "if expires < clock.certain_date():", "if expires <= clock.certain_date():"),
            Mutant(VERDICT, "        if severity is not None:\n", "        if True:\n"),
            Mutant(
                VERDICT, "finding.severity is Severity.ERROR for finding in weighed", "False for finding in weighed"
            ),
            Mutant(VERDICT, "if starts is None or not clock.synchronised:", "if starts is None:"),
            Mutant(
                VERDICT,
                "date.fromisoformat(recall.ends) < clock.certain_date()",
                "date.fromisoformat(recall.ends) < clock.today()",
            ),
            Mutant(VERDICT, "    if traced and not identified:", "    if traced and identified:"),
            Mutant(VERDICT, "if look_up.match not in SHELF_LABELS:", "if True:"),
            Mutant(VERDICT, "circumstances.quality & LOWER_TRUST", "circumstances.quality - LOWER_TRUST"),
            Mutant(VERDICT, "if days > max_age_days:", "if days >= max_age_days:"),
            Mutant(VERDICT, "if 0 <= days <= settings", "if days <= settings"),
            Mutant(REPEATS, "at_ns - seen.at_ns <= window_ns", "at_ns - seen.at_ns < window_ns"),
            Mutant(REPEATS, "(key, (*key[:-1], None))", "(key,)"),
            Mutant(REPEATS, " or identity\n", "\n"),
            Mutant(REPEATS, "labels.pop(key, None)", "pass"),
            Mutant(REPEATS, "if seen.first != identity", "if True"),
            Mutant(REPEATS, "serial is None and not profile.lot_repeats", "serial is None"),
            Mutant(REPEATS, "whose if serial is None else None", "whose"),
        ),
    ),
    "scanning": Area(
        ("tests/scanning",),
        (
            Mutant(INBOX, "if len(self._scans) >= MAX_SCANS:", "if len(self._scans) > MAX_SCANS:"),
            Mutant(INBOX, "min(len(self._scans), MAX_BATCH)", "len(self._scans)"),
            Mutant(INBOX, "if Notice.STOP in self._notices and self._scans:", "if False:"),
            Mutant(INBOX, "if len(self._jobs) >= MAX_JOBS:", "if False:"),
        ),
    ),
}
