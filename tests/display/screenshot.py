"""Draws the station's page for the documentation: `make pictures`."""

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from drivers.model import Signal
from tests.display.browser import browser, installed
from tests.display.daemon_messages import case, chosen, code, findings, scan, status, view
from tests.display.layout import resize
from tests.display.stage import stage
from tests.end_to_end.plant import wait_for

MAX_BYTES: Final = 90_000
"""Of one picture: they are cloned with the project."""
STEM, CUP = "Nordan Stam 12", "Vidar Höftskål 54"
RECALLED: Final = findings(("ARTICLE_RECALLED", "error"), ("EXPIRED", "warning"))
HALF: Final = [{"scanner": "front", "symbols": 1, "missing": ["lot"], "expiresAt": ""}]
QUIET: Final[dict[str, Any]] = {"scanner": None, "signal": None}
UNPLUGGED: Final = status(scanners=[{"name": "front", "link": "missing", "failure": None}])

CLOSED: Final = case((STEM, "REFUSED"), used=((CUP, 1), ("Skruv 4,0 x 20", 6), ("Suturankare 2,8", 2)))
EXPIRES: Final = {"expiresAt": "2026-11-21T22:41:07.312+01:00"}
TWO: Final = [chosen("front", action="discard", reason="expired", oneItem=True, **EXPIRES)]
BOTH: Final = status(scanners=[{"name": one, "link": "connected", "failure": None} for one in ("front", "back")])
STILL: Final = {"name": "prefers-reduced-motion", "value": "reduce"}

PICTURES: Final[dict[str, tuple[dict[str, Any], dict[str, Any], str]]] = {
    "ready": (QUIET | {"station": view(contextKinds=["case"])}, status(), "ready"),
    "accepted": (scan(article={"tradeName": STEM, "articleNumber": "VGR-104233"}), status(), "accepted"),
    "warning": (scan(Signal.WARNING, verdict=findings(("EXPIRES_SOON", "warning"))), status(), "warning"),
    "refused": (scan(Signal.REFUSED, article={"tradeName": CUP}, verdict=RECALLED), status(), "refused"),
    "next-code": (code(Signal.MORE, station=view(waiting=HALF)), status(), "more"),
    "not-stored": (code(Signal.TROUBLE), status(), "trouble"),
    "several-scanners": (QUIET | {"station": view(scanners=TWO)}, BOTH, "ready"),
    "case-closed": (code(Signal.ACCEPTED, control="close-case", closed=CLOSED), status(), "closed"),
    "no-scanner": (QUIET, UNPLUGGED, "attention"),
    "full": (QUIET, status(disk={"room": "full"}), "unable"),
}
"""File name -> message of the daemon, its status, and the state that it leads to."""


def main(directory: Path) -> None:
    """Draw every picture into a directory."""
    program = installed()
    if program is None:
        sys.exit("no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    directory.mkdir(exist_ok=True)
    with browser(program) as chrome:
        for name, (told, answer, state) in PICTURES.items():
            with tempfile.TemporaryDirectory() as place, stage(Path(place)) as one:
                one.status = answer
                chrome.go(one.url)
                chrome.do("Emulation.setEmulatedMedia", features=[STILL])
                before = one.asked
                wait_for(lambda: one.asked > before + 1, "the status is asked for")  # noqa: B023 - at once
                one.tell({"station": view(contextKinds=["case"])} | told)
                chrome.until(f"document.body.dataset.state === '{state}'", f"{name} is shown")
                resize(chrome, 800, 480, 7.0)
                picture = chrome.picture()
            if len(picture) > MAX_BYTES:
                sys.exit(f"{name}: {len(picture)} bytes, more than {MAX_BYTES}")
            (directory / f"station-{name}.png").write_bytes(picture)
            print(f"{directory}/station-{name}.png: {len(picture)} bytes")  # noqa: T201 - a script


if __name__ == "__main__":
    main(Path(sys.argv[1]))
