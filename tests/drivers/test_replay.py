"""The driver that plays recordings."""

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from drivers.base import ReplayError, Scanner, ScannerSettings, Terminator
from drivers.catalogue import open_scanner
from drivers.model import InputQuality, RawScan, ScannerInput
from drivers.replay import MAX_RECORDING_BYTES, RecordedScan, Recording, load_recording

Take = Callable[[Scanner, int], list[ScannerInput]]


def scanner_for(path: Path, terminator: Terminator = "CR") -> Scanner:
    return open_scanner(
        ScannerSettings(name="demo", driver="replay", device=str(path), terminator=terminator, idle_ms=20)
    )


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes lines to a recording."""

    def write(*lines: object) -> Path:
        path = tmp_path / "recording.ndjson"
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_lines_of_a_recording(recording: Callable[..., Path]) -> None:
    path = recording(
        {"loop": True}, "", {"after_ms": 200, "text": "]d201\x1d10A", "note": "hip"}, {"text": "å"}, ""
    )
    assert load_recording(path) == Recording(
        loop=True,
        scans=(RecordedScan(after_ms=200, text="]d201\x1d10A", note="hip"), RecordedScan(text="å")),
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"text": "1"}', "{text}"], r"recording\.ndjson line 2: JSON is malformed"),
        (
            ['{"text": "1"}', "", '{"txt": "1"}'],
            r"line 3: Object contains unknown field `txt`; expected a JSON object",
        ),
        (['{"after_ms": 5}'], r"line 1: Object missing required field `text`"),
        (['{"text": ""}'], r"line 1: Expected `str` of length >= 1"),
        (['{"text": "1", "after_ms": -1}'], r"line 1: Expected `int` >= 0"),
        (['{"text": "1", "after_ms": "5"}'], r"line 1: Expected `int`, got `str`"),
        (['{"text": "1"}', '{"loop": true}'], r"line 2: .*`loop`; .* may stand in the first line"),
        (['{"loop": 1}'], r"line 1: "),
        (["[]"], r"line 1: Expected `object`, got `array`"),
        ([], "it holds no scan"),
        (['{"loop": true}'], "it holds no scan"),
        (['{"loop": true}', '{"text": "1"}'], "it loops without a pause; give at least one line an `after_ms`"),
        ([" " * (MAX_RECORDING_BYTES + 1)], "it is too large"),
    ],
)
def test_a_bad_recording(recording: Callable[..., Path], lines: list[str], message: str) -> None:
    scanner = scanner_for(recording(*lines))
    with pytest.raises(ReplayError, match=message) as caught:
        scanner.read(0)
    assert not caught.value.recoverable
    scanner.close()


def test_a_recording_that_is_no_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "latin.ndjson"
    path.write_bytes(b'{"text": "\xe5"}')
    with pytest.raises(ReplayError, match="line 1"):
        load_recording(path)


def test_a_recording_that_is_not_there(tmp_path: Path) -> None:
    scanner = scanner_for(tmp_path / "none.ndjson")
    with pytest.raises(ReplayError, match=r"none\.ndjson: No such file or directory; give the path"):
        scanner.read(0)
    scanner.close()


@pytest.mark.parametrize("terminator", ["CR", "LF", "CRLF", "TAB", "ETX", "STX-ETX", "none"])
def test_codes_go_through_the_framing(recording: Callable[..., Path], take: Take, terminator: Terminator) -> None:
    scanner = scanner_for(recording({"text": "]d2A\x1dB"}, {"after_ms": 60, "text": "C"}), terminator)
    scans = [one for one in take(scanner, 3) if isinstance(one, RawScan)]
    assert [(one.symbology, one.text) for one in scans] == [("]d2", "A\x1dB"), (None, "C")]
    unended = {InputQuality.UNTERMINATED} if terminator == "none" else set()
    assert [set(one.quality) - unended for one in scans] == [set(), {InputQuality.NO_AIM_ID}]
    assert all(one.quality >= unended for one in scans)
    assert scanner.read(0.03) is None
    scanner.close()


def test_the_pauses_are_kept(recording: Callable[..., Path], take: Take) -> None:
    began = monotonic()
    scanner = scanner_for(recording({"after_ms": 80, "text": "A"}, {"after_ms": 80, "text": "B"}))
    take(scanner, 3)
    assert monotonic() - began >= 0.16
    scanner.close()


def test_a_loop_begins_again(recording: Callable[..., Path], take: Take) -> None:
    scanner = scanner_for(recording({"loop": True}, {"text": "A"}, {"after_ms": 1, "text": "B"}))
    scans = [one for one in take(scanner, 7) if isinstance(one, RawScan)]
    assert [one.text for one in scans] == ["A", "B"] * 3
    scanner.close()
