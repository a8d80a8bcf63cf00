"""Runs in the guest: a scanner as BlueZ makes one, a HID device on bus 0005 that a process holds through uhid.

    ring.py VENDOR PRODUCT ADDRESS FIFO    make it, and send the boot reports that are written to FIFO, until killed

The layout of the requests is that of include/uapi/linux/uhid.h; the device is gone when this process is.
"""

import os
import struct
import sys

from gadget import KEYBOARD, REPORT_BYTES  # type: ignore[import-not-found]  # beside it in the guest

CREATE2 = 11
INPUT2 = 12
BUS_BLUETOOTH = 5
# type; name, phys, uniq; size of the descriptor, bus; vendor, product, version, country
CREATE = struct.Struct("=I128s64s64sHHIIII")
INPUT = struct.Struct("=IH")


def main(vendor: str, product: str, address: str, fifo: str) -> None:
    """Make it, and pass on what comes."""
    os.mkfifo(fifo)
    device = os.open("/dev/uhid", os.O_RDWR)
    identity = (b"Ring scanner", b"", address.encode(), len(KEYBOARD), BUS_BLUETOOTH)
    os.write(device, CREATE.pack(CREATE2, *identity, int(vendor, 16), int(product, 16), 0, 0) + KEYBOARD)
    reports = os.open(fifo, os.O_RDWR)  # for writing too: it does not end when a writer closes
    size = REPORT_BYTES["keyboard"]
    while report := os.read(reports, size):
        os.write(device, INPUT.pack(INPUT2, len(report)) + report)


if __name__ == "__main__":
    main(*sys.argv[1:])
