"""`backup`, `restore` and `support`: the whole box in one file, back from it, and an archive for whoever helps."""

import argparse
import contextlib
import getpass
import grp
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway import VERSION
from gateway.cli import exits
from gateway.cli.box import act_as_owner, add_config, add_socket, callers_file, open_box
from gateway.config.loader import SITE_FILE, StateSettings, load
from gateway.system.credentials import CREDENTIALS
from gateway.system.service_user import SERVICE_USER, as_caller

ARCHIVE_MODE: Final = 0o600
FILE_MODE: Final = 0o640
SECRET_MODE: Final = 0o600


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    backup = commands.add_parser(
        "backup",
        help="the whole box in one file, while the daemon works",
        description="Writes configuration, scans, articles and the scanners' calibrations into one file, from "
        "which another box takes this one's place. Passwords and keys only with --with-secrets, sealed.",
        epilog="example: scangate backup /mnt/usb/op3.scangate --with-secrets",
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.add_argument("--with-secrets", action="store_true", help=f"what lies in {CREDENTIALS}, too; as root")
    backup.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line, instead of asking")
    add_config(backup)
    backup.set_defaults(run=_backup, audited="backup")
    restore = commands.add_parser(
        "restore",
        help="make this box the one of a backup; the daemon must be stopped",
        description="Checks a backup from end to end, then puts everything in its place. A new epoch begins; what "
        "was delivered after the backup was made is sent again if the backup holds it; consumers know it.",
        epilog="example: scangate restore /mnt/usb/op3.scangate && systemctl enable --now scangate",
    )
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line, instead of asking")
    restore.add_argument("--force", action="store_true", help="replace a configuration that is there")
    add_config(restore)
    restore.set_defaults(run=_restore, audited="restore")
    support = commands.add_parser(
        "support",
        help="an archive for whoever helps: how this box is, without scans and secrets",
        description="Packs versions, configuration, health, doctor, journal and hardware. No scan's content, no "
        "password and no key is in it. Works with the daemon down; as root it sees most.",
        epilog="example: scangate support -o /root/op3-support.tar.gz",
    )
    support.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("scangate-support.tar.gz"),
        metavar="FILE",
        help="default: %(default)s",
    )
    add_config(support)
    add_socket(support)
    support.set_defaults(run=_support, audited="support")


def _backup(arguments: argparse.Namespace) -> int:
    from gateway.app import source_of
    from gateway.archive.box_file import FORM, Manifest, read_credentials, state_files, write
    from gateway.outbox.backup import back_up
    from gateway.system.clock import local_rfc3339

    passphrase, credentials = "", None
    if arguments.with_secrets:
        credentials = read_credentials(CREDENTIALS)
        passphrase = _passphrase(arguments.passphrase_file, twice=True)
    config = open_box(arguments)
    own: Path = arguments.config
    files = {f"configuration/{name}": path for name, path in _configuration(own) if path.exists()}
    files |= dict(state_files(config.state_directory))
    about = Manifest(
        form=FORM, version=VERSION, gateway=source_of(config), created=local_rfc3339(time.time_ns()), members={}
    )
    outbox = config.state_directory / "outbox.db"
    with tempfile.TemporaryDirectory(dir=config.state_directory, prefix=".backup-") as work:
        if outbox.exists():
            files["state/outbox.db"] = Path(work) / "outbox.db"
            back_up(outbox, files["state/outbox.db"])
        with callers_file(arguments.file, ARCHIVE_MODE) as stream:
            manifest = write(stream, files, credentials, passphrase, about)
    secrets = (
        "with its credentials, sealed" if credentials is not None else "without its credentials (--with-secrets)"
    )
    print(f"{manifest.gateway} is in {arguments.file}, {secrets}", file=sys.stderr)
    return exits.DONE


def _restore(arguments: argparse.Namespace) -> int:
    from gateway.app import source_of, state_lock
    from gateway.archive.box_file import SEALED, credentials_of, unpack
    from gateway.outbox.backup import restore
    from gateway.outbox.box_identity import read_identity
    from gateway.system.clock import Clock

    own: Path = arguments.config
    if own.exists() and not arguments.force:
        print(f"scangate: {own} is there: this is a box already; give --force to replace it", file=sys.stderr)
        return exits.USAGE
    with _callers_folder() as work, arguments.file.open("rb") as stream:
        manifest = unpack(stream, work)
        config = load(work / "configuration" / "scangate.toml")  # a wrong one is said before anything is touched
        credentials = {}
        if SEALED in manifest.members:
            credentials = credentials_of(work, _passphrase(arguments.passphrase_file, twice=False))
        state = config.state_directory
        act_as_owner(state)
        with state_lock(state):
            with as_caller():
                for name, path in _configuration(own):
                    if (work / "configuration" / name).exists():
                        _place(work / "configuration" / name, path, FILE_MODE, SERVICE_USER)
                for name, content in credentials.items():
                    _write(CREDENTIALS / name, content)
                staged = sorted(name for name in manifest.members if name.startswith("state/"))
            for name in staged:
                if name != "state/outbox.db":
                    _copy(work / name, state / Path(name).relative_to("state"))
            if "state/outbox.db" in staged:
                done = restore(
                    state / "outbox.db",
                    work / "state/outbox.db",
                    config.outbox,
                    read_identity(source_of(config)),
                    Clock().now(),
                    as_caller,
                )
                print(f"{done.events} events, {done.waiting} of them to be delivered", file=sys.stderr)
    print(f"this box is {manifest.gateway} now; next: systemctl enable --now scangate", file=sys.stderr)
    if not credentials:
        print(f"! no credentials were in the backup: put them into {CREDENTIALS}", file=sys.stderr)
    return exits.DONE


@contextlib.contextmanager
def _callers_folder() -> Iterator[Path]:
    """Make a folder that is the caller's, whoever acts when it is removed."""
    folder = tempfile.TemporaryDirectory(prefix="scangate-restore-")
    try:
        yield Path(folder.name)
    finally:
        with as_caller():
            folder.cleanup()


def _support(arguments: argparse.Namespace) -> int:
    from gateway.archive.support import write
    from gateway.config.loader import ConfigError
    from gateway.system.atomic_file import whole_file

    try:
        state = load(arguments.config).state_directory
    except ConfigError:
        state = Path(StateSettings().directory)
    with whole_file(arguments.output, ARCHIVE_MODE) as stream:
        names = write(stream, arguments.config, arguments.socket, state)
    print(f"{arguments.output} holds {', '.join(names)}; look through it before you send it", file=sys.stderr)
    return exits.DONE


def _configuration(own: Path) -> list[tuple[str, Path]]:
    """Return the members of a backup that are configuration, and where each lies."""
    return [("scangate.toml", own), ("site.toml", own.with_name(SITE_FILE))]


def _passphrase(file: Path | None, *, twice: bool) -> str:
    if file is not None:
        return file.read_text().split("\n", 1)[0]
    passphrase = getpass.getpass("Passphrase of the credentials: ")
    if twice and getpass.getpass("Once more: ") != passphrase:
        from gateway.archive.sealed import SealError

        raise SealError("the two passphrases differ; nothing was written")
    return passphrase


def _place(source: Path, path: Path, mode: int, group: str) -> None:
    from gateway.system.atomic_file import whole_file

    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with source.open("rb") as content, whole_file(path, mode) as stream:
        if os.geteuid() == 0:
            with contextlib.suppress(KeyError):  # no service is installed here
                os.fchown(stream.fileno(), 0, grp.getgrnam(group).gr_gid)
        shutil.copyfileobj(content, stream)


def _write(path: Path, content: bytes) -> None:
    from gateway.system.atomic_file import whole_file

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with whole_file(path, SECRET_MODE) as stream:
        stream.write(content)


def _copy(source: Path, path: Path) -> None:
    """Copy what the caller unpacked to where its owner keeps it."""
    from gateway.system.atomic_file import whole_file

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with as_caller():
        content = source.open("rb")
    with content, whole_file(path, SECRET_MODE) as stream:
        shutil.copyfileobj(content, stream)
