"""A file that is there whole or not at all."""

from pathlib import Path

import pytest

from gateway.system.atomic_file import whole_file


def test_it_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    with whole_file(file, 0o640) as stream:
        stream.write(b"new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_nothing_remains_of_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "a"

    def fail() -> None:
        with whole_file(file, 0o640) as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with whole_file(tmp_path / "link", 0o600) as stream:
        stream.write(b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


def test_a_device_is_written_not_replaced() -> None:
    with whole_file(Path("/dev/null"), 0o600) as stream:
        stream.write(b"x")
    assert Path("/dev/null").is_char_device()
