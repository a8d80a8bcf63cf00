"""What must not leave a box in an archive for a helper: secrets, and anything that could be a person's number."""

import re
from collections.abc import Iterable
from typing import Final

LEAST_SECRET: Final = 4
"""Characters: a shorter text would be found in every second word."""
_PERSON: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:18|19|20)?[0-9]{2}(?:0[1-9]|1[0-2])(?:[06][1-9]|[1278][0-9]|[39][01])[-+]?[0-9KMX][0-9]{3}"
    r"(?![0-9A-Za-z])"
)
"""A Swedish person, coordination or reserve number (SKV 704, SKV 707): with or without century and sign."""
_URL_LOGIN: Final = re.compile(r"(?<=://)[^/@\s]+@")
_ASSIGNED: Final = re.compile(r"(?im)\b(password|passwd|secret|token|private.?key)(\s*[=:]\s*)(?!None\b)\S+")
_PEM: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without what is secret (each text of `secrets`) and without numbers of persons.

    >>> redacted("scan of 19121212-1212 by mqtts://u:p@a", [])
    'scan of [person number] by mqtts://[login]@a'
    """
    for secret in sorted({one for one in secrets if len(one) >= LEAST_SECRET}, key=len, reverse=True):
        text = text.replace(secret, "[secret]")
    text = _PEM.sub("[private key]", text)
    text = _URL_LOGIN.sub("[login]@", text)
    text = _ASSIGNED.sub(r"\1\2[secret]", text)
    return _PERSON.sub("[person number]", text)
