"""Zip archives that are bombs, point elsewhere, or are damaged."""

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.articles.errors import SourceFileError
from gateway.articles.importers import archive
from tests.articles.reading import SAMPLES, rows


def packed(name: str, content: bytes = b"x", *, method: int = zipfile.ZIP_DEFLATED, mode: int = 0) -> bytes:
    """Return an archive of one member; `mode` as Unix archivers store it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        info = zipfile.ZipInfo(name)
        info.compress_type = method
        info.external_attr = mode << 16
        made.writestr(info, content)
    return stream.getvalue()


def encrypted() -> bytes:
    """Return an archive whose member says that it is encrypted: bit 0 of both headers' flags (APPNOTE 4.4.4)."""
    data = bytearray(packed("device.txt"))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (packed("../device.txt"), "points outside"),
        (packed("a/../../device.txt"), "points outside"),
        (packed("a\\..\\device.txt"), "points outside"),
        (packed("/etc/device.txt"), "points outside"),
        (packed("C:\\device.txt"), "points outside"),
        (packed("device.txt", b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "is a link"),
        (packed("device.txt", method=zipfile.ZIP_LZMA), "packed in a way"),
        (packed("device.txt", method=zipfile.ZIP_BZIP2), "packed in a way"),
        (packed("device.txt", b"0" * 10_000_000), "times its size: at most 200"),
        (packed("unread.bin", b"0" * 10_000_000), "times its size: at most 200"),
        (encrypted(), "encrypted"),
        (packed("other.txt"), "has no device.txt"),
        (b"PK\x03\x04" + b"\x00" * 100, "no zip archive"),
    ],
)
def test_refused(content: bytes, words: str) -> None:
    with pytest.raises(SourceFileError) as raised:
        rows("gudid", content)
    assert words in str(raised.value)


def test_too_many_files() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for number in range(archive.MAX_MEMBERS + 1):
            made.writestr(f"{number}.txt", "")
    with pytest.raises(SourceFileError, match="1001 files"):
        rows("gudid", stream.getvalue())


def test_a_list_of_files_that_would_fill_the_memory() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for number in range(100):
            info = zipfile.ZipInfo(f"{number}.txt")
            info.comment = b"x" * 65_000
            made.writestr(info, "")
    with pytest.raises(SourceFileError, match="its list of files takes"):
        rows("gudid", stream.getvalue())


def test_a_member_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 10)
    with pytest.raises(SourceFileError, match="at most 10 are read"):
        rows("gudid", packed("device.txt", b"elevenbytes"))


def test_a_damaged_member_is_told(tmp_path: Path) -> None:
    """Its checksum (CRC-32) does not fit: seen at its end, and nothing of the file is taken."""
    header = "|".join(f"c{number}" for number in range(20)).encode()
    data = bytearray(packed("device.txt", header, method=zipfile.ZIP_STORED))
    data[data.index(header) + 3] ^= 1
    file = tmp_path / "release.zip"
    file.write_bytes(data)
    with pytest.raises(SourceFileError, match="CRC"):
        rows("gudid", file)


RELEASE = io.BytesIO()
with zipfile.ZipFile(RELEASE, "w", zipfile.ZIP_DEFLATED) as _made:
    for _name in ("device.txt", "identifiers.txt"):
        _made.write(SAMPLES / "gudid" / _name, _name)


@settings(deadline=None, max_examples=150)
@given(
    st.dictionaries(st.integers(0, len(RELEASE.getvalue()) - 1), st.integers(0, 255), max_size=4),
    st.integers(0, 40),
)
def test_any_damage_is_told_or_does_no_harm(changes: dict[int, int], cut: int) -> None:
    data = bytearray(RELEASE.getvalue())
    for place, byte in changes.items():
        data[place] = byte
    try:
        rows("gudid", bytes(data[: len(data) - cut]))
    except SourceFileError as error:
        assert "miv" in str(error)  # noqa: PT017 - some bytes do not matter
