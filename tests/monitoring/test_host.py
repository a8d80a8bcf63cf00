"""What a board tells of itself: sysfs trees as a Raspberry Pi, another board and a virtual machine have them."""

from pathlib import Path

import pytest
from msgspec.structs import astuple

from gateway.monitoring.host import THERMAL, THROTTLED, read_board


def tree(root: Path, temperature: str | None, flags: str | None) -> Path:
    for path, text in ((THERMAL, temperature), (THROTTLED, flags)):
        if text is not None:
            (root / path).parent.mkdir(parents=True)
            (root / path).write_text(text)
    return root


@pytest.mark.parametrize(
    ("temperature", "flags", "expected"),
    [
        ("48312\n", "0\n", (48.3, False, False, False)),
        ("83600\n", "e0008\n", (83.6, False, False, True)),
        ("50000\n", "50005\n", (50.0, True, True, True)),
        ("50000\n", "10000\n", (50.0, False, True, False)),
        ("50000\n", None, (50.0, None, None, None)),
        ("hot\n", None, None),
        (None, None, None),
    ],
)
def test_flags_of_the_firmware(
    tmp_path: Path, temperature: str | None, flags: str | None, expected: tuple[float | None, ...] | None
) -> None:
    """Raspberry Pi documentation, get_throttled: bits 0-3 now, 16-19 since the boot."""
    board = read_board(tree(tmp_path, temperature, flags))
    assert (None if board is None else astuple(board)) == expected
