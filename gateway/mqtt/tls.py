"""TLS towards the broker: verified, or not at all; and when certificates end."""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.mqtt.settings import BrokerSettings
from gateway.system.credentials import locate

MAX_CERTIFICATE_BYTES: Final = 256 * 1024
"""A chain of a few certificates; keeps a wrong path from being read as one."""
VERSION_TAG: Final = 0xA0
SEQUENCE: Final = 0x30
UTC_TIME: Final = 0x17
LONG_FORM: Final = 0x80


def context_for(settings: BrokerSettings) -> ssl.SSLContext:
    """Verified TLS 1.2 or newer, or an error: there is no way to less. Raises OSError, ValueError."""
    context = ssl.create_default_context(cafile=locate(settings.ca_file) if settings.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.cert_file and settings.key_file:
        context.load_cert_chain(locate(settings.cert_file), locate(settings.key_file))
    return context


def client_certificate_ends(settings: BrokerSettings) -> float | None:
    """Return when this box's own certificate ends, seconds since 1970; None where there is none to read."""
    if not settings.cert_file:
        return None
    with suppress(OSError, ValueError, IndexError):
        return certificate_ends(locate(settings.cert_file))
    return None


def certificate_ends(path: Path) -> float:
    """Return when the first certificate of a PEM file ends, seconds since 1970.

    Raises OSError, ValueError, IndexError. RFC 5280, 4.1: a Certificate is a SEQUENCE that begins with
    tbsCertificate, a SEQUENCE of [0] version, serialNumber, signature, issuer, validity (SEQUENCE of notBefore and
    notAfter), subject and more. The standard library reads this only from a peer.
    """
    with path.open("rb") as file:
        pem = file.read(MAX_CERTIFICATE_BYTES).decode("ascii", "replace")
    begin, end = pem.index(ssl.PEM_HEADER), pem.index(ssl.PEM_FOOTER)
    der = ssl.PEM_cert_to_DER_cert(pem[begin : end + len(ssl.PEM_FOOTER)])
    _, certificate = next(_elements(der))
    _, to_be_signed = next(_elements(certificate))
    fields = [field for field in _elements(to_be_signed) if field[0] != VERSION_TAG]
    tag, validity = fields[3]
    if tag != SEQUENCE:
        raise ValueError(f"{path}: no validity where a certificate has it")
    _, (tag, not_after) = _elements(validity)
    text = not_after.decode("ascii")
    if tag == UTC_TIME:  # two digits of the year: 50 and above are of the last century
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element (ITU-T X.690, 8.1)."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & LONG_FORM:
            octets = length & ~LONG_FORM
            length = int.from_bytes(data[at : at + octets], "big")
            at += octets
        yield tag, data[at : at + length]
        at += length
