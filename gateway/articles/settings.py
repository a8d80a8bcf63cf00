"""The `[articles]` section of the configuration."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Field = Literal[
    "deviceIdentifier",
    "issuer",
    "articleNumber",
    "tradeName",
    "description",
    "manufacturerName",
    "catalogNumber",
    "riskClass",
    "implant",
    "consignment",
    "owner",
    "packageLevel",
    "baseDeviceIdentifier",
    "baseQuantity",
    "sterile",
    "singleUse",
    "lotRequired",
    "serialRequired",
    "expiryRequired",
    "status",
    "statusReason",
    "statusFrom",
]
"""A field of the master, as `gateway.model.Article` names it in JSON."""


class SourceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[articles.source]]`: where article rows come from and how to read them."""

    name: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
    """Name shown in events as `article.source`; letters, digits, `_` and `-`."""
    priority: int = 100
    """Where two sources know the same article, the lower number wins. In force from the source's next import."""
    format: Literal["csv"] = "csv"
    """What kind of file it is; csv: one row a line, the first line names the columns."""
    columns: dict[Field, str] = {}
    """Field of the master -> column of the file. A field left out is read from the column of its own name."""
    encoding: Literal["utf-8", "cp1252"] = "utf-8"
    """A UTF-8 byte order mark is accepted, and outranks this setting."""
    delimiter: Literal[";", ",", "\t", "|"] = ";"
    """What stands between two cells."""


class ArticlesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[articles]`."""

    source: tuple[SourceSettings, ...] = ()
    """Where the article master comes from; none for a box without one."""
