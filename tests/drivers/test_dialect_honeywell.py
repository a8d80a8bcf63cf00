"""Honeywell: menu commands and their answers among codes, beeps, Host ACK."""

import pytest

from drivers.base import DialectOutput, FrameDiscarded, ScannerReply, ScannerSettings, Terminator
from drivers.dialects.answers import MAX_ANSWER_BYTES
from drivers.dialects.honeywell import (
    BEEP,
    RELEASE,
    TRIGGER,
    Answer,
    HoneywellDialect,
    MenuAnswer,
    menu_answers,
    menu_command,
)
from drivers.model import DiscardReason, Frame, Signal

MS = 1_000_000
IDLE_MS = 100
LABEL = b"]d2010952000100010210L1\x1d21S000001"
EAN = b"4006381333931"
DONE = b"CBRENA1\x06."  # Xenon 1900 user guide, Menu Commands: the answer to a setting
NO_TAG = b"XYZENA1\x05!"
NO_DATA = b"CBRENA9\x15."
QUESTION = b"CBRENA0-1\x06."  # to `CBRENA*`


def scanner(terminator: Terminator = "CR", feedback: str = "beep") -> HoneywellDialect:
    return HoneywellDialect(
        ScannerSettings(name="desk", dialect="honeywell", feedback=feedback, terminator=terminator, idle_ms=IDLE_MS)  # type: ignore[arg-type]  # a row of the table
    )


def play(under_test: HoneywellDialect, parts: list[bytes]) -> list[bytes | ScannerReply]:
    """Feed the parts, then silence; return codes as bytes."""
    out: list[DialectOutput] = [one for part in parts for one in under_test.feed(part, 0)]
    out += under_test.idle(IDLE_MS * MS)
    assert all(isinstance(one, (Frame, ScannerReply)) for one in out)
    return [one.data if isinstance(one, Frame) else one for one in out if isinstance(one, (Frame, ScannerReply))]


@pytest.mark.parametrize(
    ("built", "wire"),
    [
        # Xenon 1900/1902 user guide: the command sent byte by byte as an example; beep; trigger.
        (menu_command("232BAD9", permanent=True), "16 4D 0D 32 33 32 42 41 44 39 2E"),
        (BEEP, "16 07 0D"),
        (TRIGGER, "16 54 0D"),
        (RELEASE, "16 55 0D"),
        (menu_command("TERMID130"), "16 4D 0D 54 45 52 4D 49 44 31 33 30 21"),
        (menu_command("SUFBK2990D", permanent=True), "16 4D 0D 53 55 46 42 4B 32 39 39 30 44 2E"),
        (menu_command("PRECA2", "SUFCA2"), "16 4D 0D 50 52 45 43 41 32 3B 53 55 46 43 41 32 21"),
        (menu_command("CBRENA?"), "16 4D 0D 43 42 52 45 4E 41 3F 21"),
    ],
)
def test_golden_commands(built: bytes, wire: str) -> None:
    assert built == bytes.fromhex(wire)


@pytest.mark.parametrize("bad", ["", "CBRENA1.", "CBRENA1!DEFALT", "A,B", "A;B", "CBR\x06", "cbrena1", "CBRÄ"])
def test_what_would_end_a_command_early_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="expected a setting"):
        menu_command(bad)


def test_a_command_has_a_setting() -> None:
    with pytest.raises(ValueError, match="at least one"):
        menu_command()


@pytest.mark.parametrize(
    ("reply", "answers"),
    [
        (DONE, [("CBRENA1", Answer.DONE)]),
        (NO_TAG, [("XYZENA1", Answer.NO_SUCH_TAG)]),
        (NO_DATA, [("CBRENA9", Answer.NO_SUCH_DATA)]),
        (QUESTION, [("CBRENA0-1", Answer.DONE)]),
        (b"CBRENA1\x06;PAPHHF\x15!", [("CBRENA1", Answer.DONE), ("PAPHHF", Answer.NO_SUCH_DATA)]),
        (b"", []),
    ],
)
def test_what_an_answer_says(reply: bytes, answers: list[tuple[str, Answer]]) -> None:
    assert menu_answers(reply) == tuple(MenuAnswer(text=text, answer=answer) for text, answer in answers)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(DONE, [ScannerReply(data=DONE)], id="done"),
        pytest.param(NO_TAG + NO_DATA, [ScannerReply(data=NO_TAG), ScannerReply(data=NO_DATA)], id="two answers"),
        pytest.param(
            LABEL + b"\r" + DONE + EAN + b"\r", [LABEL, ScannerReply(data=DONE), EAN], id="between two codes"
        ),
        pytest.param(
            DONE + b"\r" + LABEL + b"\r", [ScannerReply(data=DONE), LABEL], id="an answer with a line end"
        ),
        pytest.param(
            DONE + b"\r\n" + QUESTION,
            [ScannerReply(data=DONE), ScannerReply(data=QUESTION)],
            id="line ends between",
        ),
        pytest.param(
            b"CBRENA1\x06;PAPHHF\x15!",
            [ScannerReply(data=b"CBRENA1\x06;"), ScannerReply(data=b"PAPHHF\x15!")],
            id="each setting's answer by itself",
        ),
        pytest.param(LABEL + b"\x06.\r", [LABEL + b"\x06."], id="no label is an answer"),
        pytest.param(b"(01)\x06.\r", [b"(01)\x06."], id="no tag, no answer"),
        pytest.param(b"12.3!\r", [b"12.3!"], id="punctuation alone"),
        pytest.param(b"CBRENA1\x06\r", [b"CBRENA1\x06"], id="no punctuation"),
    ],
)
def test_answers_and_codes_are_told_apart_wherever_the_stream_is_cut(
    stream: bytes, expected: list[bytes | ScannerReply]
) -> None:
    assert play(scanner(), [stream]) == expected
    assert play(scanner(), [stream[at : at + 1] for at in range(len(stream))]) == expected
    for at in range(len(stream) + 1):
        assert play(scanner(), [stream[:at], stream[at:]]) == expected, at


@pytest.mark.parametrize("terminator", ["CR", "LF", "CRLF", "TAB", "ETX", "STX-ETX"])
def test_under_every_terminator(terminator: Terminator) -> None:
    ends = {"CR": b"\r", "LF": b"\n", "CRLF": b"\r\n", "TAB": b"\t", "ETX": b"\x03", "STX-ETX": b"\x03"}
    code = (b"\x02" if terminator == "STX-ETX" else b"") + LABEL + ends[terminator]
    assert play(scanner(terminator), [code + DONE + code]) == [LABEL, ScannerReply(data=DONE), LABEL]


def test_where_only_silence_ends_a_code() -> None:
    under_test = scanner("none")
    assert play(under_test, [LABEL]) == [LABEL]
    assert play(under_test, [DONE + NO_DATA]) == [ScannerReply(data=DONE), ScannerReply(data=NO_DATA)]


def test_an_answer_between_opening_and_silence() -> None:
    under_test = scanner()
    under_test.opened(0)
    assert play(under_test, [DONE]) == [ScannerReply(data=DONE)]
    assert play(under_test, [EAN + b"\r"]) == [EAN]


def test_a_text_longer_than_any_answer_is_a_code() -> None:
    long = b"CBR" + b"7" * (MAX_ANSWER_BYTES - 5) + b"\x06."
    assert play(scanner(), [long + b"\r"]) == [ScannerReply(data=long)]
    assert play(scanner(), [b"7" + long + b"\r"]) == [b"7" + long]
    assert play(scanner(), [b"7" + long[:500], long[500:] + b"\r"]) == [b"7" + long]


def test_silence_ends_what_is_no_answer() -> None:
    under_test = scanner()
    under_test.feed(b"CBRENA1", 0)
    assert list(under_test.idle(IDLE_MS * MS)) == [FrameDiscarded(reason=DiscardReason.UNTERMINATED, length=7)]
    assert list(under_test.feed(b"\x06.", 200 * MS)) == []


@pytest.mark.parametrize(
    ("feedback", "signal", "wire"),
    [
        ("beep", Signal.ACCEPTED, "16 07 0D"),
        ("beep", Signal.MORE, "16 07 0D" * 2),
        ("beep", Signal.TROUBLE, "16 07 0D" * 5),
        # Granit 1981i, Xenon XP 1950 user guides, Host ACK: item on file, item not on file.
        ("host-ack", Signal.ACCEPTED, "1B 37 2C"),
        ("host-ack", Signal.REFUSED, "1B 38 2C 1B 38 2C"),
        ("host-ack", Signal.MORE, "1B 35 2C 1B 36 2C 1B 31 2C"),
        ("host-ack", Signal.WARNING, "1B 36 2C 1B 34 2C 1B 36 2C"),
        ("host-ack", Signal.TROUBLE, "1B 38 2C 1B 34 2C 1B 34 2C 1B 34 2C"),
    ],
)
def test_signals(feedback: str, signal: Signal, wire: str) -> None:
    under_test = scanner(feedback=feedback)
    assert under_test.signal(signal) == bytes.fromhex(wire)
    assert under_test.acknowledge(Frame(data=LABEL, started_ns=0)) == b"", (
        "the signal is the answer, and the only one"
    )


def test_only_acceptance_sounds_like_transmission() -> None:
    """`ESC 7` is the guides' "successful decode and communication to host"."""
    under_test = scanner(feedback="host-ack")
    assert [one for one in Signal if b"\x1b7" in under_test.signal(one)] == [Signal.ACCEPTED]
