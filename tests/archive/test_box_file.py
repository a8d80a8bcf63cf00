"""A box in one file: whole, checked before it is used, and its secrets sealed."""

import io
import tarfile
from pathlib import Path

import pytest

from gateway.archive.box_file import (
    FORM,
    MANIFEST,
    SEALED,
    BoxFileError,
    Manifest,
    credentials_of,
    read_credentials,
    state_files,
    unpack,
    write,
)
from gateway.archive.sealed import SealError, seal, unseal

PASSPHRASE = "correct horse battery"  # noqa: S105 - of nothing
ABOUT = Manifest(form=FORM, version="1.0", gateway="urn:scangate:a:b:c", created="2026-11-21", members={})


def archive(tmp_path: Path, credentials: dict[str, bytes] | None = None) -> bytes:
    source = tmp_path / "scangate.toml"
    source.write_text("[gateway]\n")
    stream = io.BytesIO()
    write(stream, {"configuration/scangate.toml": source}, credentials, PASSPHRASE, ABOUT)
    return stream.getvalue()


def unpacked(tmp_path: Path, data: bytes) -> tuple[Manifest, Path]:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return unpack(io.BytesIO(data), work), work


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    manifest, work = unpacked(tmp_path, archive(tmp_path, {"mqtt-password": b"secret"}))
    assert manifest.gateway == ABOUT.gateway
    assert (work / "configuration/scangate.toml").read_text() == "[gateway]\n"
    assert credentials_of(work, PASSPHRASE) == {"mqtt-password": b"secret"}


def test_no_secret_stands_in_it_in_clear(tmp_path: Path) -> None:
    _, work = unpacked(tmp_path, archive(tmp_path, {"mqtt-password": b"a long secret"}))
    assert b"a long secret" not in (work / SEALED).read_bytes()
    with pytest.raises(SealError, match="passphrase is wrong"):
        credentials_of(work, "another passphrase")


def test_a_passphrase_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(SealError, match="at least 12"):
        seal(b"", "short")


@pytest.mark.parametrize("at", [0, 20, -1])
def test_sealed_bytes_that_were_changed_do_not_open(at: int) -> None:
    changed = bytearray(seal(b"x", PASSPHRASE))
    changed[at] ^= 1
    with pytest.raises(SealError):
        unseal(bytes(changed), PASSPHRASE)


def test_a_file_that_is_cut_off_or_none(tmp_path: Path) -> None:
    whole = archive(tmp_path)
    for data in (b"", b"nothing", whole[: len(whole) // 2]):
        with pytest.raises(BoxFileError, match="no whole backup"):
            unpacked(tmp_path, data)


def rewritten(data: bytes, change: "dict[str, bytes | None]") -> bytes:
    """Return an archive with members replaced, added, or left out (None)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        members = {one.name: (old.extractfile(one) or io.BytesIO()).read() for one in old}
        for name, content in {**members, **change}.items():
            if content is not None:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                new.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"configuration/scangate.toml": b"another"}, "is damaged: configuration/scangate.toml"),
        ({"configuration/scangate.toml": None}, "is not whole: configuration/scangate.toml"),
        ({"state/more": b""}, "is not whole: state/more"),
        ({"../etc/passwd": b""}, "has no place in a backup"),
        ({"state/../../x": b""}, "has no place in a backup"),
        ({"/etc/passwd": b""}, "has no place in a backup"),
        ({MANIFEST: b"{}"}, "no whole backup"),
        (
            {MANIFEST: b'{"form":9,"version":"7","gateway":"","created":"","members":{}}'},
            "by scangate 7, in a form",
        ),
    ],
)
def test_what_was_put_in_or_taken_out_is_named(tmp_path: Path, change: dict[str, bytes | None], words: str) -> None:
    with pytest.raises(BoxFileError, match=words):
        unpacked(tmp_path, rewritten(archive(tmp_path), change))


def test_a_link_has_no_place_in_it(tmp_path: Path) -> None:
    """CVE-2007-4559: a member that leads out of the folder it is unpacked into."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as new:
        link = tarfile.TarInfo("state/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        new.addfile(link)
    with pytest.raises(BoxFileError, match="has no place"):
        unpacked(tmp_path, out.getvalue())


def test_what_is_kept_of_the_state_directory(tmp_path: Path) -> None:
    (tmp_path / "articles/sync-wanted").mkdir(parents=True)
    for name in ("outbox.db", "outbox.db-wal", "lock", "station.json", "articles/overlay.db", "articles/.new.tmp"):
        (tmp_path / name).write_text(name)
    assert [name for name, _ in state_files(tmp_path)] == ["state/articles/overlay.db", "state/station.json"]


def test_credentials_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "key").write_bytes(b"k")
    assert read_credentials(tmp_path) == {"key": b"k"}
