"""What the retained topic `.../articles` says of the master of a box. Pure."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from gateway.articles.lookup.master import MasterInfo

DAY_NS = 86_400 * 1_000_000_000


class SourceStatus(Struct, frozen=True, kw_only=True, rename="camel"):
    """One source."""

    name: str
    priority: int | None = None
    version: str | None = None
    """When its file was imported, RFC 3339 UTC; null when only deltas have come."""
    as_of: str | None = None
    """Until when changes at the source are in that file, RFC 3339 UTC."""
    rows: int = 0
    delta_number: int | None = None
    """The newest delta."""
    delta_issued_at: str | None = None
    gap: bool = False
    """Deltas are missing; a file as new as the newest delta closes the gap."""


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
    """Tell whether a master has passed its age."""
    return built_ns is not None and max_age_days is not None and now_ns - built_ns > max_age_days * DAY_NS


def tell(
    info: MasterInfo,
    now_ns: int,
    *,
    max_age_days: int | None = None,
    unknown: int | None = None,
    problem: str | None = None,
) -> StatusMessage:
    """Say how the master is. `problem`: why it cannot be used, where it cannot."""
    deltas = {one.name: one for one in info.deltas}
    told = []
    for source in info.sources:
        delta = deltas.pop(source.name, None)
        told.append(
            SourceStatus(
                name=source.name,
                priority=source.priority,
                version=source.version,
                as_of=utc(source.as_of_ns),
                rows=source.rows,
                delta_number=None if delta is None else delta.number,
                delta_issued_at=None if delta is None else utc(delta.issued_ns),
                gap=source.name in info.gaps,
            )
        )
    told.extend(
        SourceStatus(
            name=name, delta_number=delta.number, delta_issued_at=utc(delta.issued_ns), gap=name in info.gaps
        )
        for name, delta in deltas.items()
    )
    return StatusMessage(
        version=info.version,
        age_days=age_days(info, now_ns),
        old=is_old(info.built_ns, now_ns, max_age_days),
        rows=sum(source.rows for source in info.sources),
        sources=tuple(told),
        changes=info.changes,
        unknown=unknown,
        problem=problem or info.overlay_problem,
    )


def encode(told: StatusMessage) -> bytes:
    """Return the payload."""
    return msgspec.json.encode(told)


def utc(moment_ns: int) -> str:
    """Return a time as RFC 3339 UTC, to the second."""
    return datetime.fromtimestamp(moment_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
