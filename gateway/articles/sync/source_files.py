"""Files that others put into a folder of this box: which ones count, and whether they are others than last time."""

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.articles.errors import SourceFileError
from gateway.articles.importers.gudid import DEVICES, IDENTIFIERS

MAX_FILES: Final = 10_000
"""Files of a folder or pattern; who drops files must also clear them away."""
_MAGIC: Final = re.compile(r"[*?[]")
_UNFINISHED: Final = (".part", ".tmp", ".filepart", ".crdownload", "~")
"""Ends of names that copying programs give a file until it is whole."""
_BESIDE: Final = (
    *(".sha256", ".sha512", ".sha1", ".md5", ".crc", ".sfv", ".sha256sum", ".sha512sum", ".sha1sum", ".md5sum"),
    *(".asc", ".sig", ".log", ".done", ".ok", ".bak", ".lock", ".swp", ".ini", ".lnk", "thumbs.db"),
)
"""Ends of names of what stands beside a file, and is none to import."""
_OPENED: Final = (".", "~$")
"""Beginnings of hidden names, and of what Excel and others put beside a file that somebody has open."""


class Dropped:
    """One file as found, or a GUDID release in a folder. Raises OSError when it is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """What to import."""
        files = _release(path) if path.is_dir() else [path]
        stats = [file.stat() for file in files]
        self._files = files
        self.written = tuple(moment for stat in stats for moment in (stat.st_mtime, stat.st_ctime))
        """When it was written to last, seconds since 1970 UTC; by the inode, too, whose time no copy sets back."""
        self.fingerprint = ";".join(
            f"{file}:{stat.st_size}:{stat.st_mtime_ns}" for file, stat in zip(files, stats, strict=True)
        )
        """Names, sizes and times: the same as long as nobody touched it."""
        self.modified_ns = max(stat.st_mtime_ns for stat in stats)
        """Nanoseconds since 1970 UTC: orders files of changes, together with the name."""

    def sha256(self) -> str:
        """Return the digest of the content; of a release, of its files one after the other."""
        return sha256_of(*self._files)


def find(pattern: str, file_format: str) -> list[Dropped]:
    """Return the files that are there, the oldest first. Raises SourceFileError, OSError.

    Links are not followed out of a folder: whoever may drop files there could have any file of this box read.
    """
    path = Path(pattern)
    if _MAGIC.search(pattern):
        root = Path(path.anchor)
        return _in_order(root.glob(str(path.relative_to(path.anchor))), path)
    if not path.exists():
        if path.parent.is_dir():
            return []
        raise SourceFileError(
            "look into", path.parent, "there is no such folder", "correct `path`, or mount it", recoverable=True
        )
    if not path.is_dir() or (file_format == "gudid" and _release(path)):
        return [Dropped(path)]
    return _in_order(path.iterdir(), path)


def sha256_of(*files: Path) -> str:
    """Return the SHA-256 of files one after the other, in hex. Raises OSError."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 18):
                digest.update(block)
    return digest.hexdigest()


def _in_order(paths: Iterable[Path], place: Path) -> list[Dropped]:
    listed = list(islice(paths, MAX_FILES + 1))
    if len(listed) > MAX_FILES:
        raise SourceFileError(
            "look into", place, f"it has more than {MAX_FILES} files", "clear away the old ones", recoverable=True
        )
    wanted = [
        path
        for path in listed
        if not path.is_symlink()
        and path.is_file()
        and not path.name.startswith(_OPENED)
        and not path.name.casefold().endswith(_UNFINISHED + _BESIDE)
    ]
    files = []
    for path in wanted:
        with suppress(FileNotFoundError):  # moved away since
            files.append(Dropped(path))
    return sorted(files, key=lambda file: (file.modified_ns, file.path.name))


def _release(folder: Path) -> list[Path]:
    wanted = {DEVICES, IDENTIFIERS}
    files = [file for file in sorted(folder.iterdir()) if file.name.casefold() in wanted and not file.is_symlink()]
    return files if any(file.name.casefold() == DEVICES for file in files) else []
