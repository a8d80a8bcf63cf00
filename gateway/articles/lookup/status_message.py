"""What the retained topic `.../articles` says of the master of a box. Pure."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from gateway.articles.lookup.master import MasterInfo

DAY_NS = 86_400 * 1_000_000_000
MAX_RUNS = 100
"""Runs of missing deltas that a message names; whoever sends them again hears of the next ones."""


class SourceStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """One source."""

    name: str
    priority: int | None = None
    version: str | None = None
    """When its file was imported, RFC 3339 UTC; null when only deltas have come."""
    as_of: str | None = None
    """The date of that file, RFC 3339 UTC."""
    rows: int = 0
    delta_number: int | None = None
    """The newest delta."""
    delta_issued_at: str | None = None
    gap: bool = False
    """Deltas are missing: have them sent again."""
    missing: tuple[tuple[int, int], ...] = ()
    """First and last number of each run of deltas that have not come, the first 100."""


class StatusMessage(Struct, frozen=True, kw_only=True, rename="camel"):
    """The message: a JSON object, UTF-8."""

    version: str | None
    """When the generation in force was built, RFC 3339 UTC; null when there is none."""
    age_days: int | None
    old: bool
    """It is older than `[articles] max_age_days`."""
    rows: int
    sources: tuple[SourceStatus, ...]
    """By precedence, the winning one first; then those of which only deltas have come."""
    changes: int
    """Changes by deltas that are kept."""
    unknown: int | None
    """Articles that were scanned and are not in the master; null: not counted now."""
    problem: str | None
    """Why the master, or what deltas said, is not in force."""


def age_days(info: MasterInfo, now_ns: int) -> int | None:
    """Return how old the generation in force is, in whole days."""
    return None if info.built_ns is None else max(0, (now_ns - info.built_ns) // DAY_NS)


def is_old(built_ns: int | None, now_ns: int, max_age_days: int | None) -> bool:
    """Return whether a master has passed its age."""
    return built_ns is not None and max_age_days is not None and now_ns - built_ns > max_age_days * DAY_NS


def status_message(
    info: MasterInfo,
    now_ns: int,
    *,
    max_age_days: int | None = None,
    unknown: int | None = None,
    problem: str | None = None,
) -> StatusMessage:
    """Return how the master is. `problem`: why it cannot be used, where it cannot."""
    deltas = {one.name: one for one in info.deltas}
    sources = []
    for source in info.sources:
        delta = deltas.pop(source.name, None)
        sources.append(
            SourceStatus(
                name=source.name,
                priority=source.priority,
                version=source.version,
                as_of=utc(source.as_of_ns),
                rows=source.rows,
                delta_number=None if delta is None else delta.number,
                delta_issued_at=None if delta is None else delta.issued_at,
                gap=source.name in info.gaps,
                missing=() if delta is None else delta.missing[:MAX_RUNS],
            )
        )
    sources.extend(
        SourceStatus(
            name=name,
            delta_number=delta.number,
            delta_issued_at=delta.issued_at,
            gap=name in info.gaps,
            missing=delta.missing[:MAX_RUNS],
        )
        for name, delta in deltas.items()
    )
    return StatusMessage(
        version=info.version,
        age_days=age_days(info, now_ns),
        old=is_old(info.built_ns, now_ns, max_age_days),
        rows=sum(source.rows for source in info.sources),
        sources=tuple(sources),
        changes=info.changes,
        unknown=unknown,
        problem=problem or info.overlay_problem,
    )


def encode(message: StatusMessage) -> bytes:
    """Return the payload."""
    return msgspec.json.encode(message)


def utc(moment_ns: int) -> str:
    """Return a time as RFC 3339 UTC, to the second."""
    return datetime.fromtimestamp(moment_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
