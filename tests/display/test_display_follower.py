"""The display beside a control socket: what it shows, and when the daemon goes and comes."""

from pathlib import Path

from drivers.model import Signal
from gateway.display.state import State
from tests.display.daemon_messages import behind, code, scan, status, view
from tests.display.stage import stage
from tests.end_to_end.plant import wait_for


def test_scans_status_and_view_reach_the_page(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        page = one.follower.page()
        assert (page.idle.state, page.actions[0].text) == (State.READY, "Nästa: Förbruka")
        one.tell(scan(), scan(Signal.REFUSED), code(Signal.TROUBLE))
        page = one.follower.page()
        assert page.now is not None
        assert page.now.state is State.TROUBLE
        assert [entry.state for entry in page.recent] == [State.TROUBLE, State.REFUSED, State.ACCEPTED]
        one.status = status(sequence=behind(7))
        wait_for(lambda: one.follower.page().delivery == "Sparat, 7 ej skickade", "the status is asked again", 10)


def test_a_daemon_that_goes_and_comes(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        one.tell(scan())
        one.end()
        wait_for(lambda: one.follower.page().idle.state is State.LOST, "the page says so", 2)
        assert one.follower.page().now is None
        one.view = view(defaultAction="receive")
        one.begin()
        page = one.follower.page()
        assert (page.now, page.idle.state, page.actions[0].text) == (None, State.READY, "Nästa: Ta emot")
        one.tell(scan())
        assert one.follower.page().now is not None


def test_what_is_not_understood_does_not_stop_it_and_shows_nothing_old(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        one.tell(scan())
        one.tell({"scanner": ["of", "tomorrow"], "signal": "accepted"})
        assert one.follower.page().now is None
        one.status = {"of": "tomorrow"}
        one.tell(scan())
        assert one.follower.page().now is not None


def test_who_waits_is_let_go(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        version = one.follower._version
        assert one.follower.wait(version - 1, 60) == version
        assert one.follower.wait(version, 0) == version
        one.follower.stop()
        assert one.follower.wait(version, 60) != version
        assert one.follower.over
