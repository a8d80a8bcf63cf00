"""What can be said of the bench without an emulated machine: this runs with the ordinary tests."""

import subprocess
from pathlib import Path

import pytest

from tests.drivers.typist import Typist
from tests.vm.guest import gadget
from tests.vm.keys import QCODES, movements, qcodes, reports
from tests.vm.labels import label, text

HERE = Path(__file__).parent


def test_the_image_script_is_a_shell_script() -> None:
    script = HERE / "image.sh"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("script", sorted((HERE / "guest").glob("*.py")), ids=lambda path: path.stem)
def test_the_guests_side_needs_nothing_but_python(script: Path) -> None:
    """The guest's Python knows nothing of this checkout."""
    source = script.read_text()
    compile(source, script.name, "exec")
    assert "import tests" not in source
    assert "from tests" not in source


@pytest.mark.parametrize(
    ("descriptor", "report_bytes"),
    [(gadget.KEYBOARD, gadget.REPORT_BYTES["keyboard"]), (gadget.POS, gadget.REPORT_BYTES["pos"])],
    ids=["keyboard", "pos"],
)
def test_report_descriptors_describe_reports_of_the_length_that_is_sent(
    descriptor: bytes, report_bytes: int
) -> None:
    """HID 1.11, 6.2.2: items of one size byte; input items add report size times report count bits."""
    size = count = bits = 0
    at = 0
    while at < len(descriptor):
        item = descriptor[at] & 0xFC
        length = (0, 1, 2, 4)[descriptor[at] & 3]
        value = int.from_bytes(descriptor[at + 1 : at + 1 + length], "little")
        at += 1 + length
        if item == 0x74:
            size = value
        elif item == 0x94:
            count = value
        elif item == 0x80:
            bits += size * count
        elif item == 0x84:
            bits += 8
    assert bits == report_bytes * 8


def test_a_label_as_keys() -> None:
    typist = Typist()
    moves = movements(typist, [1])
    assert len(reports(typist, 1)) == 8 * len(moves)
    pressed = [name for name, down in qcodes(moves) if down]
    assert pressed[:3] == ["bracket_right", "d", "2"]
    assert pressed[-1] == "ret"
    assert len(QCODES) == len(set(QCODES.values()))


def test_labels() -> None:
    assert label(7) == b"]d2010952000100010210L1\x1d21S000007\r"
    assert label(7)[3:-1].decode() == text(7)
