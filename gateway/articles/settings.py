"""The `[articles]` section of the configuration."""

from typing import Literal

from msgspec import Struct


class SourceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[articles.source]]`: where article rows come from and how to read them."""

    name: str
    """Name shown in events as `article.source`; letters, digits, `_` and `-`."""
    priority: int = 100
    """Where two sources know the same article, the lower number wins."""
    format: Literal["csv"] = "csv"
    columns: dict[str, str] = {}
    """Field of the master -> column of the file. A field left out is read from the column of its own name."""
    encoding: Literal["utf-8", "cp1252"] = "utf-8"
    """A UTF-8 byte order mark is accepted."""
    delimiter: str = ";"


class ArticlesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[articles]`."""

    source: tuple[SourceSettings, ...] = ()
