"""What most commands share: the configuration file, the box's files, and acting as their owner."""

import argparse
import os
import pwd
from pathlib import Path
from typing import Final

from gateway.config.loader import DEFAULT_PATH, Config, load
from gateway.system.control_socket import DEFAULT_PATH as DEFAULT_SOCKET

SERVICE_USER: Final = "scangate"


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
    """Run as root, go on as the user the daemon runs as, so that every file stays its own."""
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
        os.initgroups(SERVICE_USER, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
