"""The udev rules of a site: scanners of makers that the package's rules do not know."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from drivers.udev_rules import SITE_FILE, SUBSYSTEMS, allowed_in, site
from gateway.system.atomic_file import whole_file

DEVICE: Final = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})")
"""Vendor and product as `scangate scanners list` and lsusb show them."""
UDEV_SECONDS: Final = 30.0
"""Longest answer of udevadm: triggering returns at once, reloading within a second."""
_READABLE: Final = 0o644


class SiteRulesError(Exception):
    """The rules cannot be changed: operation, object, cause, next step."""


def parse(text: str) -> tuple[str, str]:
    """Return vendor and product of `VENDOR:PRODUCT`. Raises ValueError."""
    found = DEVICE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected VENDOR:PRODUCT, four hex digits each, such as 11fa:0215; got {text!r}")
    return found[1].lower(), found[2].lower()


def allowed(path: Path = Path(SITE_FILE)) -> set[tuple[str, str]]:
    """Return what is allowed now. Raises SiteRulesError."""
    try:
        return allowed_in(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return set()
    except (OSError, UnicodeDecodeError) as error:
        raise SiteRulesError(f"cannot read {path}: {error}; run it as root") from error


def change(
    add: Iterable[tuple[str, str]] = (), remove: Iterable[tuple[str, str]] = (), path: Path = Path(SITE_FILE)
) -> set[tuple[str, str]]:
    """Allow devices, or allow them no longer; return what is allowed then. Raises SiteRulesError."""
    after = (allowed(path) | set(add)) - set(remove)
    try:
        if path.exists() and not allowed(path) and path.read_text(encoding="utf-8").strip():
            path.rename(path.with_name(f"60-{path.name}"))  # made by hand: kept, and read before this one
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, _READABLE) as stream:
            stream.write(site(after).encode())
    except OSError as error:
        raise SiteRulesError(f"cannot write {path}: {error.strerror}; run it as root") from error
    return after


def reload() -> bool:
    """Have udev read its rules and apply them to what is plugged in; False where no udev answers here."""
    udevadm = shutil.which("udevadm", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if udevadm is None:
        return False
    matches = [f"--subsystem-match={subsystem}" for subsystem in SUBSYSTEMS]
    for command in ([udevadm, "control", "--reload"], [udevadm, "trigger", "--action=change", *matches]):
        try:
            done = subprocess.run(command, check=False, capture_output=True, timeout=UDEV_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            return False
        if done.returncode != 0:
            return False
    return True
