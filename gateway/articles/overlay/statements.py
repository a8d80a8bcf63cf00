"""What deltas say, and what became of them: the values. Pure."""

from msgspec import Struct

from gateway.articles.identifiers import gtin_number, gtin_text
from gateway.model import Article, ArticleStatus, Recall


def identity_of(identifier: str | None, number: str | None) -> str:
    """Return what names an article: its device identifier (a GTIN as 14 digits), else `#` and its number."""
    return f"#{number}" if identifier is None else identifier


def spelled(identifier: str) -> str:
    """Return a device identifier as `identity_of` gives it: a GTIN of any length as 14 digits."""
    gtin = gtin_number(identifier)
    return identifier if gtin is None else gtin_text(gtin)


class StatusChange(Struct, frozen=True, kw_only=True):
    """What a source says of an article's status, and nothing else of it."""

    status: ArticleStatus
    """ACTIVE: whatever barred it is over."""
    reason: str | None = None
    since: str | None = None


class Deletion(Struct, frozen=True, kw_only=True):
    """The source has the article no longer."""


Said = Article | StatusChange | Recall | Deletion
"""What a change makes the source say: the whole row anew, its status, a recall of some devices, or nothing more."""


class Change(Struct, frozen=True, kw_only=True):
    """One change."""

    identity: str
    """Whose: see `identity_of`."""
    said: Said


def recalls(said: Said) -> bool:
    """Tell whether a change recalls the article or some of its devices: only a release ends it.

    A row that says so of itself is a row: the next one takes its place.
    """
    return isinstance(said, Recall) or (isinstance(said, StatusChange) and said.status is ArticleStatus.RECALLED)


class Delta(Struct, frozen=True, kw_only=True):
    """A message that may be applied."""

    source: str
    number: int
    issued_ns: int
    """Nanoseconds since 1970 UTC."""
    changes: tuple[Change, ...]


class Refused(Struct, frozen=True, kw_only=True):
    """A message that must not be applied."""

    reason: str


class OverlaySource(Struct, frozen=True, kw_only=True, rename="camel"):
    """How far one source's deltas have come."""

    name: str
    number: int
    """Of the newest delta."""
    issued_ns: int
    gap_ns: int = 0
    """Deltas before the one issued then are missing; 0 when none is. A file as new as that closes the gap."""


class Recalled(Struct, frozen=True, kw_only=True, rename="camel"):
    """A recall that a delta has brought: past scans may be of such devices."""

    identity: str
    """Device identifier (a GTIN as 14 digits), or `#` and an article number."""
    recall: Recall


def recalled(identity: str, source: str, said: Said) -> Recalled | None:
    """Return what a change recalls, the article or some of its devices; None for one that recalls nothing."""
    if isinstance(said, Recall):
        return Recalled(identity=identity, recall=said)
    if isinstance(said, Deletion) or said.status is not ArticleStatus.RECALLED:
        return None
    reason, since = (
        (said.status_reason, said.status_from) if isinstance(said, Article) else (said.reason, said.since)
    )
    return Recalled(identity=identity, recall=Recall(source=source, reason=reason, starts=since))


class DeltaOutcome(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one message."""

    applied: bool
    """It is in force. False: it was refused, or had come before."""
    source: str | None = None
    number: int | None = None
    gap: bool = False
    """Earlier ones of the source are missing, or cannot be relied on: ask for a sync, raise the alarm."""
    refused: str | None = None
    """Why it was not taken."""
    recalls: tuple[Recalled, ...] = ()
