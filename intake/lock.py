"""One process at a time for what must not be done twice at once: an MQTT session, a receiver.

On PostgreSQL an advisory lock that a connection of its own holds (and loses with it); on SQLite a lock on a
file beside the database (flock(2)), which ends with the process.
"""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from intake.database import unusable

KEY_BYTES: Final = 8


class ExclusiveLock:
    """A lock of a name, in the scope of one database."""

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._connection: sa.Connection | None = None
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take it; False when another process has it. Raises DatabaseError."""
        if self._engine.dialect.name == "postgresql":
            return self._acquire_advisory()
        path = Path(f"{self._engine.url.database}.{hashlib.sha256(self._name.encode()).hexdigest()[:12]}.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _acquire_advisory(self) -> bool:
        key = int.from_bytes(hashlib.sha256(self._name.encode()).digest()[:KEY_BYTES], signed=True)
        try:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            taken = bool(connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key))))
        except sa.exc.DBAPIError as error:
            raise unusable("lock", str(self._engine.url), error) from error
        if not taken:
            connection.close()
            return False
        self._connection = connection
        return True

    def held(self) -> bool:
        """Return whether it is still held: a server that went away has forgotten it."""
        if self._connection is None:
            return self._descriptor is not None
        try:
            self._connection.execute(sa.select(1))
        except sa.exc.DBAPIError:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give it up."""
        if self._connection is not None:
            self._connection.invalidate()  # the lock ends with the server's session
            self._connection.close()
            self._connection = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
