"""Which box this is, so that a cloned card or a restored backup does not pass for the box it came from."""

import hashlib
import os
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.system.clock import boot_id

MACHINE_ID: Final = Path("/etc/machine-id")
BOARD_SERIALS: Final = (
    Path("/sys/firmware/devicetree/base/serial-number"),  # Raspberry Pi and other device-tree boards
    Path("/sys/class/dmi/id/product_uuid"),  # PCs and virtual machines; readable by root only
)


class BoxIdentity(Struct, frozen=True, kw_only=True):
    """What makes this box this box. Hashed: the machine id is not to be spread (machine-id(5))."""

    machine: str | None
    board: str | None
    gateway: str
    """The configured `urn:scangate:tenant:site:id`."""
    boot: str | None = None
    """In which boot this process runs: what was in memory before it ended with it. Another one is no other box."""

    def differs_from(self, stored: "BoxIdentity") -> str | None:
        """Name what is known of both and not the same, or None. What one of them does not know is no difference."""
        for field in ("machine", "board", "gateway"):
            mine, theirs = getattr(self, field), getattr(stored, field)
            if mine is not None and theirs is not None and mine != theirs:
                return field
        return None


def read_identity(source: str) -> BoxIdentity:
    """Look at this machine. `source`: the gateway's URN."""
    machine = os.environ.get("SCANGATE_MACHINE_ID") or _first_line(MACHINE_ID)
    board = next((serial for path in BOARD_SERIALS if (serial := _first_line(path))), None)
    return BoxIdentity(machine=_hash(machine), board=_hash(board), gateway=source, boot=boot_id())


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def _hash(value: str | None) -> str | None:
    return None if value is None else hashlib.sha256(b"scangate box " + value.encode()).hexdigest()[:32]
