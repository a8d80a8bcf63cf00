"""Where secrets lie, and what is taken for one."""

from pathlib import Path

import pytest

from gateway.system import credentials
from gateway.system.credentials import MAX_SECRET_BYTES, locate, read_secret


@pytest.fixture
def by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The technician's folder, where no systemd has loaded anything."""
    monkeypatch.setattr(credentials, "CREDENTIALS", tmp_path)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("loaded", "name", "found"),
    [
        (["scangate_broker"], "broker", "scangate_broker"),
        (["broker"], "broker", "broker"),
        (["broker", "scangate_broker"], "broker", "scangate_broker"),
        ([], "broker", "broker"),
    ],
)
def test_a_bare_name_is_a_credential_of_the_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: list[str], name: str, found: str
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for file in loaded:
        (tmp_path / file).touch()
    assert locate(name) == tmp_path / found


def test_what_a_reload_brought_outranks_what_the_start_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systemd 252 to 257 load credentials at the start only."""
    loaded, reloaded = tmp_path / "loaded", tmp_path / "reloaded"
    for folder, name, text in (
        (loaded, "scangate_p", "old"),
        (loaded, "scangate_q", "same"),
        (reloaded, "p", "new"),
    ):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(loaded))
    monkeypatch.setattr(credentials, "RELOADED", reloaded)
    assert (read_secret("p"), read_secret("q")) == ("new", "same")


def test_a_bare_name_by_hand(by_hand: Path) -> None:
    assert locate("broker") == by_hand / "broker"


@pytest.mark.parametrize("name", ["/etc/ssl/ca.pem", "keys/ca.pem"])
def test_a_path_is_a_path(by_hand: Path, name: str) -> None:
    assert by_hand
    assert locate(name) == Path(name)


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"s3cret", "s3cret"),
        (b"s3cret\n", "s3cret"),
        (b"s3cret\r\n", "s3cret"),
        (b"with space \nsecond line", "with space "),
        ("lösen".encode(), "lösen"),
        (b"", ""),
    ],
)
def test_a_secret_is_the_first_line(by_hand: Path, content: bytes, secret: str) -> None:
    (by_hand / "broker").write_bytes(content)
    assert read_secret("broker") == secret


@pytest.mark.parametrize("content", [b"x" * (MAX_SECRET_BYTES + 1), b"\xff\xfe"])
def test_what_is_no_secret(by_hand: Path, content: bytes) -> None:
    (by_hand / "broker").write_bytes(content)
    with pytest.raises(ValueError, match=r"password file|decode"):
        read_secret("broker")


def test_none_is_none() -> None:
    assert read_secret(None) is None


def test_a_missing_secret(by_hand: Path) -> None:
    assert by_hand
    with pytest.raises(FileNotFoundError):
        read_secret("broker")
