"""The user that the daemon runs as, and being that user for a while where root asks.

Only the effective user changes, so that the way back stays open. Nothing happens where the caller is not root or no
service is installed (a trial, a container).
"""

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SERVICE_USER: Final = "scangate"


def become() -> bool:
    """Go on as the service's user; return whether that is so now."""
    if os.geteuid() != 0:
        return False
    try:
        user = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return False
    os.initgroups(SERVICE_USER, user.pw_gid)
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    return True


@contextlib.contextmanager
def as_caller() -> Iterator[None]:
    """Be whoever started the program, for the length of a `with`."""
    user, group = os.geteuid(), os.getegid()
    if user == os.getuid():
        yield
        return
    os.seteuid(os.getuid())
    os.setegid(os.getgid())
    try:
        yield
    finally:
        os.setegid(group)
        os.seteuid(user)


@contextlib.contextmanager
def as_service() -> Iterator[None]:
    """Be the service's user, for the length of a `with`."""
    user, group, groups = os.geteuid(), os.getegid(), os.getgroups()
    changed = become()
    try:
        yield
    finally:
        if changed:
            os.seteuid(user)
            os.setegid(group)
            os.setgroups(groups)


def may(path: Path | str, mode: int) -> bool:
    """Return whether the present effective user may (os.R_OK | os.W_OK | os.X_OK); False where it is not there."""
    try:
        return os.access(path, mode, effective_ids=True)
    except OSError:
        return False
