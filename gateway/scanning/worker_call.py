"""Asking the worker from another thread: it alone changes the station and writes to the outbox, between two scans."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from gateway.outbox.schema import OutboxError
from gateway.scanning.worker import NotStoredError, Worker
from gateway.system.control_socket import RequestError

SECONDS: Final = 8.0
"""Longest wait for the worker, who may be storing scans; a client of the control socket waits for ten."""
Answer = TypeVar("Answer")


def call(worker: Worker, do: Callable[[], Answer], seconds: float | None = None) -> Answer:
    """Have the worker do something short, and return its answer.

    Raises RequestError, also where nothing could be stored.
    """
    done = threading.Event()
    answers: list[Answer] = []
    errors: list[Exception] = []

    def job() -> None:
        try:
            answers.append(do())
        except (OutboxError, NotStoredError) as error:
            errors.append(error)
        finally:
            done.set()

    if not worker.submit(job) or not done.wait(SECONDS if seconds is None else seconds) or not (answers or errors):
        raise RequestError("the daemon is too busy now; try again")
    if errors:
        raise RequestError(str(errors[0]))
    return answers[0]
