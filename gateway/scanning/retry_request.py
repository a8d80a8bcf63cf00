"""The control request `retry`: dead letters are to be sent again."""

import threading
from collections.abc import Mapping
from typing import Final

from gateway.outbox.schema import OutboxError
from gateway.scanning.worker import Worker
from gateway.system.control_socket import RequestError

SECONDS: Final = 8.0
"""Longest wait for the worker, who may be storing scans; the client waits for ten."""


class DeadLetters:
    """Called by the control socket's threads. The worker, who alone writes to the outbox, does it between scans."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def retry(self, args: Mapping[str, object]) -> dict[str, list[int]]:
        """Have the letters of `{"sequences": [...]}` sent again, or all (`null`); return which will be."""
        wanted = args.get("sequences")
        if wanted is not None and not (isinstance(wanted, list) and all(type(one) is int for one in wanted)):
            raise RequestError('expected args {"sequences": [SEQUENCE, ...]}, or null: all')
        done = threading.Event()
        outcome: list[list[int] | OutboxError] = []

        def ask() -> None:
            try:
                outcome.append(self._worker.retry(wanted))
            except OutboxError as error:
                outcome.append(error)
            finally:
                done.set()

        if not self._worker.submit(ask) or not done.wait(SECONDS) or not outcome:
            raise RequestError("the daemon is too busy now; try again")
        if isinstance(outcome[0], OutboxError):
            raise RequestError(str(outcome[0]))
        return {"sequences": outcome[0]}
