"""This box's own certificate: its key is made here and never leaves, and a certificate authority signs its request.

A request (PKCS #10, RFC 2986) names the box as its broker will know it. Until the answer comes, the new key lies
beside the one in use (`gateway.key.pending`), so that a renewal that is never answered changes nothing. openssl
does the cryptography: the package depends on it.
"""

import os
import subprocess
import time
from pathlib import Path
from typing import Final

KEY: Final = "gateway.key"
CERTIFICATE: Final = "gateway.crt"
PENDING: Final = "gateway.key.pending"
MODE: Final = 0o600
CURVE: Final = "prime256v1"
"""NIST P-256: what every broker and every certificate authority takes."""
COMMAND_SECONDS: Final = 60
MAX_CERTIFICATE_BYTES: Final = 256 * 1024
"""A chain of a few certificates."""


class EnrolmentError(Exception):
    """No certificate can be asked for or taken: what, why, what to do."""


def request(folder: Path, name: str, organisation: str, unit: str) -> str:
    """Make a new key, keep it as the pending one, and return the request for it, as PEM. Raises EnrolmentError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pending = folder / PENDING
    pending.unlink(missing_ok=True)
    os.close(os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE))
    key = _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{CURVE}")
    pending.write_text(key)
    subject = "".join(f"/{kind}={value}" for kind, value in (("O", organisation), ("OU", unit), ("CN", name)))
    return _openssl(
        *("req", "-new", "-key", str(pending), "-subj", subject),
        *("-addext", f"subjectAltName=DNS:{name}", "-addext", "extendedKeyUsage=clientAuth"),
    )


def accept(folder: Path, certificate: bytes) -> None:
    """Put the answer to a request in place, with its key. Raises EnrolmentError; then everything is as before."""
    from gateway.system.atomic_file import whole_file

    pending, present = folder / PENDING, folder / KEY
    text = certificate[:MAX_CERTIFICATE_BYTES].decode("ascii", "replace")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise EnrolmentError("this is no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    public = _openssl("x509", "-noout", "-pubkey", stdin=text)
    key = next((one for one in (pending, present) if one.exists() and _public_of(one) == public), None)
    if key is None:
        raise EnrolmentError(
            f"the certificate is not for the key that this box made ({pending}): sign its own request"
        )
    if _openssl_fails("x509", "-noout", "-checkend", "0", stdin=text):
        raise EnrolmentError("the certificate has ended already: is the box's clock right (timedatectl)?")
    with whole_file(folder / CERTIFICATE, MODE) as stream:
        stream.write(certificate)
    if key == pending:
        pending.replace(present)


def waiting_since(folder: Path) -> float | None:
    """Return how long a request has been waiting for its answer, in seconds, or None."""
    try:
        return max(0.0, time.time() - (folder / PENDING).stat().st_mtime)
    except OSError:
        return None


def _public_of(key: Path) -> str:
    return _openssl("pkey", "-in", str(key), "-pubout")


def _openssl(*arguments: str, stdin: str = "") -> str:
    try:
        done = subprocess.run(
            ["openssl", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
    except FileNotFoundError as error:
        raise EnrolmentError("there is no openssl here: apt-get install openssl") from error
    if done.returncode != 0:
        raise EnrolmentError(f"openssl {arguments[0]}: {(done.stderr.strip().splitlines() or ['it failed'])[-1]}")
    return done.stdout


def _openssl_fails(*arguments: str, stdin: str) -> bool:
    try:
        _openssl(*arguments, stdin=stdin)
    except EnrolmentError:
        return True
    return False
