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


ALERTS: Final = {
    "CERTIFICATE_REQUIRED": "the broker demands a client certificate: set broker.cert_file and broker.key_file",
    "CERTIFICATE_EXPIRED": "the broker says that this box's certificate has expired: renew broker.cert_file",
    "CERTIFICATE_REVOKED": "the broker says that this box's certificate was revoked",
    "CERTIFICATE_UNKNOWN": "the broker does not accept this box's certificate",
    "BAD_CERTIFICATE": "the broker does not accept this box's certificate",
    "UNKNOWN_CA": "the broker does not know who issued this box's certificate",
    "HANDSHAKE_FAILURE": "the broker refuses the handshake: mostly a client certificate that is missing or wrong",
}
"""Part of OpenSSL's name of a TLS alert (RFC 8446, 6.2) -> what it means for a person."""


BY_THE_CLOCK: Final = frozenset({9, 10})
"""X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED of OpenSSL: a box whose clock is wrong sees them, too."""


def context_for(settings: BrokerSettings) -> ssl.SSLContext:
    """Return verified TLS 1.2 or newer, or an error: there is no way to less. Raises OSError, ValueError.

    Files are read anew for each connection, so that a renewed certificate is used without a restart. Python 3.13
    sets VERIFY_X509_STRICT by itself, which refuses a CA without keyUsage, as openssl's usual recipe makes it; the
    flags are the same here under every Python.
    """
    context = ssl.create_default_context(cafile=locate(settings.ca_file) if settings.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    if settings.cert_file and settings.key_file:
        context.load_cert_chain(locate(settings.cert_file), locate(settings.key_file))
    return context


def tls_words(error: ssl.SSLError) -> str:
    """Say what a TLS failure means, for a person."""
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in BY_THE_CLOCK:
            today = datetime.now(UTC).date().isoformat()
            return (
                f"the broker's certificate cannot be trusted: {error.verify_message} by this box's clock, which says "
                f"{today}: check the clock, then have the broker's certificate renewed"
            )
        return (
            f"the broker's certificate is not trusted: certificate verify failed: {error.verify_message}; "
            "check broker.ca_file and the host name"
        )
    for name, words in ALERTS.items():
        if name in reason:
            return words
    return str(error)


def file_ends(name: str | None) -> float | None:
    """Return when the certificate in a configured file ends, seconds since 1970; None where there is none to read.

    It is read when it is asked for: a renewed one shows at once, and an end shows also while no broker answers.
    """
    if not name:
        return None
    with suppress(OSError, ValueError, IndexError):
        return certificate_ends(locate(name))
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
