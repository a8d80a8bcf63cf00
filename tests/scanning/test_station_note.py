"""What was chosen before a restart is what the next scan means, or that it has ended is said.

docs/integration.md, "Actions": an action that has ended by time is said with the next item of its scanner.
"""

from pathlib import Path

import pytest
from nacl.public import PrivateKey

from drivers.model import Signal
from gateway.station.keys import StationKeys
from gateway.station.protect import Protector
from tests.days.day import ACCEPTED, DEVIATING, POWER_CUT, QUESTION, WARNING, Day, Line
from tests.scanning.stage import CASE, GAUZE, PATIENT, SCREW, STEM, Stage

CUT = Line("00:00:30", "", POWER_CUT, None)
LATER = Line("00:30:00", "", POWER_CUT, None)


@pytest.mark.parametrize(
    ("profile", "lines", "newest", "findings"),
    [
        (
            "supply-room",
            [Line("00:00:00", "front", "RECEIVE", ACCEPTED), CUT, Line("00:00:40", "front", GAUZE, ACCEPTED)],
            "receive 09520007000106 lot=K1",
            [],
        ),
        (
            "supply-room",
            [
                Line("00:00:00", "front", "COUNTMORE", ACCEPTED),
                Line("00:00:01", "front", "DIGIT4", ACCEPTED),
                CUT,
                Line("00:00:40", "front", GAUZE, ACCEPTED),
            ],
            "inventory add x4 09520007000106 lot=K1",
            [],
        ),
        (
            "operating-room",
            [Line("00:00:00", "front", "DISCARDDAMAGED", ACCEPTED), CUT, Line("00:00:40", "front", STEM, WARNING)],
            "discard damaged 09520001000102 lot=L2A0417 sn=NS700312",
            ["CONSIGNMENT", "IMPLANT_NOT_USED"],
        ),
        (
            "operating-room",
            [Line("00:00:00", "front", "DISCARDDAMAGED", ACCEPTED), CUT, Line("00:00:40", "back", STEM, ACCEPTED)],
            "consume 09520001000102 lot=L2A0417 sn=NS700312",
            ["CONSIGNMENT"],
        ),
        (
            "operating-room",
            [Line("00:00:00", "front", "RETURN", ACCEPTED), LATER, Line("00:30:05", "front", SCREW, WARNING)],
            "consume 09520001000409 lot=S1",
            ["ACTION_ENDED"],
        ),
        (
            "operating-room",
            [Line("00:00:00", "front", "QTY6", ACCEPTED), LATER, Line("00:30:05", "front", SCREW, WARNING)],
            "consume 09520001000409 lot=S1",
            ["QUANTITY_ENDED"],
        ),
        (
            "supply-room",
            [
                Line("00:00:00", "front", "RECEIVE", ACCEPTED),
                Line("00:10:00", "front", GAUZE, ACCEPTED),
                Line("00:20:00", "front", GAUZE, ACCEPTED),
                LATER,
                Line("00:34:00", "front", GAUZE, ACCEPTED),
            ],
            "receive 09520007000106 lot=K1",
            [],
        ),
        (
            "operating-room",
            [
                Line("00:00:00", "front", "RETURN", ACCEPTED),
                Line("00:00:05", "front", GAUZE, DEVIATING),
                CUT,
                Line("00:00:40", "front", SCREW, ACCEPTED),
            ],
            "consume 09520001000409 lot=S1",
            [],
        ),
    ],
    ids=[
        "receiving goes on",
        "a count and its quantity go on",
        "an action for one item",
        "and for its scanner alone",
        "it has ended",
        "the quantity has ended",
        "each item has prolonged it",
        "it was for one item",
    ],
)
def test_what_was_chosen_before_a_restart(
    tmp_path: Path, profile: str, lines: list[Line], newest: str, findings: list[str]
) -> None:
    day = Day(tmp_path, profile)
    day.live(lines)
    assert day.stage.events[-1] == newest
    assert day.findings() == findings
    day.close()


@pytest.mark.parametrize(
    ("key", "signals"),
    [
        (b"of this session of the machine..", [WARNING, ACCEPTED, ACCEPTED]),
        (b"of the next one, after the power", [WARNING, QUESTION, WARNING]),
    ],
    ids=["the daemon was killed", "the power was cut"],
)
def test_a_sealed_wristband_is_known_again_as_long_as_the_machine_is_on(
    tmp_path: Path, key: bytes, signals: list[Signal]
) -> None:
    """Libsodium's sealed boxes look different each time: only the session's key tells that two are of one person."""
    public = bytes(PrivateKey.generate().public_key)
    sealing = {"profile": "operating-room", "person_mode": "sealed"}
    first = StationKeys(control=None, protector=Protector(public, session_key=b"of this session of the machine.."))
    before = Stage(tmp_path, keys=first, **sealing).begin()
    for second, code in enumerate((CASE, PATIENT, GAUZE)):
        before.scan(second, code)
    before.close()
    second_life = StationKeys(control=None, protector=Protector(public, session_key=key))
    stage = Stage(tmp_path, keys=second_life, **sealing).begin(120, 3)
    assert [stage.scan(130, STEM), stage.scan(140, PATIENT), stage.scan(150, SCREW)] == signals
    who = [draft.data.context.patient for draft in stage.drafts]
    assert (who[0] == who[1]) is (signals[1] is ACCEPTED)
    assert b"19121212" not in (tmp_path / "outbox.db").read_bytes() + (tmp_path / "outbox.db-wal").read_bytes()
    stage.close()
