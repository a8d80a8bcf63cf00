"""What most commands share: the configuration file, the box's files, and acting as their owner.

Run as root, a command works as the service's user from `open_box` on, so that every file in the state directory
stays the service's own. Files that the caller named on the command line are opened inside `as_caller`: root opens
what root named, wherever it lies and whoever owns it.

    config = open_box(arguments)             # from here on the service's user
    with as_caller():                        # root again, for this block
        stream = arguments.output.open("wb")
"""

import argparse
import contextlib
import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gateway.config.loader import DEFAULT_PATH, Config, load
from gateway.system.control_socket import DEFAULT_PATH as DEFAULT_SOCKET
from gateway.system.service_user import SERVICE_USER, as_caller, become


def add_config(parser: argparse.ArgumentParser) -> None:
    """Give a command the option `-c FILE`."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=DEFAULT_PATH,
        metavar="FILE",
        help=f"configuration (default {DEFAULT_PATH})",
    )


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Give a command the option `--socket PATH`."""
    parser.add_argument(
        "--socket",
        type=Path,
        default=DEFAULT_SOCKET,
        metavar="PATH",
        help=f"control socket of the daemon (default {DEFAULT_SOCKET})",
    )


def open_box(arguments: argparse.Namespace) -> Config:
    """Read the configuration, then go on as the owner of the box's files. Raises ConfigError."""
    config = load(arguments.config)
    act_as_owner(config.state_directory)
    return config


def act_as_owner(state: Path) -> None:
    """Run as root, go on as the user the daemon runs as, so that every file stays its own.

    Only the effective user changes: `as_caller` leads back.
    """
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(SERVICE_USER)
    except KeyError:
        return  # no service is installed here: a trial, or a container
    if not state.exists():
        state.mkdir(mode=0o700, parents=True)
        os.chown(state, user.pw_uid, user.pw_gid)
    if state.stat().st_uid == user.pw_uid:
        become()


@contextlib.contextmanager
def callers_file(path: Path, mode: int) -> Iterator[BinaryIO]:
    """Write a file that the caller named: whole or not at all, and the caller's own. Raises OSError."""
    from gateway.system.atomic_file import whole_file

    with contextlib.ExitStack() as file:
        with as_caller():
            stream = file.enter_context(whole_file(path, mode))
        ending = file.pop_all()
    try:
        yield stream
    except BaseException:
        with as_caller():
            ending.__exit__(*sys.exc_info())
        raise
    with as_caller():
        ending.close()
