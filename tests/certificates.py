"""Certificate authorities and certificates for one test, made with openssl."""

import subprocess
from pathlib import Path


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def make_authority(directory: Path, name: str, days: int = 2) -> Path:
    """Make a certificate authority; return its certificate."""
    openssl(
        directory,
        *(
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            str(days),
        ),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"),
        *("-addext", "keyUsage=critical,keyCertSign"),
    )
    return directory / f"{name}.crt"


def make_certificate(directory: Path, authority: str, name: str, host: str) -> None:
    """Make a key and a certificate for a host, signed by that authority."""
    openssl(
        directory,
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
    )
    (directory / f"{name}.ext").write_text(f"subjectAltName={host}\n")
    openssl(
        directory,
        *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"),
        *("-CAcreateserial", "-days", "2", "-out", f"{name}.crt", "-extfile", f"{name}.ext"),
    )
    (directory / f"{name}.key").chmod(0o644)
