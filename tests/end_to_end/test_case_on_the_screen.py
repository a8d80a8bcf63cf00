"""A case on the station's screen, from a scanner's bytes: what it comes to while it is open, and when it is closed."""

from pathlib import Path

from gateway.display.follower import Follower
from gateway.display.panel import CaseRow, Panel
from gateway.display.screen import Screen
from gateway.display.state import State
from gateway.system.control_socket import ask
from tests.end_to_end.plant import label, plant, wait_for

UNKNOWN = b"]d2010952000900770710K88120\r"


def test_a_case_is_shown_until_it_is_closed(tmp_path: Path) -> None:
    with plant(tmp_path, extra='[context]\ncase_mode = "clear"\n') as one:
        gateway = one.gateway
        gateway.import_samples()
        follower = Follower(gateway.socket, Screen(language="en", result_seconds=30))
        follower.start()
        try:
            gateway.start()

            def idle() -> Panel:
                return follower.page().idle

            gateway.wire.write(b"]d2orbit:OP-1\r" + label(1) + label(2))
            used = CaseRow(mark="2", name="Nordan Stam 12")
            wait_for(lambda: idle().rows == (used,), "what was used is shown")
            assert idle().state in {State.READY, State.LIMITED}
            gateway.wire.write(UNKNOWN)
            wait_for(lambda: len(idle().rows) == 3, "and what is to be sorted out")
            assert [row.mark for row in idle().rows] == ["?", "2", "1"]
            assert "OP-1" not in str(follower.page())
            ask(gateway.socket, "close-case")

            def newest() -> State | None:
                panel = follower.page().now
                return None if panel is None else panel.state

            wait_for(lambda: newest() is State.CLOSED, "it is closed")
            closed = follower.page().now
            assert closed is not None
            assert (closed.reason, [row.mark for row in closed.rows]) == ("1 att reda ut", ["?", "2", "1"])
            wait_for(lambda: idle().rows == (), "the open case is gone")
        finally:
            follower.stop()
