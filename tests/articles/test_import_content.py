"""What real files hold that must go in unfalsified, or be named: each with its source."""

import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.articles.errors import SourceFileError
from gateway.articles.identifiers import IdentifierError, read_identifier
from gateway.articles.importers.packaging import MAX_DEPTH
from gateway.articles.lookup.master import ArticleMaster
from gateway.model import Issuer
from gateway.udi.checks import gs1_check_digit
from tests.articles.conftest import NOW, Importing
from tests.articles.reading import judged, rows

GTIN, CASE, PALLET = "09520001000102", "19520001000109", "59520001000107"


@pytest.mark.parametrize(
    ("cell", "identifier"),
    [
        (GTIN, GTIN),
        (f'="{GTIN}"', GTIN),  # how a spreadsheet is told that a number is text
        (f"'{GTIN}", GTIN),
        (f"(01){GTIN}", GTIN),  # GS1 General Specifications, 4.14: below the symbol
        ("9520001000102", GTIN),
    ],
)
def test_numbers_that_say_that_they_are_text(cell: str, identifier: str) -> None:
    quoted = cell.replace('"', '""')
    articles, rejected = judged(rows("csv", f'deviceIdentifier;tradeName\n"{quoted}";x\n'.encode()))
    assert (list(articles), rejected) == ([identifier], [])


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("1,04E+09", "a number as a spreadsheet writes it"),
        ("9.520001000102E+12", "a number as a spreadsheet writes it"),
        ("7350000000016.0", "a number as a spreadsheet writes it"),
        ("95200010001", "a leading zero of 12 may be gone"),
        ("9520000", "a leading zero of 8 may be gone"),
        ("9520001000103", "check digit 2 expected"),
    ],
)
def test_numbers_that_a_spreadsheet_has_spoilt_are_named_and_not_guessed(cell: str, words: str) -> None:
    articles, (rejected,) = judged(rows("csv", f"deviceIdentifier;tradeName\n{cell};x\n".encode()))
    assert articles == {}
    assert words in rejected.reason


@pytest.mark.parametrize(
    ("encoding", "setting", "words"),
    [
        ("utf-8", "cp1252", "set encoding = 'utf-8'"),
        ("cp850", "cp1252", "set encoding = 'cp850'"),
        ("cp850", "utf-8", "set encoding = 'cp850'"),
        ("cp1252", "utf-8", "set encoding = 'cp1252'"),
        ("cp1252", "cp1252", None),
        ("cp850", "cp850", None),
        ("utf-8", "utf-8", None),
    ],
)
def test_the_wrong_encoding_is_refused_and_the_right_one_named(
    encoding: str, setting: str, words: str | None
) -> None:
    """CP850 and Windows-1252 differ in every letter beyond ASCII; UTF-8 is never read as either."""
    content = "articleNumber;tradeName\nA-1;Spärrad låda för öron\n".encode(encoding)
    articles, rejected = judged(rows("csv", content, encoding=setting))
    if words is None:
        assert articles["A-1"].trade_name == "Spärrad låda för öron"
    else:
        assert articles == {}
        assert words in rejected[0].reason


def test_a_text_that_was_misread_before_is_refused() -> None:
    spoilt = "Spärrad".encode().decode("cp1252")
    articles, (rejected,) = judged(rows("csv", f"articleNumber;tradeName\nA-1;{spoilt}\n".encode()))
    assert articles == {}
    assert "UTF-8 that was taken for Windows-1252" in rejected.reason


def test_characters_that_are_never_seen_are_left_out() -> None:
    """Unicode, category Cf: soft hyphen, zero-width space, marks of direction."""
    content = "articleNumber;tradeName;statusReason;status\nA\u200b-1;Ste\u00adm\u200e;FSN\u200b 17;recalled\n"
    articles, rejected = judged(rows("csv", content.encode()))
    assert rejected == []
    assert (articles["A-1"].trade_name, articles["A-1"].status_reason) == ("Stem", "FSN 17")


@pytest.mark.parametrize("moment", ["2026-12-01", "2026-12-01 00:00:00", "2026-12-01T00:00:00", "20261201"])
def test_days(moment: str) -> None:
    articles, _ = judged(rows("csv", f"articleNumber;status;statusFrom\nA-1;blocked;{moment}\n".encode()))
    assert articles["A-1"].status_from == "2026-12-01"


@pytest.mark.parametrize(
    ("word", "values", "status"),
    [
        ("Utgått", {}, "discontinued"),
        ("Utgår", {}, "discontinued"),
        ("Inaktiv", {}, "discontinued"),
        ("Utgått", {"Utgått": "blocked"}, "blocked"),
        ("UTGÅTT", {"utgått": "blocked"}, "blocked"),
        ("9", {"9": "recalled", "1": "active"}, "recalled"),
        ("1", {"9": "recalled", "1": "active"}, "active"),
    ],
)
def test_words_of_a_status(word: str, values: dict[str, str], status: str) -> None:
    content = f"articleNumber;status\nA-1;{word}\n".encode()
    articles, rejected = judged(rows("csv", content, values={"status": values}))
    assert rejected == []
    assert articles["A-1"].status.value == status


def zipped(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "."), text)
    return stream.getvalue()


def test_a_zipped_table_is_read() -> None:
    articles, rejected = judged(rows("csv", zipped(rows__csv="articleNumber\nA-1\n", readme__md="x")))
    assert (list(articles), rejected) == (["A-1"], [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            zipped(**{"[Content_Types]__xml": "x", "xl/workbook__xml": "x"}),
            "an Excel workbook that cannot be read",
        ),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(100), "Excel workbook of before 2007 (.xls); save it as CSV"),
        (zipped(a__csv="x", b__csv="y"), "2 tables"),
        (zipped(a__pdf="x"), "0 tables"),
    ],
)
def test_what_is_no_table_says_what_to_do(content: bytes, words: str) -> None:
    with pytest.raises(SourceFileError) as refused:
        rows("csv", content)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("H373VBJR061002A39", "H373VBJR061002A3"),  # GUDID's, with the check character
        ("+A123BJC5D6E71G", "A123BJC5D6E71"),  # ANSI/HIBC 2.6, 2.1: the symbol
        ("A123BJC5D6E71G", "A123BJC5D6E71"),
        ("A123BJC5D6E71", "A123BJC5D6E71"),
        ("A99912345", "A99912345"),
    ],
)
def test_hibc_identifiers_with_and_without_their_check(text: str, identifier: str) -> None:
    assert read_identifier(text, Issuer.HIBCC) == (Issuer.HIBCC, identifier)


def test_a_hibc_symbol_with_a_wrong_check_is_refused() -> None:
    with pytest.raises(IdentifierError, match="check character is wrong"):
        read_identifier("+A123BJC5D6E71A", None)


def gudid(*packages: tuple[str, str, str, str]) -> bytes:
    columns = [
        "PrimaryDI",
        "companyName",
        "brandName",
        "deviceDescription",
        "catalogNumber",
        "versionModelNumber",
        "deviceSterile",
        "singleUse",
        "lotBatch",
        "serialNumber",
        "expirationDate",
        "deviceCommDistributionStatus",
        "deviceCommDistributionEndDate",
    ]
    devices = ["|".join(columns)] + [
        f"{di}|AB|{name}|x|{catalog}||false|false|false|false|false|{status}|"
        for di, name, catalog, status in (
            (GTIN, "Own", "OWN-1", "Not in Commercial Distribution"),
            ("09520001000119", "Other", "OTH-1", "In Commercial Distribution"),
        )
    ]
    header = (
        "PrimaryDI|deviceId|deviceIdType|deviceIdIssuingAgency|containsDINumber|pkgQuantity|pkgDiscontinueDate|"
        "pkgStatus"
    )
    lines = [header, *(f"{device}|{di}|{kind}|GS1|{inside}|10||" for device, di, kind, inside in packages)]
    return zipped(device__txt="\n".join(devices) + "\n", identifiers__txt="\n".join(lines) + "\n")


@pytest.mark.parametrize("kind", ["Unit of Use", "Package"])
def test_a_device_s_own_row_wins_over_being_listed_by_another(
    importing: Importing, directory: Path, kind: str
) -> None:
    """AccessGUDID: 00757770484782 and many others are devices, and units of use of another device."""
    content = gudid(("09520001000119", GTIN, kind, "09520001000119"), (GTIN, CASE, "Package", GTIN))
    report = importing(content, format="gudid", max_rejected=0.5)
    assert report.accepted == 3
    with ArticleMaster(directory) as master:
        article = master.look_up("x", GTIN).article
        case = master.look_up("x", CASE).article
    assert article is not None
    assert (article.catalog_number, article.status.value, article.package_level) == ("OWN-1", "discontinued", None)
    assert case is not None
    assert (case.base_device_identifier, case.base_quantity, case.catalog_number) == (GTIN, 10, "OWN-1")


def test_no_longer_sold_is_no_block(importing: Importing, directory: Path) -> None:
    """What the hospital's own master calls active, a registry may not block; its own recall it may."""
    importing(gudid(), format="gudid", name="gudid", priority=1)
    importing(f"deviceIdentifier;articleNumber;status\n{GTIN};A-1;active\n", name="miv", priority=0)
    with ArticleMaster(directory) as master:
        article = master.look_up("x", GTIN).article
        assert article is not None
        assert (article.status.value, article.catalog_number) == ("active", "OWN-1")
        for settings, status in (({"may_block": False}, "active"), ({}, "blocked")):
            importing(f"deviceIdentifier;status\n{GTIN};blocked\n", name="other", priority=9, **settings)
            article = master.look_up("x", GTIN).article
            assert article is not None
            assert article.status.value == status
        importing(f"deviceIdentifier;status\n{GTIN};recalled\n", name="other", priority=9, may_block=False)
        article = master.look_up("x", GTIN).article
    assert article is not None
    assert article.status.value == "recalled"


def catalogue(action: str, *lines: str) -> bytes:
    cbc = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
    cac = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
    whole = "urn:oasis:names:specification:ubl:schema:xsd:Catalogue-2"
    header = f"<cbc:ActionCode>{action}</cbc:ActionCode>" if action else ""
    spaces = f'xmlns="{whole}" xmlns:cbc="{cbc}" xmlns:cac="{cac}"'
    return f"<Catalogue {spaces}>{header}{''.join(lines)}</Catalogue>".encode()


def line(gtin: str, name: str = "x", action: str = "", more: str = "", inside: str = "") -> str:
    code = f"<cbc:ActionCode>{action}</cbc:ActionCode>" if action else ""
    return (
        f"<cac:CatalogueLine>{code}{more}{inside}<cac:Item><cbc:Name>{name}</cbc:Name>"
        f'<cac:StandardItemIdentification><cbc:ID schemeID="0160">{gtin}</cbc:ID></cac:StandardItemIdentification>'
        "</cac:Item></cac:CatalogueLine>"
    )


GTINS = [f"095200010001{n}" for n in ("02", "19", "26", "33", "40", "57", "64")]


def test_a_catalogue_of_changes_leaves_the_rest(importing: Importing, directory: Path) -> None:
    """Peppol BIS Catalogue 3, use cases 1 (a whole catalogue) and 2 (an update of a few lines)."""
    importing(catalogue("Add", *(line(gtin, f"n{gtin}") for gtin in GTINS)), format="peppol")
    changes = catalogue(
        "Update",
        line(GTINS[0], "new", "Update"),
        line("09520001000171", "added", "Add"),
        line(GTINS[1], "old", "Delete"),
    )
    report = importing(changes, format="peppol", now=NOW + timedelta(days=1), max_shrink=0.2)
    assert (report.swapped, report.accepted) == (True, 3)
    with ArticleMaster(directory) as master:
        found = {gtin: master.look_up("x", gtin).article for gtin in (*GTINS, "09520001000171")}
        assert {gtin: one and one.trade_name for gtin, one in found.items()} == {
            **{gtin: f"n{gtin}" for gtin in GTINS},
            GTINS[0]: "new",
            GTINS[1]: "old",
            "09520001000171": "added",
        }
        gone = found[GTINS[1]]
        assert gone is not None
        assert gone.status.value == "discontinued"
        assert master.info().sources[0].rows == 8


@pytest.mark.parametrize(
    ("action", "actions", "changes"),
    [
        ("Add", ["Add", "Update"], False),
        ("", ["", ""], False),
        ("", ["Update", "Add"], True),
        ("Update", [""], True),
    ],
)
def test_what_tells_changes_from_a_whole_catalogue(action: str, actions: list[str], *, changes: bool) -> None:
    found = rows("peppol", catalogue(action, *(line(GTINS[n], "x", one) for n, one in enumerate(actions))))
    assert (type(found[0]).__name__ == "Changes") is changes


def test_a_catalogue_that_is_both_is_refused() -> None:
    with pytest.raises(SourceFileError, match="the lines above are a whole catalogue"):
        rows("peppol", catalogue("", line(GTINS[0], "x", "Add"), line(GTINS[1], "x", "Update")))


def packed(gtin: str, level: str, inside: str, quantity: int) -> str:
    return line(
        gtin,
        more=f"<cbc:PackLevelCode>{level}</cbc:PackLevelCode>",
        inside=f"<cac:ComponentRelatedItem><cbc:ID>{inside}</cbc:ID><cbc:Quantity>{quantity}</cbc:Quantity>"
        "</cac:ComponentRelatedItem>",
    )


def test_a_pallet_counts_pieces(importing: Importing, directory: Path) -> None:
    """Peppol BIS Catalogue 3, use case 3: a pallet of 18 cases of 6 is 108 pieces, and is recalled with one."""
    lines = (line(GTIN), packed(CASE, "TU", GTIN, 6), packed(PALLET, "DU", CASE, 18))
    importing(catalogue("Add", *lines), format="peppol")
    with ArticleMaster(directory) as master:
        pallet = master.look_up("x", PALLET).article
    assert pallet is not None
    assert (pallet.base_device_identifier, pallet.base_quantity) == (GTIN, 108)


def test_a_volume_is_no_number_of_pieces() -> None:
    def bottle(unit: str) -> bytes:
        content = f'<cbc:ContentUnitQuantity unitCode="{unit}">2500</cbc:ContentUnitQuantity>'
        more = f"<cbc:PackLevelCode>TU</cbc:PackLevelCode>{content}"
        return catalogue("Add", line(GTIN, more=more))

    articles, _ = judged(rows("peppol", bottle("EA")))
    assert articles[GTIN].base_quantity == 2500
    articles, (rejected,) = judged(rows("peppol", bottle("MLT")))
    assert articles == {}
    assert "a package needs its quantity" in rejected.reason


def mfn(mode: str, *items: str, charset: str = "") -> str:
    fields = ["MSH", "^~\\&", *[""] * 6, "MFN^M16", "1", "P", "2.7", *[""] * 5, charset]
    return "\r".join(["|".join(fields), f"MFI|INV||{mode}", *items]) + "\r"


def item(number: str, name: str, *more: str) -> str:
    return "\r".join([f"MFE|MAD|||{number}", f"ITM|{number}|{name}|A", *more])


def test_an_update_of_the_item_master_leaves_the_rest(importing: Importing, directory: Path) -> None:
    """HL7 table 0178: REP replaces the file, UPD changes the records."""
    importing(mfn("REP", *(item(f"A-{n}", f"n{n}") for n in range(5))), format="hl7-mfn")
    assert importing(mfn("UPD", item("A-0", "new")), format="hl7-mfn", now=NOW + timedelta(days=1)).accepted == 1
    with ArticleMaster(directory) as master:
        names = {n: master.look_up(f"A-{n}", None).article for n in range(5)}
    assert {n: one and one.description for n, one in names.items()} == {
        0: "new",
        **{n: f"n{n}" for n in range(1, 5)},
    }


@pytest.mark.parametrize(
    "charset",
    [
        "UTF-8",
        "utf8",
        "UNICODE",
        "UNICODE UTF-8",
        "ISO-8859-1",
        "iso_8859-1",
        "8859/1",
        "8859/15",
        "8859/9",
        "LATIN1",
    ],
)
def test_character_sets_and_segments_of_a_site_s_own(charset: str) -> None:
    """HL7 v2.9, 2.14 (MSH-18, table 0211) and 2.5.2: Z segments are a site's own."""
    text = mfn("REP", item("A-1", "Låda", "ZIT|x|y"), charset=charset)
    codec = "latin-1" if "8859" in charset or charset == "LATIN1" else "utf-8"
    articles, rejected = judged(rows("hl7-mfn", text.encode(codec)))
    assert rejected == []
    assert articles["A-1"].description == "Låda"


@pytest.mark.parametrize("largest_first", [True, False])
def test_packages_in_either_order(*, largest_first: bool) -> None:
    """HL7 v2.9, 17.4: PKG-4 counts what is in a package of the next smaller one, whichever stands first."""
    packages = [f"PKG|1|CS||12||||{PALLET}", f"PKG|2|BX||10||||{CASE}", f"PKG|3|EA||1||||{GTIN}"]
    if not largest_first:
        packages.reverse()
    articles, rejected = judged(rows("hl7-mfn", mfn("REP", item("A-1", "x", "VND|1||AB", *packages)).encode()))
    assert rejected == []
    assert {one: (article.base_quantity, article.base_device_identifier) for one, article in articles.items()} == {
        GTIN: (1, None),
        CASE: (10, GTIN),
        PALLET: (120, GTIN),
    }


def definition(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    udi = [{"deviceIdentifier": GTIN, "issuer": "http://hl7.org/fhir/NamingSystem/gs1-di"}]
    return {"resourceType": "DeviceDefinition", "udiDeviceIdentifier": udi, **more}


@pytest.mark.parametrize(
    "entries",
    [
        [
            definition(manufacturer={"reference": "Organization/o1"}),
            {"resourceType": "Organization", "id": "o1", "name": "Nordan AB"},
        ],
        [
            definition(
                manufacturer={"reference": "#o1"},
                contained=[{"resourceType": "Organization", "id": "o1", "name": "Nordan AB"}],
            )
        ],
        [definition(manufacturerString="Nordan AB")],  # R4
        [definition(manufacturerReference={"display": "Nordan AB"})],
    ],
)
def test_who_makes_a_fhir_device(entries: list[dict[str, Any]]) -> None:
    """http://hl7.org/fhir/R5/devicedefinition.html; R4's manufacturer[x]."""
    content = json.dumps({"resourceType": "Bundle", "entry": [{"resource": one} for one in entries]}).encode()
    articles, rejected = judged(rows("fhir", content))
    assert rejected == []
    assert articles[GTIN].manufacturer_name == "Nordan AB"


@pytest.mark.parametrize(
    ("period", "status"),
    [({"start": "2023-01-01"}, "recalled"), ({"end": "2024-12-31"}, "active"), ({"end": "2999"}, "recalled")],
)
def test_a_corrective_action_that_is_over_recalls_nothing(period: dict[str, str], status: str) -> None:
    content = json.dumps(definition(correctiveAction={"recall": True, "period": period})).encode()
    articles, _ = judged(rows("fhir", content))
    assert articles[GTIN].status.value == status


def test_only_the_configured_identifier_is_an_article_number() -> None:
    numbers = [{"system": "urn:x", "value": "X-1"}, {"system": "urn:miv", "value": "A-1"}]
    content = json.dumps(definition(identifier=numbers)).encode()
    for system, number in (("urn:miv", "A-1"), (None, None), ("urn:none", None)):
        more = {} if system is None else {"identifier_system": system}
        articles, _ = judged(rows("fhir", content, **more))
        assert articles[GTIN].article_number == number


def test_eudamed_tells_hibc_by_the_basic_udi() -> None:
    """Search results have no agency; HIBC's Basic UDI-DI begins with `++`."""
    content = json.dumps(
        [{"primaryDi": "A9999XYZ100T0479", "issuingAgency": None, "basicUdi": "++A99912345"}]
    ).encode()
    articles, rejected = judged(rows("eudamed", content))
    assert rejected == []
    (article,) = articles.values()
    assert article.issuer is Issuer.HIBCC


@pytest.mark.parametrize(("flag", "implant"), [("Y", True), ("N", False), (True, True), (None, False)])
def test_accessgudid_says_what_is_an_implant(flag: object, *, implant: bool) -> None:
    identifier = {"deviceId": GTIN, "deviceIdType": "Primary", "deviceIdIssuingAgency": "GS1"}
    content = json.dumps({"identifiers": {"identifier": identifier}, "implantFlag": flag}).encode()
    articles, _ = judged(rows("accessgudid", content))
    assert articles[GTIN].implant is implant


def contained(*chain: tuple[str, int | None], status: str = "on-the-market") -> bytes:
    """The public detail of a device with packages around it, the smallest first: identifier and content."""
    inner: dict[str, Any] | None = None
    for code, count in reversed(((GTIN, None), *chain)):
        inner = {
            "uuid": "00000000-0000-4000-8000-000000000002",
            "itemIdentifier": {"code": code, "issuingAgency": {"code": "refdata.issuing-agency.gs1"}},
            "numberOfItems": count,
            "itemStatus": {"code": f"refdata.device-model-status.{status}"} if count else None,
            "containedItems": [] if inner is None else [inner],
        }
    agency = {"code": "refdata.issuing-agency.gs1"}
    device = {"primaryDi": {"code": GTIN, "issuingAgency": agency}, "reference": "R-1", "containedItem": inner}
    return json.dumps(device).encode()


def test_eudamed_s_packages_are_found_with_what_they_hold(importing: Importing, directory: Path) -> None:
    """EUDAMED data dictionary, container package: its UDI-DI, and the quantity of items of the level below in it."""
    importing(contained((CASE, 10), (PALLET, 12), status="no-longer-placed-on-the-market"), format="eudamed")
    with ArticleMaster(directory) as master:
        found = {code: master.look_up("", code).article for code in (GTIN, CASE, PALLET)}
    shown = {
        code: one and (one.base_device_identifier, one.base_quantity, one.status) for code, one in found.items()
    }
    assert shown == {
        GTIN: (None, 1, "active"),
        CASE: (GTIN, 10, "discontinued"),
        PALLET: (GTIN, 120, "discontinued"),
    }
    assert {one and one.catalog_number for one in found.values()} == {"R-1"}


@pytest.mark.parametrize(
    ("chain", "taken", "column"),
    [
        (((GTIN, 10),), [GTIN], "containedItem"),  # registered with the identifier of the device itself
        (((CASE, 10), (CASE, 5)), [GTIN, CASE], "containedItem"),
        ((("", 10),), [GTIN], "containedItem"),
        (((CASE, None),), [GTIN], "baseQuantity"),
        (((CASE, 0),), [GTIN], "baseQuantity"),
    ],
)
def test_eudamed_s_packages_that_do_not_tell_what_they_hold_are_rejected(
    chain: tuple[tuple[str, int | None], ...], taken: list[str], column: str
) -> None:
    articles, (rejected,) = judged(rows("eudamed", contained(*chain)))
    assert (list(articles), rejected.column) == (taken, column)


def test_a_circle_of_eudamed_s_packages_ends() -> None:
    chain = tuple(
        (f"{body}{gs1_check_digit(body)}", 2) for body in (f"{9520001:08d}{n:05d}" for n in range(100, 140))
    )
    articles, (rejected,) = judged(rows("eudamed", contained(*chain)))
    assert len(articles) == MAX_DEPTH + 1
    assert rejected.column == "containedItem"


@pytest.mark.parametrize("charset", ["UNICODE UTF-16", "ISO IR87", "8859/12", "8859/17", "x"])
def test_a_character_set_that_is_not_read_is_named(charset: str) -> None:
    with pytest.raises(SourceFileError, match="is not read: expected ASCII, 8859/1 to 8859/15, UNICODE UTF-8"):
        rows("hl7-mfn", mfn("REP", item("A-1", "x"), charset=charset).encode())


def test_a_byte_order_mark_before_the_first_segment() -> None:
    articles, rejected = judged(rows("hl7-mfn", b"\xef\xbb\xbf" + mfn("REP", item("A-1", "x")).encode()))
    assert (list(articles), rejected) == (["A-1"], [])


@pytest.mark.parametrize("event", ["", "XXX", "rep"])
def test_a_message_that_does_not_say_whether_it_is_whole_is_refused(event: str) -> None:
    """HL7 table 0178: REP or UPD. Taken for the whole, an update would remove every other item."""
    with pytest.raises(SourceFileError, match="expected REP or UPD"):
        rows("hl7-mfn", mfn(event, item("A-1", "x")).encode())


@pytest.mark.parametrize("later", [GTIN, GTIN[1:]], ids=["14 digits", "13 digits"])
@pytest.mark.parametrize("statuses", [("", "recalled"), ("recalled", ""), ("active", "blocked")])
def test_rows_that_differ_in_their_status_alone_are_one_row_with_the_strictest(
    importing: Importing, directory: Path, later: str, statuses: tuple[str, str]
) -> None:
    """Nothing of such a row is lost, so that it is none to correct: a short file goes in with its recall."""
    one, other = statuses
    report = importing(
        f"deviceIdentifier;tradeName;status;statusReason\n{GTIN};x;{one};\n{later};x;{other};FSN\n",
        max_rejected=0.0,
    )
    assert (report.swapped, report.accepted, report.duplicates, report.rejected) == (True, 1, 1, 0)
    with ArticleMaster(directory) as master:
        article = master.look_up("", GTIN).article
    assert article is not None
    assert article.status.value in {"recalled", "blocked"}


def test_a_column_of_identifiers_that_came_empty_is_refused(importing: Importing) -> None:
    """As many rows as before, and no scan would find one."""
    lines = [f"0952000{n:06d}" for n in range(10)]
    gtins = [f"{body}{gs1_check_digit(body)}" for body in lines]
    text = "deviceIdentifier;articleNumber\n" + "".join(f"{gtin};A-{n}\n" for n, gtin in enumerate(gtins))
    empty = "deviceIdentifier;articleNumber\n" + "".join(f";A-{n}\n" for n in range(10))
    assert importing(text, max_shrink=0.2).swapped
    report = importing(empty, max_shrink=0.2)
    assert not report.swapped
    assert "0 of its rows have a GTIN, and 10 of those in force" in (report.refusal or "")
    assert importing(empty, max_shrink=1.0).swapped
    assert importing(empty, max_shrink=0.2).swapped  # and what never had any may go on without
