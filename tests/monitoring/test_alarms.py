"""What a person should look at, and when it is over."""

from drivers.base import ScannerSettings
from drivers.model import Frame, RawScan
from drivers.raw_scan import inputs_of
from gateway.monitoring import alarms
from gateway.scanning.inbox import Inbox
from gateway.scanning.reader import Reader

WITHOUT_GS = b"]d20109520001000409" + b"10S1" + b"17451231"
WITH_GS = b"]d20109520001000409" + b"10S1\x1d" + b"17451231"


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
