"""Ports of 127.0.0.1 for the servers of tests: each test process has its own, and no client gets one.

A port that a program has bound and closed again is anybody's: another test's server may take it, and so may an
outgoing connection, while its server is down for a moment (a client that tries to connect to it over and over even
meets itself there). So a port is taken from outside the kernel's range for outgoing connections (ip(7),
ip_local_port_range), and reserved for the life of this process by a lock on its byte of a file (fcntl(2)).
"""

import fcntl
import os
import random
import socket
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final

LOWEST: Final = 10_000
"""Below are the ports of well-known servers."""


@cache
def _reservations() -> BinaryIO:
    """One file for all processes of this user; closing it would end every reservation of the process."""
    return Path(tempfile.gettempdir(), f"scangate-ports-{os.getuid()}").open("ab")


def free_port() -> int:
    """Return a port that nobody has, and nobody gets while this process lives."""
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split())
    steady = [*range(LOWEST, first), *range(last + 1, 2**16)]
    while True:
        port = random.choice(steady or range(LOWEST, 2**16))  # noqa: S311 - two runs at once should not meet
        with suppress(OSError):
            fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            if port in _given:
                continue
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


_given: Final[set[int]] = set()
"""A process's own locks do not keep it from taking them again."""
