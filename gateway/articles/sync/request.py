"""How the daemon asks for an `articles sync`: an empty file named after the source, in a folder systemd watches.

The daemon needs no right but the one to its own state directory, and the sync that follows runs in its own sandbox.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

WANTED: Final = "sync-wanted"
"""The folder, inside the articles directory: scangate-articles.path starts a sync while it is not empty."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def request_sync(directory: Path, source: str) -> None:
    """Ask for a run that looks at this source, due or not. Asking twice is asking once.

    `directory` is the articles directory. Raises OSError, ValueError for what cannot be a source's name.
    """
    if _NAME.fullmatch(source) is None:
        raise ValueError(f"{source!r} is no name of a source")
    folder = directory / WANTED
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    (folder / source).touch(mode=0o640)


def take_requests(directory: Path) -> frozenset[str]:
    """Return which sources were asked for, and forget it. Raises OSError."""
    return frozenset(_taken(directory / WANTED))


def _taken(folder: Path) -> Iterator[str]:
    with suppress(FileNotFoundError):
        for file in folder.iterdir():
            file.unlink(missing_ok=True)
            yield file.name
