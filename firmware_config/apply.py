"""Bring a scanner to a profile: identify, query, compare, write to RAM, read back, keep, verify.

The journal is on disk before anything is written. What fails is restored; what dies half way is finished by the
next run. Only what differs is written, and to flash only what held in RAM.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from firmware_config import journal as journals
from firmware_config.compare import Comparison, compare, serves, settings_of
from firmware_config.errors import (
    FirmwareError,
    NoAnswerError,
    NotConfigurableError,
    NotKeptError,
    OtherScannerError,
    PortGoneError,
)
from firmware_config.journal import ProgrammingRecord, Stage
from firmware_config.model import (
    Difference,
    Identity,
    Report,
    ScannerProfile,
    Setting,
    SettingsReading,
    Step,
    StepKind,
)
from firmware_config.port import Port
from firmware_config.vendors import vendor_of
from firmware_config.vendors.base import VendorProtocol

REOPEN_SECONDS: Final = 20.0
"""How long a scanner may stay away when it starts anew: its start and USB enumeration take some five seconds."""
KEEP_TRIES: Final = 2
"""How often a scanner that starts anew is asked to keep settings before a missing consent counts as a failure."""
WAKE_TRIES: Final = 3
"""How often a scanner that came back is asked who it is: some six seconds of silence each at the longest."""
OnStep = Callable[[Step], None]


def silent(step: Step) -> None:
    """Take a step and tell nobody."""


def check(
    port: Port,
    profile: ScannerProfile,
    *,
    allow_unverified: bool = False,
    on_step: OnStep = silent,
    journal: Path | None = None,
) -> Report:
    """Compare the scanner with the profile; write nothing: what `apply` would do.

    With `journal`, what an unfinished run put in force and may not have kept counts as different. Raises
    JournalError, PortGoneError, NoAnswerError, RefusedError or NotConfigurableError.
    """
    run = _Run(port, profile, on_step)
    identity, reading = run.look()
    last = _last(journal, identity)
    found = compare(run.vendor, profile, reading, allow_unverified=allow_unverified, unkept=_unkept(last))
    return _report(run.vendor, profile, identity, reading, found, last.flash_writes if last else 0)


def apply(
    port: Port,
    profile: ScannerProfile,
    *,
    allow_unverified: bool = False,
    on_step: OnStep = silent,
    journal: Path,
) -> Report:
    """Bring the scanner to the profile and report; what fails half way is in `Report.trouble`, and restored.

    Raises what `check` raises as long as nothing was written, and JournalError. `journal` is this scanner's own.
    """
    run = _Run(port, profile, on_step)
    if run.vendor.cannot_write:
        raise NotConfigurableError(
            "configure",
            f"{profile.title} scanners over the port",
            run.vendor.cannot_write,
            f"set them by hand: `scangate firmware page {profile.name}`",
            recoverable=False,
        )
    identity, reading = run.look()
    last = _last(journal, identity)
    found = compare(run.vendor, profile, reading, allow_unverified=allow_unverified, unkept=_unkept(last))
    if not found.differences:
        return _report(run.vendor, profile, identity, reading, found, last.flash_writes if last else 0)
    record = _intention(profile, identity, reading, found.differences, last)
    return run.carry_out(found, record, journal)


def _last(journal: Path | None, identity: Identity) -> ProgrammingRecord | None:
    """Return what the journal tells of this scanner; another's is of no use."""
    last = journals.load(journal) if journal is not None else None
    return last if last is not None and last.is_of(identity) else None


def _unkept(last: ProgrammingRecord | None) -> frozenset[str]:
    return frozenset(last.intended) if last is not None and last.is_open else frozenset()


def _intention(
    profile: ScannerProfile,
    identity: Identity,
    reading: SettingsReading,
    differences: Iterable[Difference],
    last: ProgrammingRecord | None,
) -> ProgrammingRecord:
    """Return what is about to be done. What an unfinished run read first is what was there before."""
    intended = {one.setting.name: one.wanted for one in differences}
    kept = reading.values if reading.kept is None else reading.kept
    before = {name: reading.values[name] for name in intended}
    before_kept = {name: kept.get(name, reading.values[name]) for name in intended}
    if last is not None and last.is_open:
        before |= {name: value for name, value in last.before.items() if name in intended}
        before_kept |= {name: value for name, value in last.before_kept.items() if name in intended}
    return ProgrammingRecord(
        profile=profile.name,
        identity=identity,
        before=before,
        before_kept=before_kept,
        intended=intended,
        stage=Stage.INTENDED,
        flash_writes=last.flash_writes if last else 0,
    )


class _Run:
    """One conversation with one scanner."""

    def __init__(self, port: Port, profile: ScannerProfile, on_step: OnStep) -> None:
        self.vendor: VendorProtocol = vendor_of(profile)
        self._port = port
        self._profile = profile
        self._on_step = on_step

    def look(self) -> tuple[Identity, SettingsReading]:
        """Ask who it is and what it is set to."""
        self._tell(StepKind.IDENTIFY, "asking which scanner it is")
        identity = self.vendor.identify(self._port)
        names = tuple(setting.name for setting in settings_of(self._profile))
        self._tell(StepKind.QUERY, "reading its settings", names)
        reading = self.vendor.query(self._port, names)
        if names and not reading.values:
            raise NoAnswerError(
                "read the settings of",
                "the scanner",
                f"it knows none of those in profile {self._profile.name}",
                "choose the profile of its vendor",
                recoverable=False,
            )
        self._tell(StepKind.COMPARE, f"comparing with profile {self._profile.name}", names)
        return identity, reading

    def carry_out(self, found: Comparison, record: ProgrammingRecord, journal: Path) -> Report:
        """Write what differs, and restore it when a step fails. Raises JournalError while nothing is written."""
        self._tell(StepKind.JOURNAL, f"noting what was there in {journal}", record.intended)
        journals.save(journal, record)
        settings = tuple(one.setting for one in found.differences)
        book = _Book(journal, record)
        trouble = ""
        restored = False
        try:
            for group in (
                tuple(one for one in settings if not one.reconnects),
                tuple(one for one in settings if one.reconnects),
            ):
                if group:
                    self._bring(group, book)
            book.turn(Stage.DONE)
            self._tell(StepKind.DONE, "the scanner is set as the profile wants it")
        except OtherScannerError as error:
            trouble = str(error)
        except FirmwareError as error:
            trouble = str(error)
            try:
                self._restore(book, gone=isinstance(error, PortGoneError))
                restored = True
            except FirmwareError as failure:
                trouble += f". Its former settings could not be put back: {failure}. Run it again: it will finish"
        return msgspec.structs.replace(
            _report(
                self.vendor,
                self._profile,
                record.identity,
                SettingsReading(values=record.before, kept=record.before_kept),
                found,
                book.record.flash_writes,
            ),
            applied=not trouble,
            restored=restored,
            trouble=trouble,
        )

    def _bring(self, settings: tuple[Setting, ...], book: "_Book") -> None:
        """Put settings in force, read them back, keep them, and verify. What reconnects goes to flash at once."""
        values = {setting.name: setting.value for setting in settings}
        reconnects = settings[0].reconnects
        if not reconnects:
            book.turn(Stage.RAM)
            self._tell(StepKind.WRITE_RAM, "putting settings in force until power is lost", values)
            self._send(self.vendor.ram_messages(values))
            self._tell(StepKind.READ_BACK, "reading them back", values)
            self._expect(settings, kept=False)
        self._keep(values, book, reopen=reconnects or self.vendor.resets_when_kept)
        self._tell(StepKind.VERIFY, "reading what was kept", values)
        self._expect(settings, kept=True)

    def _keep(self, values: Mapping[str, str], book: "_Book", *, reopen: bool) -> None:
        """Write to flash. A scanner that starts anew may be gone before its consent is through: it is asked again.

        Reading it back would not do: what is in force looks the same whether or not it was kept.
        """
        messages = self.vendor.keep_messages(values)
        for attempts_left in reversed(range(KEEP_TRIES if reopen else 1)):
            book.turn(Stage.KEEPING, flash_writes=len(messages), kept=values)
            self._tell(StepKind.KEEP, f"writing to flash, {len(messages)} time(s)", values)
            try:
                self._send(messages)
            except (PortGoneError, NoAnswerError):
                if not attempts_left:
                    raise
                self._reopen(book)
            else:
                break
        if reopen:
            self._reopen(book)

    def _reopen(self, book: "_Book") -> None:
        self._tell(StepKind.REOPEN, "waiting for the scanner to come back")
        self._port.reopen(REOPEN_SECONDS, None)
        if not book.record.is_of(self._who_is_back(book.record.identity)):
            raise OtherScannerError(
                "configure",
                "the scanner",
                "another one answers now",
                "run it again for this one",
                recoverable=False,
            )

    def _who_is_back(self, before: Identity) -> Identity:
        """Ask a scanner that came back who it is. It may be there and not yet listen. Raises NoAnswerError."""
        for _ in range(WAKE_TRIES):
            try:
                identity = self.vendor.identify(self._port)
            except NoAnswerError:
                continue
            if identity != Identity() or before == Identity():
                return identity
        raise NoAnswerError(
            "find", "the scanner", "it came back and does not answer", "unplug it and plug it in", recoverable=True
        )

    def _restore(self, book: "_Book", *, gone: bool) -> None:
        """Put back what was there, in force and, where flash was touched, in flash."""
        record = book.record
        self._tell(StepKind.RESTORE, "putting back what was there before", record.before)
        if gone:
            self._reopen(book)
        reconnecting = {one.name for one in self._profile.settings if one.reconnects}
        in_force = {name: value for name, value in record.before.items() if name not in reconnecting}
        if in_force and record.stage is not Stage.INTENDED:
            self._send(self.vendor.ram_messages(in_force))
        kept = {name: record.before_kept[name] for name in book.touched_flash}
        if kept:
            self._keep(kept, book, reopen=bool(reconnecting & kept.keys()) or self.vendor.resets_when_kept)
        found = self.vendor.query(self._port, tuple(record.before)).values
        wrong = [
            name for name, value in record.before.items() if not self.vendor.same(found.get(name, "absent"), value)
        ]
        if wrong:
            raise _not_kept(", ".join(wrong), "has neither the new value nor the one before")
        book.turn(Stage.RESTORED)

    def _expect(self, settings: tuple[Setting, ...], *, kept: bool) -> None:
        reading = self.vendor.query(self._port, tuple(setting.name for setting in settings))
        tables = (reading.values, reading.kept or {}) if kept else (reading.values,)
        for setting in settings:
            for table in tables:
                value = table.get(setting.name, reading.values.get(setting.name, ""))
                if not serves(self.vendor, setting, value):
                    raise _not_kept(setting.name, f"reads {value!r} where {setting.value!r} was written")

    def _send(self, messages: Iterable[bytes]) -> None:
        for message in messages:
            self.vendor.tell(self._port, message)

    def _tell(self, kind: StepKind, text: str, settings: Iterable[str] = ()) -> None:
        self._on_step(Step(kind=kind, text=text, settings=tuple(settings)))


class _Book:
    """The journal file and what stands in it."""

    def __init__(self, path: Path, record: ProgrammingRecord) -> None:
        self._path = path
        self.record = record
        self.touched_flash: dict[str, str] = {}

    def turn(self, stage: Stage, *, flash_writes: int = 0, kept: Mapping[str, str] | None = None) -> None:
        """Note the next stage before it begins. Raises JournalError."""
        count = self.record.flash_writes + flash_writes
        after = msgspec.structs.replace(self.record, stage=stage, flash_writes=count)
        journals.save(self._path, after)
        self.record = after
        self.touched_flash |= kept or {}


def _not_kept(names: str, cause: str) -> NotKeptError:
    return NotKeptError(
        "set",
        names,
        f"the scanner {cause}",
        "see whether it is locked, or read the model's manual",
        recoverable=False,
    )


def _report(
    vendor: VendorProtocol,
    profile: ScannerProfile,
    identity: Identity,
    reading: SettingsReading,
    found: Comparison,
    flash_writes: int,
) -> Report:
    return Report(
        profile=profile.name,
        vendor=profile.vendor,
        identity=identity,
        before=reading,
        differences=found.differences,
        left_out=found.left_out,
        unknown=found.unknown,
        messages=_messages(vendor, tuple(one.setting for one in found.differences)),
        flash_writes=flash_writes,
    )


def _messages(vendor: VendorProtocol, settings: tuple[Setting, ...]) -> tuple[bytes, ...]:
    """Return all that `_Run` sends to write these settings."""
    steady = {one.name: one.value for one in settings if not one.reconnects}
    reconnecting = {one.name: one.value for one in settings if one.reconnects}
    messages: tuple[bytes, ...] = ()
    if steady:
        messages += vendor.ram_messages(steady) + vendor.keep_messages(steady)
    if reconnecting:
        messages += vendor.keep_messages(reconnecting)
    return messages
