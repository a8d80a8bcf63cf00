"""Events over HTTP: FHIR transactions to a server's base address, EPCIS documents to a capture endpoint."""

import ssl
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Final

from intake.forward import ReceiverAwayError, RefusedByReceiverError

TIMEOUT_SECONDS: Final = 30.0
MAX_ANSWER: Final = 4096
"""Bytes of an answer that are read: why something was refused."""
SHOWN: Final = 400
FOR_GOOD: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.GONE,
        HTTPStatus.PRECONDITION_FAILED,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""The receiver has read the event and will not have it. Everything else (credentials, address, load) is the
same for every event, and holds the line."""


class HttpReceiver:
    """Posts each event to one address."""

    def __init__(
        self, url: str, content_type: str, *, token_file: str | None = None, ca_file: str | None = None
    ) -> None:
        self._url = url
        self._content_type = content_type
        self._token_file = token_file
        self._context = ssl.create_default_context(cafile=ca_file)

    def send(self, payload: bytes, name: str) -> None:
        """Post it; confirmed by an answer of 2xx."""
        headers = {"Content-Type": self._content_type, "Accept": "application/json", "X-Request-Id": name}
        if self._token_file is not None:
            token = Path(self._token_file).read_text(encoding="utf-8").strip()
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self._url, payload, headers, method="POST")  # noqa: S310 - checked below
        if request.type not in {"http", "https"}:
            raise ReceiverAwayError(f"cannot post to {self._url}: expected http:// or https://")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=self._context) as answer:  # noqa: S310
                answer.read(MAX_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                said = " ".join(error.read(MAX_ANSWER).decode(errors="replace").split())[:SHOWN]
            words = f"{error.code} {error.reason}: {said}"
            if error.code in FOR_GOOD:
                raise RefusedByReceiverError(words) from error
            raise ReceiverAwayError(f"cannot post to {self._url}: {words}") from error
        except OSError as error:
            raise ReceiverAwayError(f"cannot post to {self._url}: {getattr(error, 'reason', error)}") from error

    def close(self) -> None:
        """Nothing stays open between two events."""
