"""`outbox backup` and `outbox restore`: a copy of all scans, and the way back from one."""

import argparse
import sys
from pathlib import Path

from gateway.cli import exits
from gateway.cli.box import add_config, open_box
from gateway.system.service_user import as_caller


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the commands."""
    backup = actions.add_parser(
        "backup",
        help="copy all scans into a file, while the daemon works",
        description="Copies the outbox into one file, as it is at one moment, and checks the copy. An older one of "
        "that name is replaced. Never copy outbox.db itself while the daemon runs: what is in its -wal is missing.",
        epilog="example: scangate outbox backup /mnt/usb/outbox-op3.db",
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    add_config(backup)
    backup.set_defaults(run=_backup, audited="outbox backup")
    restore = actions.add_parser(
        "restore",
        help="go on with the scans of a backup; the daemon must be stopped",
        description="Puts a backup in the place of the outbox. A new epoch begins; what was delivered after the "
        "backup was made is sent again if the backup holds it, and consumers know it by its id. The former outbox "
        "is kept beside it as outbox.db.before-restore-*.",
        epilog="example: systemctl stop scangate && scangate outbox restore /mnt/usb/outbox-op3.db",
    )
    restore.add_argument("file", type=Path, metavar="FILE")
    add_config(restore)
    restore.set_defaults(run=_restore, audited="outbox restore")


def _backup(arguments: argparse.Namespace) -> int:
    from gateway.outbox.backup import back_up

    config = open_box(arguments)
    events = back_up(config.state_directory / "outbox.db", arguments.file, as_caller)
    print(f"{events} events are in {arguments.file}", file=sys.stderr)
    return exits.DONE


def _restore(arguments: argparse.Namespace) -> int:
    from gateway.app import source_of, state_lock
    from gateway.outbox.backup import restore
    from gateway.outbox.box_identity import read_identity
    from gateway.system.clock import Clock

    config = open_box(arguments)
    with state_lock(config.state_directory):
        done = restore(
            config.state_directory / "outbox.db",
            arguments.file,
            config.outbox,
            read_identity(source_of(config)),
            Clock().now(),
            as_caller,
        )
    print(
        f"{done.events} events restored, {done.waiting} of them to be delivered; epoch {done.epoch} begins with "
        f"{done.epoch_begins}",
        file=sys.stderr,
    )
    if done.aside is not None:
        print(f"the outbox that was here is kept: {done.aside}", file=sys.stderr)
    if done.left_behind:
        print(
            f"scangate: {done.left_behind} scans in it wait for delivery and are not in the backup: hand them on "
            f"with `scangate outbox export --state waiting --from {done.aside}`",
            file=sys.stderr,
        )
    return exits.DONE
