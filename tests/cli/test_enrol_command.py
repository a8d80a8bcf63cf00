"""`scangate enrol`: key, request (RFC 2986), signed by an authority of openssl's own, and back."""

import subprocess
from pathlib import Path

import pytest

from gateway.system.enrolment import CERTIFICATE, KEY, PENDING
from tests.cli.conftest import Box, Run


def openssl(*arguments: str | Path, stdin: str = "") -> str:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate authority: authority.crt and authority.key."""
    key, certificate = tmp_path / "authority.key", tmp_path / "authority.crt"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=CA")
    return tmp_path


def signed(authority: Path, request: str, days: int = 10) -> Path:
    asked, answer = authority / "asked.csr", authority / "answer.crt"
    asked.write_text(request)
    ca = ("-CA", authority / "authority.crt", "-CAkey", authority / "authority.key", "-CAcreateserial")
    openssl("x509", "-req", "-in", asked, *ca, "-days", str(days), "-copy_extensions", "copy", "-out", answer)
    return answer


def test_a_box_is_enrolled_and_renewed(run: Run, box: Box, authority: Path, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    where = ("--folder", folder, "-c", box.config_file)
    for _ in ("enrolled", "renewed"):
        before = (folder / KEY).read_bytes() if (folder / KEY).exists() else b""
        asked = run("enrol", *where)
        assert asked.code == 0
        assert "PRIVATE" not in asked.out + asked.err, "the key never leaves"
        text = openssl("req", "-noout", "-text", "-verify", stdin=asked.out)
        for words in ("O = vgr, OU = su, CN = gw01", "DNS:gw01", "TLS Web Client Authentication", "P-256"):
            assert words in text
        assert (folder / KEY).exists() == bool(before), "the present one is in use until the answer is there"
        assert run("enrol", "--certificate", signed(authority, asked.out), *where).code == 0
        assert (folder / KEY).read_bytes() != before
        assert not (folder / PENDING).exists()
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    ca = authority / "authority.crt"
    assert openssl("verify", "-CAfile", ca, folder / CERTIFICATE).endswith("OK\n")


def test_another_boxs_certificate_is_not_taken(run: Run, box: Box, authority: Path, tmp_path: Path) -> None:
    where = ("-c", box.config_file, "--folder")
    mine, other = tmp_path / "mine", tmp_path / "other"
    run("enrol", *where, mine)
    answer = signed(authority, run("enrol", *where, other).out)
    refused = run("enrol", "--certificate", answer, *where, mine)
    assert (refused.code, "not for the key that this box made" in refused.err) == (1, True)
    assert [path.name for path in mine.iterdir()] == [PENDING]
    answer.write_text("no certificate")
    assert "no certificate in PEM form" in run("enrol", "--certificate", answer, *where, mine).err
