"""From what single symbols say to what the whole item says: the shape between the agencies' files and Decoded."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gateway.model import Decoded, Finding, Issuer, Severity
from gateway.udi.dates import LabelDate
from gateway.udi.findings import finding

MAX_FINDINGS = 50
"""More than any label that is merely wrong has; it bounds an event whose symbol is garbage."""


class Facts(Struct, frozen=True, kw_only=True):
    """What Decoded has to say, before it is known whether the symbol stands alone. Names as in Decoded."""

    device_identifier: str | None = None
    lot_number: str | None = None
    serial_number: str | None = None
    expiration: LabelDate | None = None
    manufacture: LabelDate | None = None
    donation_identification_number: str | None = None
    software_version: str | None = None
    quantity: int | None = None
    package_level: int | None = None


class Gathering:
    """Facts as they are read, one after the other; the first of each name stands."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def learn(self, name: str, value: object) -> bool:
        """Take a fact by its name in Facts, None for nothing; return whether it agrees with what is known."""
        return value is None or self._values.setdefault(name, value) == value

    def facts(self) -> Facts:
        """Return what has been gathered."""
        return Facts(**self._values)


def disagreement(name: str, element: str) -> Finding:
    """Return the finding that an element gives a fact (its name in Facts) again, and differently."""
    return finding("ITEM_DISAGREES", f"the {name.replace('_', ' ')} is given twice", element)


def add(facts: Facts, new: Facts) -> tuple[Facts, tuple[str, ...]]:
    """Lay new facts to known ones; a known one stands. Also return the names of those that differ."""
    changed = {}
    disputed = []
    for name in Facts.__struct_fields__:
        value = getattr(new, name)
        if value is None:
            continue
        known = getattr(facts, name)
        if known is None:
            changed[name] = value
        elif known != value:
            disputed.append(name.replace("_", " "))
    return (replace(facts, **changed) if changed else facts), tuple(disputed)


class Part(Struct, frozen=True, kw_only=True):
    """What one symbol says."""

    issuer: Issuer | None = None
    facts: Facts = Facts()
    elements: tuple[tuple[str, str], ...] = ()
    hri: str = ""
    findings: tuple[Finding, ...] = ()
    link: str | None = None
    """HIBC: the primary's check character, or the one that a secondary names as its primary's."""


def compose(
    issuer: Issuer | None,
    facts: Facts,
    elements: Iterable[tuple[str, str]],
    hri: str,
    findings: Sequence[Finding],
) -> Decoded:
    """Make the result. `ok` is judged over all findings, also those cut off by MAX_FINDINGS."""
    listed = tuple(findings[:MAX_FINDINGS])
    if len(findings) > MAX_FINDINGS:
        listed += (
            finding("FINDINGS_CUT", f"{len(findings)} findings, of which the first {MAX_FINDINGS} are listed"),
        )
    expiration, manufacture = facts.expiration, facts.manufacture
    return Decoded(
        ok=not findings or all(found.severity is not Severity.ERROR for found in findings),
        issuer=issuer,
        device_identifier=facts.device_identifier,
        lot_number=facts.lot_number,
        serial_number=facts.serial_number,
        expiration_date=expiration.text if expiration else None,
        expiration_precision=expiration.precision if expiration else None,
        manufacture_date=manufacture.text if manufacture else None,
        manufacture_precision=manufacture.precision if manufacture else None,
        donation_identification_number=facts.donation_identification_number,
        software_version=facts.software_version,
        quantity=facts.quantity,
        package_level=facts.package_level,
        complete=facts.device_identifier is not None,
        elements=tuple(elements),
        hri=hri,
        findings=listed,
    )
