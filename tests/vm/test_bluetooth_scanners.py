"""Bluetooth scanners as the kernel shows them: HID nodes on bus 0005, told apart by their address, without a cable."""

from tests.drivers.typist import Typist
from tests.vm.box import Box
from tests.vm.keys import reports
from tests.vm.labels import text

RINGS = {"left": "aa:bb:cc:00:00:01", "right": "aa:bb:cc:00:00:02"}
"""Scanner -> address: two of one make and model."""


def body(name: str) -> str:
    match = f'vendor = "0c2e", product = "0b61", serial = "{RINGS[name]}"'
    return f'name = "{name}"\ndriver = "hid-keyboard"\nmatch = {{ {match} }}\n'


def test_two_rings_of_one_kind(box: Box) -> None:
    """Each is known by its address, is allowed by our rules alone, and comes and goes without the other."""
    for name, address in RINGS.items():
        box.pair(name, "0c2e", "0b61", address)
    box.run(*map(body, RINGS))
    for number, name in enumerate(RINGS):
        box.wait_link(name, "connected")
        box.typed(name, reports(Typist(), number))
        box.wait_scans(number + 1)
    box.part("left")
    box.wait_link("left", "missing")
    box.typed("right", reports(Typist(), 2))
    box.wait_scans(3)
    box.pair("left", "0c2e", "0b61", RINGS["left"])
    box.wait_link("left", "connected")
    box.typed("left", reports(Typist(), 3))
    box.wait_scans(4)
    assert (box.texts("left"), box.texts("right")) == ([text(0), text(3)], [text(1), text(2)])
