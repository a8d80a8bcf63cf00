"""Frame -> RawScan: AIM identifier and text."""

import pytest

from drivers.base import DialectOutput, FrameDiscarded, ScannerReply
from drivers.model import Discarded, DiscardReason, Frame, InputQuality
from drivers.raw_scan import to_inputs, to_raw_scan

NO_AIM_ID, NOT_UTF8 = InputQuality.NO_AIM_ID, InputQuality.NOT_UTF8


@pytest.mark.parametrize(
    ("data", "symbology", "text", "quality"),
    [
        # ISO/IEC 15424: flag character, code character, modifier character
        (b"]d20108717648200274\x1d10A1", "]d2", "0108717648200274\x1d10A1", set()),
        (b"]C10108717648200274", "]C1", "0108717648200274", set()),
        (b"]XAtext", "]XA", "text", set()),
        (b"]d2", "]d2", "", set()),
        (b"]d2]d2", "]d2", "]d2", set()),
        (b"4006381333931", None, "4006381333931", {NO_AIM_ID}),
        (b"]d", None, "]d", {NO_AIM_ID}),
        (b"]12x", None, "]12x", {NO_AIM_ID}),
        (b"]d-x", None, "]d-x", {NO_AIM_ID}),
        (b"x]d2", None, "x]d2", {NO_AIM_ID}),
        (b"]Q1\xc3\xa5\xc3\xa4", "]Q1", "\u00e5\u00e4", set()),
        (b"]Q1\xe5\xe4", "]Q1", "\u00e5\u00e4", {NOT_UTF8}),
        (b"\xff\x00", None, "\u00ff\x00", {NO_AIM_ID, NOT_UTF8}),
    ],
)
def test_what_a_frame_says(data: bytes, symbology: str | None, text: str, quality: set[InputQuality]) -> None:
    frame = Frame(data=data, started_ns=7)
    scan = to_raw_scan("desk", frame)
    assert (scan.scanner, scan.frame, scan.symbology, scan.text) == ("desk", frame, symbology, text)
    assert scan.quality == quality


def test_the_quality_of_the_frame_stays() -> None:
    frame = Frame(data=b"1", started_ns=0, quality=frozenset({InputQuality.UNTERMINATED}))
    assert to_raw_scan("desk", frame).quality == {InputQuality.UNTERMINATED, NO_AIM_ID}


def test_replies_to_commands_are_no_input() -> None:
    frame = Frame(data=b"]d21", started_ns=0)
    outputs: list[DialectOutput] = [
        ScannerReply(data=b"\x06"),
        frame,
        FrameDiscarded(reason=DiscardReason.GARBLED, length=3),
    ]
    assert to_inputs("desk", outputs) == [
        to_raw_scan("desk", frame),
        Discarded(scanner="desk", reason=DiscardReason.GARBLED, length=3),
    ]
