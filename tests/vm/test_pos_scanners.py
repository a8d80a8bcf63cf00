"""HID point-of-sale scanners (usage page 0x8C) through a real hidraw node; without our rules it is root's alone."""

from tests.vm.box import Box
from tests.vm.labels import text

POS = 'name = "front"\ndriver = "hid-pos"\nmatch = { vendor = "0c2e", product = "0b81" }\n'
DATA_BYTES = 56


def pos_reports(number: int, more: str = "") -> bytes:
    """Return a label as reports of 64 bytes: id, length, AIM identifier, data, vendor's code, 0, continued."""
    content = (text(number) + more).encode()
    parts = [content[at : at + DATA_BYTES] for at in range(0, len(content), DATA_BYTES)]
    return b"".join(
        bytes([2, len(part)]) + b"]d2" + part.ljust(DATA_BYTES, b"\0") + bytes([0x73, 0, place < len(parts) - 1])
        for place, part in enumerate(parts)
    )


def test_reports_become_scans(box: Box) -> None:
    """A short code; one of three reports; and what both keep: the AIM identifier and GS."""
    long = "\x1d240" + "A" * 30 + "\x1d241" + "B" * 30
    box.plug("scanner", "0c2e", "0b81", "SN1", "pos")
    box.run(POS)
    box.wait_link("front", "connected")
    box.sent("scanner", "pos", pos_reports(1))
    box.sent("scanner", "pos", pos_reports(2, long))
    box.wait_scans(2)
    assert [(scan.symbology, scan.text) for scan in box.scans()] == [("]d2", text(1)), ("]d2", text(2) + long)]


def test_a_suffix_is_none_of_the_code(box: Box) -> None:
    """Scanners in HID POS mode send the suffix they are set to all the same."""
    box.plug("scanner", "0c2e", "0b81", "SN1", "pos")
    box.run(POS)
    box.wait_link("front", "connected")
    box.sent("scanner", "pos", pos_reports(1, "\r"))
    box.wait_scans(1)
    assert box.texts() == [text(1)]


def test_pulled_between_two_reports_of_one_code(box: Box) -> None:
    box.plug("scanner", "0c2e", "0b81", "SN1", "pos")
    box.run(POS)
    box.wait_link("front", "connected")
    box.break_off("scanner", "pos", pos_reports(1, "\x1d240" + "A" * 30)[:64])
    box.wait_link("front", "missing")
    box.replug("scanner")
    box.wait_link("front", "connected")
    box.sent("scanner", "pos", pos_reports(2))
    box.wait_scans(1)
    assert box.texts() == [text(2)]
    box.wait_for(lambda: sum(box.discarded().values()) == 1, "the half code is counted")
