"""Packages inside packages, and which articles are one family. Pure, but for the rows it asks for.

A package's row names what is directly in it, with a quantity; a pallet of cases of pieces is two steps from the
base article. A family is a base article with everything that contains it: what recalls one of them reaches all,
since the piece of a recalled case is recalled, and with the piece whatever else it is packed in.

The family of an article is found from its roots, the base articles at the ends of its chain (several where sources
disagree), by steps downwards only: so that the family of what is recalled has to be found once, not at every scan.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from gateway.articles.overlay.statements import identity_in
from gateway.articles.precedence import SourceRow, is_base

MAX_DEPTH: Final = 16
"""Packages inside each other; more is a circle."""
MAX_QUANTITY: Final = 1_000_000_000
"""Pieces of a package that are counted; more is a slip."""

RowsOf = Callable[[str], Sequence[SourceRow]]
"""What every source says of a device identifier."""


def inside(rows: Iterable[SourceRow]) -> list[str]:
    """Return the identifiers of what is directly in an article, as its sources say; none for a base article."""
    return sorted(
        {
            row.article.base_device_identifier
            for row in rows
            if row.article.base_device_identifier is not None and not is_base(row.article)
        }
    )


def contents(rows: Sequence[SourceRow], rows_of: RowsOf) -> list[tuple[str, Sequence[SourceRow]]]:
    """Return what is in an article, step by step down to its base articles: each identifier with its rows."""
    found: dict[str, Sequence[SourceRow]] = {}
    seen = {identity_in(row.article) for row in rows}
    step = inside(rows)
    for _ in range(MAX_DEPTH):
        step = [identifier for identifier in step if identifier not in seen]
        if not step:
            break
        seen.update(step)
        found |= {identifier: rows_of(identifier) for identifier in step}
        step = sorted({deeper for identifier in step for deeper in inside(found[identifier])})
    return list(found.items())


def roots(identity: str, rows: Sequence[SourceRow], rows_of: RowsOf) -> frozenset[str]:
    """Return the base articles an article is or contains; itself where none is known."""
    within = contents(rows, rows_of)
    return frozenset(identifier for identifier, of in within if not inside(of)) or frozenset({identity})


def pieces(row: SourceRow, rows_of: RowsOf) -> tuple[str | None, int]:
    """Return a package's base article and how many of it are inside, however many packages lie between."""
    base, quantity = row.article.base_device_identifier, row.article.base_quantity
    if base is None or is_base(row.article):
        return base, quantity
    seen = {identity_in(row.article)}
    for _ in range(MAX_DEPTH):
        if base in seen:
            break
        seen.add(base)
        packages = [one for one in rows_of(base) if inside([one])]
        if not packages:
            break
        within = min(packages, key=lambda one: (one.source != row.source, one[:3]))
        if within.article.base_device_identifier is None:
            break
        base, quantity = within.article.base_device_identifier, quantity * within.article.base_quantity
    return base, min(quantity, MAX_QUANTITY)


class Families:
    """Which recalled articles belong to the family of another one. Computed anew when the recalled ones change."""

    def __init__(self, rows_of: RowsOf) -> None:
        self._rows_of = rows_of
        self._of: object = None
        self._members: dict[str, tuple[str, ...]] = {}
        self._roots: dict[str, frozenset[str]] = {}

    def forget(self) -> None:
        """Forget the chains: rows have changed."""
        self._of = None
        self._roots.clear()

    def recalled_with(
        self, of: Iterable[str], recalled: frozenset[str], by_files: Collection[str] = ()
    ) -> list[str]:
        """Return the recalled articles in the families of some base articles. `by_files`: by a file's rows."""
        if self._of is not recalled:
            members: dict[str, list[str]] = {}
            for identity in (*recalled, *by_files):
                for root in self._roots_of(identity):
                    members.setdefault(root, []).append(identity)
            self._members = {root: tuple(sorted(set(found))) for root, found in members.items()}
            self._of = recalled
        return [identity for root in of for identity in self._members.get(root, ())]

    def _roots_of(self, identity: str) -> frozenset[str]:
        found = self._roots.get(identity)
        if found is None:
            found = frozenset({identity})
            if not identity.startswith("#"):
                found = roots(identity, self._rows_of(identity), self._rows_of)
            self._roots[identity] = found
        return found
