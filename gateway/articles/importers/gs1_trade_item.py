"""A trade item of GS1's Global Data Synchronisation Network, however it came: what its attributes say of an article.

GDSN 3.1 names the attributes, and XML (`gs1_cin`) and JSON (`gs1_firstbase`) write them in the same places: JSON with a
capital first letter, and an element's text beside its attributes under `Value`. A node here is an element with what
is in it, by name; several elements of one name are a list; a text alone is the text.

What is in a package stands in `nextLowerLevelTradeItemInformation`, by GTIN and quantity. An item that holds several
different ones (a set, a display) is an article of its own: no quantity of one of them says what it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gateway.articles.importers.base import SourceRecord
from gateway.articles.settings import Field

Node = object
"""A dict of what is in it, a list of several of one name, or a text, number or truth value."""

LANGUAGES: Final = ("sv", "en")
"""Of a text in several languages, the first of these that is there, else whichever comes first."""
NUMBERS: Final[tuple[tuple[Field, tuple[str, ...]], ...]] = (
    ("articleNumber", ("BUYER_ASSIGNED", "SUPPLIER_ASSIGNED")),
    ("catalogNumber", ("MANUFACTURER_PART_NUMBER", "MODEL_NUMBER")),
)
"""Field -> additionalTradeItemIdentificationTypeCode, the first that is there."""
STATUSES: Final[Mapping[str, str]] = {
    "NO_LONGER_PLACED_ON_MARKET": "no longer placed on the EU market",
    "NO_LONGER_ON_THE_MARKET": "no longer placed on the EU market",
    "NOT_INTENDED_FOR_EU_MARKET": "not intended for the EU market",
    "CANCELED": "cancelled by the supplier",
    "DISCONTINUED": "discontinued by the supplier",
}
"""eUMedicalDeviceStatusCode, or catalogueItemStateCode -> the reason of the status discontinued."""
NOT_STERILISED: Final = frozenset({"", "NOT_STERILISED", "UNSPECIFIED", "NO_STERILISATION_REQUIRED", "UNKNOWN"})
"""initialManufacturerSterilisationCode of what is not delivered sterile."""
_RISK: Final = "EU_CLASS_"
_BASE_UNIT: Final = "BASE_UNIT_OR_EACH"
_MODULES: Final = "tradeItemInformation/extension/"
_DEVICE: Final = "medicalDeviceTradeItemModule/medicalDeviceInformation/"
_DESCRIPTION: Final = "tradeItemDescriptionModule/tradeItemDescriptionInformation/"


def record(line: int, item: Node, *, state: str = "", deleted: bool = False) -> SourceRecord:
    """Return a trade item's row. `state`: its catalogueItemStateCode; `deleted`: the sender withdraws it."""
    texts: dict[Field, str] = {
        "deviceIdentifier": first(item, "gtin"),
        "issuer": "GS1",
        "tradeName": _in_language(item, "tradeItemDescription", "descriptionShort", "functionalName"),
        "description": _in_language(item, "additionalTradeItemDescription"),
        "manufacturerName": next(filter(None, (first(item, f"{role}/partyName") for role in _ROLES)), ""),
        "riskClass": next(filter(None, map(_risk_class, values(item, _CLASSES))), ""),
        "implant": _flag(first(item, *_module(_DEVICE + "isTradeItemImplantable"))),
        "singleUse": "1" if first(item, *_module(_REUSABILITY)) == "SINGLE_USE" else "",
        "sterile": "1" if _codes(item, _STERILISATION) - NOT_STERILISED else "",
    }
    required = _codes(item, "uDIProductionIdentifierTypeCode")
    texts |= {
        "lotRequired": "1" if "BATCH_NUMBER" in required else "",
        "serialRequired": "1" if "SERIAL_NUMBER" in required else "",
        "expiryRequired": "1" if "EXPIRATION_DATE" in required else "",
    }
    own = {first(one, "additionalTradeItemIdentificationTypeCode"): text(one) for one in nodes(item, _ADDITIONAL)}
    texts |= {field: next((own[kind] for kind in kinds if kind in own), "") for field, kinds in NUMBERS}
    return SourceRecord(line, {**texts, **_package(item), **_status(item, state, deleted=deleted)})


_ROLES: Final = ("manufacturerOfTradeItem", "brandOwner", "informationProviderOfTradeItem")
_ADDITIONAL: Final = "additionalTradeItemIdentification"
_CLASSES: Final = (
    "gdsnTradeItemClassification/additionalTradeItemClassification/additionalTradeItemClassificationValue/"
    "additionalTradeItemClassificationCodeValue"
)
_REUSABILITY: Final = _DEVICE + "healthcareTradeItemReusabilityInformation/manufacturerDeclaredReusabilityTypeCode"
_STERILISATION: Final = "tradeItemSterilityInformation/initialManufacturerSterilisationCode"


def _package(item: Node) -> dict[Field, str]:
    """Return what is in a package; {} for what is none."""
    unit = first(item, "tradeItemUnitDescriptorCode")
    children = list(nodes(item, "nextLowerLevelTradeItemInformation/childTradeItem"))
    if unit == _BASE_UNIT or _flag(first(item, "isTradeItemABaseUnit")) or len(children) != 1:
        return {}
    return {
        "packageLevel": "package",
        "baseDeviceIdentifier": first(children[0], "gtin"),
        "baseQuantity": first(children[0], "quantityOfNextLowerLevelTradeItem"),
    }


def _status(item: Node, state: str, *, deleted: bool) -> dict[Field, str]:
    if _flag(first(item, "isTradeItemRecalled")) or any(map(_is_recall, nodes(item, *_module(_SUBSTATUS)))):
        return {"status": "recalled", "statusReason": "recalled by the supplier"}
    if deleted:
        return {"status": "discontinued", "statusReason": "withdrawn by the supplier"}
    for word in (state, first(item, *_module(_DEVICE + "eUMedicalDeviceStatusCode"))):
        if word in STATUSES:
            return {"status": "discontinued", "statusReason": STATUSES[word]}
    for name in ("discontinued", "cancelled"):
        day = first(item, f"tradeItemSynchronisationDates/{name}DateTime")[:10]
        if day:
            return {"status": "discontinued", "statusReason": f"{name} by the supplier", "statusFrom": day}
    return {}


_SUBSTATUS: Final = _DEVICE + "medicalDeviceSubStatusInformation"


def _is_recall(substatus: Node) -> bool:
    """Return whether a sub-status says that the whole device is recalled, and has not ended.

    Of a partial one it is text alone that tells which lots (recallPrecision): what cannot be read is no status.
    """
    code, scope = first(substatus, "eUMedicalDeviceSubStatusCode"), first(substatus, "recallScopeTypeCode")
    return "RECALL" in code and "PARTIAL" not in scope and not first(substatus, "deviceSubStatusEndDateTime")


def _module(path: str) -> tuple[str, str]:
    """Return where a module's attribute stands: in JSON beside the item's own, in XML in its extension."""
    return path, _MODULES + path


def _codes(item: Node, path: str) -> set[str]:
    return set(values(item, *_module(_DEVICE + path)))


def _risk_class(code: str) -> str:
    return code.removeprefix(_RISK) if code.startswith(_RISK) else ""


def _flag(word: str) -> str:
    return "1" if word.casefold() in {"true", "1"} else ""


def _in_language(item: Node, *names: str) -> str:
    """Return the first of some texts that is there, in the first language that is there."""
    for name in names:
        said = {
            first(one, "languageCode").casefold(): text(one) for one in nodes(item, *_module(_DESCRIPTION + name))
        }
        found = next(filter(None, (*map(said.get, LANGUAGES), *said.values())), "")
        if found:
            return found
    return ""


def nodes(node: Node, *paths: str) -> Iterator[Node]:
    """Yield every node at some places, names with `/` between them."""
    for path in paths:
        yield from _at(node, path.split("/"))


def _at(node: object, names: Sequence[str]) -> Iterator[Node]:
    if isinstance(node, list):
        for one in node:
            yield from _at(one, names)
    elif not names:
        if isinstance(node, dict | str | int | float):
            yield node
    elif isinstance(node, dict):
        name = names[0]
        inner = node.get(name)
        yield from _at(node.get(name[0].upper() + name[1:]) if inner is None else inner, names[1:])


def values(node: Node, *paths: str) -> Iterator[str]:
    """Yield the texts at some places, without those that are empty."""
    yield from filter(None, map(text, nodes(node, *paths)))


def first(node: Node, *paths: str) -> str:
    """Return the first text at some places; "" where there is none."""
    return next(values(node, *paths), "")


def text(node: Node) -> str:
    """Return a node's own text."""
    inner = next(_at(node, ["value"]), None) if isinstance(node, dict) else node
    return "" if inner is None or isinstance(inner, dict | list) else str(inner).strip()
