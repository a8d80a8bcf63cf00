"""The key of a session of the machine: the same after a crash, and never one that somebody else has put there."""

from pathlib import Path

import pytest

from gateway.system.session_key import KEY_BYTES, NAME, session_key


def test_it_is_the_same_as_long_as_the_directory_is_there(tmp_path: Path) -> None:
    key = session_key(tmp_path)
    assert len(key) == KEY_BYTES
    assert session_key(tmp_path) == key
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("content", "mode"), [(b"", 0o600), (b"short", 0o600), (bytes(32), 0o644)])
def test_one_that_cannot_be_used_is_replaced(tmp_path: Path, content: bytes, mode: int) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)
    path.chmod(mode)
    key = session_key(tmp_path)
    assert key != content
    assert session_key(tmp_path) == key


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Somebody who may write beside the socket must not have us write elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(bytes(KEY_BYTES))
    (tmp_path / NAME).symlink_to(elsewhere)
    assert session_key(tmp_path) != bytes(KEY_BYTES)
    assert elsewhere.read_bytes() == bytes(KEY_BYTES)


def test_where_it_cannot_be_kept_there_is_one_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(session_key(tmp_path / "nowhere")) == KEY_BYTES
    assert "cannot be kept" in caplog.text
