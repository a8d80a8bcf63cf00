"""Scanners that type, on real USB: layouts, locks, lost events, pulled cables, late permission."""

import pytest

from tests.drivers.typist import CAPS_LOCK, Caps, Typist, boot_reports, tap
from tests.vm.box import Box, port_of
from tests.vm.keys import movements, qcodes, reports
from tests.vm.labels import text

REPORT_BYTES = 8
KEYBOARD = ("0c2e", "0b61")
QEMU_KEYBOARD = 'name = "front"\ndriver = "hid-keyboard"\nmatch = { vendor = "0627", product = "0001" }\n'
FRONT = 'name = "front"\ndriver = "hid-keyboard"\nmatch = { vendor = "0c2e", product = "0b61" }\n'
STROKES = tap(0x04)
"""The letter a, pressed and released."""


def test_a_label_typed_by_a_usb_keyboard(box: Box) -> None:
    box.agent.run("scangate scanners allow 0627:0001")
    box.run(QEMU_KEYBOARD)
    box.wait_link("front", "missing")
    box.machine.plug_keyboard("wedge", "SN1")
    box.wait_link("front", "connected")
    box.machine.press("wedge", qcodes(movements(Typist(), [1])))
    box.wait_scans(1)
    assert box.texts() == [text(1)]


SET_UPS = {
    "us-ctrl": Typist(),
    "us-f8": Typist(gs="f8"),
    "se-alt": Typist(layout="se", gs="alt-029"),
    "se-down": Typist(layout="se", gs="down", terminator="TAB"),
}
"""Scanner -> how it is set up; the configuration says the same."""


def test_layouts_and_ways_to_type_gs(box: Box) -> None:
    """Four scanners of one kind without serial numbers, each in its port, each set up differently."""
    bodies = []
    for port, (name, typist) in enumerate(SET_UPS.items()):
        box.plug(name, *KEYBOARD, "-", "keyboard", port)
        bodies.append(
            f'name = "{name}"\ndriver = "hid-keyboard"\n'
            f'match = {{ port = "{port_of(port)}" }}\n'
            f'layout = "{typist.layout}"\ngs = ["{typist.gs}"]\nterminator = "{typist.terminator}"\n'
        )
    box.run(*bodies)
    for number, (name, typist) in enumerate(SET_UPS.items()):
        box.wait_link(name, "connected")
        # slower than the emulated machine takes them: what the kernel drops has a test of its own
        box.sent(name, "keyboard", reports(typist, number), gap=0.01)
    box.wait_scans(len(SET_UPS))
    found = {scan.scanner: (scan.symbology, scan.text) for scan in box.scans()}
    assert found == {name: ("]d2", text(number)) for number, name in enumerate(SET_UPS)}


@pytest.mark.parametrize("caps", ["ignores", "compensates", "brackets"])
def test_caps_lock_is_on(box: Box, caps: Caps) -> None:
    """Somebody left it on, at the console's own keyboard: exact, or refused, never silently wrong."""
    box.plug("scanner", *KEYBOARD, "SN1", "keyboard")
    box.machine.plug_keyboard("console", "CONSOLE")
    box.agent.run("udevadm settle")
    box.machine.press("console", qcodes(tap(CAPS_LOCK)))
    box.wait_for(lambda: box.leds("scanner") & 2, "the light is on")
    box.run(FRONT)
    box.wait_link("front", "connected")
    lit = bool(box.leds("scanner") & 2)
    box.sent("scanner", "keyboard", reports(Typist(caps=caps, caps_lit=lit), 1))
    box.wait_for(lambda: box.events()[-1:] and "signal" in box.events()[-1], "the scan is answered")
    assert box.texts() in ([], [text(1)])
    assert len(box.texts()) + sum(box.discarded().values()) == 1


def test_pulled_in_the_middle_of_a_label(box: Box) -> None:
    box.plug("scanner", *KEYBOARD, "SN1", "keyboard")
    box.run(f"{FRONT}idle_ms = 500\n")  # the pull comes before the silence counts as an end
    box.wait_link("front", "connected")
    whole = reports(Typist(), 1)
    box.break_off("scanner", "keyboard", whole[: len(whole) // 2 // REPORT_BYTES * REPORT_BYTES])
    box.wait_link("front", "missing")
    box.replug("scanner")
    box.wait_link("front", "connected")
    box.sent("scanner", "keyboard", reports(Typist(), 2, 3))
    box.wait_scans(2)
    assert box.texts() == [text(2), text(3)]
    assert sum(box.discarded().values()) == 1


def test_events_that_the_kernel_dropped(box: Box) -> None:
    """The daemon stands still while a scanner types; then nothing of what was cut may come out."""
    box.plug("scanner", *KEYBOARD, "SN1", "keyboard")
    box.run(FRONT)
    box.wait_link("front", "connected")
    box.sent("scanner", "keyboard", reports(Typist(), 1))
    box.wait_scans(1)
    box.agent.run("systemctl kill -s STOP --kill-whom=main scangate")
    box.sent("scanner", "keyboard", reports(Typist(), 2, 3))
    box.agent.run("systemctl kill -s CONT --kill-whom=main scangate")
    box.wait_for(lambda: box.discarded().get("dropped"), "the loss is noticed")
    box.sent("scanner", "keyboard", reports(Typist(), 4, 5))
    box.wait_scans(3)
    scans = box.scans()
    assert [scan.text for scan in scans] == [text(1), text(4), text(5)]
    assert "dropped-before" in scans[1].quality


def test_permission_that_comes_late_to_a_keyboard(box: Box) -> None:
    box.agent.write("/etc/udev/rules.d/99-late.rules", 'KERNEL=="event*", GROUP="root", MODE="0600"\n')
    box.agent.run("udevadm control --reload")
    box.plug("scanner", *KEYBOARD, "SN1", "keyboard")
    box.run(FRONT)
    box.wait_link("front", "no-permission")
    box.agent.run(
        "rm /etc/udev/rules.d/99-late.rules && udevadm control --reload"
        " && udevadm trigger -c add --subsystem-match=input"
    )
    box.wait_link("front", "connected")
    box.sent("scanner", "keyboard", reports(Typist(), 1))
    box.wait_scans(1)
    assert box.texts() == [text(1)]


def test_a_keyboard_that_types_commands(box: Box) -> None:
    """A device that poses as the scanner and presses Ctrl+Alt+F2: nothing of it comes out."""
    box.plug("scanner", *KEYBOARD, "SN1", "keyboard")
    box.run(FRONT)
    box.wait_link("front", "connected")
    posing = [(0xE0, True), (0xE2, True), *tap(0x3B), (0xE2, False), (0xE0, False), *STROKES, *tap(0x28)]
    box.sent("scanner", "keyboard", b"".join(boot_reports(posing)))
    box.wait_for(lambda: box.discarded().get("forbidden-keys"), "it is noticed")
    box.sent("scanner", "keyboard", reports(Typist(), 1))
    box.wait_scans(1)
    assert box.texts() == [text(1)]
