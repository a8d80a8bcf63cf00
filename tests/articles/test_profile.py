"""A file nobody has described: what is proposed for it reads it."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from gateway.articles.importers.archive import ArchiveError
from gateway.articles.importers.profile import as_toml, profile
from gateway.articles.settings import SourceSettings
from tests.articles.reading import SAMPLES, judged, rows
from tests.articles.test_import_content import zipped

SWEDISH = (
    "Artikelnr;EAN-kod;Benämning;Lev. artnr;Status\n"
    "V-1;9520001000102;Låda;L1;Aktiv\nV-2;9520001000119;Öga;L2;Spärr\n"
)


@pytest.mark.parametrize(
    ("text", "encoding", "delimiter", "columns"),
    [
        (
            SWEDISH,
            encoding,
            ";",
            {
                "deviceIdentifier": "EAN-kod",
                "articleNumber": "Artikelnr",
                "tradeName": "Benämning",
                "catalogNumber": "Lev. artnr",
                "status": "Status",
            },
        )
        for encoding in ("utf-8", "cp1252", "cp850")
    ]
    + [
        ("ITEM_NO,X1,IMPLANT_FL\nA,9520001000102,1\nB,9520001000119,0\n", "utf-8", ",",
         {"deviceIdentifier": "X1", "articleNumber": "ITEM_NO", "implant": "IMPLANT_FL"}),
        ("itemid\tName\nA\tx\n", "utf-8", "\t", {"articleNumber": "itemid", "tradeName": "Name"}),
    ],
)  # fmt: skip
def test_a_table(tmp_path: Path, text: str, encoding: str, delimiter: str, columns: dict[str, str]) -> None:
    file = tmp_path / "export.csv"
    file.write_text(text, encoding=encoding)
    found = profile(file)
    assert (found.format, found.encoding, found.delimiter) == ("csv", encoding, delimiter)
    assert found.columns == columns
    block = tomllib.loads(as_toml(found, "miv"))["articles"]["source"][0]
    for meanings in block.get("values", {}).values():
        meanings.update(dict.fromkeys(meanings, "blocked"))
    settings = msgspec.convert(block, SourceSettings)
    made = rows(
        "csv",
        file,
        **{
            key: value
            for key, value in msgspec.to_builtins(settings).items()
            if key in block and key not in {"name", "format"}
        },
    )
    articles, rejected = judged(made)
    assert rejected == []
    assert len(articles) == text.count("\n") - 1


def test_words_that_must_be_explained(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text(SWEDISH)
    found = profile(file)
    assert found.values == {"spärr": None}
    assert any("say what the words of the status mean" in remark for remark in found.remarks)
    file.write_text("a;b\n1;2\n")
    assert "no column was found that names an article" in profile(file).remarks[0]


@pytest.mark.parametrize(
    ("name", "file_format"),
    [
        ("accessgudid.json", "accessgudid"),
        ("eudamed_search.json", "eudamed"),
        ("fhir_bundle.json", "fhir"),
        ("peppol_catalogue.xml", "peppol"),
        ("gs1_cin.xml", "gs1-cin"),
        ("gs1_firstbase.json", "gs1-firstbase"),
        ("item_master.hl7", "hl7-mfn"),
    ],
)
def test_the_other_formats(name: str, file_format: str) -> None:
    assert profile(SAMPLES / name).format == file_format


def test_archives(tmp_path: Path) -> None:
    file = tmp_path / "some.zip"
    file.write_bytes(zipped(device__txt="x"))
    assert profile(file).format == "gudid"
    file.write_bytes(zipped(export__csv=SWEDISH))
    assert profile(file).columns["articleNumber"] == "Artikelnr"
    file.write_bytes(zipped(**{"[Content_Types]__xml": "x"}))
    with pytest.raises(ArchiveError, match="without a workbook"):
        profile(file)
