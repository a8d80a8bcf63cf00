"""What happens at a station, as lines for a person: the stream `watch` of the control socket. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.devices.calibration import visible

_CODES: Final = {
    "control": "control code",
    "foreign": "control code that is not ours",
    "context": "context code",
    "contextRefused": "context code, refused",
    "discarded": "thrown away unread",
}
"""Key of the event -> what it is. Their values name kinds and reasons, never what a code says."""


def line(event: Mapping[str, Any]) -> str | None:
    """Return one line for one thing that happened, or None for what says nothing of a scan or a scanner."""
    link = event.get("link")
    if link:
        detail = f": {visible(link['detail'])}" if link["detail"] else ""
        return f"{link['scanner']}  {link['link']}{detail}"
    if "scanner" not in event:
        return None
    begin = f"{event['scanner']}  {event['signal']}"
    begin += "  for training, nothing was scanned" if event.get("training") else ""
    if data := event.get("data"):
        undone = [f"takes back {data['undoes']}"] if data["action"] == "undo" else []
        return "  ".join([begin, *undone, *(_symbol(symbol) for symbol in data["symbols"]), *_findings(data)])
    if withheld := event.get("withheld"):
        return f"{begin}  not shown: {withheld['kind']}, {withheld['length']} characters"
    for key, words in _CODES.items():
        if key in event:
            why = f", {event['why']}" if event.get("why") else ""
            return f"{begin}  {words}: {event[key]}{why}"
    return begin


def _symbol(symbol: Mapping[str, Any]) -> str:
    quality = f" ({', '.join(symbol['quality'])})" if symbol["quality"] else ""
    return f"{symbol['symbology'] or '(no AIM id)'} {visible(symbol['text'])}{quality}"


def _findings(data: Mapping[str, Any]) -> list[str]:
    return [finding["code"] for finding in data["verdict"]["findings"] if finding["severity"] != "info"]
