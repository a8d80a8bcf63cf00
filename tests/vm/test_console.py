"""What a scanner types reaches no console; what other keyboards type is none of the daemon's business."""

from tests.drivers.typist import Typist, tap
from tests.vm.box import Box
from tests.vm.keys import qcodes, reports
from tests.vm.labels import text

SCANNER = 'name = "front"\ndriver = "hid-keyboard"\nmatch = { vendor = "0c2e", product = "0b61" }\n'
WORD = [move for usage in (0x16, 0x17, 0x12, 0x15, 0x0E) for move in tap(usage)]
"""s t o r k: typed at the console's own keyboard."""


def test_scans_stay_off_the_console_and_other_keyboards_on_it(box: Box) -> None:
    box.agent.run("systemctl start getty@tty1")
    box.wait_for(lambda: "login:" in screen(box), "the console waits for somebody to log in")
    box.plug("scanner", "0c2e", "0b61", "SN1", "keyboard")
    box.machine.plug_keyboard("console", "CONSOLE")
    box.run(SCANNER)
    box.wait_link("front", "connected")
    box.sent("scanner", "keyboard", reports(Typist(), 1, 2))
    box.wait_scans(2)
    box.machine.press("console", qcodes(WORD))
    box.wait_for(lambda: "login: stork" in screen(box), "what the console's keyboard types is there")
    assert "0952" not in screen(box)
    assert box.texts() == [text(1), text(2)]

    others = box.agent.run("readlink -f /dev/input/by-id/*CONSOLE*").split()
    pid = box.agent.run("systemctl show -P MainPID scangate")
    opened = box.agent.run(f"readlink /proc/{pid}/fd/* || true").split()
    assert others
    assert not set(others) & set(opened), "a keyboard that is no scanner was opened"


def test_without_the_daemon_the_console_shows_them(box: Box) -> None:
    """The screen is looked at rightly: a scanner that nobody grabs does type into the console."""
    box.agent.run("systemctl start getty@tty1")
    box.wait_for(lambda: "login:" in screen(box), "the console waits for somebody to log in")
    box.plug("scanner", "0c2e", "0b61", "SN1", "keyboard")
    box.agent.run("udevadm settle")
    box.sent("scanner", "keyboard", reports(Typist(), 1))
    box.wait_for(lambda: "0952" in screen(box), "the scan is on the console")


def screen(box: Box) -> str:
    """Return what stands on the first virtual console."""
    return box.agent.run("cat /dev/vcs1")
