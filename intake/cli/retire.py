"""`scangate-intake retire`: the boxes' broker counts again, because no intake will acknowledge any more."""

import argparse
from typing import Any

from intake.cli.options import add_broker, add_config, settings_of


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public name for it
    """Describe the command."""
    parser = commands.add_parser(
        "retire",
        help="tell the boxes that no intake acknowledges any more: from then on the broker's word delivers",
        epilog="example:\n  scangate-intake retire --tenant vgr --broker mqtts://127.0.0.1 --yes\n\n"
        "Not needed for a pause: the boxes keep everything until an intake is back.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    add_broker(parser)
    parser.add_argument("--yes", action="store_true", help="without it nothing is sent")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Publish the retained announcement's end."""
    from datetime import UTC, datetime

    from intake.cli.run import broker_settings
    from intake.errors import RefusedError
    from intake.service import announcement
    from intake.signing import Signer
    from intake.sources.mqtt import publish_once
    from intake.topics import TenantTopics

    settings = settings_of(chosen)
    if not chosen.yes:
        raise RefusedError("nothing was sent: say --yes when no intake of this tenant will run any more")
    topics = TenantTopics.of(settings.checked_tenant())
    body = Signer.from_file(settings.sign_key).signed(announcement(datetime.now(UTC), acks=False))
    publish_once(broker_settings(settings), topics.announcement, body)
    print("the boxes are notified; those that are away get it when they come back")
    return 0
