"""Serial scanners on real USB: plugged, pulled in the middle of a label, permitted late."""

from tests.vm.box import Box
from tests.vm.labels import label, text

USB_SERIAL = 'name = "front"\ndevice = "/dev/ttyUSB0"\n'
ACM = 'name = "front"\ndevice = "/dev/ttyACM0"\n'


def test_a_label_through_a_usb_serial_adapter(box: Box) -> None:
    line = box.machine.plug_serial("adapter")
    box.run(USB_SERIAL)
    box.wait_link("front", "connected")
    line.send(label(1))
    box.wait_scans(1)
    assert box.texts() == [text(1)]


def test_plugged_in_after_the_start_and_again_after_a_pull(box: Box) -> None:
    box.run(USB_SERIAL)
    box.wait_link("front", "missing")
    line = box.machine.plug_serial("adapter")
    box.wait_link("front", "connected")
    line.send(label(1) + label(2)[:20])
    box.wait_scans(1)
    box.machine.unplug("adapter")
    box.wait_link("front", "missing")
    line = box.machine.plug_serial("adapter")
    box.wait_link("front", "connected")
    line.send(label(3))
    box.wait_scans(2)
    assert box.texts() == [text(1), text(3)]
    assert sum(box.discarded().values()) == 1, "broken off, or ended by silence before the cable was pulled"


def test_a_login_prompt_on_the_port(box: Box) -> None:
    """Root's programs pass TIOCEXCL; the daemon notices, and reads again when the program has left.

    agetty has given the node to root and tty by then: only a node that is made anew is the group's again.
    """
    box.plug("scanner", "0c2e", "0b6a", "SN1", "acm")
    box.run(ACM)
    box.wait_link("front", "connected")
    box.agent.run("systemctl start serial-getty@ttyACM0")
    box.wait_link("front", "busy")
    box.agent.run("systemctl stop serial-getty@ttyACM0")
    box.wait_link("front", "no-permission")
    box.unplug("scanner")
    box.wait_link("front", "missing")
    box.replug("scanner")
    box.wait_link("front", "connected")
    box.sent("scanner", "acm", label(1))
    box.wait_scans(1)
    assert box.texts() == [text(1)]


def test_a_scanner_that_is_a_modem_to_the_kernel(box: Box) -> None:
    """CDC-ACM: there before the start, pulled, and back."""
    box.plug("scanner", "0c2e", "0b6a", "SN1", "acm")
    box.run(ACM)
    box.wait_link("front", "connected")
    box.sent("scanner", "acm", label(1))
    box.wait_scans(1)
    box.unplug("scanner")
    box.wait_link("front", "missing")
    box.replug("scanner")
    box.wait_link("front", "connected")
    box.sent("scanner", "acm", label(2))
    box.wait_scans(2)
    assert box.texts() == [text(1), text(2)]


def test_permission_that_comes_late(box: Box) -> None:
    """The node is there before its group is: the daemon waits for it and needs no restart."""
    box.agent.write("/etc/udev/rules.d/99-late.rules", 'KERNEL=="ttyACM*", GROUP="root", MODE="0600"\n')
    box.agent.run("udevadm control --reload")
    box.plug("scanner", "0c2e", "0b6a", "SN1", "acm")
    box.run(ACM)
    box.wait_link("front", "no-permission")
    box.agent.run("rm /etc/udev/rules.d/99-late.rules && udevadm control --reload && udevadm trigger /dev/ttyACM0")
    box.wait_link("front", "connected")
    box.sent("scanner", "acm", label(1))
    box.wait_scans(1)
    assert box.texts() == [text(1)]
