"""Which pieces with a serial number count as used: GS1 General Specifications, 3.5.2 (AI 21 is one individual item).

Each history is lived through by a station on a real outbox; then the list is asked, and made anew from the events as
a salvage does: both must say the same.
"""

import contextlib
from pathlib import Path

import pytest

from drivers.model import Signal
from gateway.outbox import used_pieces
from gateway.outbox.schema import connect
from gateway.outbox.used_pieces import StationJournal
from gateway.outbox.writer import Outbox
from tests.outbox.events import BOX, ROOMY
from tests.scanning.stage import STEM, Stage, control

PIECE = ("GS1", "09520001000102", "NS700312")
DISCARD, RETURN, EXPLANT = control("DISCARDDAMAGED"), control("RETURN"), control("EXPLANT")
UNDO, UNDO_ITEM = control("UNDO"), control("UNDOITEM")


@pytest.mark.parametrize(
    ("codes", "used_by"),
    [
        ([STEM], "id-1"),
        ([STEM, UNDO], None),
        ([STEM, DISCARD, STEM], None),
        ([STEM, RETURN, STEM, UNDO], "id-1"),
        ([STEM, DISCARD, STEM, UNDO_ITEM, STEM], "id-1"),
        ([STEM, EXPLANT, STEM], "id-1"),
        ([STEM, RETURN, STEM, STEM], "id-4"),  # it came back, and is used after all
        ([DISCARD, STEM], None),
        ([STEM, DISCARD, STEM, UNDO, UNDO], None),
    ],
)
def test_a_piece_counts_as_used_until_it_is_away(tmp_path: Path, codes: list[str], used_by: str | None) -> None:
    stage = Stage(tmp_path, "operating-room")
    stage.outbox = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    for number, code in enumerate(codes):
        assert stage.scan(10 * number, code) is not Signal.REFUSED
    journal = StationJournal(tmp_path / "outbox.db")
    assert journal.used_by(PIECE) == used_by
    stage.close()
    with contextlib.closing(connect(tmp_path / "outbox.db")) as db:
        db.execute("DELETE FROM used_piece")
        used_pieces.fill(db)
        db.commit()
    assert journal.used_by(PIECE) == used_by
    journal.close()
