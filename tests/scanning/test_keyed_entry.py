"""A label that cannot be read is typed: with the printed sheet of characters, from a keypad, or as printed."""

import random
from itertools import product
from pathlib import Path

import pytest

from drivers.model import Signal
from gateway.outbox.entry import NewLabelProblem
from gateway.udi.checks import gs1_check_digit
from tests.scanning.scenes import ACCEPTED, CLINIC, MORE, REFUSED, STORE, THEATRE, WARNING
from tests.scanning.stage import NAIL, NAIL_LOT, PATIENT, PLATE, STEM, Stage, control
from tests.scanning.test_label_scenes import in_force

PLATE_IS = "consume 09520001000508 lot=K7"
BEGIN, END, CANCEL = "KEYDAMAGED", "KEYEND", "CANCEL"


def typed(field: str, text: str) -> list[str]:
    """The codes of the sheet for a field."""
    return [field, *(f"DIGIT{one}" if one.isdigit() else f"CHAR{one}" for one in text)]


def enter(stage: Stage, commands: list[str], start: float = 0, scanner: str = "front") -> list[Signal]:
    return [stage.scan(start + place, control(one), scanner) for place, one in enumerate(commands)]


ARTICLE, EXPIRY, LOT = typed("KEYARTICLE", "09520001000508"), typed("KEYEXPIRY", "451231"), typed("KEYLOT", "K7")


def problems(stage: Stage) -> list[NewLabelProblem]:
    return [write for write in stage.writes if isinstance(write, NewLabelProblem)]


@pytest.mark.parametrize("profile", [THEATRE, STORE, CLINIC])
def test_a_label_typed_with_the_sheet_is_judged_as_any_other(tmp_path: Path, profile: str) -> None:
    stage = Stage(tmp_path, profile)
    signals = enter(stage, [BEGIN, *ARTICLE, *EXPIRY, *LOT, *LOT, END])
    assert set(signals[:-1]) == {MORE}
    assert signals[-1] is ACCEPTED
    assert in_force(stage) == [PLATE_IS]
    data = stage.drafts[-1].data
    assert (data.entry, data.entry_reason) == ("keyed", "damaged")
    assert data.article is not None
    assert data.article.implant
    assert [one.code for one in data.verdict.findings if one.code.startswith(("KEYED", "LABEL"))] == ["LABEL_KEYED"]
    (problem,) = problems(stage)
    assert problem.data.event == stage.drafts[-1].id
    assert {(one.what, one.typed) for one in problem.data.unread} == {
        ("device-identifier", "proved"),
        ("expiry", "proved"),
        ("lot", "proved"),
    }
    stage.close()


def test_a_lot_that_is_typed_otherwise_is_refused_until_two_agree(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THEATRE)
    enter(stage, [BEGIN, *ARTICLE, *LOT, *typed("KEYLOT", "K8")])
    assert enter(stage, [END], 40) == [REFUSED]
    assert enter(stage, [*LOT], 41)[-1] is MORE
    assert enter(stage, [END], 50) == [REFUSED]
    assert enter(stage, [*LOT, END], 51)[-1] is ACCEPTED
    assert in_force(stage) == [PLATE_IS]
    stage.close()


def test_the_end_waits_for_the_second_typing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THEATRE)
    assert enter(stage, [BEGIN, *ARTICLE, *LOT, END, END])[-2:] == [MORE, MORE]
    assert stage.events == []
    assert stage.wait(200) == [WARNING]
    assert in_force(stage) == [PLATE_IS]
    assert "KEYED_ONCE" in {one.code for one in stage.drafts[-1].data.verdict.findings}
    stage.close()


def test_the_open_label_is_not_paired_and_the_whole_one_takes_its_place(tmp_path: Path) -> None:
    """GenSpecs 4.14: what is typed is of the label that it names."""
    stage = Stage(tmp_path, THEATRE)
    assert stage.scan(0, PLATE) is MORE
    assert stage.scan(1, control(BEGIN)) is MORE
    assert in_force(stage) == ["consume 09520001000508 lacks 10"]
    assert enter(stage, [*LOT, *LOT], 2)[-1] is MORE
    assert enter(stage, [END], 10) == [MORE]
    enter(stage, [*ARTICLE, END], 12)
    assert in_force(stage) == [PLATE_IS]
    stage.close()


def test_the_symbol_that_can_be_read_is_scanned_and_the_rest_typed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THEATRE)
    assert enter(stage, [BEGIN]) == [MORE]
    assert stage.scan(1, PLATE) is MORE
    assert enter(stage, [*LOT, *LOT, END], 2)[-1] is ACCEPTED
    assert in_force(stage) == [PLATE_IS]
    assert {(one.what, one.typed) for one in problems(stage)[0].data.unread} == {("lot", "proved")}
    stage.close()


def test_another_label_ends_keyed_entry_and_gets_nothing_of_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THEATRE)
    enter(stage, [BEGIN, *ARTICLE, *LOT, "KEYSERIAL"])
    stage.scan(30, STEM)
    assert in_force(stage) == [PLATE_IS, "consume 09520001000102 lot=L2A0417 sn=NS700312"]
    assert "KEYED_ONCE" in {one.code for one in stage.drafts[0].data.verdict.findings}
    stage.close()


def test_cancelled_and_forgotten_entries_book_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THEATRE)
    enter(stage, [BEGIN, *ARTICLE, *EXPIRY, CANCEL])
    assert in_force(stage) == []
    assert problems(stage) == []
    enter(stage, [BEGIN, *typed("KEYARTICLE", "09520001000509"), "KEYLOT"], 40)
    assert stage.outcomes[-1].signal is REFUSED
    assert stage.wait(200) == [REFUSED]
    assert in_force(stage) == []
    (problem,) = problems(stage)
    assert (problem.data.event, problem.data.refused) == (None, ("GS1_CHECK_DIGIT",))
    stage.close()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["(01)09520001000508(17)451231(10)K7", "(10)K7"], PLATE_IS),
        ([NAIL[3:], NAIL_LOT[3:], NAIL_LOT[3:]], "consume A123BJC5D6E71 lot=7K3"),
        (["PZN 12345678"], "consume 111234567842"),
    ],
)  # fmt: skip
def test_lines_of_a_keypad(tmp_path: Path, lines: list[str], expected: str) -> None:
    stage = Stage(tmp_path, STORE)
    enter(stage, [BEGIN])
    for second, line in enumerate(lines, 1):
        assert stage.scan(second, line) is MORE, line
    enter(stage, [END], 20)
    assert [one.split(" incomplete")[0] for one in in_force(stage)] == [expected]
    stage.close()


def test_typed_as_printed_it_waits_for_the_lot_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, STORE)
    assert stage.scan(0, "(01)09520001000508(17)451231(10)K7") is MORE
    assert stage.scan(20, "(10)K8") is REFUSED
    assert stage.scan(40, "(10)K7") is REFUSED
    assert stage.scan(60, "(01)09520001000508(17)451231(10)K7") is ACCEPTED
    assert in_force(stage) == [PLATE_IS]
    stage.close()


@pytest.mark.parametrize("text", [PATIENT, PATIENT.replace("-", ""), PATIENT[2:]])
@pytest.mark.parametrize("field", ["(10)", "(21)", ""])
def test_a_person_number_is_never_stored(tmp_path: Path, text: str, field: str) -> None:
    stage = Stage(tmp_path, THEATRE)
    enter(stage, [BEGIN])
    assert stage.scan(1, f"{field}{text}") is REFUSED
    stage.scan(2, control("KEYLOT"))
    assert stage.scan(3, text) is REFUSED
    stage.wait(200)
    digits = text.replace("-", "").encode()
    assert all(digits not in repr(write).replace("-", "").encode() for write in stage.writes)
    stage.close()


def test_an_item_without_a_label(tmp_path: Path) -> None:
    stage = Stage(tmp_path, THEATRE)
    assert enter(stage, ["UNLABELLED", "UNLABELLED"])[0] is WARNING
    assert len(stage.drafts) == 1, "a code that does one thing, read twice"
    assert enter(stage, ["UNLABELLED"], 30) == [WARNING]
    one, other = stage.drafts
    assert (one.data.entry, one.data.entry_reason, one.data.symbols, one.data.udi) == (
        "unlabelled",
        "no-label",
        (),
        None,
    )
    assert other.data.repeats is None
    assert [found.code for found in one.data.verdict.findings] == ["UNLABELLED"]
    assert [problem.data.why for problem in problems(stage)] == ["no-label", "no-label"]
    assert one.data.quantity == 1
    stage.close()


def test_every_single_digit_error_of_a_gtin_is_caught(tmp_path: Path) -> None:
    """GenSpecs 7.9.1: the check digit catches every error of one digit. 200 GTINs, 126 errors each."""
    stage = Stage(tmp_path, STORE)
    random_of = random.Random(7)  # noqa: S311 - the same numbers every time
    enter(stage, [BEGIN])
    second = 1.0
    for _ in range(200):
        body = f"{random_of.randrange(10**13):013}"
        gtin = body + str(gs1_check_digit(body))
        for place, digit in product(range(14), "0123456789"):
            if digit != gtin[place]:
                second += 0.01
                assert stage.scan(second, gtin[:place] + digit + gtin[place + 1 :]) is REFUSED
    assert stage.writes == []
    stage.close()
