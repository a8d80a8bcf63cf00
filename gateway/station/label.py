"""What a label says, as statements that can be compared: nothing new, something more, or another label. Pure.

A statement is a name and a value: `("lot", "K7")`, `("expiry", "2045-12-31")`, `("240", "REF 12")`. What is written
in several ways for one thing has one name, so that symbols of different form can be compared: an expiry by AI 17
with one by AI 7003, a HIBC date in MMYY with one in YYMMDD. A label's device identifier is none of them: it is the
key by which labels are distinguished first.
"""

from collections.abc import Mapping
from typing import Final

from gateway.model import Decoded, Issuer, Precision
from gateway.udi.checks import is_digits

Statements = Mapping[str, str]

_NAMED: Final[Mapping[Issuer, frozenset[str]]] = {
    Issuer.GS1: frozenset({"01", "03", "10", "11", "17", "21", "30", "7003", "8012"}),
    Issuer.HIBCC: frozenset({"DI", "lot", "serial", "expiry", "manufacture", "quantity", "link"}),
    Issuer.ICCBBA: frozenset(
        {"=/", "=)", "=,", "=>", "&>", "=]", "=}", "&}", "&,1", "&)", "=", "=+"}  # a compound header says nothing
    ),
    Issuer.IFA: frozenset({"9N", "8P", "1T", "S", "D", "16D", "Q"}),
}
"""Elements that a field of Decoded stands for. All others are statements under their own names."""
_FIELDS: Final = (
    ("lot", "lot_number"),
    ("serial", "serial_number"),
    ("donation", "donation_identification_number"),
    ("software", "software_version"),
)
PIECE: Final = frozenset({"lot", "serial", "donation"})
"""Statements that tell pieces of one article apart."""
_MONTH: Final = len("YYYY-MM")
_BY_MONTH: Final = Precision.MONTH
_DAY: Final = len("YYYY-MM-DD")


def statements(decoded: Decoded) -> Statements:
    """Return what a label says beside its device identifier. Of an element given twice the first counts."""
    said: dict[str, str] = {}
    for name, field in _FIELDS:
        value = getattr(decoded, field)
        if value is not None:
            said[name] = value
    if (date := decoded.expiration_date) is not None:
        said["expiry"] = date[:_MONTH] if decoded.expiration_precision is _BY_MONTH else date
    if (date := decoded.manufacture_date) is not None:
        said["made"] = date[:_MONTH] if decoded.manufacture_precision is _BY_MONTH else date
    if decoded.quantity is not None:
        said["quantity"] = str(decoded.quantity)
    named = _NAMED.get(decoded.issuer, frozenset()) if decoded.issuer else frozenset()
    for identifier, value in decoded.elements:
        if identifier not in named:
            said.setdefault(identifier, value)
    return said


def contradict(one: Statements, other: Statements) -> bool:
    """Return whether two labels, or two symbols, say different things of the same name."""
    return any(not _agree(name, value, other[name]) for name, value in one.items() if name in other)


def says_nothing_new(new: Statements, known: Statements) -> bool:
    """Return whether everything that is said is known already, at least as exactly."""
    return all(
        name in known and _agree(name, value, known[name]) and len(value) <= len(known[name])
        for name, value in new.items()
    )


def share_a_piece(one: Statements, other: Statements) -> bool:
    """Return whether two labels name the same lot, serial or donation number, which links them."""
    return any(one[name] == other.get(name) for name in PIECE if name in one)


def says_more(said: Statements) -> bool:
    """Return whether a label says anything that a second symbol beside its device identifier would."""
    return not (PIECE | {"expiry", "made", "software"}).isdisjoint(said)


def _agree(name: str, one: str, other: str) -> bool:
    if name in {"expiry", "made"}:
        # a month agrees with each of its days, a day with each of its hours
        exact = min(len(one), len(other))
        return one[:exact] == other[:exact] if exact in {_MONTH, _DAY} else one == other
    if name == "01" and is_digits(one) and is_digits(other):
        return int(one) == int(other)
    return one == other
