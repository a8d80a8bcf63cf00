"""Which box this is, and where it publishes."""

from pathlib import Path

import msgspec
import pytest

from gateway.events.topics import Topics
from gateway.outbox import box_identity
from gateway.outbox.box_identity import BoxIdentity, read_identity
from tests.outbox.events import BOX


@pytest.mark.parametrize(
    ("mine", "stored", "difference"),
    [
        ({}, {}, None),
        ({"machine": "x"}, {}, "machine"),
        ({"board": "x"}, {}, "board"),
        ({"gateway": "x"}, {}, "gateway"),
        ({"machine": "x", "board": "y"}, {}, "machine"),
        ({"machine": None}, {}, None),
        ({"board": "x"}, {"board": None}, None),
    ],
)
def test_a_difference_is_what_both_know_and_is_not_the_same(
    mine: dict[str, str | None], stored: dict[str, str | None], difference: str | None
) -> None:
    here = msgspec.structs.replace(BOX, **mine)
    assert here.differs_from(msgspec.structs.replace(BOX, **stored)) == difference


def test_ids_of_the_machine_are_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """machine-id(5): it should not be spread."""
    machine, board = tmp_path / "machine-id", tmp_path / "serial-number"
    machine.write_text("5f0c2a9b1d7e4c835f0c2a9b1d7e4c83\n")
    board.write_text("10000000abcdef01\0")
    monkeypatch.setattr(box_identity, "MACHINE_ID", machine)
    monkeypatch.setattr(box_identity, "BOARD_SERIALS", (tmp_path / "none", board))
    monkeypatch.delenv("SCANGATE_MACHINE_ID", raising=False)
    known = read_identity("urn:x")
    assert known.machine is not None
    assert len(known.machine) == 32
    assert "5f0c2a9b" not in repr(known)
    assert "abcdef01" not in repr(known)
    board.write_text("10000000abcdef02\0")
    assert read_identity("urn:x").differs_from(known) == "board", "a cloned card in another board"


def test_a_machine_that_tells_nothing_is_no_other_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_identity, "MACHINE_ID", tmp_path / "none")
    monkeypatch.setattr(box_identity, "BOARD_SERIALS", ())
    monkeypatch.delenv("SCANGATE_MACHINE_ID", raising=False)
    monkeypatch.setenv("SCANGATE_BOOT_ID", "b1")
    assert read_identity("urn:x") == BoxIdentity(machine=None, board=None, gateway="urn:x", boot="b1")


def test_the_unit_may_pass_the_machine_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCANGATE_MACHINE_ID", "a")
    first = read_identity("urn:x").machine
    monkeypatch.setenv("SCANGATE_MACHINE_ID", "b")
    assert read_identity("urn:x").machine != first


def test_topics() -> None:
    topics = Topics.of("vgr", "su", "su-op3-gw01")
    assert topics.scan == "udi/v1/vgr/su/su-op3-gw01/scan"
    assert topics.status == "udi/v1/vgr/su/su-op3-gw01/status"
    assert topics.health == "udi/v1/vgr/su/su-op3-gw01/health"
