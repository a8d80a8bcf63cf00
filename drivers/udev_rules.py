"""udev rules that let the daemon read scanners: those of the package, and a site's own.

`python -m drivers.udev_rules` prints the rules of the package, `systemd/60-scangate.rules`.
"""

import re
import sys
from collections.abc import Iterable
from typing import Final

from drivers.vendors import VENDORS

SITE_FILE: Final = "/etc/udev/rules.d/61-scangate-site.rules"
"""A site's own rules; no update touches them."""
SUBSYSTEMS: Final = ("usb", "tty", "input", "hidraw")
"""What is to be triggered when the rules have changed."""

_HEAD: Final = """\
# Made from drivers/vendors.py by `python -m drivers.udev_rules`. Barcode scanners by USB vendor (usb.ids):
{makers}
#
# Keyboards and HID point-of-sale scanners belong to the group scangate when their vendor stands here, and only
# then: the daemon cannot open anybody's keyboard. A scanner of another vendor is allowed by
#   scangate scanners allow VENDOR:PRODUCT
# which writes {site}; no update touches that file.
# The daemon notices by itself; which of these devices it reads, `[[scanner]]` says.
ACTION=="remove", GOTO="scangate_end"
"""
_TAIL: Final = """
# Lamps and a buzzer on GPIO lines; Raspberry Pi OS has the same rule.
SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"

LABEL="scangate_end"
"""
_ALLOWED: Final = re.compile(r"^# allow ([0-9a-f]{4}):([0-9a-f]{4})$", re.MULTILINE)


def _rules(vendor: str, product: str = "") -> str:
    """Return the rules for USB and Bluetooth devices. Both may be alternatives, separated by `|`."""
    usb = f'ATTRS{{idVendor}}=="{vendor}"' + (f', ATTRS{{idProduct}}=="{product}"' if product else "")
    device = usb.replace("ATTRS", "ATTR")
    bluetooth = f'ATTRS{{id/bustype}}=="0005", ATTRS{{id/vendor}}=="{vendor}"'
    bluetooth += f', ATTRS{{id/product}}=="{product}"' if product else ""
    behind = f"{product.upper()}.*" if product else "*"
    kernels = "|".join(f"0005:{one.upper()}:{behind}" for one in vendor.split("|"))
    keyboard = (
        'SUBSYSTEM=="input", KERNEL=="event*", {}, ENV{{LIBINPUT_IGNORE_DEVICE}}="1", GROUP="scangate", MODE="0660"'
    )
    return f"""\
# ModemManager writes modem commands to every new serial port unless it is configured not to.
SUBSYSTEM=="usb", ENV{{DEVTYPE}}=="usb_device", {device}, ENV{{ID_MM_DEVICE_IGNORE}}="1"
SUBSYSTEM=="tty", {usb}, ENV{{ID_MM_DEVICE_IGNORE}}="1", GROUP="dialout", MODE="0660"

# Scanners that type, on USB and Bluetooth: taken from the group input; desktops leave them and their lamps alone.
{keyboard.format(usb)}
{keyboard.format(bluetooth)}

# HID point-of-sale reports: hidraw nodes belong to root alone unless a rule says otherwise.
SUBSYSTEM=="hidraw", {usb}, GROUP="scangate", MODE="0660"
SUBSYSTEM=="hidraw", KERNELS=="{kernels}", GROUP="scangate", MODE="0660"
"""


def packaged() -> str:
    """Return the rules of the package, for every vendor of the table."""
    makers = "\n".join(f"#   {number} {vendor.name}" for number, vendor in VENDORS.items())
    return _HEAD.format(makers=makers, site=SITE_FILE) + "\n" + _rules("|".join(VENDORS)) + _TAIL


def site(allowed: Iterable[tuple[str, str]]) -> str:
    """Return a site's rules for these devices (vendor and product, four hex digits in lower case)."""
    head = "# Made by `scangate scanners allow`.\n" + 'ACTION=="remove", GOTO="scangate_site_end"\n'
    parts = [f"\n# allow {vendor}:{product}\n{_rules(vendor, product)}" for vendor, product in sorted(set(allowed))]
    return head + "".join(parts) + '\nLABEL="scangate_site_end"\n'


def allowed_in(rules: str) -> set[tuple[str, str]]:
    """Return what a file made by `site` allows."""
    return {(found[1], found[2]) for found in _ALLOWED.finditer(rules)}


if __name__ == "__main__":
    sys.stdout.write(packaged())
