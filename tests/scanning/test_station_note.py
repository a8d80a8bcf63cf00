"""What was chosen before a restart is what the next scan means, or that it has ended is said.

docs/integration.md, "Actions": an action that has ended by time is said with the next item of its scanner.
"""

from pathlib import Path

import pytest

from tests.days.day import ACCEPTED, DEVIATING, POWER_CUT, WARNING, Day, Line
from tests.scanning.stage import GAUZE, SCREW, STEM

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
