"""What a person does to the database now and then, from the command line."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from intake.database import open_database
from intake.errors import RefusedError
from intake.event import EventRow, Poison, read_event
from intake.maintenance import ask_again, pass_over, prune
from intake.store import ReceivedBatch, Store, Stream
from tests.intake.boxes import EPOCH, body, source, topic
from tests.intake.running import command

NOW = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
STREAM = Stream(source(), EPOCH)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def fill(engine: sa.Engine, *numbers: int, received: datetime = NOW) -> None:
    read = [read_event(topic(), body(number), received) for number in numbers]
    Store(engine, lambda: received).commit(
        ReceivedBatch(events=tuple(one for one in read if isinstance(one, EventRow)))
    )


def count(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(sa.text("SELECT count(*) FROM event")) or 0


def test_holes_are_asked_for_at_once(engine: sa.Engine) -> None:
    fill(engine, 1, 3)
    store = Store(engine, lambda: NOW)
    (hole,) = store.holes(NOW + timedelta(seconds=1))
    store.claim(hole, NOW)
    assert ask_again(engine) == 1
    assert [(one.asked, one.asks) for one in store.holes(NOW + timedelta(seconds=1))] == [(None, 0)]


def test_numbers_are_passed_over_by_a_person(engine: sa.Engine) -> None:
    fill(engine, 1, 4)
    store = Store(engine, lambda: NOW)
    assert pass_over(engine, store, STREAM, 2, 3, "burnt") == 4
    for first, last in ((3, 2), (0, 1), (1, 200_000), (4, 5)):
        with pytest.raises(RefusedError):
            pass_over(engine, store, STREAM, first, last, "burnt")
    with pytest.raises(RefusedError, match="nothing has come"):
        pass_over(engine, store, Stream(source("gw9"), EPOCH), 1, 1, "burnt")


def test_a_stream_whose_beginning_nobody_knows_is_given_one(engine: sa.Engine) -> None:
    fill(engine, 7, 8)
    assert pass_over(engine, Store(engine, lambda: NOW), STREAM, 6, 6, "an old card") == 8


def test_only_old_acknowledged_and_handed_on_events_are_deleted(engine: sa.Engine) -> None:
    long_ago = NOW - timedelta(days=100)
    fill(engine, 1, 2, 3, 5, received=long_ago)
    fill(engine, 6)
    with engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO forward_cursor VALUES ('r', :source, :epoch, 2, :confirmed)"),
            {"source": source(), "epoch": EPOCH, "confirmed": NOW if engine.dialect.name == "postgresql" else "x"},
        )
    with pytest.raises(RefusedError, match="31 days"):
        prune(engine, NOW, 7)
    assert prune(engine, NOW, 90) == 2
    assert count(engine) == 3
    fill(engine, 4)
    assert prune(engine, NOW, 90) == 0, "the receiver has not had 3"


def test_poison_is_listed(engine: sa.Engine, database_url: str) -> None:
    assert command("poison", "--database", database_url)[0] == 0
    read = read_event(topic(), b"not \x1b[2J json", NOW)
    assert isinstance(read, Poison)
    Store(engine, lambda: NOW).commit(ReceivedBatch(poison=(read,)))
    code, out, _ = command("poison", "--database", database_url)
    assert code == 1
    assert "\x1b" not in out
    (listed,) = json.loads(command("poison", "--json", "--database", database_url)[1])
    assert (listed["topic"], listed["times"], listed["sequence"]) == (topic(), 1, None)


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("poison",), ("deltas",), ("replay",), ("dead",), ("affected", "--article", "x"),
     ("forward", "--to", "mllp://127.0.0.1:1")],
)  # fmt: skip
def test_a_mistyped_file_name_makes_no_database(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, _, err = command(*arguments, "--database", f"sqlite:///{tmp_path / 'evnets.db'}")
    assert code == 2
    assert "there is no such file" in err
    assert list(tmp_path.iterdir()) == []
