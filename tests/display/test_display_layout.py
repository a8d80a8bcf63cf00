"""What must be read at two metres can be, in every state, on every screen, in every language.

In Chromium; with SCANGATE_BROWSER=firefox in the environment, in Firefox.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.display import browser, firefox
from tests.display.browser import Page
from tests.display.daemon_messages import behind, status
from tests.display.layout import COMPOUND, MEASURE, NAME, SIZES, faults, resize, states
from tests.display.stage import Stage, stage
from tests.end_to_end.plant import wait_for

LEAST_STATES = 60


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if os.environ.get("SCANGATE_BROWSER") == "firefox":
        program = firefox.installed()
        if program is None:
            pytest.skip("no Firefox on this machine (Debian: apt-get install firefox-esr)")
        with firefox.firefox(program) as fox:
            yield fox
        return
    program = browser.installed()
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium-headless-shell)")
    with browser.browser(program) as one:
        yield one


def show(one: Stage, page: Page, told: dict[str, Any], answer: dict[str, Any]) -> None:
    """Have a message and a status shown, and wait until they are."""
    one.status = answer
    before = one.asked
    if told["signal"] is not None:
        one.tell(told)
    wait_for(lambda: one.asked > before + 1, "the status is asked for")
    expected = one.follower.page()
    panel = expected.now or expected.idle
    actions = "".join(row.text for row in expected.actions)
    shown = {"headline": panel.headline, "reason": panel.reason, "action": actions}
    for place, text in shown.items():
        page.until(f"document.getElementById('{place}').textContent === {json.dumps(text)}", text)


@pytest.mark.parametrize("language", ["sv", "en"])
def test_nothing_that_matters_is_cut_off_or_too_small(page: Page, tmp_path: Path, language: str) -> None:
    table = states(language)
    assert len(table) >= LEAST_STATES
    wrong = []
    with stage(tmp_path, language) as one:
        busy = status(alarms=["x"], sequence=behind(123))
        page.go(one.url)
        # What shows no scan first: a scan stays for its time.
        for name, (told, answer) in sorted(table.items(), key=lambda item: item[1][0]["signal"] is not None):
            show(one, page, told, busy | answer)
            for width, height, diagonal in SIZES:
                arc = resize(page, width, height, diagonal)
                found = faults(page.value(MEASURE), arc)
                wrong += [f"{name} at {width}x{height} ({diagonal} inches): {one}" for one in found]
    assert wrong == []


@pytest.mark.parametrize(("name", "end"), [(NAME, "storlek 12 höger"), (COMPOUND, "vänster 54")])
def test_the_end_of_a_long_name_is_seen(page: Page, tmp_path: Path, name: str, end: str) -> None:
    """Sizes, sides and gauges stand there."""
    with stage(tmp_path) as one:
        page.go(one.url)
        one.tell(states("sv")["refused long plain" if name is NAME else "refused compound plain"][0])
        page.until("document.getElementById('time').textContent !== ''", "the scan")
        resize(page, *SIZES[0])
        shown = page.value("document.getElementById('article').textContent")
        assert shown.endswith(end)
        assert shown.startswith(name[:6])
