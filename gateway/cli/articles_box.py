"""What the commands of `articles` share: their options, and where the master lies."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.cli.box import act_as_owner, add_config
from gateway.cli.output import add_json
from gateway.config.loader import DEFAULT_PATH, StateSettings, load

if TYPE_CHECKING:
    from gateway.articles.lookup.master import ArticleMaster
    from gateway.config.loader import Config

NO_MASTER: Final = "no article master yet: see `scangate articles import --help`"


def add_box(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes: which box, and `--json`."""
    add_config(parser)
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="state directory, where there is no configuration"
    )
    add_json(parser)


def config_of(arguments: argparse.Namespace) -> "Config | None":
    """Read the configuration; None where there is none and `--state` stands for it. Raises ConfigError."""
    if arguments.state is not None and arguments.config == DEFAULT_PATH and not DEFAULT_PATH.exists():
        return None
    return load(arguments.config)


def directory_of(arguments: argparse.Namespace, config: "Config | None") -> Path:
    """Return the state directory."""
    given: Path | None = arguments.state
    if given is not None:
        return given
    return Path(StateSettings().directory) if config is None else config.state_directory


def master_of(arguments: argparse.Namespace) -> "tuple[ArticleMaster, Path]":
    """Open the master as the owner of its files; return it and the state directory. Raises ConfigError."""
    from gateway.articles.lookup.master import ArticleMaster

    config = config_of(arguments)
    directory = directory_of(arguments, config)
    act_as_owner(directory)
    priorities = {} if config is None else config.articles.priorities()
    return ArticleMaster(directory / "articles", priorities), directory
