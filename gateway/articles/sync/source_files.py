"""Files that others put into a folder of this box: which one counts, and whether it is another than last time."""

import hashlib
import re
from itertools import islice
from pathlib import Path
from typing import Final

from gateway.articles.errors import SourceFileError
from gateway.articles.importers.gudid import DEVICES, IDENTIFIERS

MAX_FILES: Final = 10_000
"""Files of a folder or pattern that are looked at; who drops files must also clear them away."""
_MAGIC: Final = re.compile(r"[*?[]")
_UNFINISHED: Final = (".part", ".tmp", ".filepart", ".crdownload", "~")
"""Ends of names that copying programs give a file until it is whole."""
_BESIDE: Final = (".sha256", ".sha512", ".sha1", ".md5", ".sha256sum", ".sfv", ".asc", ".sig", ".log")
"""Ends of names of what stands beside a file, and is none to import."""


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

    def sha256(self) -> str:
        """Return the digest of the content; of a release, of its files one after the other."""
        return sha256_of(*self._files)


def find(pattern: str, file_format: str) -> Dropped | None:
    """Return the file that counts, None where none is there. Raises SourceFileError, OSError.

    Links are not followed out of a folder: whoever may drop files there could have any file of this box read.
    """
    path = Path(pattern)
    if _MAGIC.search(pattern):
        root = Path(path.anchor)
        return _newest(list(islice(root.glob(str(path.relative_to(path.anchor))), MAX_FILES)))
    if not path.exists():
        if path.parent.is_dir():
            return None
        raise SourceFileError(
            "look into", path.parent, "there is no such folder", "correct `path`, or mount it", recoverable=True
        )
    if not path.is_dir() or (file_format == "gudid" and _release(path)):
        return Dropped(path)
    return _newest(list(islice(path.iterdir(), MAX_FILES)))


def sha256_of(*files: Path) -> str:
    """Return the SHA-256 of files one after the other, in hex. Raises OSError."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 18):
                digest.update(block)
    return digest.hexdigest()


def _newest(paths: list[Path]) -> Dropped | None:
    files = [
        path
        for path in paths
        if not path.is_symlink()
        and path.is_file()
        and not path.name.startswith(".")
        and not path.name.casefold().endswith(_UNFINISHED + _BESIDE)
    ]
    return Dropped(max(files, key=lambda file: (file.stat().st_mtime_ns, file.name))) if files else None


def _release(folder: Path) -> list[Path]:
    wanted = {DEVICES, IDENTIFIERS}
    files = [file for file in sorted(folder.iterdir()) if file.name.casefold() in wanted and not file.is_symlink()]
    return files if any(file.name.casefold() == DEVICES for file in files) else []
