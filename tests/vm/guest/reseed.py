"""Runs in the guest: gives the kernel's random generator a state of its own.

Two machines resumed from one saved state would draw the same numbers, and so the same UUIDs, which no two boots do.
"""

import fcntl
import struct
import sys
from pathlib import Path

RNDADDENTROPY = 0x40085203
RNDRESEEDCRNG = 0x5207
"""random(4), include/uapi/linux/random.h."""


def main(seed: str) -> None:
    """Mix in a seed, in hexadecimal, and draw from it at once."""
    data = bytes.fromhex(seed)
    with Path("/dev/urandom").open("wb", buffering=0) as generator:
        fcntl.ioctl(generator, RNDADDENTROPY, struct.pack("ii", 8 * len(data), len(data)) + data)
        fcntl.ioctl(generator, RNDRESEEDCRNG)


if __name__ == "__main__":
    main(sys.argv[1])
