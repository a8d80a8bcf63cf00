"""A box's backup: one gzipped tar with everything that makes this box this box.

    manifest.json                 version, gateway, and the SHA-256 of every other member
    configuration/scangate.toml   the box's own file, and site.toml where there is one
    state/outbox.db               all scans, as they are at one moment
    state/station.json            the scanners' calibrations and settings
    state/articles/...            the article master
    credentials.sealed            only with a passphrase (gateway.archive.sealed)

Everything is checked before anything of a box is touched. A restored box begins a new epoch
(gateway.outbox.backup).
"""

import hashlib
import io
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from gateway.archive.sealed import seal, unseal

MANIFEST: Final = "manifest.json"
SEALED: Final = "credentials.sealed"
FOLDERS: Final = ("configuration", "state")
MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
"""Some ten thousand members; keeps a wrong file from being read into memory."""
MAX_CREDENTIALS_BYTES: Final = 4 * 1024 * 1024
"""Keys and certificates are kilobytes; keeps a wrong folder out of memory."""
FORM: Final = 1
"""Of the file; a newer one is refused."""
CHUNK: Final = 1024 * 1024


class BoxFileError(Exception):
    """A backup cannot be written or used: what, why, what to do."""


class Manifest(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a backup says of itself."""

    form: int
    version: str
    """The scangate that wrote it."""
    gateway: str
    """URN of the box."""
    created: str
    """RFC 3339."""
    members: dict[str, str]
    """Name -> SHA-256, in hex."""


def write(
    stream: BinaryIO,
    files: dict[str, Path],
    credentials: dict[str, bytes] | None,
    passphrase: str,
    about: Manifest,
) -> Manifest:
    """Write a backup of these members (name -> file) to a stream; return its manifest.

    Raises OSError, SealError.
    """
    members = {name: digest(path) for name, path in files.items()}
    sealed = None
    if credentials is not None:
        sealed = seal(msgspec.msgpack.encode(credentials), passphrase)
        members[SEALED] = hashlib.sha256(sealed).hexdigest()
    manifest = msgspec.structs.replace(about, members=members)
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=3) as archive:
        _add(archive, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        for name, path in files.items():
            archive.add(path, name, recursive=False, filter=_nobodys)
        if sealed is not None:
            _add(archive, SEALED, sealed)
    return manifest


def unpack(stream: BinaryIO, work: Path) -> Manifest:
    """Unpack a backup into an empty folder and check every member against the manifest. Raises BoxFileError."""
    try:
        with tarfile.open(fileobj=stream, mode="r:gz") as archive:
            for member in archive:
                _check_member(member)
                _extract(archive, member, work / member.name)
        manifest = msgspec.json.decode((work / MANIFEST).read_bytes()[:MAX_MANIFEST_BYTES], type=Manifest)
    except (tarfile.TarError, EOFError, OSError, msgspec.MsgspecError) as error:
        raise BoxFileError(
            f"this is no whole backup of a box: {error}; give a file of `scangate backup`"
        ) from error
    if manifest.form > FORM:
        raise BoxFileError(f"it was written by scangate {manifest.version}, in a form this one does not know")
    there = {str(path.relative_to(work)) for path in work.rglob("*") if path.is_file()} - {MANIFEST}
    if there != set(manifest.members):
        raise BoxFileError(f"the backup is not whole: {', '.join(sorted(there ^ set(manifest.members)))}")
    for name, expected in manifest.members.items():
        if digest(work / name) != expected:
            raise BoxFileError(f"the backup is damaged: {name} is not what was written")
    return manifest


def credentials_of(work: Path, passphrase: str) -> dict[str, bytes]:
    """Return the credentials of an unpacked backup (name -> content). Raises SealError, BoxFileError."""
    opened = unseal((work / SEALED).read_bytes(), passphrase)
    found = msgspec.msgpack.decode(opened, type=dict[str, bytes])
    wrong = [name for name in found if Path(name).name != name or name in {"", ".", ".."}]
    if wrong:
        raise BoxFileError(f"the backup names credentials that are no file names: {wrong}")
    return found


def read_credentials(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder of credentials. Raises OSError, BoxFileError."""
    found = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    if sum(map(len, found.values())) > MAX_CREDENTIALS_BYTES:
        raise BoxFileError(f"{folder} holds more than {MAX_CREDENTIALS_BYTES} bytes: these are no credentials")
    return found


def state_files(state: Path) -> Iterator[tuple[str, Path]]:
    """Yield what is to be kept of the state directory beside the outbox, as member and file."""
    for path in sorted(state.rglob("*")):
        name = path.relative_to(state)
        kept = name.parts[0] == "articles" or str(name) == "station.json"
        if kept and path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            yield f"state/{name}", path


def digest(path: Path) -> str:
    """Return a file's SHA-256, in hex."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _check_member(member: tarfile.TarInfo) -> None:
    parts = Path(member.name).parts
    known = member.name in {MANIFEST, SEALED} or (len(parts) > 1 and parts[0] in FOLDERS and ".." not in parts)
    if not known or not member.isreg():
        raise BoxFileError(f"{member.name!r} has no place in a backup of a box")


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write one member's content. Debian 12's tarfile has no filters, and its links and owners are not wanted."""
    content = archive.extractfile(member)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if content is not None:
        with content, path.open("wb") as file:
            shutil.copyfileobj(content, file, CHUNK)


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    archive.addfile(info, io.BytesIO(data))


def _nobodys(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose it was: on another box the numbers mean somebody else."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o600
    return info
