"""GS1's catalogue items: GDSN 3.1 XML (CIN) and firstbase's JSON, the same attributes in the same places."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from gateway.articles.errors import SourceFileError
from gateway.articles.importers.base import Changes
from gateway.articles.importers.gs1_cin import MAX_ITEM_CHARACTERS
from gateway.articles.importers.packaging import MAX_DEPTH
from gateway.articles.lookup.master import ArticleMaster
from gateway.model import Article
from tests.articles.conftest import NOW, Importing
from tests.articles.reading import SAMPLES, judged, rows

CIN = SAMPLES / "gs1_cin.xml"
FIRSTBASE = SAMPLES / "gs1_firstbase.json"
CUP, OLD, GONE, RECALLED = "09520001001000", "09520001001024", "09520001001048", "09520001001055"
BOX, PALLET = "19520001001007", "59520001001005"
COMMON = {"issuer": "GS1", "manufacturerName": "Nordan AB", "riskClass": "IIb"}


def shown(articles: dict[str, Article]) -> dict[str, dict[str, Any]]:
    return {
        key: {
            name: value for name, value in msgspec.to_builtins(one).items() if name not in {*COMMON, "description"}
        }
        for key, one in articles.items()
    }


def test_firstbase_sample() -> None:
    """GDSN 3.1: the buyer's own number is before the supplier's."""
    articles, rejected = judged(rows("gs1-firstbase", FIRSTBASE))
    assert rejected == []
    assert all(msgspec.to_builtins(one).items() >= COMMON.items() for one in articles.values())
    assert shown(articles) == {
        BOX: {
            "deviceIdentifier": BOX,
            "tradeName": "Nordisk skål, kartong",
            "packageLevel": "package",
            "baseDeviceIdentifier": CUP,
            "baseQuantity": 10,
        },
        CUP: {
            "deviceIdentifier": CUP,
            "tradeName": "Nordisk skål",
            "articleNumber": "V-1",
            "implant": True,
            "catalogNumber": "1044-44",
            "singleUse": True,
            "lotRequired": True,
            "serialRequired": True,
        },
        OLD: {
            "deviceIdentifier": OLD,
            "tradeName": "Gammal kateter",
            "status": "discontinued",
            "statusReason": "no longer placed on the EU market",
        },
        RECALLED: {
            "deviceIdentifier": RECALLED,
            "tradeName": "Återkallad skruv",
            "status": "recalled",
            "statusReason": "recalled by the supplier",
        },
    }


def read_independently(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Another reading of the same document: the whole tree, by ElementTree's paths."""
    device = "tradeItemInformation/extension/{*}medicalDeviceTradeItemModule/medicalDeviceInformation/"
    naming = "tradeItemInformation/extension/{*}tradeItemDescriptionModule/tradeItemDescriptionInformation/"
    for command in ET.parse(file).getroot().iter("documentCommand"):  # noqa: S314 - a file of our own
        kind = command[0].attrib["type"]
        outermost = command.find(".//catalogueItem")
        for item in command.iter("catalogueItem"):
            trade = item.find("tradeItem")
            assert trade is not None
            named = {
                one.attrib["additionalTradeItemIdentificationTypeCode"]: one.text
                for one in trade.findall("additionalTradeItemIdentification")
            }
            codes = {one.text for one in trade.findall(f"{device}uDIProductionIdentifierTypeCode")}
            child = trade.find("nextLowerLevelTradeItemInformation/childTradeItem")
            ended = trade.findtext("tradeItemSynchronisationDates/discontinuedDateTime")
            gtin = trade.findtext("gtin") or ""
            yield (
                gtin,
                {
                    "name": next(
                        one.text
                        for one in trade.findall(f"{naming}tradeItemDescription")
                        if "sv" in one.attrib.values()
                    ),
                    "maker": trade.findtext("brandOwner/partyName"),
                    "numbers": (named.get("SUPPLIER_ASSIGNED"), named.get("MANUFACTURER_PART_NUMBER")),
                    "implant": trade.findtext(f"{device}isTradeItemImplantable") == "TRUE",
                    "required": ("BATCH_NUMBER" in codes, "SERIAL_NUMBER" in codes, "EXPIRATION_DATE" in codes),
                    "holds": None
                    if child is None
                    else (child.findtext("gtin"), int(child.findtext("quantityOfNextLowerLevelTradeItem") or 0)),
                    "status": "recalled"
                    if trade.findtext("isTradeItemRecalled") == "true"
                    else "discontinued"
                    if ended or (kind == "DELETE" and item is outermost)
                    else "active",
                },
            )


def test_a_notification_says_what_another_reading_of_it_says() -> None:
    articles, rejected = judged(rows("gs1-cin", CIN))
    assert rejected == []
    found = {
        gtin: {
            "name": one.trade_name,
            "maker": one.manufacturer_name,
            "numbers": (one.article_number, one.catalog_number),
            "implant": one.implant,
            "required": (one.lot_required, one.serial_required, one.expiry_required),
            "holds": one.base_device_identifier and (one.base_device_identifier, one.base_quantity),
            "status": one.status.value,
        }
        for gtin, one in articles.items()
    }
    assert found == dict(read_independently(CIN))
    assert set(found) == {CUP, BOX, PALLET, OLD, GONE, RECALLED}


def test_a_notification_changes_what_was_sent_before(importing: Importing, directory: Path) -> None:
    """GDSN: each document holds for its own hierarchy of items, and a message never lists all."""
    text = CIN.read_bytes()
    importing(text, format="gs1-cin")
    begin, end = (
        text.index(b"  <transaction>"),
        text.index(b"</catalogue_item_notification:catalogueItemNotificationM"),
    )
    third = text.index(b"  <transaction>", text.index(b">T3<") - 80)
    fourth = text.index(b"  <transaction>", third + 10)
    one = text[:begin] + text[third:fourth].replace(b"DELETE", b"ADD") + text[end:]
    assert importing(one, format="gs1-cin", now=NOW + timedelta(days=1)).accepted == 1
    with ArticleMaster(directory) as master:
        found = {gtin: master.look_up("", gtin).article for gtin in (CUP, BOX, PALLET, OLD, GONE, RECALLED)}
    assert {gtin: one and (one.status.value, one.base_quantity) for gtin, one in found.items()} == {
        CUP: ("active", 1),
        BOX: ("active", 10),
        PALLET: ("active", 120),
        OLD: ("discontinued", 1),
        GONE: ("active", 1),
        RECALLED: ("recalled", 1),
    }


def item(**more: object) -> bytes:
    """One trade item of firstbase; `None` takes an attribute out."""
    whole = {
        "Gtin": CUP,
        "IsTradeItemABaseUnit": False,
        "TradeItemUnitDescriptorCode": {"Value": "CASE"},
        "NextLowerLevelTradeItemInformation": {
            "ChildTradeItem": [{"QuantityOfNextLowerLevelTradeItem": 4, "Gtin": GONE}]
        },
    } | more
    return json.dumps({"TradeItem": {name: value for name, value in whole.items() if value is not None}}).encode()


def device(**more: object) -> dict[str, object]:
    return {"MedicalDeviceTradeItemModule": {"MedicalDeviceInformation": more}}


def recall(**more: object) -> dict[str, object]:
    substatus = {"EUMedicalDeviceSubStatusCode": {"Value": "RECALLED"}, **more}
    return device(MedicalDeviceSubStatusInformation=[substatus])


CHILD = {"QuantityOfNextLowerLevelTradeItem": 1, "Gtin": GONE}


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        ({}, "base_quantity", 4),
        ({"IsTradeItemABaseUnit": "TRUE"}, "package_level", None),
        ({"TradeItemUnitDescriptorCode": {"Value": "BASE_UNIT_OR_EACH"}}, "package_level", None),
        # a set, or a display of several articles: a quantity of one of them says nothing
        (
            {"NextLowerLevelTradeItemInformation": {"ChildTradeItem": [CHILD, {**CHILD, "Gtin": OLD}]}},
            "base_device_identifier",
            None,
        ),
        (device(EUMedicalDeviceStatusCode={"Value": "NOT_INTENDED_FOR_EU_MARKET"}), "status", "discontinued"),
        ({"IsTradeItemRecalled": True}, "status", "recalled"),
        (recall(), "status", "recalled"),
        (recall(DeviceSubStatusEndDateTime="2026-01-01T00:00:00"), "status", "active"),
        (recall(RecallScopeTypeCode={"Value": "PARTIAL_RECALL"}), "status", "active"),  # its lots are text alone
        (device(IsTradeItemImplantable="UNSPECIFIED"), "implant", False),
        (
            {"TradeItemSynchronisationDates": {"CancelledDateTime": "2026-10-01T00:00:00+02:00"}},
            "status_from",
            "2026-10-01",
        ),
        ({"InformationProviderOfTradeItem": {"PartyName": "A"}}, "manufacturer_name", "A"),
        (
            {"InformationProviderOfTradeItem": {"PartyName": "A"}, "ManufacturerOfTradeItem": [{"PartyName": "B"}]},
            "manufacturer_name",
            "B",
        ),
    ],
)
def test_one_attribute(more: dict[str, object], field: str, value: object) -> None:
    articles, rejected = judged(rows("gs1-firstbase", item(**more)))
    assert rejected == []
    assert getattr(articles[CUP], field) == value


@pytest.mark.parametrize(
    ("content", "column", "words"),
    [
        (item(Gtin=None), None, "nothing could find"),
        (item(Gtin="09520001001001"), "deviceIdentifier", "check digit"),
        (item(NextLowerLevelTradeItemInformation={"ChildTradeItem": [{"Gtin": GONE}]}), "baseQuantity", "quantity"),
        (b"[[]]", None, "no catalogue item"),
        (b'[{"TradeItem": 7}]', None, "nothing could find"),
        (b'{"CatalogueItem": {"Identifier": "1"}}', None, "no catalogue item"),
    ],
)
def test_what_is_rejected(content: bytes, column: str | None, words: str) -> None:
    articles, (rejected,) = judged(rows("gs1-firstbase", content))
    assert (articles, rejected.column) == ({}, column)
    assert words in rejected.reason


def test_an_item_that_is_cancelled_is_sold_no_more() -> None:
    """GDSN CatalogueItemStateEnumeration: CANCELED, DISCONTINUED, IN_PROGRESS, REGISTERED."""
    state = b"<catalogueItemStateCode>REGISTERED<"
    found = judged(rows("gs1-cin", TEXT.replace(state, state.replace(b"REGISTERED", b"CANCELED"), 1)))[0]
    assert {gtin: found[gtin].status for gtin in (CUP, BOX, PALLET)} == {
        CUP: "active",
        BOX: "active",
        PALLET: "discontinued",
    }


def test_items_inside_each_other_without_end() -> None:
    inner: dict[str, Any] = {"TradeItem": {"Gtin": CUP}}
    for _ in range(MAX_DEPTH + 3):
        inner = {"TradeItem": {"Gtin": CUP}, "CatalogueItemChildItemLink": [{"CatalogueItem": inner}]}
    _, rejected = judged(rows("gs1-firstbase", json.dumps(inner).encode()))
    assert "inside each other" in rejected[-1].reason


TEXT = CIN.read_bytes()
PLACE = TEXT.index(b"<gtin>")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            TEXT.replace(b"ItemNotificationMessage", b"ItemHierarchicalWithdrawalMessage"),
            "expected a catalogueItem",
        ),
        (TEXT[:-60], "unclosed token"),
        (b"<!DOCTYPE x>" + TEXT[38:], "document type declaration"),
        (TEXT[:PLACE] + b"<gtin>" + b"x" * 70_000 + b"</gtin>" + TEXT[PLACE:], "a text is longer"),
        (TEXT[:PLACE] + b"<gtin a='b'/>" * (MAX_ITEM_CHARACTERS // 400) + TEXT[PLACE:], "an item is longer"),
    ],
    ids=["other message", "cut short", "doctype", "long text", "many elements"],
)
def test_a_notification_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(SourceFileError, match=words):
        rows("gs1-cin", content)


def test_an_attribute_that_is_not_read_may_be_long() -> None:
    """Embedded files, such as certificates, in modules that are not read."""
    module = (
        b"<x:referencedFileModule xmlns:x='urn:x'><content>"
        + b"x" * 200_000
        + b"</content></x:referencedFileModule>"
    )
    articles, rejected = judged(rows("gs1-cin", TEXT.replace(b"<extension>", b"<extension>" + module)))
    assert rejected == []
    assert articles[CUP].trade_name == "Nordisk skål"


def test_notifications_are_changes_in_any_case() -> None:
    assert isinstance(rows("gs1-cin", CIN)[0], Changes)


def test_a_source_can_be_incremental_by_its_setting(importing: Importing, directory: Path) -> None:
    importing("articleNumber;tradeName\nA;a\nB;b\n")
    report = importing("articleNumber;tradeName\nB;new\nC;c\n", incremental=True, now=NOW + timedelta(days=1))
    assert (report.swapped, report.accepted) == (True, 2)
    with ArticleMaster(directory) as master:
        found = {number: master.look_up(number, None).article for number in "ABC"}
    assert {number: one and one.trade_name for number, one in found.items()} == {"A": "a", "B": "new", "C": "c"}
