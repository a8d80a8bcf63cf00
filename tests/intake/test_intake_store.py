"""The store: what it keeps, what it nets, and what must not get past it."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

from gateway.events.exports.netting import in_force
from gateway.events.stored_event import StoredEvent
from intake.database import DatabaseError, open_database
from intake.event import EventRow, Ignored, Place, Poison, read_event
from intake.holes import Holes
from intake.messages import read_box_message
from intake.schema import metadata
from intake.status import read_status
from intake.store import ReceivedBatch, Store, Stream
from tests.intake.boxes import EPOCH, body, health, identity, sequences, source, topic
from tests.postgresql import PostgreSql

NOW = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
STREAM = Stream(source(), EPOCH)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: sa.Engine) -> Store:
    return Store(engine, lambda: NOW)


def row(sequence: int, box: str = "gw1", /, **changes: Any) -> EventRow:  # noqa: ANN401 - JSON
    read = read_event(topic(box), body(sequence, box, **changes), NOW)
    assert isinstance(read, EventRow), read
    return read


def poison(body_: bytes, box: str = "gw1") -> Poison:
    read = read_event(topic(box), body_, NOW)
    assert isinstance(read, Poison), read
    return read


def frontier(engine: sa.Engine, of: Stream = STREAM) -> int:
    with engine.begin() as connection:
        found: int | None = connection.execute(
            sa.text("SELECT frontier FROM stream WHERE source = :source AND epoch = :epoch"),
            {"source": of.source, "epoch": of.epoch},
        ).scalar()
        return found or 0


def rows(engine: sa.Engine, query: str) -> list[Any]:
    with engine.begin() as connection:
        return list(connection.execute(sa.text(query)))


def unbroken(numbers: set[int]) -> int:
    last = 0
    while last + 1 in numbers:
        last += 1
    return last


def test_two_intakes_at_once_neither_miss_each_other_nor_lock_each_other_out(postgresql_server: PostgreSql) -> None:
    """Halves of the same numbers in opposite order, side by side (PostgreSQL, READ COMMITTED)."""
    with postgresql_server.database() as url:
        engine = open_database(url)
        boxes = [f"gw{number}" for number in range(8)]
        failed: list[BaseException] = []

        def work(part: int) -> None:
            own = open_database(url)
            mine = Store(own, lambda: NOW)
            order = boxes if part else boxes[::-1]
            try:
                for first in range(1, 60, 2):
                    events = [row(first + part, box) for box in order] + [row(first + 1 - part, order[0])]
                    mine.commit(ReceivedBatch(events=tuple(events)))
            except DatabaseError as error:
                failed.append(error)
            own.dispose()

        threads = [threading.Thread(target=work, args=(part,)) for part in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert failed == []
        assert {frontier(engine, Stream(source(box), EPOCH)) for box in boxes} == {60}
        engine.dispose()


def test_an_identity_is_never_stored_twice_nor_over_another(store: Store, engine: sa.Engine) -> None:
    """CloudEvents 1.0, `id`: source and id are unique for each distinct event; every place still moves on."""
    store.commit(ReceivedBatch(events=(row(1),)))
    again = row(2, id=identity("gw1", 1))
    changed = row(1, time="2026-11-21T22:41:07.313+01:00")
    done = store.commit(ReceivedBatch(events=(again, changed, row(3))))
    assert (done.stored, done.poisoned, done.frontiers[STREAM]) == (1, 2, 3)
    reasons = [found.reason for found in rows(engine, "SELECT reason FROM poison ORDER BY reason")]
    assert [("other content" in one, "another place" in one) for one in reasons] == [(False, True), (True, False)]
    assert rows(engine, "SELECT body FROM event WHERE sequence = 1")[0].body == body(1).decode()


def test_another_box_may_not_take_an_identity(store: Store, engine: sa.Engine) -> None:
    """A hostile box that knows an id stops neither its own line nor the other's."""
    store.commit(ReceivedBatch(events=(row(1, "gw2", id=identity("gw1", 1)),)))
    store.commit(ReceivedBatch(events=(row(1),)))
    assert len(rows(engine, "SELECT id FROM event")) == 2
    assert frontier(engine) == 1


def test_poison_that_comes_again_is_one_row(store: Store, engine: sa.Engine) -> None:
    one = poison(b"not json")
    store.commit(ReceivedBatch(poison=(one,)))
    store.commit(ReceivedBatch(poison=(one, poison(b"\xff\x00"))))
    assert sorted(found.times for found in rows(engine, "SELECT times FROM poison")) == [1, 2]


def test_a_late_event_is_marked(store: Store, engine: sa.Engine) -> None:
    """A parked event sent again comes behind the stand-in of the same number."""
    parked = row(1, type="scangate.parked.v1", id=identity("stand-in", 1), data={"reason": "too large"})
    store.commit(ReceivedBatch(events=(parked, row(2))))
    store.commit(ReceivedBatch(events=(row(1),)))
    assert [bool(found.late) for found in rows(engine, "SELECT late FROM event ORDER BY sequence, late")] == [
        False,
        True,
        False,
    ]
    assert frontier(engine) == 2


def test_a_long_row_behind_a_hole_is_walked_in_pieces(
    store: Store, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("intake.store.WALK", 5)
    store.commit(ReceivedBatch(events=tuple(row(number) for number in range(2, 40))))
    assert frontier(engine) == 0
    store.commit(ReceivedBatch(events=(row(1),)))
    assert frontier(engine) == 39


def test_numbers_that_never_come_can_be_passed(store: Store, engine: sa.Engine) -> None:
    store.commit(ReceivedBatch(events=(row(1), row(4))))
    places = [Place(source=source(), epoch=EPOCH, sequence=number) for number in (2, 3)]
    assert store.stand_in(places, "the box has them no longer").frontiers == {STREAM: 4}
    assert len(rows(engine, "SELECT * FROM stand_in")) == 2


def test_what_an_undo_takes_back_is_not_in_force(store: Store, engine: sa.Engine) -> None:
    undo = row(2, data={"action": "undo", "undoes": identity("gw1", 1), "symbols": []})
    foreign = row(1, "gw2", data={"action": "undo", "undoes": identity("gw1", 3), "symbols": []})
    refused = row(4, data={"verdict": {"disposition": "refused", "findings": []}})
    repeat = row(5, data={"repeats": identity("gw1", 3)})
    discarded = row(7, data={"action": "discard", "corrects": identity("gw1", 6)})
    store.commit(ReceivedBatch(events=(row(1), undo, row(3), refused, repeat, row(6), discarded, foreign)))
    assert sequences(rows(engine, "SELECT sequence FROM in_force WHERE action = 'consume'")) == [3, 6]
    assert sequences(rows(engine, "SELECT sequence FROM used")) == [3]
    (used,) = rows(engine, "SELECT article_number, lot_number, quantity FROM article_use")
    assert tuple(used) == ("VGR-104233", "L2A0417", 1)


def test_the_views_net_as_the_gateways_own_reports(store: Store, engine: sa.Engine) -> None:
    """The rule of the integration page, judged by the exporter's implementation of it."""
    uses = [(number, {"quantity": number + 1}) for number in range(1, 6)]
    changes: list[tuple[int, dict[str, Any]]] = [
        *uses,
        (6, {"action": "discard", "corrects": identity("gw1", 1), "quantity": 1}),
        (7, {"action": "return", "corrects": identity("gw1", 2), "quantity": 3}),
        (8, {"action": "discard", "corrects": identity("gw1", 3), "quantity": 1}),
        (9, {"action": "undo", "undoes": identity("gw1", 8)}),
        (10, {"action": "explant", "corrects": identity("gw1", 4), "quantity": 1}),
        (11, {"repeats": identity("gw1", 5), "quantity": 6}),
        (12, {"repeats": identity("gw1", 5), "quantity": 6}),
        (13, {"action": "undo", "undoes": identity("gw1", 5)}),
        (14, {"repeats": identity("gw1", 4), "quantity": 5}),
    ]
    sent = [body(number, data=data) for number, data in changes]
    events = [read_event(topic(), one, NOW) for one in sent]
    store.commit(ReceivedBatch(events=tuple(one for one in events if isinstance(one, EventRow))))
    stored = [StoredEvent(sequence=number, body=one, state="delivered") for number, one in enumerate(sent, 1)]
    expected = {
        int(one.event.sequence): one.quantity
        for one in in_force(stored)
        if one.event.data.action == "consume" and one.quantity
    }
    found = rows(engine, "SELECT sequence, used_quantity FROM used")
    assert {row.sequence: int(row.used_quantity) for row in found} == expected


def test_a_clock_event_gives_the_true_time(store: Store, engine: sa.Engine) -> None:
    boot = {"synchronised": False, "corrected": False, "bootId": "b1", "monotonicNs": 5_000}
    clock = row(
        2, type="scangate.clock.v1", data={"clock": None, "bootId": "b1", "offsetNs": 1_795_297_259_000_000_000}
    )
    store.commit(ReceivedBatch(events=(row(1, data={"clock": boot}), clock)))
    assert [found.true_time_ns for found in rows(engine, "SELECT true_time_ns FROM clock_correction")] == [
        1_795_297_259_000_005_000
    ]


def test_a_boot_that_never_had_the_time_has_bounds(store: Store, engine: sa.Engine) -> None:
    boot = {"synchronised": False, "corrected": False, "bootId": "b1", "monotonicNs": 5_000}
    bounds = {"notBefore": "2026-11-01T00:00:00Z", "notAfter": "2026-11-02T00:00:00Z"}
    clock = row(2, type="scangate.clock.v1", data={"clock": None, "bootId": "b1"} | bounds)
    store.commit(ReceivedBatch(events=(row(1, data={"clock": boot}), clock)))
    (found,) = rows(engine, "SELECT true_time_ns, not_before, not_after FROM clock_correction")
    assert tuple(found) == (None, bounds["notBefore"], bounds["notAfter"])


def test_the_beginning_of_an_epoch_is_what_its_box_says(store: Store, engine: sa.Engine) -> None:
    done = store.commit(ReceivedBatch(events=(row(4712), row(4713))))
    assert (done.frontiers, frontier(engine)) == ({}, 0)
    word = read_box_message(source(), "health", health(begins=4712), NOW)
    assert word is not None
    assert store.commit(ReceivedBatch(boxes=(word,))).frontiers == {STREAM: 4713}


def test_what_a_box_says_of_itself_is_no_event(engine: sa.Engine) -> None:
    """`last_received` is the time of the last event; a health message every minute changes nothing of it."""
    clock = [NOW]
    store = Store(engine, lambda: clock[0])
    word = read_box_message(source(), "health", health(), NOW)
    assert word is not None
    store.commit(ReceivedBatch(events=(row(1),)))
    clock[0] = NOW + timedelta(minutes=5)
    assert store.commit(ReceivedBatch(boxes=(word,))).frontiers == {STREAM: 1}, (
        "acknowledged again: an ack may be lost"
    )
    (status,) = read_status(engine, clock[0]).streams
    assert (status.lag_seconds, status.status, status.version) == (300, None, "1.0")


def test_the_tables_are_those_the_code_knows(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    assert [change for change in found if "index" not in str(change[0])] == []


def test_a_newer_database_is_refused(engine: sa.Engine, database_url: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"version 9999.*use the newer"):
        open_database(database_url)


def test_a_server_that_does_not_sync_is_refused(postgresql_server: PostgreSql) -> None:
    with (
        postgresql_server.database("synchronous_commit = off") as url,
        pytest.raises(DatabaseError, match=r"synchronous_commit is off"),
    ):
        open_database(url)


def test_a_database_that_is_away_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"cannot open postgresql.*is the database there") as caught:
        open_database(f"postgresql://scangate@/postgres?host={tmp_path}")
    assert caught.value.away


def test_holes_are_claimed_by_one_intake(store: Store) -> None:
    store.commit(ReceivedBatch(events=(row(1), row(3), row(7))))
    (hole,) = store.holes(NOW + timedelta(seconds=1))
    assert [(gap.first, gap.last) for gap in store.gaps(hole.stream, 5)] == [(2, 2), (4, 6)]
    assert store.claim(hole, NOW)
    assert not store.claim(hole, NOW)


@pytest.mark.parametrize(
    ("sent", "reason", "holds_its_place"),
    [
        (b"no json", "no event of a form", False),
        (b"", "no event of a form", False),
        (b"\xff\xfe", "no event of a form", False),
        (b"[" * 100_000, "no event of a form", False),
        (b"7", "no event of a form", False),
        (body(1, type="scangate.scan.v2"), "not known to this version", True),
        (body(1, data={"quantity": "many"}), "no event of a form", True),
        (body(1, data={"quantity": 2**40}), "no event of a form", True),
        (body(1, source="urn:scangate:vgr:su:gw2"), "may not publish", False),
        (body(1, source="urn:scangate:vgr:su:gw1:x"), "may not publish", False),
        (body(1, sequence="0000000000000000"), "its sequence", False),
        (body(1, sequence="-1"), "no event of a form", False),
        (body(1, sequence=str(2**60)), "no event of a form", False),
        (body(1, id="1"), "no event of a form", True),
        (body(1, time="2026-11-21T22:41:07"), "no time zone", True),
        (body(1, epoch="../../x"), "no event of a form", False),
        (body(1, extra="x" * 300_000), "an event has at most", True),
        (body(1).replace(b"NS700312", b"NS\xff00312"), "no event of a form", True),
    ],
)
def test_bad_messages_are_poison(sent: bytes, reason: str, holds_its_place: bool) -> None:  # noqa: FBT001
    read = poison(sent)
    assert reason in read.reason
    assert (read.place is not None) is holds_its_place


def test_what_is_too_large_to_keep_holds_no_place() -> None:
    """What is not kept is not acknowledged."""
    read = poison(body(1, extra="x" * 5_000_000))
    assert read.place is None
    assert len(read.body) == 4096


@pytest.mark.parametrize("sent", [b'{"type":"scangate.probe.v1"}', body(1, type="scangate.probe.v1")])
def test_a_probe_means_nothing(sent: bytes) -> None:
    assert isinstance(read_event(topic(), sent, NOW), Ignored)


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise(sent: bytes) -> None:
    assert not isinstance(read_event(topic(), sent, NOW), EventRow)


@pytest.mark.parametrize("lot", ["A\x00B", "Å\U0001f600", "x" * 5000])
def test_any_text_of_a_label_is_stored(store: Store, engine: sa.Engine, lot: str) -> None:
    udi = {"issuer": "GS1", "deviceIdentifier": "09520001000102", "lotNumber": lot}
    sent = row(1, data={"udi": udi})
    assert store.commit(ReceivedBatch(events=(sent,))).stored == 1
    assert json.loads(rows(engine, "SELECT body FROM event")[0].body)["data"]["udi"]["lotNumber"] == lot


def test_one_row_the_database_refuses_does_not_hold_the_others(store: Store, engine: sa.Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite takes any value")
    bad = msgspec.structs.replace(row(2), base_quantity=2**40)
    done = store.commit(ReceivedBatch(events=(row(1), bad, row(3))))
    assert (done.stored, done.poisoned) == (2, 1)
    assert frontier(engine) == 3


@pytest.mark.parametrize(
    ("sent", "arrive", "passed"),
    [
        (1, (2,), 7),
        (2, (), 1),  # the box has both: they are under way, or lost behind its broker
        (0, (), 7),
        (0, (2,), 2),  # one more has come than the box says it has: nothing is given up on its word
    ],
)
def test_what_a_box_no_longer_has_is_passed(store: Store, sent: int, arrive: tuple[int, ...], passed: int) -> None:
    holes = Holes(store, lambda: NOW + timedelta(seconds=60))
    store.commit(ReceivedBatch(events=tuple(row(number) for number in (1, 4, 5, 6, 7))))
    ((asked_of, command),) = holes.due(100.0)
    asked = json.loads(command)
    assert (asked_of, asked["args"]) == (source(), {"epoch": EPOCH, "from": 2, "to": 3})
    result = {"from": 2, "to": 3, "done": True, "sent": sent}
    holes.heard(json.dumps({"id": asked["id"], "ok": True, "result": result | {"done": False}}).encode(), 101.0)
    holes.heard(json.dumps({"id": asked["id"], "ok": True, "result": result}).encode(), 101.0)
    for number in arrive:
        store.commit(ReceivedBatch(events=(row(number),)))
    assert holes.given_up(110.0) == {}, "what is under way may still arrive"
    found = holes.given_up(140.0)
    assert found.get(STREAM, unbroken({1, *arrive})) == passed


@given(st.binary(max_size=200) | st.from_regex(rb'\{"id":"x","ok":true,"result":.{0,40}\}'))
def test_no_reply_raises(sent: bytes) -> None:
    Holes(cast("Store", None), lambda: NOW).heard(sent, 0.0)
