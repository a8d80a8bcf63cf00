"""What leaves a box in an archive for a helper: nothing secret, no number of a person (SKV 704, SKV 707)."""

import io
import tarfile
from pathlib import Path

import pytest

from gateway.archive import support
from gateway.archive.redaction import redacted
from tests.cli.conftest import configuration


@pytest.mark.parametrize(
    "number",
    ["191212121212", "19121212-1212", "121212-1212", "121212+1212", "1212121212", "121272-1212", "19121212K121"],
)
def test_a_number_of_a_person_is_not_in_it(number: str) -> None:
    assert redacted(f'{{"text":"{number}"}} {number}.') == '{"text":"[person number]"} [person number].'


@pytest.mark.parametrize("number", ["08717648200274", "2026-11-21T12:12:12", "1732190400000000000", "121312-1212"])
def test_other_numbers_stay(number: str) -> None:
    assert redacted(number) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("login hunter22 refused", "login [secret] refused"),
        ("password = hunter2", "password = [secret]"),
        ("mqtts://user:word@host", "mqtts://[login]@host"),
        ("-----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY-----", "[private key]"),
    ],
)
def test_a_secret_is_not_in_it(text: str, expected: str) -> None:
    assert redacted(text, ["hunter22", "x"]) == expected


def test_planted_secrets_and_persons_are_not_in_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the daemon down and hardly anything there: every part is made, or says why it could not be."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "mqtt-password").write_text("plantedsecret\n")
    monkeypatch.setattr(support, "CREDENTIALS", credentials)
    monkeypatch.setattr(support, "COMMANDS", {"journal.txt": ["echo", "19121212-1212 plantedsecret"]})
    file = tmp_path / "scangate.toml"
    file.write_text(configuration(tmp_path, '[broker]\nurls = ["mqtts://h"]\nusername = "plantedsecret"\n'))
    stream = io.BytesIO()
    names = support.write(stream, file, tmp_path / "no.sock", tmp_path / "state")
    with tarfile.open(fileobj=io.BytesIO(stream.getvalue())) as archive:
        texts = {one.name: (archive.extractfile(one) or io.BytesIO()).read().decode() for one in archive}
    assert {f"scangate-support/{name}" for name in names} == set(texts)
    assert texts["scangate-support/journal.txt"] == "[person number] [secret]\n"
    assert "cannot be had" in texts["scangate-support/outbox.json"]
    for text in texts.values():
        assert "plantedsecret" not in text
        assert "1212-1212" not in text
