"""The key files of a station: what is taken, and what is said of the rest. Nothing of a key is ever said."""

import os
from pathlib import Path

import pytest
from nacl.public import PrivateKey

from gateway.station import new_keys
from gateway.station.context_settings import ContextSettings
from gateway.station.keys import (
    MAX_KEY_FILE,
    KeyFileError,
    control_key_of,
    read_control_key,
    read_hmac_key,
    read_keys,
    read_seal_key,
)

A, B = "a5" * 32, "5a" * 32


def written(folder: Path, text: str | bytes) -> str:
    path = folder / "key"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize("text", [A, A + "\n", A + "\r\n", "# of the hospital\n" + A + "\n", A.upper(), "  " + A])
def test_a_control_key(tmp_path: Path, text: str) -> None:
    assert read_control_key(written(tmp_path, text)) == bytes.fromhex(A)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no key"),
        ("\n\n", "holds no key"),
        ("correct horse battery staple", "no hex digits"),
        (A[:30], "15 bytes, at least 16"),
        (b"\xff\xfe\x00", "no hex digits"),
        ("a5" * MAX_KEY_FILE, "longer than"),
    ],
)
def test_no_control_key(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(KeyFileError, match=words) as raised:
        read_control_key(written(tmp_path, text))
    assert "horse" not in str(raised.value)


def test_a_seal_key(tmp_path: Path) -> None:
    public = bytes(PrivateKey.generate().public_key)
    assert read_seal_key(written(tmp_path, public.hex())) == public


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (A[:62], "31 bytes, at least 32"),
        (A + "00", "33 bytes; an X25519 public key has 32"),
        ("00" * 32, "no X25519 public key"),  # the point of order 1: whoever sees the box opens it
    ],
)
def test_no_seal_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(KeyFileError, match=words):
        read_seal_key(written(tmp_path, text))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [(None, ("2026-12", bytes.fromhex(B))), ("2026-11", ("2026-11", bytes.fromhex(A)))],
)
def test_the_newest_pseudonym_key_is_used(tmp_path: Path, chosen: str | None, expected: tuple[str, bytes]) -> None:
    name = written(tmp_path, f"2026-11 {A}\n2026-12 {B}\n")
    assert read_hmac_key(name, chosen) == expected


@pytest.mark.parametrize(
    ("text", "chosen", "words"),
    [
        (A, None, "each line is"),
        (f"2026-11 {A}", "2027-01", "has no key '2027-01'; it has 2026-11"),
        (f"å {A}", None, "each line is"),
        ("1 xyz", None, "no hex digits"),
        ("1 a5a5", None, "2 bytes, at least 16"),
    ],
)
def test_no_pseudonym_key(tmp_path: Path, text: str, chosen: str | None, words: str) -> None:
    with pytest.raises(KeyFileError, match=words):
        read_hmac_key(written(tmp_path, text), chosen)


def test_what_cannot_be_read_is_missing_and_said(tmp_path: Path) -> None:
    good = written(tmp_path, A)
    absent = str(tmp_path / "absent")
    keys = read_keys(good, ContextSettings(seal_key_file=absent, hmac_key_file=good))
    assert keys.control == bytes.fromhex(A)
    assert not keys.protector.can("sealed")
    assert not keys.protector.can("hmac")
    assert [line.partition(":")[0] for line in keys.trouble] == [
        "[context] seal_key_file",
        "[context] hmac_key_file",
    ]
    assert "No such file" in keys.trouble[0]
    assert not any(A in line for line in keys.trouble)


def test_nothing_configured_is_no_trouble() -> None:
    keys = read_keys(None, ContextSettings())
    assert (keys.control, keys.trouble) == (None, ())
    assert keys.protector.can("clear")


def test_the_sheet_needs_its_key(tmp_path: Path) -> None:
    assert control_key_of(written(tmp_path, A)) == bytes.fromhex(A)
    for name, words in ((None, "code_key_file"), (str(tmp_path / "absent"), "No such file")):
        with pytest.raises(KeyFileError, match=words):
            control_key_of(name)


def test_new_keys_are_read_again(tmp_path: Path) -> None:
    control, hmac, seal = (tmp_path / name for name in ("control", "hmac", "seal"))
    new_keys.make_control_key(control)
    new_keys.add_hmac_key(hmac, "2026-11")
    first = read_hmac_key(str(hmac), None)
    new_keys.add_hmac_key(hmac, "2026-12")
    public = new_keys.make_seal_keys(seal)
    assert len(read_control_key(str(control))) == 32
    assert read_hmac_key(str(hmac), "2026-11") == first
    assert read_hmac_key(str(hmac), None)[0] == "2026-12"
    assert PrivateKey(bytes.fromhex(seal.read_text())).public_key.encode() == read_seal_key(str(public))
    assert {path.stat().st_mode & 0o777 for path in (control, hmac, seal)} == {0o600}


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(A)
    for make in (new_keys.make_control_key, new_keys.make_seal_keys):
        with pytest.raises(KeyFileError, match="is there already"):
            make(path)
    assert path.read_text() == A


@pytest.mark.parametrize("key_id", ["", "a b", "å", "x" * 33])
def test_key_ids(tmp_path: Path, key_id: str) -> None:
    with pytest.raises(KeyFileError, match="allowed"):
        new_keys.add_hmac_key(tmp_path / "key", key_id)


def test_a_key_id_is_used_once(tmp_path: Path) -> None:
    new_keys.add_hmac_key(tmp_path / "key", "1")
    with pytest.raises(KeyFileError, match="already"):
        new_keys.add_hmac_key(tmp_path / "key", "1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(KeyFileError, match="cannot be written"):
        new_keys.make_control_key(tmp_path / "key")
