"""Runs in the guest: sends one request to the daemon's control socket and prints the answer."""

import socket
import sys


def main(request: str) -> None:
    """Ask, and print."""
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.connect("/run/scangate/control.sock")
        daemon.sendall(request.encode() + b"\n")
        sys.stdout.write(daemon.makefile().readline())


if __name__ == "__main__":
    main(sys.argv[1])
