"""One file per format of article data, and the one place to add one."""

from gateway.articles.importers.base import Importer, Record
from gateway.articles.importers.delimited import read_delimited

IMPORTERS: dict[str, Importer] = {"csv": read_delimited}
"""`[[articles.source]] format` -> its reader."""

__all__ = ["IMPORTERS", "Importer", "Record"]
