"""What `articles sync` remembers of each source: a small file in the articles directory."""

import hashlib
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.articles.settings import SourceSettings
from gateway.articles.sync.validators import Validators
from gateway.system.atomic_file import whole_file

STATE: Final = "sync.json"
STATE_MODE: Final = 0o640
MAX_STATE_BYTES: Final = 16 * 1024 * 1024
"""Some hundreds of sources, and of some of them ten thousand files of changes; a larger file is none of ours."""
RETRY_SECONDS: Final = 900
"""After a failure a source is due again so soon, where its interval is longer."""


class SyncResult(StrEnum):
    """What came of a look at a source."""

    IMPORTED = "imported"
    UNCHANGED = "unchanged"
    """The same file as last time."""
    NOTHING = "nothing"
    """No file is there."""
    WAITING = "waiting"
    """A file is there and may still be written to: the next run takes it."""
    REFUSED = "refused"
    """Too many of its rows were rejected; the rows in force stay."""
    FAILED = "failed"
    """It was not what it should be, or could not be stored."""
    UNREACHABLE = "unreachable"
    """Its server or folder could not be reached."""


FAILURES: Final = frozenset({SyncResult.REFUSED, SyncResult.FAILED, SyncResult.UNREACHABLE})


class HandledFile(Struct, frozen=True, array_like=True):
    """A dropped file that has been looked at."""

    modified_ns: int
    sha256: str
    result: SyncResult
    """imported, refused or failed."""
    message: str = ""
    whole: bool = False
    """It lists all articles of its source, and does not change some."""


class SourceHistory(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is known of one source. Moments are seconds since 1970 UTC."""

    attempted: int
    """The last look at it."""
    result: SyncResult
    message: str = ""
    """What went wrong, and what to do."""
    succeeded: int | None = None
    """The last time the source and the master were known to agree."""
    imported: int | None = None
    """The last time rows of it came into force."""
    rows: int | None = None
    rejected: int | None = None
    tried: str | None = None
    """Digest of the settings of the last look: corrected ones make the source due at once."""
    settings: str | None = None
    """Digest of the settings the file was imported with: with others it is another file."""
    sha256: str | None = None
    """Of the file that was looked at last."""
    seen: str | None = None
    """Names, sizes and times of dropped files that are waited for: the same at the next look, they are whole."""
    files: dict[str, HandledFile] = {}
    """Dropped files that have been looked at with these settings, by a digest of their names, sizes and times."""
    validators: Validators | None = None
    """Of a fetched one."""
    taken: bool = False
    """That file is in force; False: it was refused."""


class SyncState(Struct, kw_only=True):
    """The whole file."""

    sources: dict[str, SourceHistory] = {}


def read_state(directory: Path) -> SyncState:
    """Read what is remembered. A file that cannot be read counts as none: it costs one import."""
    try:
        with (directory / STATE).open("rb") as file:
            return msgspec.json.decode(file.read(MAX_STATE_BYTES), type=SyncState)
    except (OSError, msgspec.MsgspecError):
        return SyncState()


def write_state(directory: Path, state: SyncState) -> None:
    """Write it whole. Raises OSError."""
    with whole_file(directory / STATE, STATE_MODE) as file:
        file.write(msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")


def digest_of(source: SourceSettings) -> str:
    """Return what tells one way to read a source from another."""
    return hashlib.sha256(msgspec.json.encode(source)).hexdigest()


def next_due(source: SourceSettings, known: SourceHistory | None) -> int:
    """Return from when on, in seconds since 1970 UTC, the source is due; 0 for one never looked at as it is set."""
    if known is None or known.tried != digest_of(source):
        return 0
    soon = known.result in FAILURES or known.result is SyncResult.WAITING
    return known.attempted + (min(RETRY_SECONDS, source.interval) if soon else source.interval)


def is_due(source: SourceSettings, known: SourceHistory | None, now: datetime) -> bool:
    """Return whether to look at a source now. A look that seems to be in the future was by a clock set wrong."""
    moment = int(now.timestamp())
    return known is None or moment >= next_due(source, known) or moment < known.attempted
