"""The shipped profiles, and what is wrong with a file."""

from pathlib import Path

import pytest

from firmware_config import journal as journals
from firmware_config import profiles
from firmware_config.errors import JournalError, ProfileError
from firmware_config.journal import ProgrammingRecord, Stage
from firmware_config.model import Identity, Intent
from firmware_config.vendors import vendor_of

EVERY = pytest.mark.parametrize("name", profiles.names())
VERIFIED = {
    "cipherlab": set(),
    "cognex": {"SYMBOL.DATAMATRIX"},
    "datalogic": {"AIEN", "LFSU", "R2BB"},
    "honeywell": {"TERMID", "SUFBK2"},
    "honeywell-cordless": {"TERMID", "SUFBK2"},
    "newland": set(),
    "opticon": {"RZ", "[BCC"},
    "zebra": {"238", "45"},
}
"""Settings that a manual that was read confirms: to add one here is to have read its page."""


def test_the_list_is_complete() -> None:
    assert set(profiles.names()) == VERIFIED.keys()


@EVERY
def test_every_setting_cites_its_source_and_says_why_it_is_not_verified(name: str) -> None:
    profile = profiles.load(name)
    assert {one.name for one in profile.settings if one.verified} == VERIFIED[name]
    for one in profile.settings:
        assert len(one.source) > 15
        assert one.meaning
        assert bool(one.why_unverified) is not one.verified
    for need in profile.needs:
        assert bool(need.settings) is not bool(need.nothing_to_set)


@EVERY
def test_no_setting_is_named_twice(name: str) -> None:
    named = [one.name for one in profiles.load(name).settings]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", ["honeywell", "zebra", "datalogic"])
def test_the_complete_vendors_speak_of_what_a_station_needs(name: str) -> None:
    needed = {Intent.USB_SERIAL, Intent.AIM_ID, Intent.GS_UNTOUCHED, Intent.SUFFIX_CR, Intent.DATA_MATRIX}
    needed |= {Intent.CODE_128, Intent.BEEP_BY_HOST, Intent.KEYBOARD_US}
    assert needed <= {need.intent for need in profiles.load(name).needs}


@pytest.mark.parametrize("name", ["honeywell", "honeywell-cordless", "zebra", "datalogic", "newland"])
def test_every_setting_can_be_written_by_its_vendor(name: str) -> None:
    profile = profiles.load(name)
    values = {one.name: one.value for one in profile.settings if one.by == "port"}
    vendor = vendor_of(profile)
    assert vendor.ram_messages(values)
    assert vendor.keep_messages(values)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("vendor = ", "Invalid value"),
        ('vendor = "x"', "missing required field"),
        ('vendor="x"\ntitle="x"\nmodels=[]\nneed=[]\nextra=1', "unknown field"),
        ('vendor="x"\ntitle="x"\nmodels=[]\n[[need]]\nintent="loud"\nwhy="w"', "Invalid enum value 'loud'"),
    ],
)
def test_a_wrong_file_is_told(text: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        profiles.parse("mine", text)


@pytest.mark.parametrize("name", ["", "nobody", "../honeywell", "honeywell.toml"])
def test_an_unknown_profile_names_those_there_are(name: str) -> None:
    with pytest.raises(ProfileError, match="choose of cipherlab, cognex"):
        profiles.load(name)


RECORD = ProgrammingRecord(
    profile="honeywell",
    identity=Identity(model="Xenon", serial="1"),
    before={"SUFBK2": ""},
    before_kept={},
    intended={"SUFBK2": "990D"},
    stage=Stage.RAM,
    flash_writes=3,
)


def test_the_journal_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "scanner.json"
    assert journals.load(path) is None
    journals.save(path, RECORD)
    assert journals.load(path) == RECORD
    assert [entry.name for entry in tmp_path.iterdir()] == ["scanner.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"profile":"x"}', b"\xff"])
def test_a_damaged_journal_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scanner.json"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="remove it if it is damaged"):
        journals.load(path)


@pytest.mark.parametrize(
    ("identity", "same"),
    [
        (Identity(model="Xenon", serial="1"), True),
        (Identity(model="Xenon", serial="1", firmware="newer"), True),
        (Identity(model="Xenon", serial="2"), False),
        (Identity(), False),
    ],
)
def test_whose_journal_it_is(identity: Identity, *, same: bool) -> None:
    assert RECORD.is_of(identity) is same
