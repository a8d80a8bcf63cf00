"""Which other programs hold a device node, as far as this user may see."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

PROC: Final = Path("/proc")

USUAL: Final = "a login prompt (serial-getty@), ModemManager, brltty or a terminal program (minicom, screen)"
"""Programs that are known to take serial ports of scanners, for messages."""


class Holder(Struct, frozen=True):
    """A process that has the node open."""

    pid: int
    name: str
    """As `ps -o comm` shows it."""


def holders(path: str) -> tuple[Holder, ...]:
    """Return the processes that hold a node, without this one and its children. Root sees all, others their own."""
    try:
        node = os.stat(path)  # noqa: PTH116 - beside the others
    except OSError:
        return ()
    found = []
    for process in PROC.iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        with suppress(OSError):  # it ended, or is none of this user's
            if any(_is_open(process / "fd" / number, node) for number in os.listdir(process / "fd")):  # noqa: PTH208 - names are enough
                status = (process / "stat").read_text(encoding="utf-8", errors="replace")
                name = status.partition("(")[2].rpartition(")")[0]
                parent = int(status.rpartition(")")[2].split()[1])
                if parent != os.getpid():
                    found.append(Holder(int(process.name), name))
    return tuple(found)


def _is_open(descriptor: Path, node: os.stat_result) -> bool:
    """Return whether an open file is a node, by the file itself: a container has the same names for others."""
    with suppress(OSError):
        return os.path.samestat(os.stat(descriptor), node)  # noqa: PTH116 - a link of /proc
    return False


def words(path: str) -> str:
    """Return what to say of a node that another program holds: which one, or which are the usual ones."""
    seen = holders(path)
    if not seen:
        return f"another program holds {path}: stop it; usual ones are {USUAL}; `fuser -v {path}` as root shows it"
    named = ", ".join(f"{one.name} (process {one.pid})" for one in seen)
    return f"{named} holds {path}: stop it, and keep it from starting again (systemctl disable, apt remove)"
