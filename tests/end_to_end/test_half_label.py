"""A label of two symbols through the whole installation, and a daemon that is killed between the two."""

from pathlib import Path

from gateway.udi.checks import hibc_check_character
from tests.end_to_end.plant import everything_arrived, plant, wait_for


def hibc(text: str) -> bytes:
    return f"]A0{text}{hibc_check_character(text)}\r".encode()


PRIMARY, SECONDARY = hibc("+A123BJC5D6E71"), hibc("+$$34512317K3G")


def codes(event: dict[str, dict[str, dict[str, list[dict[str, str]]]]]) -> list[str]:
    return [finding["code"] for finding in event["data"]["verdict"]["findings"]]


def test_killed_between_two_symbols_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    with plant(tmp_path) as one:
        one.broker.start()
        consumer = one.listen()
        gateway = one.gateway
        gateway.start()
        gateway.wire.write(PRIMARY)
        wait_for(
            lambda: [told for told in gateway.told if told.get("signal") == "more"], "the first symbol is told"
        )
        assert gateway.journal() == []
        gateway.kill()
        gateway.start()
        wait_for(lambda: gateway.stored() == 1, "it is an event")
        gateway.wire.write(PRIMARY)
        gateway.wire.write(SECONDARY)
        wait_for(lambda: gateway.stored() == 3, "the whole label is one event, in the place of the half")
        half, undo, whole = everything_arrived(gateway, consumer)
        assert (undo["data"]["undoes"], undo["data"]["reason"]) == (half["id"], "label-completed")
        assert len(half["data"]["symbols"]) == 1
        assert "INCOMPLETE_LABEL" in codes(half)
        assert [symbol["text"] for symbol in whole["data"]["symbols"]] == [
            PRIMARY[3:-1].decode(),
            SECONDARY[3:-1].decode(),
        ]
        assert (whole["data"]["udi"]["lotNumber"], whole["data"]["repeats"]) == ("7K3", None)
        gateway.stop()
