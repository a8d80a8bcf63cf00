"""Where the sources of a generation contradict each other: reported, since which is right cannot be guessed."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.articles.identifiers import gtin_text
from gateway.articles.rows import MAX_SOURCES, SOURCE_BITS, source_of, to_article
from gateway.articles.schema import CURRENT, DAMAGE, SELECT, damaged, open_generation
from gateway.model import Article

MAX_CONFLICTS: Final = 1000
"""Conflicts told at most: whoever has more has one cause for all of them."""
COMPARED: Final = (
    *("article_number", "trade_name", "manufacturer_name", "catalog_number", "risk_class", "owner", "status"),
    *("package_level", "base_device_identifier", "base_quantity"),
)
"""What is compared, where both sources state it; the yes-or-no fields need no opinion from every source."""

_PAIRS: Final = f"""
SELECT one.key, two.key FROM article AS one JOIN article AS two
    ON two.key > one.key AND two.key <= (one.key | {MAX_SOURCES}) WHERE one.key > 0
UNION ALL
SELECT one.key, two.key FROM article AS one JOIN article AS two
    ON two.identifier = one.identifier AND (two.key & {MAX_SOURCES}) > (one.key & {MAX_SOURCES})
    WHERE one.identifier IS NOT NULL
"""  # noqa: S608 - made of constants
_ROW: Final = f"{SELECT} WHERE key = ?"


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
        if len(names) > 1:
            for keys in connection.execute(_PAIRS):
                rows = [connection.execute(_ROW, (key,)).fetchone() for key in keys]
                pair = [(names[source_of(row[0])], to_article(row)) for row in rows]
                found.extend(islice(_between(keys[0], pair), limit - len(found)))
                if len(found) >= limit:
                    break
    except DAMAGE as error:
        raise damaged(path, str(error)) from error
    finally:
        connection.close()
    return found


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
