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
WAL: Final = "gateway/outbox/wal_check.py"
RETENTION: Final = "gateway/outbox/retention.py"
EVENT: Final = "gateway/events/cloudevent.py"
WINDOW: Final = "gateway/mqtt/inflight_window.py"
SESSION: Final = "gateway/mqtt/session.py"
POISON: Final = "gateway/mqtt/poison_detector.py"
ECHO: Final = "gateway/mqtt/echo_proof.py"
STATE: Final = "gateway/mqtt/delivery_state.py"
ACK: Final = "gateway/mqtt/application_ack.py"
ACKS: Final = ("tests/mqtt/test_application_ack.py",)
LINE: Final = ("tests/mqtt/test_session.py", "tests/mqtt/test_proofs.py")
FRAMING: Final = "drivers/framing.py"
LOCKS: Final = "drivers/locks.py"
KEYMAP: Final = "drivers/keymap.py"
PLAIN: Final = "drivers/dialects/plain.py"
SERIAL: Final = "drivers/serial_port.py"
FRAMES: Final = ("tests/drivers/test_framing.py",)
KEYS: Final = ("tests/drivers/test_keymap.py", "tests/drivers/test_keymap_loss.py")
DIALECTS: Final = (
    "tests/drivers/test_dialect_contract.py",
    "tests/drivers/test_dialect_datalogic.py",
    "tests/drivers/test_dialect_honeywell.py",
)
LINES: Final = ("tests/drivers/test_serial_port.py",)
HARDWARE: Final = ("tests/drivers/test_hardware.py", "tests/drivers/test_hid_keyboard.py")
PRIVACY: Final = "gateway/station/privacy.py"
LABEL: Final = "gateway/station/label.py"
ENGINE: Final = "gateway/station/label_engine.py"
BINDING: Final = "gateway/station/binding.py"
REPEATS: Final = "gateway/station/repeats.py"
MACHINE: Final = "gateway/station/machine.py"
VERDICT: Final = "gateway/station/verdict.py"
INBOX: Final = "gateway/scanning/inbox.py"
WORKER: Final = "gateway/scanning/worker.py"

AREAS: Final[dict[str, Area]] = {
    "outbox": Area(
        ("tests/outbox", "tests/events/test_cloudevent.py"),
        (
            Mutant(SCHEMA, "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"),
            Mutant(SCHEMA, "if version > SCHEMA_VERSION:", "if version > SCHEMA_VERSION + 1:"),
            Mutant(SCHEMA, "MIGRATIONS[version:]", "MIGRATIONS"),
            Mutant(SCHEMA, "        sqlite3.SQLITE_CORRUPT,\n", ""),
            Mutant(WRITER, "self.left_open = left\n", "pass\n"),
            Mutant(WRITER, "self._next += len(batch.events)", "self._next += 1"),
            Mutant(WRITER, "if batch.closed or batch.holds:", "if batch.holds:"),
            Mutant(WRITER, "sealed = seal or clock.synchronised", "sealed = clock.synchronised"),
            Mutant(WRITER, "min(marks.delivered, self.last))", "marks.delivered)"),
            Mutant(WRITER, "self.write_marks(clock)  # what was parked just now is one of them", "pass"),
            Mutant(WRITER, "bool(self._dead) or bool(self._revived)", "bool(self._dead)"),
            Mutant(WRITER, "if known is not None and (known.handed or not handed):", "if known is not None:"),
            Mutant(WRITER, "if (scarce or too_old_ns is not None) and", "if too_old_ns is not None and"),
            Mutant(WRITER, "because = identity.differs_from(known) if stored", "because = None if stored"),
            Mutant(WRITER, "self.epoch_begins = self._read_next()", "self.epoch_begins = 1"),
            Mutant(WRITER, "max(newest, *self._cursor[:2]) + 1", "newest + 1"),
            Mutant(WRITER, "self._dead, self._revived = [], []", "self._dead = []"),
            Mutant(WRITER, 'self._db.execute("ROLLBACK")', "pass"),
            Mutant(WRITER, "if self._until_measured <= 0 or self.capacity", "if self.capacity"),
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
            Mutant(SALVAGE, "if kept and row[0] > cursor.delivered:", "if kept:"),
            Mutant(SALVAGE, "max(cursor.published, cursor.delivered), 0))", "cursor.published, 0))"),
            Mutant(SALVAGE, 'remove(path, "-wal", "-shm")  #', "#"),
            Mutant(SALVAGE, "while aside.exists() and not aside.samefile(path):", "while False:"),
            Mutant(SALVAGE, "_sound_items(source))", "{})"),
            Mutant(
                SALVAGE,
                "_set_aside(outbox.path, clock, at_work, outbox.under_way)",
                "_set_aside(outbox.path, clock, at_work, None)",
            ),
            Mutant(
                SALVAGE, "outbox.identity, clock, at_work, outbox.under_way)", "outbox.identity, clock, at_work)"
            ),
            Mutant(SALVAGE, '{"lost": lost, **notes}', '{"lost": lost}'),
            Mutant(SALVAGE, "os.fsync(descriptor)", "pass"),
            Mutant(WRITER, "            self.under_way = batch.leaves(self.under_way)", "            pass"),
            Mutant(BATCH, " if scanner not in self.closed}", "}"),
            Mutant(WRITER, "not (same_boot and end is End.COUNTED)", "end is not End.COUNTED"),
            Mutant(WRITER, "not (same_boot and end is End.COUNTED)", "not same_boot"),
            Mutant(WAL, "    if seen.frames <= seen.backfilled:", "    if False:"),
            Mutant(WAL, "if len(head) == HEADER and seen.salts ==", "if True or seen.salts =="),
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
            Mutant(ACK, "if self._reader.epoch_of(said.up_to) != said.epoch:", "if False:", ACKS),
            Mutant(ACK, "elif said.up_to <= self._state.published:", "elif True:", ACKS),
            Mutant(ACK, "self._upto = min(acked, published)", "self._upto = acked", ACKS),
            Mutant(ACK, "            if acked < sequence:\n", "            if False:\n", ACKS),
            Mutant(ACK, "return sequence <= self._upto + MAX_AHEAD", "return True", ACKS),
            Mutant(ACK, "if said.acks and before.acks and since != before.since:", "if False:", ACKS),
            Mutant(SESSION, "and self._answers\n", "\n", LINE),
            Mutant(SESSION, "if answer.reason not in UNFIT_REASONS:", "if False:", LINE),
            Mutant(SESSION, "max(1, min(settings.window, connection.receive_maximum))", "settings.window", LINE),
            Mutant(SESSION, "        self._window.size = CAUTIOUS\n", "", LINE),
            Mutant(SESSION, "        if len(body) <= ORDINARY_EVENT_BYTES:\n", "        if False:\n", LINE),
            Mutant(SESSION, "if sequence <= self._ack.upto:", "if False:", LINE),
            Mutant(POISON, "if self.sequence != sequence or not alone:", "if self.sequence != sequence:"),
            Mutant(POISON, " or self._convictions >= MAX_CONVICTIONS", ""),
            Mutant(ECHO, "        if sequence in self._echoed:\n", "        if True:\n"),
            Mutant(STATE, "self._published = max(self._published, published)", "self._published = published", ACKS),
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
                "        if self._length <= MAX_FRAME_BYTES:\n            self._held",
                "        if True:\n            self._held",
            ),
            Mutant(FRAMING, "self._length == 0 or self._length >", "self._length >"),
            Mutant(FRAMING, "now_ns if self._started_ns is None else self._started_ns", "now_ns"),
            Mutant(FRAMING, "if doubtful and not begins_with_aim_id(self._held):", "if doubtful:"),
            Mutant(FRAMING, "if self._ending and not ended:", "if False:"),
            Mutant(
                FRAMING,
                "        doubtful, self._doubtful = self._doubtful, False\n",
                "        doubtful = self._doubtful\n",
            ),
            Mutant(FRAMING, "if begun and self._ending:", "if False:"),
            Mutant(FRAMING, "self._doubtful or now_ns < self._late_until_ns", "self._doubtful"),
            Mutant(FRAMING, "data = self._half_ending + data", "data = bytes(data)"),
            Mutant(FRAMING, "            rest = rest[:-1]\n", ""),
            Mutant(
                FRAMING,
                "                done += self._discard(DiscardReason.GARBLED)\n                self._inside = True",
                "                self._inside = True",
            ),
            Mutant(
                FRAMING,
                "DiscardReason.UNTERMINATED if self._inside else DiscardReason.GARBLED",
                "DiscardReason.GARBLED",
            ),
            Mutant(LOCKS, "_Event.PRESS: {_C: _C, _F: _U,", "_Event.PRESS: {_C: _C, _F: _F,"),
            Mutant(LOCKS, "_Event.LOSS: {_C: _U,", "_Event.LOSS: {_C: _C,"),
            Mutant(LOCKS, "_Event.LOSS_UNUSED: {_C: _F,", "_Event.LOSS_UNUSED: {_C: _C,"),
            Mutant(LOCKS, "_Event.WRONG_LIGHT: {_C: _M,", "_Event.WRONG_LIGHT: {_C: _C,"),
            Mutant(
                LOCKS,
                "_Event.RIGHT_LIGHT: {_C: _U, _F: _U, _U: _U, _M: _U}",
                "_Event.RIGHT_LIGHT: {_C: _C, _F: _C, _U: _C, _M: _C}",
            ),
            Mutant(LOCKS, "_U: _C, _M: _M},  # of", "_U: _U, _M: _M},  # of"),
            Mutant(LOCKS, "if self._habit is Habit.WANDERS:", "if False:"),
            Mutant(LOCKS, "self._state = not self._state", "self._state = True"),
            Mutant(LOCKS, "            self._at_rest = self._state\n", ""),
            Mutant(LOCKS, "is not self._at_rest and not self.misled", "is not self._at_rest"),
            Mutant(KEYMAP, "if self._num.on and (code", "if not self._num.on and (code"),
            Mutant(KEYMAP, "self._num = Lock(at_rest=locks.num,", "self._num = Lock(at_rest=locks.caps,"),
            Mutant(KEYMAP, "if self._caps.on is None or (self._caps.on", "if (self._caps.on"),
            Mutant(KEYMAP, "            self._caps.missed()\n", ""),
            Mutant(KEYMAP, "            self._num.missed()\n", ""),
            Mutant(KEYMAP, "if self._dropped and isinstance(output, Frame):", "if False:"),
            Mutant(KEYMAP, "or value not in (0, 1)", "or value not in (0, 1, 2)"),
            Mutant(KEYMAP, "if pressed is (code in self._held) and not self._framer.at_rest:", "if False:"),
            Mutant(
                KEYMAP,
                "            self._framer.spoil(DiscardReason.DROPPED, now_ns)\n        elif",
                "            pass\n        elif",
            ),
            Mutant(
                KEYMAP, "if self._spoilt is None or reason is DiscardReason.DROPPED:", "if self._spoilt is None:"
            ),
            Mutant(
                FRAMING,
                "            if self._started_ns is None:\n                position",
                "            if True:\n                position",
                FRAMES,
            ),
            Mutant(FRAMING, "data = data.lstrip(SKIPPED)", "pass", FRAMES),
            Mutant("drivers/clues.py", "if len(data) >= _LEAST and has_parity(data):", "if False:", FRAMES),
            Mutant(KEYMAP, "self._num.light(right=value == 1)", "self._num.light(right=value == 0)", KEYS),
            Mutant(KEYMAP, "self._caps.light(right=value == 0)", "self._caps.light(right=value == 1)", KEYS),
            Mutant(KEYMAP, " or (self._caps.on and not letter)", "", KEYS),
            Mutant(KEYMAP, ' or digits.startswith("0") else', " else", KEYS),
            Mutant(KEYMAP, ' and "f8" in self._gs and self._framer.enveloped:', ":", KEYS),
            Mutant(PLAIN, " and not (self._mark and self._mark in data)", "", DIALECTS),
            Mutant(PLAIN, "self._framer.broken()  # it was no code", "pass", DIALECTS),
            Mutant(SERIAL, "if self._changed() or not data:", "if not data:", LINES),
            Mutant(SERIAL, "self._connection is ConnectionState.BUSY and holders(path)", "False", LINES),
            Mutant("drivers/hid_node.py", "if self._radio and not bluetooth_connected():", "if False:", HARDWARE),
            Mutant(
                "drivers/hardware.py",
                'None if hid.get("bus") == _BLUETOOTH else _usb_device',
                "_usb_device",
                HARDWARE,
            ),
        ),
    ),
    "station": Area(
        ("tests/station",),
        (
            Mutant(PRIVACY, "is not None and not doubtful", "is not None"),
            Mutant(PRIVACY, "if not redacted and is_label_part", "if is_label_part"),
            Mutant(PRIVACY, "if symbology not in EAN_SYMBOLOGIES and len(text)", "if len(text)"),
            Mutant(
                PRIVACY, "if matches(patterns, text) and not names_person(text):", "if matches(patterns, text):"
            ),
            Mutant(PRIVACY, "if decoded.issuer is not Issuer.GS1 else ()", "if False else ()"),
            Mutant(VERDICT, "if expires < clock.certain_date():", "if expires <= clock.certain_date():"),
            Mutant(VERDICT, "        if severity is not None:\n", "        if True:\n"),
            Mutant(VERDICT, "finding.severity is _ERROR for finding in weighed", "False for _ in weighed"),
            Mutant(VERDICT, "if starts is None or not clock.synchronised:", "if starts is None:"),
            Mutant(VERDICT, "(recall.ends) < clock.certain_date()", "(recall.ends) < clock.today()"),
            Mutant(VERDICT, "    if traced and not identified:", "    if traced and identified:"),
            Mutant(VERDICT, "if look_up.match not in SHELF_LABELS:", "if True:"),
            Mutant(VERDICT, "circumstances.quality & LOWER_TRUST", "circumstances.quality - LOWER_TRUST"),
            Mutant(VERDICT, "if days > max_age_days:", "if days >= max_age_days:"),
            Mutant(
                VERDICT,
                "and 0 <= (days := (expires - clock.today()).days) <=",
                "and (days := (expires - clock.today()).days) <=",
            ),
            Mutant(REPEATS, "at_ns - seen.at_ns <= window_ns", "at_ns - seen.at_ns < window_ns"),
            Mutant(REPEATS, "(key, (*key[:-1], None))", "(key,)"),
            Mutant(
                REPEATS,
                "labels[key] = Seen(first=first, at_ns=at_ns)",
                "labels.setdefault(key, Seen(first=first, at_ns=0))",
            ),
            Mutant(REPEATS, "labels.pop(key, None)", "pass"),
            Mutant(REPEATS, "if seen.first != identity", "if True"),
            Mutant(REPEATS, "len(labels) > MAX_LABELS or ", ""),
            Mutant(REPEATS, "serial is None and not profile.lot_repeats", "serial is None"),
            Mutant(REPEATS, "(*article, serial, None)", "(*article, serial, whose)"),
            Mutant(LABEL, "name in known and _agree(name", "name not in known or _agree(name"),
            Mutant(LABEL, " and len(value) <= len(known[name])", ""),
            Mutant(LABEL, "any(not _agree(", "any(_agree("),
            Mutant(ENGINE, "if other or contradict(self._said, known) or not", "if other or not"),
            Mutant(ENGINE, "and (mine is None or its is not None)\n", "\n"),
            Mutant(ENGINE, "return True if shares or not _is_whole(label) else None", "return True"),
            Mutant(ENGINE, "return None if half_is_another and not says", "return None if False and not says"),
            Mutant(ENGINE, "if len(symbols) > MAX_SYMBOLS:", "if False:"),
            Mutant(
                ENGINE,
                "sorted((*before.values(), new.symbol), key=lambda one: one.at_ns)",
                "(*before.values(), new.symbol)",
            ),
            Mutant(ENGINE, "again_of=None if all_said else item.id", "again_of=item.id"),
            Mutant(ENGINE, "return _link(decoded) == _link(new.decoded)", "return True"),
            Mutant(ENGINE, "or one.symbology is None or other.symbology is None", ""),
            Mutant(ENGINE, "if not item.label.apart]", "]"),
            Mutant(BINDING, "at_ns - other.since_ns > TOGETHER_NS", "at_ns - other.since_ns >= TOGETHER_NS"),
            Mutant(BINDING, "return clashes(station, item, at_ns)", "return False"),
            Mutant(BINDING, 'and why not in {"cleared", "closed"}', ""),
            Mutant(
                BINDING,
                'key == own or not key.startswith(f"{_PERFORMER}:")',
                "True",
                ("tests/days/test_attribution.py",),
            ),
            Mutant(BINDING, "context.pop(other)}", "context[other]}"),
            Mutant(MACHINE, "own = what.input is Input.STRAY", "own = False"),
            Mutant(MACHINE, "if not alive or scanner in station.counted:", "if not alive:"),
            Mutant(MACHINE, "get(scanner, ()) if at_ns <= item.until_ns]", "get(scanner, ())]"),
            Mutant(MACHINE, "item.until_ns + (0 if name == scanner else ON_THE_WIRE_NS)", "item.until_ns"),
            Mutant(MACHINE, "all(item.is_same(its[kind]) for kind, item in mine.items())", "True"),
            Mutant(
                MACHINE,
                "if item.id in what.replaces:\n                self.effects",
                "if False:\n                self.effects",
            ),
            Mutant(
                MACHINE,
                "if first is None or self._is_another(first.meaning, what.label):",
                "if True:",
                ("tests/scanning/test_pipeline.py",),
            ),
            Mutant(MACHINE, "[-MAX_UNDO:]", ""),
            Mutant(MACHINE, "if meaning.one_item and scanner not in chosen:", "if meaning.one_item:"),
        ),
    ),
    "scanning": Area(
        (
            "tests/scanning/test_inbox.py",
            "tests/scanning/test_worker.py",
            "tests/scanning/test_worker_station.py",
            "tests/scanning/test_worker_troubles.py",
        ),
        (
            Mutant(INBOX, "if len(self._scans) >= MAX_SCANS:", "if len(self._scans) > MAX_SCANS:"),
            Mutant(INBOX, "min(len(self._scans), MAX_BATCH)", "len(self._scans)"),
            Mutant(INBOX, "if Notice.STOP in self._notices and self._scans:", "if False:"),
            Mutant(INBOX, "if len(self._jobs) >= MAX_JOBS:", "if False:"),
            Mutant(
                WORKER,
                "self._dropped_reported[reader.name] += dropped",
                "self._dropped_reported[reader.name] = dropped",
            ),
            Mutant(
                WORKER,
                "stored = not writes or self._store(writes, clock)",
                "stored = self._store(writes, clock) or True",
            ),
            Mutant(
                WORKER,
                "        if not stored:\n            self._pipeline.memory = before\n",
                "        if not stored:\n",
            ),
            Mutant(WORKER, "if outcome is None or (outcome.moved and not stored):", "if outcome is None:"),
            Mutant(WORKER, "        if outcome.signal is not Signal.TROUBLE:\n", "        if True:\n"),
            Mutant(WORKER, "self._answered.again(scan) or ", ""),
            Mutant(WORKER, "if len(batch) < MAX_BATCH:", "if True:"),
            Mutant(WORKER, "        self._outbox.left_open = left  #", "        #"),
            Mutant(WORKER, "self._pipeline.memory = before  # the symbols", "pass  # the symbols"),
            Mutant(WORKER, "if self._outbox.seal(clock):\n", "if not self._outbox.seal(clock):\n"),
            Mutant(WORKER, "self._clock_news = self._clock_news or Notice.CLOCK_SET in notices", "pass"),
            Mutant(WORKER, "        self._outbox_lost = True  #", "        #"),
            Mutant(WORKER, "        self._outbox_lost = False\n        self._delivery", "        self._delivery"),
        ),
    ),
}
