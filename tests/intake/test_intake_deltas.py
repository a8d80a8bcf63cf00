"""Recalls to every box: numbered, signed, in the form the boxes read; sent again to whoever missed them."""

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey

from gateway.articles.lookup.status_message import encode, status_message
from gateway.articles.overlay.delta_message import read_delta
from gateway.articles.overlay.signing import verifier
from gateway.articles.overlay.statements import Delta
from gateway.model import Issuer, NumberRange
from gateway.model import Recall as ModelRecall
from intake.affected import affected
from intake.boxes import deltas_held
from intake.database import open_database
from intake.deltas import Block, Change, DeltaMessage, Deltas, Recall, Release, Upsert, checked, read_changes
from intake.errors import RefusedError
from intake.event import EventRow, read_event
from intake.signing import Signer, SigningKeyError
from intake.store import Batch, Store
from tests.articles.conftest import Box as ArticlesBox
from tests.articles.conftest import Importing, directory, importing
from tests.brokers import Broker, wait_for
from tests.intake.boxes import TENANT, Box, body, identity, topic
from tests.intake.running import RunningIntake, command

__all__ = ["directory", "importing"]

Closing = Callable[[Callable[[], None]], None]
NOW = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
DI = "09520001000102"


@pytest.mark.parametrize(
    "change",
    [
        Recall(device_identifier=DI, id="FSN-17", reason="breaks", lots=("L2A0417",), serials=("NS1",)),
        Recall(
            device_identifier=DI,
            lot_ranges=(NumberRange(first="L0998", last="L1002"),),
            serial_ranges=(NumberRange(first="7", last="12"), NumberRange(first="A07", last="A12")),
        ),
        Recall(device_identifier="110375286414", reason="a PPN with a PZN"),
        Recall(device_identifier=DI, from_="2026-11-01", to="2026-12-01", expires_from="2027-01-01"),
        Recall(article_number="VGR-1"),
        Block(article_number="VGR-2", reason="contract ended", from_="2026-12-01"),
        Release(device_identifier=DI, issuer=Issuer.GS1),
        Release(device_identifier=DI, id="FSN-17"),
        Release(id="FSN-17"),
        Upsert(article={"deviceIdentifier": DI, "articleNumber": "VGR-1", "implant": True}),
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_a_box_reads_what_is_sent(change: Change, signed: bool) -> None:  # noqa: FBT001 - a column of the table
    """The gateway's own reader is the judge."""
    message = DeltaMessage(
        source="jeeves-miv", number=7, issued_at="2026-11-28T02:00:00Z", changes=(checked(change),)
    )
    seed = bytes(range(32)) if signed else None
    sent = Signer(seed).signed(msgspec.json.encode(message))
    verify = verifier(bytes(SigningKey(seed).verify_key)) if seed else None
    read = read_delta(sent, verify)
    assert isinstance(read, Delta), read
    assert (read.source, read.number, len(read.changes)) == ("jeeves-miv", 7, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Recall(), "name the article"),
        (Recall(device_identifier=DI, article_number="x"), "name the article"),
        (Recall(device_identifier=DI, from_="2026-02-30"), "no date"),
        (Recall(device_identifier=DI, from_="2026-02-02", to="2026-02-01"), "behind the last"),
        (Block(device_identifier=DI, reason="a\x1b[2Jb"), "control characters"),
        (Recall(device_identifier=DI, lots=("L1", "L\x1d2")), "control characters"),
        (Recall(device_identifier=DI, id=" "), "is empty"),
        (Release(), "name the article"),
        (Release(id="FSN-17", device_identifier=DI, article_number="x"), "name the article"),
        (Recall(device_identifier="09520001000103"), "check digit 2 expected, got 3"),
        (Upsert(article={"deviceIdentifier": "09520001000103"}), "check digit 2 expected"),
        (Upsert(article={"deviceIdentifer": DI}), "no 'deviceIdentifer'"),
        (Recall(device_identifier=DI, lot_ranges=(NumberRange(first="L2", last="L1"),)), "is no range"),
        (Recall(device_identifier=DI, serial_ranges=(NumberRange(first="A1", last="B2"),)), "is no range"),
    ],
)
def test_what_a_box_would_refuse_is_not_stored(change: Change, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        checked(change)


def test_a_file_with_an_unknown_key_is_refused() -> None:
    """A restriction that is not understood would recall too much."""
    with pytest.raises(RefusedError, match="lotz"):
        read_changes(b'{"changes": [{"op": "recall", "deviceIdentifier": "1", "lotz": ["A"]}]}')


def test_numbers_go_up_by_one_in_each_source(database_url: str) -> None:
    engine = open_database(database_url)
    deltas = Deltas(engine, lambda: NOW)
    change = Release(device_identifier=DI)
    given = [deltas.add(source, [change]).number for source in ("a", "b", "a", "a")]
    assert given == [1, 1, 2, 3]
    assert deltas.add("b", [change], 4711).number == 4711
    assert dict(deltas.newest()) == {"a": 3, "b": 4711}
    with pytest.raises(RefusedError, match="the newest is 4711"):
        deltas.add("b", [change], 12)
    with pytest.raises(RefusedError, match="no name of a source"):
        deltas.add("självägande", [change])
    assert [row.number for row in deltas.wanted("a", [(2, 9)], 10)] == [2, 3]
    assert [row.number for row in deltas.wanted("a", [(1, 1), (3, 3)], 10)] == [1, 3]
    assert [row.number for row in deltas.wanted("a", [(1, 3)], 2)] == [2, 3]
    engine.dispose()


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_wrong_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(SigningKeyError, match=str(file)):
        Signer.from_file(str(file))


def test_a_recall_is_one_command_and_reaches_a_box_that_was_away(
    mosquitto: Callable[..., Broker], tmp_path: Path, closing: Closing
) -> None:
    broker = mosquitto(tmp_path)
    database = f"sqlite:///{tmp_path / 'events.db'}"
    key = tmp_path / "key"
    key.write_text(bytes(range(32)).hex())
    intake = RunningIntake(tmp_path, database, "--broker", broker.url, "--sign-key", str(key)).start()
    closing(intake.kill)
    box = Box(broker.url, also=(f"udi/v1/{TENANT}/articles/#",))
    closing(box.close)
    wait_for(lambda: box.announcements, "an announcement")
    asked = ("--source", "jeeves-miv", "--di", DI, "--lot", "L2A0417", "--id", "FSN-17", "--database", database)
    code, out, err = command("recall", *asked)
    assert (code, err) == (0, "")
    assert "delta 1 of jeeves-miv: recall FSN-17 09520001000102 lots L2A0417" in out
    wait_for(lambda: deltas_at(box), "the delta at the box")
    envelope = deltas_at(box)[0]
    assert json.loads(b64decode(envelope["payload"]))["number"] == 1
    verify = verifier(bytes(SigningKey(bytes(range(32))).verify_key))
    assert isinstance(read_delta(json.dumps(envelope).encode(), verify), Delta)
    wait_for(lambda: states_at(box) == [{"jeeves-miv": 1}], "the retained state")

    # a box that comes back says that it has none, and hears it again; then it has it
    before = len(deltas_at(box))
    box.say("articles", b'{"sources": [{"name": "jeeves-miv", "deltaNumber": null}]}')
    wait_for(lambda: len(deltas_at(box)) > before, "the delta once more", 40)
    code, out, _ = command("deltas", "--database", database)
    assert "0 of 1 boxes" in out
    box.say("articles", b'{"sources": [{"name": "jeeves-miv", "deltaNumber": 1}]}')

    def taken() -> bool:
        listed = json.loads(command("deltas", "--json", "--database", database)[1])
        return [(one["taken"], one["boxes"]) for one in listed] == [(1, 1)]

    wait_for(taken, "taken by the box")


class Hospital:
    """A box's overlay behind a broker: takes what comes, and says how far its deltas have come."""

    def __init__(self, box: Box, articles: ArticlesBox) -> None:
        self.box, self.articles, self._taken = box, articles, 0

    def take(self, count: int, *, lost: int = 0) -> None:
        """Wait for so many more deltas, apply them but the first `lost`, and say so."""
        wait_for(lambda: len(deltas_at(self.box)) >= self._taken + count, "the deltas", 60)
        for envelope in deltas_at(self.box)[self._taken + lost : self._taken + count]:
            self.articles.apply(json.dumps(envelope).encode(), bytes(SigningKey(SEED).verify_key))
        self._taken += count
        self.box.say("articles", encode(status_message(self.articles.master.info(), 0)))

    def refuses(self, lot: str, serial: str | None = None) -> str:
        return self.articles.refuses(DI, lot, serial)


SEED = bytes(range(32))


def test_two_notices_on_one_article_end_each_by_its_own_release(
    mosquitto: Callable[..., Broker], tmp_path: Path, closing: Closing, importing: Importing, directory: Path
) -> None:
    """From the command to the look-up of a scan: ids, ranges, and what was lost on the way.

    Recalls are identified by the manufacturer's reference of the field safety notice (MDCG 2022-21; MEDDEV 2.12/1,
    annex 5): two of one device are two, and end separately.
    """
    importing(f"deviceIdentifier;tradeName\n{DI};Stam\n")
    broker = mosquitto(tmp_path)
    database = f"sqlite:///{tmp_path / 'events.db'}"
    key = tmp_path / "key"
    key.write_text(SEED.hex())
    intake = RunningIntake(tmp_path, database, "--broker", broker.url, "--sign-key", str(key)).start()
    closing(intake.kill)
    box = Box(broker.url, also=(f"udi/v1/{TENANT}/articles/#",))
    closing(box.close)
    wait_for(lambda: box.announcements, "an announcement")
    articles = ArticlesBox(directory)
    closing(articles.close)
    hospital = Hospital(box, articles)

    def send(op: str, *what: str) -> None:
        code, _, err = command(op, "--source", "miv", *what, "--database", database)
        assert (code, err) == (0, "")

    send("recall", "--id", "FSN-A", "--di", DI, "--lot-range", "L0998", "L1002")
    send("recall", "--id", "FSN-B", "--di", DI, "--serial-range", "S07", "S12")
    hospital.take(2, lost=1)
    assert (hospital.refuses("L1000", "S01"), hospital.refuses("L2000", "S08")) == ("free", "recalled")
    assert articles.master.info().gaps == ("miv",)

    # the one that was lost comes again, although a later one has come
    hospital.take(1)
    assert articles.master.info().gaps == ()
    said = [("L1000", "S01"), ("L2000", "S08"), ("L1003", "S13")]
    assert [hospital.refuses(*one) for one in said] == ["recalled", "recalled", "free"]

    send("release", "--id", "FSN-A")
    hospital.take(1)
    assert [hospital.refuses(*one) for one in said] == ["free", "recalled", "free"]
    send("release", "--id", "FSN-B", "--di", DI)
    hospital.take(1)
    assert [hospital.refuses(*one) for one in said] == ["free", "free", "free"]


def test_what_a_box_lacks_is_what_never_came_and_what_is_newer() -> None:
    text = '{"sources": [{"name": "a", "deltaNumber": 7, "missing": [[1, 2], [5, 5]]}, {"name": "b"}]}'
    held = deltas_held(text)
    assert held["a"].lacks(9) == ((1, 2), (5, 5), (8, 9))
    assert held["a"].lacks(1) == ((1, 1),)
    assert held["b"].lacks(3) == ((1, 3),)
    assert [number for number in range(1, 10) if held["a"].has(number)] == [3, 4, 6, 7]


def test_a_typing_error_names_nothing_and_is_said(tmp_path: Path) -> None:
    """An empty answer would read as: nothing of it was used."""
    database = f"sqlite:///{tmp_path / 'events.db'}"
    open_database(database).dispose()
    code, out, err = command("affected", "--di", "09520001000103", "--database", database)
    assert (code, out) == (1, "")
    assert "check digit 2 expected" in err


def test_without_a_running_service_the_recall_waits(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'events.db'}"
    open_database(database).dispose()
    code, _, err = command("recall", "--source", "a", "--article", "VGR-1", "--database", database)
    assert code == 3
    assert "not sent yet" in err


def deltas_at(box: Box) -> list[Any]:
    return [json.loads(text) for name, text in list(box.received) if name.endswith("articles/delta")]


def states_at(box: Box) -> list[Any]:
    return [json.loads(text) for name, text in list(box.received) if name.endswith("articles/state")]


def test_affected_lists_past_uses_over_all_boxes(database_url: str) -> None:
    """Of the same article under a package's identifier, too; what the label does not tell is possible."""
    engine = open_database(database_url)
    udi = {"issuer": "GS1", "deviceIdentifier": DI}
    package = {"issuer": "GS1", "deviceIdentifier": "19520001000109", "lotNumber": "L2A0417"}
    events = [
        row(1),
        row(1, "gw2"),
        row(2, data={"udi": udi | {"lotNumber": "OTHER"}}),
        row(3, data={"udi": udi}),
        row(4, data={"udi": package}),
        row(5, data={"verdict": {"disposition": "refused", "findings": []}}),
        row(6),
        row(7, data={"action": "undo", "undoes": identity("gw1", 6)}),
    ]
    Store(engine, lambda: NOW).commit(Batch(events=tuple(events)))
    found = list(affected(engine, ModelRecall(source="", lots=("L2A0417",)), device_identifier="9520001000102"))
    shown = sorted((one.source[-3:], one.sequence, one.certain, one.taken_back) for one in found)
    assert shown == [
        ("gw1", 1, True, False),
        ("gw1", 3, False, False),
        ("gw1", 4, True, False),
        ("gw1", 6, True, True),
        ("gw2", 1, True, False),
    ]
    by_number = affected(engine, ModelRecall(source=""), article_number="VGR-104233")
    assert len(list(by_number)) == 6
    engine.dispose()


def row(sequence: int, box: str = "gw1", /, **changes: Any) -> EventRow:  # noqa: ANN401 - JSON
    read = read_event(topic(box), body(sequence, box, **changes), NOW)
    assert isinstance(read, EventRow)
    return read
