"""The contract of every vendor that can be written: real profiles, scanners that behave as their manuals say."""

from pathlib import Path

import pytest

from firmware_config import journal as journals
from firmware_config import profiles
from firmware_config.apply import apply, check
from firmware_config.errors import FirmwareError, JournalError, NoAnswerError
from firmware_config.journal import ProgrammingRecord, Stage
from firmware_config.model import Report, Step, StepKind
from tests.firmware_config.cases import CASES, Case
from tests.firmware_config.devices import Fault, KilledError, ScriptedPort, SlowDatalogicDevice

EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "scanner.json"


def bring(port: ScriptedPort, case: Case, journal: Path) -> Report:
    return apply(port, profiles.load(case.profile), allow_unverified=True, journal=journal)


def record_in(journal: Path) -> ProgrammingRecord:
    record = journals.load(journal)
    assert record is not None
    return record


@EVERY
def test_check_tells_what_differs_and_writes_nothing(case: Case) -> None:
    device = case.device()
    report = check(ScriptedPort(device), profiles.load(case.profile), allow_unverified=True)
    assert {one.setting.name: one.present for one in report.differences} == {
        name: value for name, value in case.factory.items() if value != case.wanted[name]
    }
    assert not report.as_needed
    assert (device.ram, device.flash, device.flash_writes) == (case.factory, case.factory, 0)


@EVERY
def test_apply_brings_the_scanner_to_the_profile(case: Case, journal: Path) -> None:
    device = case.device()
    report = bring(ScriptedPort(device), case, journal)
    assert report.as_needed, report.trouble
    assert (device.ram, device.flash) == (case.wanted, case.wanted)
    assert device.reads
    assert report.flash_writes == device.flash_writes > 0
    assert record_in(journal).stage is Stage.DONE


@EVERY
def test_what_is_as_needed_is_not_written_again(case: Case, journal: Path) -> None:
    device = case.device()
    first = bring(ScriptedPort(device), case, journal)
    again = bring(ScriptedPort(device), case, journal)
    assert again.as_needed
    assert (again.differences, again.messages) == ((), ())
    assert again.flash_writes == first.flash_writes == device.flash_writes


@EVERY
def test_only_what_differs_goes_to_flash_and_as_announced(case: Case, journal: Path) -> None:
    device = case.device()
    announced = check(ScriptedPort(device), profiles.load(case.profile), allow_unverified=True).messages
    port = ScriptedPort(device)
    report = bring(port, case, journal)
    written = {name for name in case.factory if case.factory[name] != case.wanted[name]}
    assert {one.setting.name for one in report.differences} == written
    assert report.messages == announced
    if case.make is not SlowDatalogicDevice:
        assert [one for one in port.sent if one in announced] == list(announced)


@EVERY
def test_nothing_unverified_is_written_unless_allowed(case: Case, journal: Path) -> None:
    device = case.device()
    report = apply(ScriptedPort(device), profiles.load(case.profile), journal=journal)
    assert report.as_needed
    assert device.flash == case.factory | case.verified
    unverified = case.wanted.keys() - case.verified
    assert {one.name for one in report.left_out} == {
        name for name in unverified if case.factory[name] != case.wanted[name]
    }


@EVERY
def test_the_steps_are_told_in_order(case: Case, journal: Path) -> None:
    device = case.device()
    told: list[Step] = []
    apply(
        ScriptedPort(device),
        profiles.load(case.profile),
        allow_unverified=True,
        journal=journal,
        on_step=told.append,
    )
    order = list(StepKind)
    places = [order.index(step.kind) for step in told]
    assert places == sorted(places)
    assert told[-1].kind is StepKind.DONE


@EVERY
@pytest.mark.parametrize("piece", [1, 2, 7])
def test_answers_in_pieces_and_scans_in_between(case: Case, journal: Path, piece: int) -> None:
    port = ScriptedPort(case.device(), piece=piece)
    port.before_answer = b"]d20108717648200274\x1d10A-12\r"
    assert bring(port, case, journal).as_needed


@EVERY
def test_a_setting_that_does_not_stick_is_put_back(case: Case, journal: Path) -> None:
    for name in (name for name in case.factory if case.factory[name] != case.wanted[name]):
        device = case.device()
        device.stuck = {name}
        report = bring(ScriptedPort(device), case, journal)
        assert name in report.trouble
        assert report.restored
        assert not report.as_needed
        assert (device.ram, device.flash, device.flash_writes) == (case.factory, case.factory, 0)


@pytest.mark.parametrize("key", ["honeywell", "datalogic", "datalogic-slow"])
def test_a_setting_that_flash_does_not_keep_is_found_out(key: str, journal: Path) -> None:
    case = CASES[key]
    name = next(name for name in case.factory if case.factory[name] != case.wanted[name])
    device = case.device()
    device.unkept = {name}
    report = bring(ScriptedPort(device), case, journal)
    assert name in report.trouble
    assert report.restored
    assert (device.ram, device.flash) == (case.factory, case.factory)


@EVERY
def test_a_refused_setting_is_put_back(case: Case, journal: Path) -> None:
    name = next(name for name in case.factory if case.factory[name] != case.wanted[name])
    device = case.device()
    device.refuses = {name}
    report = bring(ScriptedPort(device), case, journal)
    assert report.trouble
    assert (device.flash, device.flash_writes) == (case.factory, 0)
    assert device.reads


@EVERY
def test_a_setting_the_model_lacks_is_told_and_left(case: Case, journal: Path) -> None:
    name, *_ = case.factory
    device = case.make({key: value for key, value in case.factory.items() if key != name})
    report = bring(ScriptedPort(device), case, journal)
    assert report.as_needed
    assert [one.name for one in report.unknown] == [name]
    assert name not in device.flash


@EVERY
def test_a_scanner_that_knows_none_of_the_settings_is_not_well_set(case: Case, journal: Path) -> None:
    device = case.make({})
    with pytest.raises(NoAnswerError, match="knows none"):
        bring(ScriptedPort(device), case, journal)
    assert device.reads
    assert device.flash_writes == 0


@pytest.mark.parametrize("key", ["datalogic", "datalogic-slow"])
def test_a_scanner_that_is_slow_to_wake_is_waited_for(key: str, journal: Path) -> None:
    case = CASES[key]
    device = case.device()
    port = ScriptedPort(device)

    def sleep() -> None:
        if device.flash_writes and not port.deaf_for:
            port.deaf_for = 4
            port.when_reopened = lambda: None

    port.when_reopened = sleep
    assert bring(port, case, journal).as_needed


@EVERY
@pytest.mark.parametrize("fault", Fault)
def test_one_fault_anywhere_harms_nothing(case: Case, fault: Fault, tmp_path: Path) -> None:
    quiet = ScriptedPort(case.device())
    bring(quiet, case, tmp_path / "quiet.json")
    for at in range(len(quiet.sent)):
        journal = tmp_path / f"{at}.json"
        device = case.device()
        port = ScriptedPort(device, fault=(at, fault))
        try:
            report = bring(port, case, journal)
        except FirmwareError:
            assert (device.ram, device.flash) == (case.factory, case.factory), at
        else:
            if report.as_needed:
                assert (device.ram, device.flash) == (case.wanted, case.wanted), at
            elif report.restored:
                assert (device.ram, device.flash) == (case.factory, case.factory), at
            assert device.flash_writes <= report.flash_writes
        assert device.reads or case.make is SlowDatalogicDevice, at
        device.leaves_port = False
        assert bring(ScriptedPort(device), case, journal).as_needed, at
        device.power_cycle()
        assert device.ram == case.wanted, at
        assert device.reads


@EVERY
@pytest.mark.parametrize("power", [False, True], ids=["power stays", "power is lost"])
def test_death_between_any_two_deeds_is_mended_by_the_next_run(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, power: bool
) -> None:
    save = journals.save

    def run(port: ScriptedPort, journal: Path) -> Report:
        def saved(path: Path, record: ProgrammingRecord) -> None:
            port.deed()
            save(path, record)

        monkeypatch.setattr(journals, "save", saved)
        return bring(port, case, journal)

    whole = ScriptedPort(case.device())
    run(whole, tmp_path / "whole.json")
    for at in range(whole.deeds):
        journal = tmp_path / f"{at}.json"
        device = case.device()
        port = ScriptedPort(device)
        port.dies_at = at
        with pytest.raises(KilledError):
            run(port, journal)
        assert device.reads or case.make is SlowDatalogicDevice, at
        if power:
            device.power_cycle()
        device.leaves_port = False
        report = run(ScriptedPort(device), journal)
        assert report.as_needed, (at, report.trouble)
        device.power_cycle()
        assert device.ram == case.wanted, at
        assert device.flash_writes <= report.flash_writes or not journal.exists(), at


@EVERY
def test_a_full_disk_before_anything_was_written_leaves_the_scanner_alone(case: Case, tmp_path: Path) -> None:
    device = case.device()
    with pytest.raises(JournalError, match="free space"):
        bring(ScriptedPort(device), case, tmp_path / "missing" / "scanner.json")
    assert (device.ram, device.flash) == (case.factory, case.factory)


@pytest.mark.parametrize("key", ["datalogic", "datalogic-slow"])
def test_another_scanner_after_the_restart_is_left_alone(key: str, journal: Path) -> None:
    case = CASES[key]
    device = case.device()
    port = ScriptedPort(device)

    def swap() -> None:
        if device.flash_writes:
            device.serial = "S-2"

    port.when_reopened = swap
    report = bring(port, case, journal)
    assert "another one answers" in report.trouble
    assert not report.restored
    assert device.flash_writes == 1


def test_the_journal_of_another_scanner_is_not_followed(journal: Path) -> None:
    case = CASES["honeywell"]
    device = case.device()
    port = ScriptedPort(device)
    port.dies_at = 40
    with pytest.raises(KilledError):
        bring(port, case, journal)
    other = case.make(case.wanted)
    other.serial = "S-2"
    report = bring(ScriptedPort(other), case, journal)
    assert report.as_needed
    assert (report.differences, other.flash_writes) == ((), 0)


def test_a_run_that_died_before_keeping_shows_in_check(journal: Path) -> None:
    case = CASES["zebra"]
    device = case.device()
    port = ScriptedPort(device)
    bring_until_kept(port, case, journal)
    profile = profiles.load(case.profile)
    assert check(ScriptedPort(device), profile, allow_unverified=True).as_needed
    assert not check(ScriptedPort(device), profile, allow_unverified=True, journal=journal).as_needed


def bring_until_kept(port: ScriptedPort, case: Case, journal: Path) -> None:
    def die(step: Step) -> None:
        if step.kind is StepKind.KEEP:
            raise KilledError

    with pytest.raises(KilledError):
        apply(port, profiles.load(case.profile), allow_unverified=True, journal=journal, on_step=die)


def test_an_interface_that_differs_is_kept_last_and_reopened(journal: Path) -> None:
    case = CASES["honeywell"]
    device = case.make(case.factory | {"TERMID": "002"})
    told: list[StepKind] = []
    report = apply(
        ScriptedPort(device),
        profiles.load("honeywell"),
        journal=journal,
        on_step=lambda step: told.append(step.kind),
    )
    assert report.as_needed, report.trouble
    assert report.messages[-1] == b"\x16M\rTERMID130."
    assert told[-4:] == [StepKind.KEEP, StepKind.REOPEN, StepKind.VERIFY, StepKind.DONE]


@pytest.mark.parametrize("present", ["130", "000", "0", "0130"])
def test_values_that_serve_are_left_as_they_are(present: str) -> None:
    case = CASES["honeywell"]
    device = case.make(case.wanted | {"TERMID": present})
    assert check(ScriptedPort(device), profiles.load("honeywell"), allow_unverified=True).as_needed


@pytest.mark.parametrize("key", ["honeywell", "datalogic", "datalogic-slow"])
def test_a_run_that_finishes_another_and_fails_puts_back_what_the_first_one_found(key: str, journal: Path) -> None:
    case = CASES[key]
    device = case.device()
    bring_until_kept(ScriptedPort(device), case, journal)
    assert device.ram == case.wanted
    device.unkept = {next(name for name in case.factory if case.factory[name] != case.wanted[name])}
    report = bring(ScriptedPort(device), case, journal)
    assert report.restored, report.trouble
    assert report.before.values == {one.setting.name: case.factory[one.setting.name] for one in report.differences}
    assert (device.ram, device.flash) == (case.factory, case.factory)


def test_a_consent_that_is_lost_in_the_restart_is_asked_for_again(journal: Path) -> None:
    case = CASES["datalogic"]
    quiet = ScriptedPort(case.device())
    bring(quiet, case, journal.with_name("quiet.json"))
    keep = next(at for at, message in enumerate(quiet.sent) if message.endswith(b",Ar\r"))
    device = case.device()
    port = ScriptedPort(device, fault=(keep, Fault.LOST))
    report = bring(port, case, journal)
    assert report.as_needed, report.trouble
    assert [message for message in port.sent if message.endswith(b",Ar\r")] == 2 * [quiet.sent[keep]]
    assert report.flash_writes == device.flash_writes == 2
