"""What is in a package of packages. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple

MAX_DEPTH: Final = 16
"""Packages inside each other; more is a circle."""


class Content(NamedTuple):
    """What one package holds."""

    inside: str
    """Identifier of what is in it: another package, or the device. Empty: the device."""
    quantity: str
    """How many of that."""


def pieces(content: Content, device: str, packages: Mapping[str, Content]) -> str | None:
    """Return how many of the device are in a package; None where the packages given do not tell.

    A quantity that is no number is returned as it is, for whoever judges the row.
    """
    inside, total = content
    for _ in range(MAX_DEPTH):
        if inside in {device, ""}:
            return total
        within = packages.get(inside)
        if within is None or not (within.quantity.isdecimal() and total.isdecimal()):
            return None
        inside, total = within.inside, str(int(total) * int(within.quantity))
        if len(total) > MAX_DEPTH:
            return None
    return None
