"""What deltas say, and what became of them: the values. Pure."""

from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec import Struct

from gateway.articles.identifiers import gtin_number, gtin_text
from gateway.model import Article, ArticleStatus, Issuer, Recall


def identity_of(identifier: str | None, number: str | None) -> str:
    """Return what names an article: its device identifier (a GTIN as 14 digits), else `#` and its number."""
    return f"#{number}" if identifier is None else identifier


def identity_in(article: Article) -> str:
    """Return what names an article of the master."""
    return identity_of(article.device_identifier, article.article_number)


def spelled(identifier: str) -> str:
    """Return a device identifier as `identity_of` gives it: a GTIN of any length as 14 digits."""
    gtin = gtin_number(identifier)
    return identifier if gtin is None else gtin_text(gtin)


def nothing_but(identity: str) -> Article:
    """Return an article of which only its name is known."""
    if identity.startswith("#"):
        return Article(article_number=identity[1:])
    gtin = gtin_number(identity)
    return Article(device_identifier=identity, issuer=None if gtin is None else Issuer.GS1)


class Bar(Struct, frozen=True, kw_only=True):
    """Why an article must not be used, as its source's row says."""

    status: ArticleStatus
    reason: str | None = None
    since: str | None = None
    """`YYYY-MM-DD`; None: at once."""


class Upsert(Struct, frozen=True, kw_only=True):
    """The source's whole row anew."""

    article: Article
    states_status: bool
    """It says what the article's status is; False: what was said of it before goes on."""


class Deletion(Struct, frozen=True, kw_only=True):
    """The source has the article no longer."""


class Block(Struct, frozen=True, kw_only=True):
    """The article must not be used, until a release."""

    reason: str | None = None
    since: str | None = None


class Release(Struct, frozen=True, kw_only=True):
    """The end of a block, or of one recall."""

    id: str | None = None
    """Of the recall that ends. None: the block ends, what the source's rows say of blocks and recalls, and the
    recall, where there is only one and it has no id."""
    settled: bool = False
    """Which recall it ends, where it names none, has been decided, and that recall is gone."""


Statement = Upsert | Deletion | Block | Recall | Release
"""What one change of a delta says of one article."""


class OverlayChange(NamedTuple):
    """What one source said of one article in one delta."""

    source: str
    number: int
    """Of the delta: what orders the statements of a source."""
    place: int
    """Among the changes of the delta, from 0."""
    statement: Statement
    under: bytes | None = None
    """What the source's file said of it when the delta came, as `digest_of` gives it; None: nothing."""

    @property
    def order(self) -> tuple[int, int]:
        """What sorts the changes of one source."""
        return self.number, self.place


def digest_of(value: Article | Bar | None) -> bytes | None:
    """Return what tells two rows, or two bars, of a file apart; None for none."""
    return None if value is None else blake2b(msgspec.json.encode(value), digest_size=8).digest()


class Change(Struct, frozen=True, kw_only=True):
    """One change of a delta, as its author names the article."""

    identity: str | None
    """Whose: see `identity_of`. None for the release of a recall wherever it is in force."""
    statement: Statement


class Delta(Struct, frozen=True, kw_only=True):
    """A message that may be applied."""

    source: str
    number: int
    issued_at: str
    """When, RFC 3339, as its author says: shown to people, and nothing is decided by it."""
    digest: bytes
    """Of the message's bytes: tells a repeat from another message with the same number."""
    changes: tuple[Change, ...]


class RefusedDelta(Struct, frozen=True, kw_only=True):
    """A message that must not be applied."""

    reason: str


class OverlaySource(Struct, frozen=True, kw_only=True, rename="camel"):
    """How far one source's deltas have come."""

    name: str
    number: int
    """Of the newest delta; 0 before the first."""
    announced: int = 0
    """Of the newest delta that is known to exist."""
    issued_at: str | None = None
    missing: tuple[tuple[int, int], ...] = ()
    """First and last number of each run of deltas that have not come, the lowest first."""


def names_of(change: OverlayChange, recall: Recall) -> frozenset[str]:
    """Return what a release may call a recall: its id; without one its reason, or the number of its delta."""
    if recall.id is not None:
        return frozenset({recall.id})
    return frozenset({recall.reason or "", str(change.number)}) - {""}


class Recalled(Struct, frozen=True, kw_only=True, rename="camel"):
    """A recall that a delta has brought: past scans may be of such devices."""

    identity: str
    """Device identifier (a GTIN as 14 digits), or `#` and an article number."""
    recall: Recall


class DeltaOutcome(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one message."""

    applied: bool
    """It is in force: a look-up of every article that it bars or frees has been asked, and says so."""
    source: str | None = None
    number: int | None = None
    missing: bool = False
    """Earlier ones of the source have not come: ask for a sync, raise the alarm."""
    repeated: bool = False
    """It had come before; what it says is in force, or a later one has changed it."""
    refused: str | None = None
    """Why it, or a part of it, was not taken, and what to do."""
    unmatched: tuple[str, ...] = ()
    """What it names and no article of this box has: it counts as soon as one comes."""
    recalls: tuple[Recalled, ...] = ()
