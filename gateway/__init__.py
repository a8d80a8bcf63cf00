"""The gateway: from a scanner's bytes to a stored, delivered event."""

from typing import Final

VERSION: Final = "0.1.0"
RELEASED: Final = "2026-11-22"
"""Date of this release: no clock of a box that runs it can rightly be earlier."""
