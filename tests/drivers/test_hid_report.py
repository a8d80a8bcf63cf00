"""Report descriptors -> where a report holds the code."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.hid_report import DescriptorError, ReportLayout, report_layout
from tests.drivers.hid_pos_reports import (
    ACCESS_IS,
    FLAG_BIT,
    KEYBOARD,
    LITTLE,
    PLAIN,
    REMOTE_MASTERMIND,
    SYMBOLOGY_ARRAY,
)


@pytest.mark.parametrize(
    ("descriptor", "layout"),
    [
        pytest.param(
            ACCESS_IS,
            ReportLayout(
                report_id=2,
                others=frozenset({4}),
                size=64,
                data=5,
                capacity=56,
                length=1,
                aim_id=(2, 3, 4),
                continued=(63, 0),
            ),
            id="Honeywell and Access-IS",
        ),
        pytest.param(
            FLAG_BIT,
            ReportLayout(
                report_id=2,
                others=frozenset(),
                size=62,
                data=5,
                capacity=56,
                length=1,
                aim_id=(2, 3, 4),
                continued=(61, 0),
            ),
            id="one bit for the flag, and padding",
        ),
        pytest.param(
            SYMBOLOGY_ARRAY,
            ReportLayout(
                report_id=None,
                others=frozenset(),
                size=32,
                data=4,
                capacity=28,
                length=None,
                aim_id=(1, 2, 3),
                continued=(0, 7),
            ),
            id="no report id, the flag first, extended usages",
        ),
        pytest.param(
            PLAIN,
            ReportLayout(
                report_id=1,
                others=frozenset(),
                size=33,
                data=1,
                capacity=32,
                length=None,
                aim_id=None,
                continued=None,
            ),
            id="data alone",
        ),
        pytest.param(
            LITTLE,
            ReportLayout(
                report_id=2,
                others=frozenset(),
                size=10,
                data=5,
                capacity=4,
                length=1,
                aim_id=(2, 3, 4),
                continued=(9, 0),
            ),
            id="the smallest that can continue",
        ),
    ],
)
def test_the_layouts_that_descriptors_describe(descriptor: bytes, layout: ReportLayout) -> None:
    assert report_layout(descriptor) == layout


def changed(old: bytes, new: bytes, times: int = 1) -> bytes:
    assert ACCESS_IS.count(old) >= times
    return ACCESS_IS.replace(old, new, times)


SHIFTED = changed(b"\x75\x08\x95\x01", b"\x75\x01\x95\x04\x81\x03\x75\x08\x95\x01").replace(
    b"\x75\x01\x95\x08", b"\x75\x01\x95\x04"
)
"""Everything lies four bits further on."""


@pytest.mark.parametrize(
    ("descriptor", "found"),
    [
        (b"", "it has no collection of usage page 0x8C"),
        (KEYBOARD, "it has no collection of usage page 0x8C"),
        (REMOTE_MASTERMIND, "it has no collection of usage page 0x8C"),
        (changed(b"\x09\xfe", b"\x09\xfa"), "Decoded Data (usage 0xFE) is in 0 of its input reports"),
        (ACCESS_IS[:-1] + ACCESS_IS[6:].replace(b"\x85\x02", b"\x85\x09"), "in 2 of its input reports"),
        (ACCESS_IS[:20], "breaks off"),
        (changed(b"\x95\x38\x09\xfe", b"\x75\x10\x95\x1c\x09\xfe"), "its Decoded Data is not made of bytes"),
        (changed(b"\x05\x01\x09\x3b", b"\x95\x02\x05\x01\x09\x3b"), "its Byte Count has 16 bits, not 8"),
        (changed(b"\x09\xfc", b"\x09\xfb"), "describes usage 0xFB of page 0x8C twice"),
        (changed(b"\x09\xfc", b"\x09\x00"), "are not three bytes"),
        (changed(b"\x75\x01\x95\x08", b"\x75\x01\x95\x07"), "its report of 511 bits does not fill whole bytes"),
        (changed(b"\x75\x01\x95\x08", b"\x75\x08\x95\x01"), "its Decode Data Continued has 8 bits, not 1"),
        (SHIFTED, "usage 0xFE does not begin at a byte"),
        (changed(b"\x95\x38", b"\x97\xff\xff\xff\x7f"), "longer than any that USB carries"),
        (b"\xb4" + ACCESS_IS, "pops what was not pushed"),
    ],
)
def test_what_is_not_described_is_refused_with_what_was_found(descriptor: bytes, found: str) -> None:
    with pytest.raises(DescriptorError) as caught:
        report_layout(descriptor)
    assert found in str(caught.value)


def test_pushed_globals_come_back_and_long_items_are_passed_over() -> None:
    pushed = changed(b"\x95\x38\x09\xfe", b"\xa4\x05\x01\x75\x20\xb4\xfe\x02\x00\xaa\xbb\x95\x38\x09\xfe")
    assert report_layout(pushed) == report_layout(ACCESS_IS)


def test_a_range_of_usages() -> None:
    ranged = changed(b"\x09\xfb\x09\xfc\x09\xfd", b"\x19\xfb\x29\xfd")
    assert report_layout(ranged) == report_layout(ACCESS_IS)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=80), st.builds(lambda at, to: ACCESS_IS[:at] + to, st.integers(0, 90), st.binary())
    )
)
def test_no_descriptor_does_more_than_be_refused(descriptor: bytes) -> None:
    try:
        layout = report_layout(descriptor)
    except DescriptorError:
        return
    assert layout.data + layout.capacity <= layout.size
