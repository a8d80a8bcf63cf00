"""A case that the central system has set for a time, beside what people scan. docs/integration.md, "Commands"."""

from pathlib import Path

import pytest

from drivers.model import Signal
from gateway.station.protect import PersonRef, Protector
from gateway.station.values import PushedCase
from tests.outbox.events import S
from tests.scanning.stage import CASE, GAUZE, KEYS, NEXT_PATIENT, PATIENT, SCREW, STARTED_NS, STEM, Stage, control

ACCEPTED, WARNING, REFUSED, QUESTION = Signal.ACCEPTED, Signal.WARNING, Signal.REFUSED, Signal.QUESTION
PUSHED, LATER = "orbit:OP-7", "orbit:OP-8"
CUP = "]d201095200010002011745123110C1\x1d21SC1"
SAME, CLOSE, CLEAR = control("SAMEPATIENT"), control("CLOSECASE"), control("CLEARCONTEXT")
HIS = Protector(hmac_key=("k1", b"0123456789abcdef")).pseudonym("personnummer", "191212121212")
RESTART = "restart"

Line = tuple[float, str, Signal | None]
MINUTE = 60.0


def push(stage: Stage, at: float, case: str, begins: float, ends: float, patient: PersonRef | None = None) -> None:
    item = stage.pipeline.read_case(case)
    assert item is not None
    pushed = PushedCase(
        item=item,
        from_ns=STARTED_NS + int(begins * S),
        until_ns=STARTED_NS + int(ends * S),
        patient=patient,
    )
    stage._keep(stage.pipeline.push(pushed, stage.clock(at)), at)


def case_of(stage: Stage) -> str | None:
    case = stage.drafts[-1].data.context.case
    assert case is None or isinstance(case, str)
    return case


@pytest.mark.parametrize(
    ("patient", "lines", "cases"),
    [
        (None, [(50, STEM, ACCEPTED), (110, CUP, ACCEPTED)], [None, PUSHED]),
        (None, [(110, PATIENT, ACCEPTED), (900, STEM, ACCEPTED)], [PUSHED]),
        (None, [(900, PATIENT, ACCEPTED), (910, STEM, ACCEPTED), (4000, CUP, WARNING)], [PUSHED, None]),
        (
            None,
            [(200, PATIENT, ACCEPTED), (300, NEXT_PATIENT, REFUSED), (310, STEM, WARNING), (320, SAME, ACCEPTED),
             (330, CUP, ACCEPTED)],
            [None, PUSHED],
        ),
        (HIS, [(200, PATIENT, ACCEPTED), (210, STEM, ACCEPTED)], [PUSHED]),
        (HIS, [(200, NEXT_PATIENT, REFUSED), (210, STEM, WARNING)], [None]),
        (HIS, [(50, PATIENT, ACCEPTED), (210, STEM, ACCEPTED)], [PUSHED]),
        (None, [(20, PATIENT, ACCEPTED), (210, STEM, WARNING), (220, SAME, ACCEPTED), (230, CUP, ACCEPTED)],
         [None, PUSHED]),
        (None, [(20, PATIENT, ACCEPTED), (210, PATIENT, ACCEPTED), (230, CUP, ACCEPTED)], [PUSHED]),
        (None, [(50, CASE, ACCEPTED), (210, STEM, ACCEPTED), (220, CLOSE, ACCEPTED), (230, CUP, ACCEPTED)],
         ["orbit:OP-1", PUSHED]),
        (None, [(210, CLEAR, ACCEPTED), (220, STEM, WARNING)], [None]),
        (None, [(210, f"]d2{PUSHED}", ACCEPTED), (220, STEM, ACCEPTED), (3700, CUP, WARNING)], [PUSHED, None]),
        (None, [(210, GAUZE, ACCEPTED), (220, RESTART, None), (230, STEM, ACCEPTED)], [PUSHED, PUSHED]),
        (None, [(210, PATIENT, ACCEPTED), (220, RESTART, None), (230, STEM, WARNING), (240, PATIENT, ACCEPTED),
                (250, CUP, ACCEPTED)], [PUSHED, PUSHED]),
        (None, [(210, PATIENT, ACCEPTED), (2000, RESTART, None), (2010, STEM, WARNING), (2020, PATIENT, ACCEPTED),
                (2030, CUP, ACCEPTED)], [None, PUSHED]),
        (None, [(3590, PATIENT, ACCEPTED), (3650, STEM, WARNING), (3660, SAME, ACCEPTED), (3670, CUP, ACCEPTED)],
         [None, PUSHED]),
    ],
    ids=[
        "it takes hold by itself",
        "the first wristband in its time is its patient's",
        "it ends by itself, with its patient",
        "another wristband clashes; the same patient under another number is said to be so",
        "the wristband it names",
        "another one than it names",
        "the wristband it names was there before",
        "somebody's wristband was there before: it is asked",
        "and answered by the wristband, too",
        "it displaces no case that was scanned",
        "it is cleared as any other",
        "its own code is no other case, and it ends all the same",
        "a restart loses it not",
        "with a patient it is to be confirmed",
        "after a long outage the wristband brings it back",
        "an operation that lasts goes on when somebody says so",
    ],
)  # fmt: skip
def test_a_pushed_case(
    tmp_path: Path, patient: PersonRef | None, lines: list[Line], cases: list[str | None]
) -> None:
    """It is pushed at 0 s, for 100 to 3600 s."""
    stage = Stage(tmp_path, "operating-room").begin()
    push(stage, 0, PUSHED, 100, 3600, patient)
    found: list[str | None] = []
    for at, code, signal in lines:
        if code == RESTART:
            stage.close()
            stage = Stage(tmp_path, "operating-room").begin(at, 100 + int(at))
            continue
        stage.wait(at)
        before = len(stage.drafts)
        assert stage.scan(at, code) is signal, (at, code)
        found += [draft.data.context.case for draft in stage.drafts[before:]]  # type: ignore[misc]
    stage.close()
    assert found == cases


def test_one_case_after_the_other(tmp_path: Path) -> None:
    """The first is overrun: the second waits until somebody says whose it is."""
    stage = Stage(tmp_path, "operating-room").begin()
    push(stage, 0, LATER, 3600, 7200)
    push(stage, 0, PUSHED, 0, 3600)
    assert stage.scan(10, PATIENT) is ACCEPTED
    assert stage.scan(20, STEM) is ACCEPTED
    stage.wait(3601)
    assert stage.pipeline.view(stage.clock(3601)).asks
    assert stage.scan(3610, SCREW) is WARNING
    assert case_of(stage) is None
    assert stage.scan(3620, PATIENT) is QUESTION  # it is no patient of the second: nothing takes hold
    assert stage.scan(3625, SCREW) is WARNING
    assert case_of(stage) is None
    assert stage.scan(3630, SAME) is ACCEPTED
    assert stage.scan(3800, CUP) is ACCEPTED
    assert case_of(stage) == PUSHED
    assert stage.scan(3900, CLOSE) is ACCEPTED
    assert stage.scan(3910, NEXT_PATIENT) is ACCEPTED
    assert stage.scan(4100, SCREW) is ACCEPTED
    assert case_of(stage) == LATER
    stage.close()


def test_a_case_is_withdrawn_or_moved(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "operating-room").begin()
    push(stage, 0, PUSHED, 10, 3600)
    push(stage, 5, PUSHED, 100, 3600)  # later
    stage.scan(20, GAUZE)
    assert case_of(stage) is None
    stage.scan(110, GAUZE)
    assert case_of(stage) == PUSHED
    push(stage, 120, PUSHED, 0, 120)  # withdrawn
    stage.scan(130, SCREW)
    assert case_of(stage) is None
    push(stage, 140, PUSHED, 150, 3600)
    push(stage, 145, PUSHED, 0, 145)
    stage.scan(160, GAUZE)
    assert case_of(stage) is None
    stage.close()


def test_a_clash_is_an_alarm_until_it_is_settled(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "operating-room").begin()
    push(stage, 0, PUSHED, 0, 3600, HIS)
    assert stage.pipeline.view(stage.clock(1)).clash_since is None
    stage.scan(10, NEXT_PATIENT)
    assert stage.pipeline.view(stage.clock(11)).clash_since is not None
    stage.scan(20, CASE)
    assert stage.pipeline.view(stage.clock(21)).clash_since is None
    stage.close()


@pytest.mark.parametrize("text", ["19121212-1212", "hunter2", "]d2010952000100010221S1", ""])
def test_what_is_no_case_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    stage = Stage(tmp_path, "operating-room", KEYS)
    assert stage.pipeline.read_case(text) is None
    stage.close()
