"""`upgrade` and `rollback`: another version, with a way back."""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from gateway import VERSION
from gateway.cli import exits
from gateway.cli.box import add_config, add_socket, open_box
from gateway.system import upgrade
from gateway.system.control_socket import DaemonUnreachableError, ask
from gateway.system.upgrade import UpgradeError

PACKAGE: Final = "scangate"
POLL_SECONDS: Final = 2.0
KEPT_PACKAGES: Final = 2
"""The present version's and the former one's."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    new = commands.add_parser(
        "upgrade",
        help="install another version; one that does not work is taken back by itself",
        description="Installs a package and has it on trial for some minutes: a version that does not start, or "
        "does not reach what was reached before, gives its place back to the former one. Scans stay. Where "
        f"{upgrade.KEYRING} is there, only what it has signed is installed.",
        epilog="example: scangate upgrade /root/scangate_1.1.0~bookworm_arm64.deb",
    )
    new.add_argument("file", type=Path, nargs="?", metavar="FILE.deb")
    new.add_argument("--now", action="store_true", help="though a case is open at the station")
    new.add_argument("--no-wait", action="store_true", help="do not wait for the end of the trial")
    new.add_argument("--check", type=Path, metavar="BEFORE", help=argparse.SUPPRESS)  # for systemd/trial.sh
    new.add_argument("--rehearse", type=Path, metavar="COPY", help=argparse.SUPPRESS)  # for the package's postinst
    add_config(new)
    add_socket(new)
    new.set_defaults(run=_upgrade, audited="upgrade")
    former = commands.add_parser(
        "rollback",
        help="go back to the former version",
        description="Makes the version that ran before the last upgrade run again. Scans stay.",
        epilog="example: scangate rollback",
    )
    add_socket(former)
    former.set_defaults(run=_rollback, audited="rollback")


def _upgrade(arguments: argparse.Namespace) -> int:
    if arguments.check is not None or arguments.rehearse is not None:
        arguments.audited = None  # the trial's own looks are nobody's act
        return _rehearse(arguments) if arguments.check is None else _check(arguments.check, arguments.socket)
    import gateway.system.audit  # noqa: F401 - this version's files go while dpkg works

    if arguments.file is None:
        print("scangate: name the package: scangate upgrade FILE.deb", file=sys.stderr)
        return exits.USAGE
    _as_root("upgrade")
    package: Path = arguments.file.resolve()
    _examine(package)
    warning = upgrade.verify(package)
    if warning:
        print(f"! {warning}", file=sys.stderr)
    if not arguments.now and (kinds := _open_context(arguments.socket)):
        raise UpgradeError(f"at the station is set: {', '.join(kinds)}; wait for its end, or give --now")
    _keep(package)
    done = subprocess.run(["dpkg", "--install", package], check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise UpgradeError(
            f"dpkg could not install {package} (above); dpkg --install of it or of the former one repairs"
        )
    if arguments.no_wait:
        return exits.DONE
    print("on trial: its end is waited for (some minutes; Ctrl-C ends the waiting only)", flush=True)
    while upgrade.on_trial() is not None:
        time.sleep(POLL_SECONDS)
    back = upgrade.taken_back()
    if back is not None:
        print(f"scangate: {back.new} was taken back, {back.old} runs: {back.reason}", file=sys.stderr)
        return exits.NOT_WELL
    print(f"{package.name} is installed and well")
    return exits.DONE


def _rollback(_arguments: argparse.Namespace) -> int:
    _as_root("rollback")
    app = _app()
    trial = upgrade.on_trial()
    if trial is not None:
        subprocess.run([app / "trial.sh", "back", "a person asked for it"], check=True)
    else:
        kept = _former(app)
        subprocess.run([app / "trial.sh", "former", kept], check=True)
        print(f"{kept} runs from now on")
    subprocess.run(["systemctl", "restart", "scangate.service"], check=True)
    return exits.DONE


def _former(app: Path) -> str:
    """Return the version that is not the present one, as a path below the program's folder. Raises UpgradeError."""
    present = str((app / "current").readlink())
    kept = sorted((one for one in (app / "kept").glob("*") if one.is_dir()), key=lambda one: one.stat().st_mtime)
    others = [str(one.relative_to(app)) for one in kept if str(one.relative_to(app)) != present]
    if not others:
        raise UpgradeError(
            f"there is no former version in {app / 'kept'}: install its package with scangate upgrade"
        )
    return others[-1]


def _app() -> Path:
    """Return the folder in which the versions and the switch lie. Raises UpgradeError."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "trial.sh").exists():
            return folder
    raise UpgradeError("this scangate is no installed one: there is no trial.sh above it")


def _check(before: Path, socket: Path) -> int:
    """Say whether the daemon is as well as the one before it was."""
    try:
        was: dict[str, Any] = json.loads(before.read_bytes())
    except (OSError, ValueError):
        was = {}
    why = upgrade.well(ask(socket, "status"), was)
    if why is not None:
        print(f"scangate: {why}", file=sys.stderr)
        return exits.NOT_WELL
    return exits.DONE


def _rehearse(arguments: argparse.Namespace) -> int:
    """Try this version aside: import all of the daemon, and bring a copy of the outbox to this version's form."""
    from gateway import app, demo  # noqa: F401 - that they import is what is tried
    from gateway.outbox.backup import back_up
    from gateway.outbox.schema import SCHEMA_VERSION, connect, open_writer
    from gateway.system.service_user import as_caller

    if not arguments.config.exists():
        return exits.DONE
    outbox = open_box(arguments).state_directory / "outbox.db"
    copy: Path = arguments.rehearse
    if not outbox.exists():
        return exits.DONE
    with contextlib.closing(connect(outbox, read_only=True)) as db:
        (present,) = db.execute("PRAGMA user_version").fetchone()
    if present == SCHEMA_VERSION:
        return exits.DONE
    try:
        back_up(outbox, copy, as_caller)
        with as_caller():
            open_writer(copy).close()
    finally:
        with as_caller():
            for ending in ("", "-wal", "-shm"):
                copy.with_name(f"{copy.name}{ending}").unlink(missing_ok=True)
    return exits.DONE


def _examine(package: Path) -> None:
    """Look at a package before anything is touched. Raises UpgradeError."""
    named = _ask_dpkg(["dpkg-deb", "--field", package, "Package", "Architecture", "Version"], package)
    fields = dict(line.partition(": ")[::2] for line in named.splitlines())
    machine = _ask_dpkg(["dpkg", "--print-architecture"], package).strip()
    if fields.get("Package") != PACKAGE:
        raise UpgradeError(f"{package} holds {fields.get('Package')}, not {PACKAGE}")
    if fields.get("Architecture") not in {machine, "all"}:
        raise UpgradeError(f"{package} is for {fields.get('Architecture')}, this box is {machine}")
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as unpacking:
        _, problem = unpacking.communicate()
    if unpacking.returncode != 0:
        raise UpgradeError(f"{package} is damaged or cut off: {problem.strip().splitlines()[-1]}")


def _ask_dpkg(command: list[str | Path], package: Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise UpgradeError("there is no dpkg here: a wheelhouse is installed with its install.sh") from error
    if done.returncode != 0:
        raise UpgradeError(f"{package} is no Debian package: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def _open_context(socket: Path) -> list[str]:
    """Return what is set at the station of case and patient; nothing where no daemon answers."""
    try:
        view = ask(socket, "station") or {}
    except DaemonUnreachableError:
        return []
    return [kind for kind in view.get("contextKinds", ()) if kind in {"case", "patient"}]


def _keep(package: Path) -> None:
    """Keep a copy: with the former one's beside it, a box without a network can be repaired."""
    upgrade.PACKAGES.mkdir(mode=0o755, parents=True, exist_ok=True)
    copy = upgrade.PACKAGES / package.name
    if copy != package:
        shutil.copyfile(package, copy)
    kept = sorted(upgrade.PACKAGES.glob("*.deb"), key=lambda one: one.stat().st_mtime)
    for old in kept[:-KEPT_PACKAGES]:
        old.unlink()


def _as_root(what: str) -> None:
    if os.geteuid() != 0:
        raise UpgradeError(f"{what} of scangate {VERSION} is root's: sudo scangate {what}")
