"""The control request `retry`: dead letters are to be sent again."""

from collections.abc import Mapping

from gateway.scanning.worker import Worker
from gateway.scanning.worker_call import call
from gateway.system.control_socket import RequestError


class RetryRequests:
    """Called by the control socket's threads."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def retry(self, args: Mapping[str, object]) -> dict[str, list[int]]:
        """Have the letters of `{"sequences": [...]}` sent again, or all (`null`); return which will be."""
        wanted = args.get("sequences")
        if wanted is not None and not (isinstance(wanted, list) and all(type(one) is int for one in wanted)):
            raise RequestError('expected args {"sequences": [SEQUENCE, ...]}, or null: all')
        return {"sequences": call(self._worker, lambda: self._worker.retry(wanted))}
