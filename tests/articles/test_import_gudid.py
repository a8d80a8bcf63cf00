"""GUDID's delimited release: as files, folder or zip; what goes the long way; what is refused."""

import io
import zipfile
from pathlib import Path

import pytest

from gateway.articles.errors import SourceFileError
from gateway.articles.importers import RowBatch, file_to_open
from gateway.articles.importers.base import MAX_BATCH_ROWS
from gateway.articles.importers.lines import BLOCK_BYTES, MAX_LINE_BYTES
from gateway.model import Article
from tests.articles.reading import SAMPLES, judged, rows, sample, source

DEVICES = (SAMPLES / "gudid" / "device.txt").read_text()
IDENTIFIERS = (SAMPLES / "gudid" / "identifiers.txt").read_text()
HEADER, CUP, STEM, OLD, SCREW, TISSUE = DEVICES.splitlines()
CUP_DI, BOX_DI = "09520001001000", "19520001001007"
PACKAGE_HEADER = IDENTIFIERS.splitlines()[0]


def devices(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines, ""]).encode()


def release(tmp_path: Path, *identifiers: str) -> Path:
    (tmp_path / "device.txt").write_bytes(devices(CUP))
    (tmp_path / "identifiers.txt").write_text("\n".join([PACKAGE_HEADER, *identifiers, ""]))
    return tmp_path / "device.txt"


def zipped(members: dict[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        {"device.txt": DEVICES, "identifiers.txt": IDENTIFIERS},
        {"AccessGUDID/Device.txt": DEVICES, "AccessGUDID/identifiers.TXT": IDENTIFIERS, "readme.txt": "x"},
        {"device.txt": "\ufeff" + DEVICES.replace("\n", "\r\n"), "identifiers.txt": IDENTIFIERS},
    ],
    ids=["plain", "folder and case", "byte order mark and CRLF"],
)
def test_a_zip_holds_what_the_folder_holds(members: dict[str, str | bytes]) -> None:
    expected = sample("gudid", "gudid/device.txt")
    assert judged(rows("gudid", zipped(members))) == (expected, [])


def test_a_folder_is_opened_by_its_device_file(tmp_path: Path) -> None:
    (tmp_path / "DEVICE.TXT").write_text(DEVICES)
    assert file_to_open(tmp_path, source("gudid")).name == "DEVICE.TXT"
    assert file_to_open(tmp_path, source("csv")) == tmp_path
    assert file_to_open(tmp_path / "other", source("gudid")) == tmp_path / "other"


def test_without_identifiers_the_issuer_is_told_from_the_form() -> None:
    articles, rejected = judged(rows("gudid", DEVICES.encode()))
    assert len(articles) == 4
    assert [(one.line, one.column) for one in rejected] == [(6, "deviceIdentifier")]
    assert "the issuer must be given" in rejected[0].reason


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        (("Nordic Cup", "Nordic\u00a0Cup"), "trade_name", "Nordic Cup"),
        (("Nordic Cup", " Nordic  Cup"), "trade_name", "Nordic Cup"),
        (("Nordic Cup", ""), "trade_name", None),
        (("|true|true|false|false|true|", "|TRUE|1|false|false|x|"), "lot_required", True),
        (("In Commercial Distribution", ""), "status", "active"),
        (("|NC-44|1044-44|", "|NC-44||"), "catalog_number", "NC-44"),
        (("|NC-44|1044-44|", "|||"), "catalog_number", None),
        ((CUP_DI, "9520001001000"), "device_identifier", CUP_DI),
    ],
)
def test_the_long_way_leads_to_the_same(change: tuple[str, str], field: str, value: object) -> None:
    articles, rejected = judged(rows("gudid", devices(CUP.replace(*change))))
    assert rejected == []
    assert getattr(articles[CUP_DI], field) == value


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (CUP.replace(CUP_DI, "09520001001001"), "check digit 0 expected, got 1"),
        (CUP.replace(CUP_DI, "٠٩٥٢٠٠٠١٠٠١٠٠٠"), "HIBC"),
        (CUP.replace("In Commercial Distribution", "Unheard of"), "'unheard of' is unknown"),
        (OLD.replace("2023-06-30", "2023-06-31"), "no date"),
        (CUP.replace("Nordic Cup", "x" * 257), "at most 256"),
        (CUP.replace("1044-44", "x" * 65), "at most 64"),
        (CUP.replace("Nordic Cup", "a\x07b"), "U+0007"),
        (CUP + "|one more", "35 fields: the header has 34"),
        (CUP.rpartition("|")[0], "33 fields"),
        (CUP.replace("|true|true|false|", "|true|maybe|false|"), "neither yes nor no"),
        (CUP.replace("Nordic", "x" * (BLOCK_BYTES + MAX_LINE_BYTES)), "longer than"),
    ],
)
def test_a_bad_row_costs_itself_only(line: str, words: str) -> None:
    """With identifiers.txt absent, as without: what is said of a row is the same."""
    articles, rejected = judged(rows("gudid", devices(STEM, line, OLD)))
    assert len(articles) == 2
    assert [one.line for one in rejected] == [3]
    assert words in rejected[0].reason or "of any issuer" in rejected[0].reason


def test_a_byte_that_is_not_utf8_costs_its_line() -> None:
    content = devices(CUP, STEM, OLD).replace(b"Nordic Stem", b"Nordic \xff")
    articles, rejected = judged(rows("gudid", content))
    assert len(articles) == 2
    assert [(one.line, one.reason) for one in rejected] == [
        (3, f"device.txt: byte 0xFF at {STEM.index('Stem') + 1} of the line is not UTF-8")
    ]


def test_rows_come_in_batches_of_a_bounded_size() -> None:
    found = rows("gudid", devices(*[CUP] * (2 * MAX_BATCH_ROWS + 1)))
    assert [len(one.rows) for one in found if isinstance(one, RowBatch)] == [MAX_BATCH_ROWS, MAX_BATCH_ROWS, 1]
    lines = [line for one in found if isinstance(one, RowBatch) for line in one.lines]
    assert lines == list(range(2, 2 * MAX_BATCH_ROWS + 3))


@pytest.mark.parametrize(
    ("identifiers", "quantity", "words"),
    [
        ([f"{CUP_DI}|{BOX_DI}|Package|GS1|{CUP_DI}|5|||BOX"], 5, ""),
        ([f"{CUP_DI}|{BOX_DI}|Package|GS1||5|||BOX"], 5, ""),
        ([f"{CUP_DI}|{BOX_DI}|Package|GS1|{CUP_DI}||||BOX"], None, "needs its quantity"),
        ([f"{CUP_DI}|{BOX_DI}|Package|GS1|{CUP_DI}|0|||BOX"], None, "out of range"),
        ([f"{CUP_DI}|{BOX_DI}|Package|GS1|{CUP_DI}|9999999|||BOX"], None, "out of range"),
        ([f"{CUP_DI}|{BOX_DI}|Package|GS1|{CUP_DI}|many|||BOX"], None, "no whole number"),
        ([f"{CUP_DI}|{BOX_DI}|Package|GS1|{BOX_DI}|5|||BOX"], None, "says how many pieces"),
        ([f"{CUP_DI}|{BOX_DI}|Package|GS1|19520001001014|5|||BOX"], None, "says how many pieces"),
        ([f"{CUP_DI}|{BOX_DI}|Package|FDA|{CUP_DI}|5|||BOX"], None, "no issuer"),
        ([f"{CUP_DI}|{CUP_DI}|Package|GS1||5|||BOX"], None, "its own base"),
        ([f"{CUP_DI}|{BOX_DI}|Previous|GS1|||||"], None, ""),
        ([f"{CUP_DI}|{BOX_DI}"], None, "2 fields: the header has 9"),
    ],
)
def test_packages(tmp_path: Path, identifiers: list[str], quantity: int | None, words: str) -> None:
    articles, rejected = judged(rows("gudid", release(tmp_path, *identifiers)))
    found = articles.get(BOX_DI, Article())
    assert (found.base_quantity if BOX_DI in articles else None) == quantity
    assert [words in one.reason for one in rejected] == ([True] if words else [])
    assert CUP_DI in articles


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "device.txt has no header"),
        (b"\n\n", "no column PrimaryDI"),
        (b"PrimaryDI|brandName\n", "no column companyName"),
        (zipped({"readme.txt": "x"}), "has no device.txt"),
        (zipped({"device.txt": DEVICES})[:-30], "no zip archive"),
    ],
)
def test_a_file_that_is_no_release(content: bytes, words: str) -> None:
    with pytest.raises(SourceFileError, match="download the delimited release again") as raised:
        rows("gudid", content)
    assert words in str(raised.value)
