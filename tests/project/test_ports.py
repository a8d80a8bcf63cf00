"""Ports for the servers of tests are nobody else's."""

import subprocess
import sys
from pathlib import Path

from tests.ports import LOWEST, free_port

ROOT = Path(__file__).parents[2]
ASK = "from tests.ports import free_port; print(*(free_port() for _ in range(50))); input()"


def test_no_two_get_the_same_and_no_client_gets_one() -> None:
    """ip(7): outgoing connections are given ports of ip_local_port_range."""
    command = [sys.executable, "-c", ASK]
    others = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ports = [free_port() for _ in range(50)]
    for one in others:
        assert one.stdout is not None
        ports += map(int, one.stdout.readline().split())
    for one in others:
        one.communicate("\n")
    assert len(set(ports)) == len(ports) == 200
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    if first > LOWEST:  # some machines leave no port out
        assert not [port for port in ports if first <= port <= last]
