"""Workbooks and reports of a journal: cells that a spreadsheet leaves as they are, and what was really used."""

import io
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from nacl.public import PrivateKey

from gateway.events import cloudevent
from gateway.events.exports import reports, xlsx
from gateway.events.exports.netting import in_force
from gateway.events.stored_event import StoredEvent
from gateway.model import Decoded, Issuer, Match
from gateway.station.keys import KeyFileError
from gateway.station.protect import Protector
from gateway.station.unseal import Unsealer
from tests.cli.conftest import Box, Run
from tests.cli.test_outbox_command import delivered
from tests.events.test_epcis_fhir import identity, scan, undo

NAMESPACE = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
# Texts that a spreadsheet makes numbers, dates or formulas of; lots of real labels look so.
TRICKY = (
    "1E5",
    "12E10",
    "3-12",
    "1/2",
    "MAR1",
    "00123",
    "9520001000000000189",
    "=1+1",
    "+46",
    "@x",
    "10\x1d21",
    "å",
)


def cells(data: bytes) -> list[list[tuple[str, str]]]:
    """The sheet as (type, value) of each cell: `s` is text, `n` a number."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        sheet = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
        names = book.namelist()
        shared = ET.fromstring(book.read("xl/sharedStrings.xml")) if "xl/sharedStrings.xml" in names else None  # noqa: S314
    texts = [] if shared is None else ["".join(one.itertext()) for one in shared.findall("m:si", NAMESPACE)]
    rows = []
    for row in sheet.iterfind(".//m:row", NAMESPACE):
        found = []
        for cell in row.iterfind("m:c", NAMESPACE):
            assert cell.find("m:f", NAMESPACE) is None, "no formula"
            kind, value = cell.get("t", "n"), "".join(cell.itertext())
            found.append(("s", texts[int(value)]) if kind == "s" else ("s" if kind == "inlineStr" else kind, value))
        rows.append(found)
    return rows


def test_every_text_is_a_text_cell() -> None:
    stream = io.BytesIO()
    assert (
        xlsx.write([["lot"], *([one] for one in TRICKY), [7], [True]], stream, title="journal") == len(TRICKY) + 2
    )
    found = [row[0] for row in cells(stream.getvalue())]
    assert found[1:-2] == [("s", one.replace("\x1d", "{GS}")) for one in TRICKY]
    assert found[-2:] == [("n", "7"), ("s", "true")]


def test_the_journal_as_a_workbook(run: Run, box: Box, tmp_path: Path) -> None:
    out = tmp_path / "journal.xlsx"
    assert run("outbox", "export", "-c", box.config_file, "--format", "xlsx", "-o", out).code == 0
    rows = cells(out.read_bytes())
    assert ("s", "deviceIdentifier") in rows[0]
    assert ("s", "09520001000102") in rows[1]
    assert len(rows) == 5


@pytest.mark.parametrize(
    "chosen", [("--format", "csv"), ("--format", "xlsx"), ("--report", "implants", "--format", "csv")]
)
def test_a_spreadsheet_is_no_delivery(run: Run, box: Box, tmp_path: Path, chosen: tuple[str, ...]) -> None:
    assert run("outbox", "export", "-c", box.config_file, *chosen, "-o", tmp_path / "out").code == 0
    assert delivered(box) == 0


@pytest.mark.parametrize(
    "wrong",
    [("--report", "implants"), ("--unseal-key", "x", "--format", "csv"), ("--excel", "--format", "xlsx")],
)
def test_what_does_not_go_together(run: Run, box: Box, wrong: tuple[str, ...]) -> None:
    assert run("outbox", "export", "-c", box.config_file, *wrong).code == 2


PRIVATE = PrivateKey(bytes(range(32)))
STEM = Decoded(ok=True, issuer=Issuer.GS1, device_identifier="09520001000102", lot_number="1E5", serial_number="S1",
               complete=True)  # fmt: skip


def journal() -> list[StoredEvent]:
    seal = Protector(bytes(PRIVATE.public_key)).seal
    patients = [cloudevent.Context(patient=msgspec.to_builtins(seal("personnummer", one))) for one in ("A", "B")]
    implant = cloudevent.EventArticle(
        match=Match.DI, article_number="VGR-1", source="s", master_version=None, master_age_days=None,
        package_level=None, base_quantity=1, consignment=True, owner="N AB", implant=True, risk_class="III",
        trade_name="Stam", manufacturer_name="N",
    )  # fmt: skip
    one = {"udi": STEM, "article": implant}
    return [
        scan(1, context=patients[0], **one),
        scan(2, context=patients[0], **one, repeats=identity(1)),
        scan(3, context=patients[1], **{**one, "udi": msgspec.structs.replace(STEM, serial_number="S2")}),
        scan(4, context=patients[1], **{**one, "udi": msgspec.structs.replace(STEM, serial_number="S3")}),
        undo(5, 4),
        scan(6, context=patients[1], action="discard", quantity=1, udi=STEM),
    ]


def test_a_report_names_patients_to_who_has_the_key(tmp_path: Path) -> None:
    key = tmp_path / "seal-key"
    key.write_text(bytes(PRIVATE).hex() + "\n")
    opened = Unsealer(key).open
    heading, *rows = reports.implants(in_force(journal()), opened, "sv")
    assert heading[:2] == ["Ärende", "Patient"]
    patient, lot, serial = (heading.index(name) for name in ("Patient", "Lot", "Serienummer"))
    assert [(row[patient], row[lot], row[serial]) for row in rows] == [("A", "1E5", "S1"), ("B", "1E5", "S2")]
    heading, *rows = reports.consumption(in_force(journal()), lambda _: None, "en")
    assert heading[:2] == ["Case", "Patient"]
    assert [str(row[patient]).split(":")[0] for row in rows] == ["personnummer"] * 2


def test_what_is_no_private_key_is_told(tmp_path: Path) -> None:
    key = tmp_path / "seal-key"
    for text in ("hunter2", "00ff", ""):
        key.write_text(text)
        with pytest.raises(KeyFileError):
            Unsealer(key)
