"""Datalogic: service commands and their answers among codes, host commands, cordless messages."""

import pytest

from drivers.base import DialectOutput, ScannerReply, ScannerSettings
from drivers.dialects.datalogic import (
    APPLY,
    DISCARD,
    ENTER,
    IDENTIFY,
    SAVE,
    DatalogicDialect,
    ServiceAnswer,
    cordless_message,
    read_item,
    service_answers,
    service_command,
    write_item,
)
from drivers.model import Frame, Signal

MS = 1_000_000
IDLE_MS = 100
LABEL = b"]d2010952000100010210L1\x1d21S000001"


def scanner(feedback: str = "beep") -> DatalogicDialect:
    return DatalogicDialect(
        ScannerSettings(name="desk", dialect="datalogic", feedback=feedback, idle_ms=IDLE_MS)  # type: ignore[arg-type]  # a row of the table
    )


@pytest.mark.parametrize(
    ("built", "wire"),
    [
        # Gryphon and PowerScan, service mode.
        (service_command(ENTER), b"$S\r"),
        (service_command(write_item("GDTM", "02")), b"$CGDTM02\r"),
        (service_command(read_item("LFSU")), b"$cLFSU\r"),
        (service_command(APPLY), b"$r01\r"),
        (service_command(SAVE), b"$Ar\r"),
        (service_command(DISCARD), b"$s\r"),
        (service_command(IDENTIFY), b"$+$!\r"),
        (service_command(ENTER, write_item("GDTM", "02"), SAVE), b"$S,CGDTM02,Ar\r"),
        (service_command(write_item("R2BB", "01")), b"$CR2BB01\r"),
    ],
)
def test_golden_commands(built: bytes, wire: bytes) -> None:
    assert built == wire


@pytest.mark.parametrize("commands", [("P", "AE", "P"), ("P", "Ae", "P"), ("AE",), ("Ae",)])
def test_nothing_wipes_a_scanner(commands: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="wipe every setting"):
        service_command(*commands)


@pytest.mark.parametrize("bad", ["", "P,AE", "S\r", "CÄ", "C A"])
def test_what_is_no_command(bad: str) -> None:
    with pytest.raises(ValueError, match="expected a command"):
        service_command(bad)


def test_a_command_is_there() -> None:
    with pytest.raises(ValueError, match="at least one"):
        service_command()


@pytest.mark.parametrize(
    ("reply", "answers"),
    [
        (b"$>", [(True, "")]),
        (b"$@", [(False, "")]),
        (b"$>,>,>", [(True, ""), (True, ""), (True, "")]),
        (b"$>,@", [(True, ""), (False, "")]),
        (b"$>0D00\r", [(True, "0D00")]),
        (b"", []),
    ],
)
def test_what_an_answer_says(reply: bytes, answers: list[tuple[bool, str]]) -> None:
    assert service_answers(reply) == tuple(ServiceAnswer(done=done, value=value) for done, value in answers)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"$>\r", [ScannerReply(data=b"$>")]),
        (b"$@", [ScannerReply(data=b"$@")]),
        (LABEL + b"\r$>,>,>\r" + LABEL + b"\r", [LABEL, ScannerReply(data=b"$>,>,>"), LABEL]),
        (b"$5.00\r", [b"$5.00"]),
        (b"+$>\r", [b"+$>"]),
    ],
)
def test_answers_and_codes_are_told_apart_wherever_the_stream_is_cut(
    stream: bytes, expected: list[bytes | ScannerReply]
) -> None:
    for at in range(len(stream) + 1):
        under_test = scanner()
        out: list[DialectOutput] = [*under_test.feed(stream[:at], 0), *under_test.feed(stream[at:], 0)]
        out += under_test.idle(IDLE_MS * MS)
        assert [one.data if isinstance(one, Frame) else one for one in out] == expected, at


@pytest.mark.parametrize(
    ("feedback", "signal", "wire"),
    [
        # Magellan 800i reference, Host Commands: 01 sounds whatever the beep setting; F disables until E.
        ("beep", Signal.ACCEPTED, b"\x01"),
        ("beep", Signal.MORE, b"\x01\x01"),
        ("beep", Signal.WARNING, b"\x01\x01\x01"),
        ("beep", Signal.REFUSED, b"FE"),
        ("beep", Signal.TROUBLE, b"FEFE"),
        # Gryphon GBT4200 reference, Message Formatting: green LED on, good-read tone, green LED off.
        ("cordless", Signal.ACCEPTED, b"\x12\x1b[6q\x1b[3q\x1b[7q\r"),
        ("cordless", Signal.REFUSED, b"\x12\x1b[4q\x1b[4q\r"),
    ],
)
def test_signals(feedback: str, signal: Signal, wire: bytes) -> None:
    assert scanner(feedback).signal(signal) == wire


@pytest.mark.parametrize("feedback", ["beep", "cordless"])
def test_no_signal_leaves_the_scanner_disabled_or_lit(feedback: str) -> None:
    for one in Signal:
        pattern = scanner(feedback).signal(one)
        if feedback == "beep":
            assert pattern.count(b"F") == pattern.count(b"E")
            assert not pattern.endswith(b"F")
        assert pattern.count(b"6q") == pattern.count(b"7q")


def test_a_cordless_message() -> None:
    assert cordless_message(6, 5, 7) == b"\x12\x1b[6q\x1b[5q\x1b[7q\r"


def test_the_beginning_of_an_answer_keeps_no_code_back() -> None:
    """Its end never comes; the configured terminator does: it is no answer, and what follows it is a code."""
    tab = DatalogicDialect(ScannerSettings(name="desk", dialect="datalogic", terminator="TAB", idle_ms=IDLE_MS))
    code = b"]d20109520001000102"
    frames = tab.feed(b"$>10\t" + code + b"\t", 0)
    assert [one.data for one in frames if isinstance(one, Frame)] == [b"$>10", code]
    assert tab.deadline_ns() is None
