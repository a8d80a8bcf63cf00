"""What the disk is made to write, as the kernel counts it."""

import os
from pathlib import Path

import pytest

from gateway.system.disk_writes import Wear

IO = "rchar: 9\nwchar: 9\nsyscr: 9\nsyscw: 9\nread_bytes: 9\nwrite_bytes: {}\ncancelled_write_bytes: 0\n"


@pytest.mark.parametrize(
    ("written", "stored", "told"),
    [(4096, 10, (0, None)), (4096 + 30_000, 14, (30_000, 7_500)), (12_288, 10, (8_192, None))],
    ids=["nothing", "four scans", "no scan"],
)
def test_since_the_start(tmp_path: Path, written: int, stored: int, told: tuple[int, int | None]) -> None:
    io = tmp_path / "io"
    io.write_text(IO.format(4096))
    wear = Wear(10, io)
    io.write_text(IO.format(written))
    assert wear.look(stored) == told


@pytest.mark.parametrize("content", [None, "", "write_bytes: x\n", "write_bytes:\n", "rchar: 1\n"])
def test_a_kernel_that_does_not_count(tmp_path: Path, content: str | None) -> None:
    io = tmp_path / "io"
    if content is not None:
        io.write_text(content)
    assert Wear(0, io).look(5) == (None, None)


def test_this_process(tmp_path: Path) -> None:
    wear = Wear(0)
    file = os.open(tmp_path / "x", os.O_WRONLY | os.O_CREAT)
    os.write(file, bytes(1 << 20))
    os.fsync(file)
    os.close(file)
    written, per_scan = wear.look(2)
    if written is None:
        pytest.skip("this kernel does not count")
    assert per_scan == written // 2
