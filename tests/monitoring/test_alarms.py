"""What a person should look at, and when it is over."""

import pytest

from drivers.base import ScannerSettings
from drivers.model import ConnectionState, Discarded, DiscardReason, Frame, RawScan
from drivers.raw_scan import inputs_of, to_raw_scan
from gateway.monitoring import alarms
from gateway.scanning.inbox import Inbox
from gateway.scanning.reader import Reader

WITHOUT_GS = b"]d20109520001000409" + b"10S1" + b"17451231"
WITH_GS = b"]d20109520001000409" + b"10S1\x1d" + b"17451231"


def test_codes_that_always_come_without_their_terminator(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(ScannerSettings(name="front", device="/dev/null"), Inbox(), lambda _scanner: None)
    monkeypatch.setattr(type(reader.scanner), "connection", ConnectionState.CONNECTED)
    part = Discarded(scanner="front", reason=DiscardReason.UNTERMINATED, length=20)
    other = Discarded(scanner="front", reason=DiscardReason.BROKEN_OFF, length=20)
    whole = to_raw_scan("front", Frame(data=WITH_GS, started_ns=1))
    for items, alarm in (
        ([part] * 2, False),
        ([part, other, part, part], True),
        ([part, part, whole, part], False),
    ):
        reader.unterminated = 0
        for item in items:
            monkeypatch.setattr(reader.scanner, "read", lambda _timeout, item=item: item)
            reader._read(0)
        assert any("come without their terminator (CR)" in one for one in alarms.scanning([reader])) is alarm


def test_a_scanner_that_never_sends_the_separator_is_one_alarm() -> None:
    """39 labels of a clinic's day, each of them amber, teach everybody to look away."""
    reader = Reader(ScannerSettings(name="front", device="/dev/null"), Inbox(), lambda _scanner: None)
    for number in range(39):
        (scan,) = inputs_of(reader.scanner, [Frame(data=WITHOUT_GS + b"%d" % number, started_ns=number)])
        assert isinstance(scan, RawScan)
    assert [one for one in alarms.scanning([reader]) if "separator" in one] == [
        (
            "scanner front: has never sent the separator GS, and elements of a label may run together: "
            "scan the page of `scangate scanners calibrate front`"
        )
    ]
    inputs_of(reader.scanner, [Frame(data=WITH_GS, started_ns=99)])
    assert not [one for one in alarms.scanning([reader]) if "separator" in one]
