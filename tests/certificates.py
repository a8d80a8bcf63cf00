"""Certificate authorities and certificates for one test, made with openssl."""

import subprocess
from pathlib import Path


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def make_authority(directory: Path, name: str, days: int = 2, *, key_usage: bool = True) -> Path:
    """Make a certificate authority; return its certificate. Without `key_usage`, as openssl's usual recipe does."""
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
        *(("-addext", "keyUsage=critical,keyCertSign") if key_usage else ()),
    )
    return directory / f"{name}.crt"


def make_certificate(
    directory: Path, authority: str, name: str, host: str, valid: tuple[str, str] | None = None
) -> None:
    """Make a key and a certificate for a host, signed by that authority.

    `valid`: from when to when, YYYYMMDDHHMMSSZ; without, from now on.
    """
    openssl(
        directory,
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
    )
    (directory / f"{name}.ext").write_text(f"subjectAltName={host}\n")
    if valid is None:
        openssl(
            directory,
            *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"),
            *("-CAcreateserial", "-days", "2", "-out", f"{name}.crt", "-extfile", f"{name}.ext"),
        )
    else:
        (directory / f"{name}.index").touch()
        (directory / f"{name}.serial").write_text("01\n")
        (directory / f"{name}.cnf").write_text(
            f"[ca]\ndefault_ca = one\n[one]\ndatabase = {name}.index\nserial = {name}.serial\nnew_certs_dir = .\n"
            "default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n"
        )
        openssl(
            directory,
            *("ca", "-batch", "-notext", "-config", f"{name}.cnf", "-in", f"{name}.csr", "-out", f"{name}.crt"),
            *("-cert", f"{authority}.crt", "-keyfile", f"{authority}.key", "-extfile", f"{name}.ext"),
            *("-startdate", valid[0], "-enddate", valid[1]),
        )
    (directory / f"{name}.key").chmod(0o644)
