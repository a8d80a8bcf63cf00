"""Secrets: read from files at the moment they are needed, never from the configuration itself."""

import os
from pathlib import Path
from typing import Final

CREDENTIALS: Final = Path("/etc/scangate/credentials")
"""Where a technician puts them; readable by root only."""
RELOADED: Final = Path("/run/scangate-credentials")
"""Where `systemctl reload scangate` puts the present ones: systemd loads credentials at the start only (up to 257),
and commands of ExecReload= get none (252). The folder is root's, so that nothing in it is anybody else's doing."""
MAX_SECRET_BYTES: Final = 4096
"""A password on one line; keeps a wrong path from being read as one."""


def locate(name: str) -> Path:
    """Return where a secret's or certificate's file lies.

    A bare name means a systemd credential: the unit loads /etc/scangate/credentials/NAME as `scangate_NAME`, and a
    reload takes what is there since. Where there are no credentials (a command run by hand), it means that file
    itself.
    """
    path = Path(name)
    if path.name != name:
        return path
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return CREDENTIALS / name
    # os.path.exists: False, and no error, where this process may not look (ExecReload= on systemd 252).
    if os.path.exists(reloaded := RELOADED / name):  # noqa: PTH110
        return reloaded
    loaded = Path(directory) / f"scangate_{name}"
    return loaded if os.path.exists(loaded) else Path(directory) / name  # noqa: PTH110


def read_secret(name: str | None) -> str | None:
    """Read a secret's first line. Raises OSError when it cannot be read, ValueError when it is no secret."""
    if name is None:
        return None
    path = locate(name)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    except FileNotFoundError as error:
        if not os.environ.get("CREDENTIALS_DIRECTORY") or Path(name).name != name:
            raise
        missing = f"there is no {CREDENTIALS / name}: put it there, then systemctl reload scangate"
        raise FileNotFoundError(error.errno, missing) from error
    if len(data) > MAX_SECRET_BYTES:
        raise ValueError(f"{path}: longer than {MAX_SECRET_BYTES} bytes: this is no password file")
    return data.decode().split("\n", 1)[0].rstrip("\r")
