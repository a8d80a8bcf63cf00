"""Options that several commands share."""

import argparse
from pathlib import Path

import msgspec

from intake.settings import DEFAULT_FILE, Settings, load


def add_config(parser: argparse.ArgumentParser) -> None:
    """Give a command its configuration file and the database."""
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help=f"default {DEFAULT_FILE}, if it is there")
    parser.add_argument("--database", metavar="URL", help="sqlite:///FILE or postgresql://USER@HOST/NAME")


def add_broker(parser: argparse.ArgumentParser) -> None:
    """Give a command what it needs to reach the broker."""
    parser.add_argument("--tenant", metavar="NAME", help="whose boxes: the level behind udi/v1 in their topics")
    parser.add_argument("--broker", metavar="URL", help="mqtt://HOST, mqtts://HOST, ws:// or wss://")
    parser.add_argument(
        "--nats", action="append", metavar="URL", help="nats://HOST of each node; --broker is then its MQTT address"
    )
    parser.add_argument("--client-id", metavar="ID", help="MQTT client identifier (default intake-TENANT)")
    parser.add_argument("--username", metavar="NAME")
    parser.add_argument("--password-file", metavar="FILE")
    parser.add_argument("--ca-file", metavar="FILE", help="authority of the broker's certificate")
    parser.add_argument("--cert-file", metavar="FILE", help="this client's certificate")
    parser.add_argument("--key-file", metavar="FILE", help="its key")
    parser.add_argument("--sign-key", metavar="FILE", help="Ed25519 private key that boxes have the public one of")


def settings_of(chosen: argparse.Namespace) -> Settings:
    """Return the configuration: the file's, overridden by options. Raises SettingsError."""
    names = Settings.__struct_fields__
    options = {name: getattr(chosen, name) for name in names if getattr(chosen, name, None) is not None}
    return load(chosen.config, msgspec.to_builtins(options))
