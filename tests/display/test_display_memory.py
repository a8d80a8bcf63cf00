"""A screen that is never switched off: memory stays flat over thousands of scans; 50,000 are a busy station's week."""

import gc
import os
from pathlib import Path

import pytest

from drivers.model import Signal
from tests.display.browser import Browser, browser, installed
from tests.display.daemon_messages import scan
from tests.display.stage import stage

EVENTS = int(os.environ.get("SCANGATE_SCANS", "5000"))
"""50,000 by `make week`."""
BURST = 50
"""The page is sent whole: of what comes faster than it is drawn it shows the newest. It is waited for after so many."""
WARM = 1_000
PAGE_BYTES = 2 * 1024 * 1024
PROCESS_BYTES = 16 * 1024 * 1024
"""A thing kept of every scan would be 50,000 times some hundred bytes."""
ELEMENTS = "document.getElementsByTagName('*').length"
SIGNALS = (Signal.ACCEPTED, Signal.WARNING, Signal.REFUSED)


def heap(chrome: Browser) -> int:
    chrome.do("HeapProfiler.collectGarbage")
    used: int = chrome.do("Runtime.getHeapUsage")["usedSize"]
    return used


def resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_memory_is_flat_however_much_is_scanned(tmp_path: Path) -> None:
    program = installed()
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    with browser(program) as chrome, stage(tmp_path) as one:

        def show(numbers: range) -> None:
            for begin in numbers[::BURST]:
                burst = range(begin, begin + BURST)
                one.show(*(scan(SIGNALS[n % 3], udi={"lotNumber": f"L{n}"}) | {"stored": n} for n in burst))
                newest = f"document.querySelector('#list .lot')?.textContent === 'L{burst[-1]}'"
                chrome.until(newest, f"scan {burst[-1]}")

        chrome.go(one.url)
        show(range(WARM))
        elements, used, held = chrome.value(ELEMENTS), heap(chrome), resident()
        show(range(WARM, EVENTS))
        assert chrome.value(ELEMENTS) == elements
        assert heap(chrome) - used < PAGE_BYTES
        assert resident() - held < PROCESS_BYTES
