"""`scangate-intake case`: set a case at a station for a time."""

import argparse
from datetime import UTC, datetime
from typing import Any

from intake.cli.options import add_broker, add_config, settings_of

EXAMPLES = """examples:
  scangate-intake case su/su-op3-gw01 --case orbit:OP-2026-1 --from 2026-11-21T08:00 --until 2026-11-21T11:30 \\
      --tenant vgr --broker mqtts://broker --sign-key /etc/scangate/sign.key
  scangate-intake case su/su-op3-gw01 --case orbit:OP-2026-1 --withdraw --tenant vgr --broker mqtts://broker

The case takes hold by itself where nothing is set at the station, else with the next wristband; it ends by itself. A
wristband of another patient is then an alarm. The box must be there: exit code 3 where it does not answer.
"""


def add(commands: Any) -> None:  # noqa: ANN401 - argparse has no public name for it
    """Describe the command."""
    parser = commands.add_parser(
        "case",
        help="set a case at a station for a time",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    add_broker(parser)
    parser.add_argument("box", metavar="SITE/GATEWAY", help="the box of the station")
    parser.add_argument("--case", required=True, metavar="CODE", help="text of the case's code, as it is scanned")
    parser.add_argument("--from", dest="from_", type=_time, metavar="TIME", help="when it begins (default: now)")
    parser.add_argument("--until", type=_time, metavar="TIME", help="when it ends by itself")
    parser.add_argument("--withdraw", action="store_true", help="the case is not this station's any more")
    parser.add_argument(
        "--patient",
        nargs=3,
        metavar=("SCHEME", "KID", "VALUE"),
        help="pseudonym as in events of the mode hmac: her wristband alone is right",
    )
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace) -> int:
    """Send the command, and say what the box answers."""
    from intake.box_command import command
    from intake.cli.run import broker_settings
    from intake.errors import RefusedError
    from intake.settings import SettingsError
    from intake.signing import Signer
    from intake.topics import topic_of

    settings = settings_of(chosen)
    now = datetime.now(UTC)
    first, last = chosen.from_ or now, now if chosen.withdraw else chosen.until
    if last is None:
        raise SettingsError("no end: give --until TIME, or --withdraw")
    if not chosen.withdraw and last <= first:
        raise RefusedError(f"--until {last.isoformat()} is not behind --from {first.isoformat()}")
    site, _, gateway = chosen.box.partition("/")
    try:
        topic = topic_of(f"urn:scangate:{settings.checked_tenant()}:{site}:{gateway}", "")[:-1]
    except ValueError:
        raise SettingsError(f"{chosen.box!r} names no box: expected SITE/GATEWAY") from None
    args: dict[str, Any] = {"case": chosen.case, "from": first.isoformat(), "until": last.isoformat()}
    if chosen.patient is not None:
        args["patient"] = dict(zip(("scheme", "kid", "value"), chosen.patient, strict=True))
    signer = Signer.from_file(settings.sign_key)
    result = command(broker_settings(settings), topic, "case", args, now.isoformat(), signer)
    print(f"{chosen.box}: {result['case']}")
    return 0


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time such as 2026-11-21T08:00") from error
    return moment.astimezone() if moment.tzinfo is None else moment
