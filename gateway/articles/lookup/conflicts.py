"""Where the sources of a generation contradict each other: reported, since which is right cannot be guessed."""

from collections.abc import Iterable, Iterator
from itertools import combinations, islice
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.articles.identifiers import gtin_text
from gateway.articles.rows import FURTHER, SOURCE_BITS, source_of, to_article
from gateway.articles.schema import BY_KEY, CURRENT, DAMAGE, PHRASE, damaged, open_generation
from gateway.model import Article

MAX_CONFLICTS: Final = 1000
"""Conflicts reported at most: whoever has more has one cause for all of them."""
COMPARED: Final = (
    *("article_number", "trade_name", "manufacturer_name", "catalog_number", "risk_class", "owner", "status"),
    *("package_level", "base_device_identifier", "base_quantity"),
)
"""What is compared, where both sources state it; the yes-or-no fields need no opinion from every source."""

_NO_FLAGS: Final = ~0b1111111
"""Of `traits`: the words, without the yes-or-no fields."""
_COLUMNS: Final = f"""
key, traits & {_NO_FLAGS}, manufacturer, {PHRASE.format("trade_name", "")}, article_number, catalog_number, base,
coalesce(base_quantity, 1), rest
"""
_BY_GTIN: Final = f"SELECT key >> {SOURCE_BITS}, {_COLUMNS} FROM article WHERE key > 0 ORDER BY key"  # noqa: S608
_BY_TEXT: Final = f"""
SELECT identifier, {_COLUMNS} FROM article WHERE identifier IS NOT NULL AND traits & {FURTHER} = 0
ORDER BY identifier, key
"""  # noqa: S608 - made of constants
"""All rows in the order of their identifiers, as they are stored: only what differs there is read as articles."""


class Conflict(Struct, frozen=True, kw_only=True, rename="camel"):
    """Two sources that say different things of one article."""

    device_identifier: str
    field: str
    """As `gateway.model.Article` names it in JSON."""
    said: dict[str, str]
    """Source -> what it says."""


def conflicts(directory: Path, limit: int = MAX_CONFLICTS) -> list[Conflict]:
    """Return the conflicts of the generation in force, up to a limit. Raises MasterError."""
    path = directory / CURRENT
    if not path.exists():
        return []
    connection = open_generation(path)
    try:
        names: dict[int, str] = dict(connection.execute("SELECT id, name FROM source"))
        found: list[Conflict] = []
        for query in (_BY_GTIN, _BY_TEXT) if len(names) > 1 else ():
            for keys in _differing(connection.execute(query)):
                rows = [connection.execute(BY_KEY, (key,)).fetchone() for key in keys]
                articles = [(names[source_of(row[0])], to_article(row)) for row in rows]
                for pair in combinations(articles, 2):
                    found.extend(islice(_between(keys[0], list(pair)), limit - len(found)))
                if len(found) >= limit:
                    return found
    except DAMAGE as error:
        raise damaged(path, str(error)) from error
    finally:
        connection.close()
    return found


def _differing(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[int]]:
    """Yield the keys of rows of one article of which some state a column differently."""
    alike: list[tuple[Any, ...]] = []
    for row in rows:
        if alike and row[0] != alike[0][0]:
            if len(alike) > 1 and _differ(alike):
                yield [one[1] for one in alike]
            alike = []
        alike.append(row)
    if len(alike) > 1 and _differ(alike):
        yield [one[1] for one in alike]


def _differ(rows: list[tuple[Any, ...]]) -> bool:
    """Return whether two rows state a column, and not the same."""
    return any(
        one != other and one is not None and other is not None
        for row, next_row in combinations(rows, 2)
        if row[2:] != next_row[2:]
        for one, other in zip(row[2:], next_row[2:], strict=True)
    )


def _between(key: int, pair: list[tuple[str, Article]]) -> Iterator[Conflict]:
    identifier = gtin_text(key >> SOURCE_BITS) if key > 0 else pair[0][1].device_identifier or ""
    for field in COMPARED:
        said = {name: getattr(article, field) for name, article in pair}
        if None not in said.values() and len(set(said.values())) > 1:
            yield Conflict(
                device_identifier=identifier,
                field=_JSON_NAMES[field],
                said={name: str(value) for name, value in said.items()},
            )


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)


_JSON_NAMES: Final = {field: _camel(field) for field in COMPARED}
