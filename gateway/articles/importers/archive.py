"""Zip archives as sources send them: read member by member, never unpacked to the disk."""

import io
import stat
import zipfile
import zlib
from typing import BinaryIO, Final, cast

SIGNATURE: Final = b"PK\x03\x04"
MAX_MEMBERS: Final = 1000
"""Files of one archive; a GUDID release has a dozen."""
MAX_DIRECTORY_BYTES: Final = 4 * 1024 * 1024
"""Of the archive's own list of files, which is read into memory whole; MAX_MEMBERS entries need a tenth."""
MAX_MEMBER_BYTES: Final = 32 * 1024**3
"""Unpacked: several times the whole GUDID. More is a bomb, or nothing this box can hold."""
MAX_RATIO: Final = 200
"""Unpacked to packed. Tables of articles reach some 20, deflate at its most 1,032: above this it is a bomb."""
_BUFFER_BYTES: Final = 1024 * 1024
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError)
"""What reading a member can raise where the archive is damaged."""


class ArchiveError(ValueError):
    """The archive is refused; the message says why."""


def is_archive(stream: BinaryIO) -> bool:
    """Tell a zip archive by its first bytes; the stream is left at its beginning."""
    beginning = stream.read(len(SIGNATURE))
    stream.seek(0)
    return beginning == SIGNATURE


class Archive:
    """An archive whose list of files has been looked through. Raises ArchiveError."""

    def __init__(self, stream: BinaryIO) -> None:
        try:
            self._zip = zipfile.ZipFile(_Measured(stream))
        except (*DAMAGE, ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise ArchiveError(f"it is no zip archive that can be read: {error}") from error
        members = self._zip.infolist()
        if len(members) > MAX_MEMBERS:
            raise ArchiveError(f"{len(members)} files in the archive: at most {MAX_MEMBERS} are looked at")
        for member in members:
            _check(member)
        self._members = {
            member.filename.rpartition("/")[2].casefold(): member for member in members if not member.is_dir()
        }

    def names(self) -> list[str]:
        """Return the file names, in lower case and without folders."""
        return sorted(self._members)

    def has(self, name: str) -> bool:
        """Return whether there is a member of this file name, whatever its case and folder."""
        return name.casefold() in self._members

    def size(self, name: str) -> int:
        """Return how long the member of this file name is, unpacked; 0 where there is none."""
        member = self._members.get(name.casefold())
        return 0 if member is None else member.file_size

    def open(self, name: str) -> BinaryIO | None:
        """Open the member of this file name, whatever its case and folder; None where there is none.

        Raises ArchiveError.
        """
        member = self._members.get(name.casefold())
        if member is None:
            return None
        try:
            opened = self._zip.open(member)
        except (*DAMAGE, ValueError) as error:
            raise ArchiveError(f"{name} in the archive cannot be read: {error}") from error
        # io.BufferedReader asks for no more than readinto(), which a member has
        return io.BufferedReader(cast("io.RawIOBase", opened), _BUFFER_BYTES)


class _Measured(io.RawIOBase):
    """A stream that refuses the one read zipfile does unbounded: of the list of files."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            here = self.tell()
            size = self.seek(0, io.SEEK_END) - here
            self.seek(here)
        if size > MAX_DIRECTORY_BYTES:
            raise ArchiveError(f"its list of files takes {size} bytes: at most {MAX_DIRECTORY_BYTES} are read")
        return self._stream.read(size)


def _check(member: zipfile.ZipInfo) -> None:
    name = member.filename
    shown = repr(name[:80])
    if name.startswith(("/", "\\")) or ":" in name[:3] or ".." in name.replace("\\", "/").split("/"):
        raise ArchiveError(f"{shown} in the archive points outside of it")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ArchiveError(f"{shown} in the archive is a link")
    if member.flag_bits & 1:
        raise ArchiveError(f"{shown} in the archive is encrypted")
    if member.compress_type not in _METHODS:
        raise ArchiveError(
            f"{shown} in the archive is packed in a way that is not read: expected stored or deflate"
        )
    if member.file_size > MAX_MEMBER_BYTES:
        raise ArchiveError(
            f"{shown} in the archive has {member.file_size} bytes: at most {MAX_MEMBER_BYTES} are read"
        )
    if member.file_size > MAX_RATIO * max(member.compress_size, 1):
        raise ArchiveError(
            f"{shown} in the archive unpacks to {member.file_size // max(member.compress_size, 1)} times its size: "
            f"at most {MAX_RATIO} is believed"
        )
