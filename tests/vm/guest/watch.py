"""Runs in the guest: hands what the daemon tells its watchers to the host, over a virtio port.

The port works without a network, and what was written to it is outside before the power can be cut.
"""

import contextlib
import json
import os
import select
import socket
import sys

SOCKET = "/run/scangate/control.sock"
PAUSE_SECONDS = 0.02


def main(port: str) -> None:
    """Watch one daemon after the other, for ever."""
    with open(port, "wb", buffering=0) as host:  # noqa: PTH123 - the guest's side has no more than a name
        while True:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as daemon:
                daemon.connect(SOCKET)
                daemon.sendall(json.dumps({"do": "watch"}).encode() + b"\n")
                while data := daemon.recv(65536):
                    view = memoryview(data)
                    while view:
                        view = view[os.write(host.fileno(), view) :]
            select.select([], [], [], PAUSE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1])
