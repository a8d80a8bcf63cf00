"""A key that lives as long as the machine is on: in the directory of the control socket, which is in memory.

With it a daemon knows again, after a crash or a restart, what an earlier one has seen, though what is on disk says
nothing without it: `/run` is a tmpfs, and the key is gone when the power is.
"""

import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

NAME: Final = "session-key"
KEY_BYTES: Final = 32
"""As long as the hash that it keys (SHA-256)."""


def session_key(directory: Path) -> bytes:
    """Return the key of this session of the machine; a new one where there is none or it cannot be used.

    Never raises: where the key cannot be kept, it lasts as long as the process.
    """
    path = directory / NAME
    with suppress(OSError):
        owner = path.lstat()
        if owner.st_uid == os.geteuid() and not owner.st_mode & 0o077:
            key = path.read_bytes()
            if len(key) == KEY_BYTES:
                return key
    key = secrets.token_bytes(KEY_BYTES)
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(key)
    except OSError as error:
        log.warning("%s cannot be kept: %s: after a restart a case is not known again", path, error.strerror)
    return key
