"""docs/workflow.md and its picture are what the transition table says."""

from xml.etree import ElementTree as ET

from gateway.station.workflow import TABLE
from tests.docs import workflow


def test_the_page_is_drawn_from_the_table() -> None:
    again = "draw it anew with `.venv/bin/python -m tests.docs.workflow`"
    assert workflow.PAGE.read_text(encoding="utf-8") == workflow.page(), again
    assert workflow.PICTURE.read_text(encoding="utf-8") == workflow.picture(), again


def test_the_picture_shows_every_state_and_every_input() -> None:
    root = ET.fromstring(workflow.picture())  # noqa: S314 - our own text
    shown = " ".join(element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text"))
    for region, rows in TABLE.items():
        assert region.capitalize() in shown
        for state, what in rows:
            assert state in shown
            assert all(word in shown for word in what.split())
