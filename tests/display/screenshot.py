"""Draws the page for the README: `python -m tests.display.screenshot docs/display.png`."""

import sys
import tempfile
from pathlib import Path
from typing import Final

from drivers.model import Signal
from tests.display.browser import browser, installed
from tests.display.stage import stage
from tests.display.told import code, findings, scan, view

MAX_BYTES: Final = 150_000
"""It is cloned with the project."""
STEM, SUTURES, CUP, CATHETER = "Nordan Stam 12", "Havsörn Suturset", "Vidar Höftskål 54", "Lumen Kateter"
STORY: Final = (
    scan(article={"tradeName": SUTURES}, udi={"lotNumber": "S7731"}),
    scan(article={"tradeName": SUTURES}, udi={"lotNumber": "S7731"}),
    scan(Signal.REFUSED, article={"tradeName": CATHETER}, udi={"lotNumber": "B0042"}),
    scan(article={"tradeName": CATHETER}, udi={"lotNumber": "B0051"}),
    code(Signal.REFUSED, withheld={"kind": "text", "length": 8}),
    scan(article={"tradeName": CUP}, udi={"lotNumber": "L2A0388"}),
    scan(Signal.WARNING, article={"tradeName": CUP}, udi={"lotNumber": "L2A0388"}, repeats="x"),
    scan(Signal.TROUBLE, article={"tradeName": STEM}),
    scan(article={"tradeName": STEM}, verdict=findings(("CONSIGNMENT", "info"))),
)


def main(target: Path) -> None:
    """Draw the page after a morning's work."""
    program = installed()
    if program is None:
        sys.exit("no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory)) as one, browser(program) as chrome:
        chrome.go(one.url)
        one.tell(*STORY, {"station": view(contextKinds=["case"])})
        chrome.until("document.getElementById('context').textContent !== ''", "the story is told")
        chrome.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        picture = chrome.picture()
    if len(picture) > MAX_BYTES:
        sys.exit(f"{target}: {len(picture)} bytes, more than {MAX_BYTES}")
    target.write_bytes(picture)
    print(f"{target}: {len(picture)} bytes")  # noqa: T201 - a script


if __name__ == "__main__":
    main(Path(sys.argv[1]))
