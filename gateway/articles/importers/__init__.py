"""One file per format of article data, and the one place to add one."""

from pathlib import Path

from gateway.articles.errors import SourceFileError
from gateway.articles.importers.accessgudid import read_accessgudid
from gateway.articles.importers.base import Changes, Importer, Read, RowBatch, SourceRecord
from gateway.articles.importers.delimited import read_delimited
from gateway.articles.importers.eudamed import read_eudamed
from gateway.articles.importers.fhir import read_fhir
from gateway.articles.importers.gs1_cin import read_gs1_cin
from gateway.articles.importers.gs1_firstbase import read_gs1_firstbase
from gateway.articles.importers.gudid import read_gudid, release_file
from gateway.articles.importers.hl7_mfn import read_hl7_mfn
from gateway.articles.importers.peppol import read_peppol
from gateway.articles.settings import SourceSettings

IMPORTERS: dict[str, Importer] = {
    "csv": read_delimited,
    "gudid": read_gudid,
    "accessgudid": read_accessgudid,
    "eudamed": read_eudamed,
    "peppol": read_peppol,
    "hl7-mfn": read_hl7_mfn,
    "fhir": read_fhir,
    "gs1-cin": read_gs1_cin,
    "gs1-firstbase": read_gs1_firstbase,
}
"""`[[articles.source]] format` -> its reader."""

_TELL_STATUS = frozenset(("gudid", "accessgudid", "eudamed", "peppol", "hl7-mfn", "gs1-cin", "gs1-firstbase"))


def tells_status(source: SourceSettings, record: SourceRecord) -> bool:
    """Return whether rows of this file say which articles are blocked; a CSV file does if it has the column.

    FHIR knows recalls only, and where a file says nothing, its rows read as active.
    """
    return source.format in _TELL_STATUS or (source.format == "csv" and "status" in record.texts)


_MAY_CHANGE = frozenset(("peppol", "hl7-mfn", "gs1-cin"))
"""Formats of which a file may list changes only."""


def may_change(source: SourceSettings) -> bool:
    """Return whether a file of a source's format may list changes only, so that each one counts."""
    return source.incremental or source.format in _MAY_CHANGE


def is_whole(path: Path, source: SourceSettings) -> bool:
    """Return whether a file lists all articles of its source; one that cannot be read does not. Raises OSError."""
    if source.incremental:
        return False
    with path.open("rb") as stream:
        try:
            return not isinstance(next(IMPORTERS[source.format](stream, source), None), Changes)
        except SourceFileError:
            return False


def file_to_open(path: Path, source: SourceSettings) -> Path:
    """Return the file to open for what is to be imported: a GUDID release may be a folder."""
    return release_file(path) if source.format == "gudid" else path


__all__ = [
    "IMPORTERS",
    "Changes",
    "Importer",
    "Read",
    "RowBatch",
    "SourceRecord",
    "file_to_open",
    "is_whole",
    "may_change",
    "tells_status",
]
