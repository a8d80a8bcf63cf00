"""Assets and logistic units: what has a GS1 key of its own and is no article (GS1 General Specifications 3). Pure.

| key | AI | what it is in a hospital |
|---|---|---|
| GRAI | 8003 | a returnable asset: a tray or container; with a serial component a single one |
| GIAI | 8004 | a single asset: an instrument, a pump |
| SSCC | 00 | a logistic unit: the delivery whose articles are scanned behind it |
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from gateway.model import Decoded, Issuer, Severity

Scheme = Literal["GRAI", "GIAI", "SSCC"]
_SCHEMES: Final[Mapping[str, Scheme]] = {"8003": "GRAI", "8004": "GIAI", "00": "SSCC"}
AI_OF: Final[Mapping[Scheme, str]] = {scheme: ai for ai, scheme in _SCHEMES.items()}
_GRAI_WITHOUT_SERIAL: Final = 14
"""Characters: a zero and the 13 digits of the asset type."""


class Asset(Struct, frozen=True, kw_only=True):
    """The key of an asset or a logistic unit."""

    scheme: Scheme
    identifier: str
    """The value of the AI, as on the label."""

    @property
    def single(self) -> bool:
        """Whether the key names one thing of the world, not a type."""
        return self.scheme != "GRAI" or len(self.identifier) > _GRAI_WITHOUT_SERIAL


def asset_of(decoded: Decoded) -> Asset | None:
    """Return the asset or logistic unit that a symbol names; None for one that names an article or has an error."""
    if decoded.device_identifier is not None or decoded.issuer is not Issuer.GS1:
        return None
    if any(found.severity is Severity.ERROR for found in decoded.findings):
        return None
    for ai, value in decoded.elements:
        if ai in _SCHEMES:
            return Asset(scheme=_SCHEMES[ai], identifier=value)
    return None
