"""Versions on this box: which runs, which is kept, which is on trial, and what came of the last trial.

The switch itself is systemd/trial.sh, in plain sh: a version that does not even import must not be needed to leave
it. Here is what a working version knows of it.
"""

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

STATE: Final = Path("/var/lib/scangate-upgrade")
RECORD: Final = STATE / "trial"
RETURNED: Final = STATE / "returned"
PACKAGES: Final = STATE / "packages"
"""The packages of the present and the former version: `dpkg -i` of either repairs a box."""
KEYRING: Final = Path("/etc/scangate/release.gpg")
"""Public key of whoever makes the releases this box takes; while it is there, nothing unsigned is installed."""
SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.gpg"
MAX_RECORD_BYTES: Final = 4096
CHUNK: Final = 1024 * 1024


class UpgradeError(Exception):
    """A version cannot be installed or gone back to: what, why, and what to do."""


class Trial(Struct, frozen=True):
    """A new version on trial, or one that was taken back."""

    new: str
    old: str
    reason: str = ""
    """Why it was taken back."""


def on_trial(record: Path = RECORD) -> Trial | None:
    """Return the version on trial; None where there is none, or nobody may say."""
    fields = _fields(record)
    return Trial(new=fields.get("new", ""), old=fields.get("old", "")) if fields else None


def taken_back(returned: Path = RETURNED) -> Trial | None:
    """Return the version that the last trial took back; None where it stayed."""
    fields = _fields(returned)
    if not fields:
        return None
    return Trial(new=fields.get("from", ""), old=fields.get("to", ""), reason=fields.get("reason", ""))


def well(status: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """Return why a daemon is not as well as the one before it was, or None.

    Both are answers of the control socket's `status`; an empty `before` asks for nothing but an answer.
    """
    broker_before, broker = before.get("broker") or {}, status.get("broker") or {}
    if broker_before.get("url") and not broker.get("url"):
        return f"the broker was reached before: {broker.get('problem') or 'not connected'}"
    links = {one["name"]: one for one in status.get("scanners", ())}
    for one in before.get("scanners", ()):
        now = links.get(one["name"])
        if one["link"] == "connected" and now is not None and (now["failure"] or now["link"] != "connected"):
            return f"scanner {one['name']} was connected before: {now['failure'] or now['link']}"
    if status["disk"]["room"] == "full" and before.get("disk", {}).get("room") not in {"full", None}:
        return "the outbox takes no scans any more"
    return None


def verify(package: Path, keyring: Path = KEYRING) -> str | None:
    """Check a package against the list beside it; return what could not be checked, or None when all was.

    Raises UpgradeError for a package that is not what the list says, or is not proved where a key is there.
    """
    sums, signature = package.with_name(SUMS), package.with_name(SIGNATURE)
    if keyring.exists():
        if not sums.exists() or not signature.exists():
            raise UpgradeError(
                f"{package} is not signed: {keyring} wants the release's {SUMS} and {SIGNATURE} beside it"
            )
        _verify_signature(sums, signature, keyring)
    elif not sums.exists():
        return f"nothing vouches for {package}: there is no {SUMS} beside it, and no {keyring}"
    expected = _listed(sums).get(package.name)
    if expected is None:
        raise UpgradeError(f"{package.name} does not stand in {sums}: copy the release's whole folder")
    found = hashlib.sha256()
    with package.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    if found.hexdigest() != expected:
        raise UpgradeError(f"{package} is not what {sums} lists: it is damaged or was changed; copy it again")
    return None if keyring.exists() else f"{SUMS} is not signed by a key this box knows ({keyring} is not there)"


def _verify_signature(sums: Path, signature: Path, keyring: Path) -> None:
    """Ask gpgv (Debian 12) or sqv (Debian 13), one of which apt brings. Raises UpgradeError."""
    for program in ("gpgv", "sqv"):
        command = [program, "--keyring", str(keyring), str(signature), str(sums)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except FileNotFoundError:
            continue
        if done.returncode != 0:
            raise UpgradeError(
                f"the signature of {sums} is not by {keyring}: {done.stderr.strip().splitlines()[-1]}"
            )
        return
    raise UpgradeError("no program to check a signature: apt-get install gpgv")


def _listed(sums: Path) -> dict[str, str]:
    """Return name -> SHA-256 of a list as sha256sum writes it."""
    pairs = (line.split(maxsplit=1) for line in sums.read_text().splitlines() if line.strip())
    return {name.lstrip("*./"): digest for digest, name in pairs}


def _fields(path: Path) -> dict[str, str]:
    try:
        with path.open(errors="replace") as file:
            lines = file.read(MAX_RECORD_BYTES).splitlines()
    except OSError:
        return {}
    return dict(line.partition("=")[::2] for line in lines if "=" in line)
