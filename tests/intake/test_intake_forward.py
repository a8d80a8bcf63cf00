"""Events handed on to real receivers on 127.0.0.1, exactly as far as these have confirmed."""

import asyncio
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import hl7
import hl7.mllp
import pytest
import sqlalchemy as sa
from nacl.public import PrivateKey, PublicKey, SealedBox

from intake.database import open_database
from intake.event import EventRow, Place, read_event
from intake.forward import ReceiverAwayError
from intake.forward.dead_letters import DeadLetters
from intake.forward.folder import FolderReceiver
from intake.forward.forwarder import Forwarder
from intake.forward.http import HttpReceiver
from intake.forward.identities import Unsealer
from intake.forward.mllp import MllpReceiver
from intake.forward.projection import Form
from intake.lock import ExclusiveLock
from intake.store import Batch, Store
from tests.brokers import wait_for
from tests.intake.boxes import EPOCH, body, identity, source, topic
from tests.intake.running import command
from tests.ports import free_port

NOW = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
CASE = {"case": "orbit:OP-1", "location": None, "patient": None, "performer": None}


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def row(sequence: int, box: str = "gw1", /, **changes: Any) -> EventRow:  # noqa: ANN401 - JSON
    changes.setdefault("data", {}).setdefault("context", CASE)
    read = read_event(topic(box), body(sequence, box, **changes), NOW)
    assert isinstance(read, EventRow)
    return read


def fill(engine: sa.Engine, *rows: EventRow) -> None:
    Store(engine, lambda: NOW).commit(Batch(events=rows))


class HttpServer:
    """A receiver over HTTP that answers as it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], Any]] = []
        self.answer: Callable[[Any], int] = lambda _: 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code = outer.answer(sent)
                if code < 300:
                    outer.taken.append((dict(self.headers), sent))
                answer = b'{"issue": [{"diagnostics": "told so"}]}'
                self.send_response(code)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/r4"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def http() -> Iterator[HttpServer]:
    server = HttpServer()
    yield server
    server.close()


class Hl7Listener:
    """An HL7 v2 listener by the library hl7, in a thread."""

    def __init__(self) -> None:
        self.port = free_port()
        self.taken: list[Any] = []
        self.code = "AA"
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._ready.wait(20)

    @property
    def url(self) -> str:
        return f"mllp://127.0.0.1:{self.port}"

    async def _serve(self) -> None:
        server = await hl7.mllp.start_hl7_server(self._client, "127.0.0.1", self.port, encoding="utf-8")
        async with server:
            self._ready.set()
            await self._stop.wait()

    async def _client(self, reader: Any, writer: Any) -> None:  # noqa: ANN401 - hl7 is not typed
        try:
            while True:
                message = await reader.readmessage()
                if self.code in {"AA", "CA"}:
                    self.taken.append(message)
                writer.writemessage(message.create_ack(self.code))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()


@pytest.fixture
def listener() -> Iterator[Hl7Listener]:
    made = Hl7Listener()
    yield made
    made.close()


def forwarder(engine: sa.Engine, receiver: Any, form: Form, unsealer: Unsealer | None = None) -> Forwarder:  # noqa: ANN401
    return Forwarder(engine, receiver, "the receiver", form, unsealer, lambda: NOW)


def once(engine: sa.Engine, url: str, form: Form = "fhir-r4") -> Forwarder:
    made = forwarder(engine, HttpReceiver(url, "application/fhir+json"), form)
    made.run(threading.Event(), once=True)
    return made


def identifiers(http: HttpServer) -> list[str]:
    return [sent["entry"][-1]["resource"]["identifier"][0]["value"][-36:] for _, sent in http.taken]


def test_events_go_on_in_order_up_to_the_frontier(engine: sa.Engine, http: HttpServer) -> None:
    fill(engine, *(row(number) for number in (1, 2, 3, 5)))
    once(engine, http.url)
    assert identifiers(http) == [identity("gw1", number) for number in (1, 2, 3)]
    fill(engine, row(4))
    assert once(engine, http.url).progress.confirmed == 2
    assert identifiers(http) == [identity("gw1", number) for number in range(1, 6)]
    assert once(engine, http.url).progress.confirmed == 0


def test_a_receiver_that_is_away_holds_the_line(engine: sa.Engine, http: HttpServer) -> None:
    fill(engine, *(row(number) for number in (1, 2, 3)))
    http.answer = lambda _: 503 if len(http.taken) == 1 else 200
    with pytest.raises(ReceiverAwayError, match=r"503 .*told so"):
        once(engine, http.url)
    http.answer = lambda _: 200
    once(engine, http.url)
    assert identifiers(http) == [identity("gw1", number) for number in (1, 2, 3)]


@pytest.mark.parametrize("code", [401, 403, 404, 409, 429])
def test_what_is_the_same_for_every_event_is_no_dead_letter(engine: sa.Engine, http: HttpServer, code: int) -> None:
    fill(engine, row(1))
    http.answer = lambda _: code
    with pytest.raises(ReceiverAwayError, match=str(code)):
        once(engine, http.url)
    assert DeadLetters(engine).all(None) == []


def test_a_refused_event_is_a_dead_letter_until_a_person_sends_it_again(
    engine: sa.Engine, http: HttpServer
) -> None:
    fill(engine, *(row(number) for number in (1, 2, 3)))
    bad = identity("gw1", 2)
    http.answer = lambda sent: 422 if bad in json.dumps(sent) else 200
    once(engine, http.url)
    (letter,) = DeadLetters(engine).all(None)
    assert (letter.id, letter.sequence) == (bad, 2)
    assert "422" in letter.reason
    assert "told so" in letter.reason
    once(engine, http.url)
    assert len(http.taken) == 2, "not by itself"
    http.answer = lambda _: 200
    assert DeadLetters(engine).retry(None) == 1
    once(engine, http.url)
    assert identifiers(http) == [identity("gw1", number) for number in (1, 3, 2)]
    assert DeadLetters(engine).all(None) == []


def test_a_receiver_that_refuses_everything_holds_the_line(engine: sa.Engine, http: HttpServer) -> None:
    fill(engine, *(row(number) for number in range(1, 60)))
    http.answer = lambda _: 400
    with pytest.raises(ReceiverAwayError, match=r"another form than fhir-r4"):
        once(engine, http.url)
    assert len(DeadLetters(engine).all(None)) == 19


def test_undos_follow_and_numbers_without_events_are_passed(engine: sa.Engine, http: HttpServer) -> None:
    undo = row(2, data={"action": "undo", "undoes": identity("gw1", 1), "symbols": []})
    received = row(4, data={"action": "receive"})
    fill(engine, row(1), undo, received, row(5))
    Store(engine, lambda: NOW).stand_in([Place(source=source(), epoch=EPOCH, sequence=3)], "gone")
    done = once(engine, http.url)
    assert [sent["entry"][-1]["resource"]["status"] for _, sent in http.taken] == [
        *("completed", "entered-in-error", "completed")
    ]
    assert (done.progress.confirmed, done.progress.left_out) == (3, 1)
    assert once(engine, http.url).progress == type(done.progress)()


def test_a_late_event_goes_on_once(engine: sa.Engine, http: HttpServer) -> None:
    fill(engine, row(1, type="scangate.parked.v1", id=identity("stand-in", 1)), row(2))
    once(engine, http.url)
    fill(engine, row(1))
    once(engine, http.url)
    once(engine, http.url)
    assert identifiers(http) == [identity("gw1", number) for number in (2, 1)]


def test_hl7_messages_are_confirmed_one_by_one(engine: sa.Engine, listener: Hl7Listener) -> None:
    fill(engine, *(row(number) for number in (1, 2, 3)))
    receiver = MllpReceiver(listener.url)
    forwarder(engine, receiver, "hl7v2").run(threading.Event(), once=True)
    assert [str(one.segment("MSH")(10)) for one in listener.taken] == [
        identity("gw1", number) for number in (1, 2, 3)
    ]
    assert str(listener.taken[0].segment("PRT")(19)) == "L2A0417"
    fill(engine, row(4))
    listener.code = "AE"
    forwarder(engine, receiver, "hl7v2").run(threading.Event(), once=True)
    assert [letter.sequence for letter in DeadLetters(engine).all(None)] == [4]
    fill(engine, row(5))
    listener.code = "AR"
    with pytest.raises(ReceiverAwayError, match="AR"):
        forwarder(engine, receiver, "hl7v2").run(threading.Event(), once=True)
    receiver.close()


def test_a_listener_that_is_not_there_is_named() -> None:
    receiver = MllpReceiver(f"mllp://127.0.0.1:{free_port()}")
    with pytest.raises(ReceiverAwayError, match="no acknowledgement from mllp://127"):
        receiver.send(b"MSH|^~\\&|\r", "1")
    receiver.close()


@pytest.mark.parametrize(("form", "suffix"), [("csv", ".csv"), ("epcis", ".jsonld"), ("hl7v2", ".hl7")])
def test_files_are_written_whole(engine: sa.Engine, tmp_path: Path, form: Form, suffix: str) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    fill(engine, row(1), row(2))
    forwarder(engine, FolderReceiver(drop, suffix), form).run(threading.Event(), once=True)
    assert sorted(path.name for path in drop.iterdir()) == sorted(
        f"{identity('gw1', number)}{suffix}" for number in (1, 2)
    )


def test_sealed_identities_are_opened_for_the_receiver_alone(engine: sa.Engine, http: HttpServer) -> None:
    key = PrivateKey.generate()
    unsealer = Unsealer(bytes(key))
    sealed = {"scheme": "personnummer", "kid": unsealer.kid, "value": seal(key.public_key, "19121212-1212")}
    other = {"scheme": "personnummer", "kid": "sealed-0000000000000000", "value": "AAAA"}
    fill(engine, *(row(n, data={"context": CASE | {"patient": who}}) for n, who in enumerate((sealed, other), 1)))
    receiver = HttpReceiver(http.url, "application/fhir+json")
    forwarder(engine, receiver, "fhir-r4", unsealer).run(threading.Event(), once=True)
    subjects = [sent["entry"][1]["resource"]["subject"]["identifier"]["value"] for _, sent in http.taken]
    assert subjects == ["19121212-1212", "AAAA"]
    with engine.begin() as connection:
        stored = connection.scalars(sa.text("SELECT body FROM event")).all()
    assert not any("19121212" in text for text in stored)


def seal(key: PublicKey, text: str) -> str:
    return b64encode(SealedBox(key).encrypt(text.encode())).decode()


def test_one_process_at_a_time_works_for_a_receiver(engine: sa.Engine) -> None:
    first, second, other = (ExclusiveLock(engine, name) for name in ("a", "a", "b"))
    assert first.acquire()
    assert not second.acquire()
    assert other.acquire()
    first.release()
    wait_for(second.acquire, "the lock is free")
    assert second.held()
    for lock in (second, other):
        lock.release()


def test_from_the_command_line(http: HttpServer, listener: Hl7Listener, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    engine = open_database(url)
    fill(engine, row(1))
    engine.dispose()
    code, _, err = command("forward", "--database", url, "--to", listener.url, "--once")
    assert (code, len(listener.taken)) == (0, 1), err
    assert "1 events confirmed by mllp://" in err
    assert command("forward", "--database", url, "--to", http.url, "--once")[0] == 0
    assert http.taken[0][0]["Content-Type"] == "application/fhir+json; fhirVersion=4.0"
    assert command("forward", "--database", url, "--to", "gopher://x", "--once")[0] == 2
    http.answer = lambda _: 500
    assert command("forward", "--database", url, "--to", http.url, "--receiver", "again", "--once")[0] == 3


def test_a_discard_of_a_used_piece_takes_its_record_back(engine: sa.Engine, http: HttpServer) -> None:
    discard = {"action": "discard", "corrects": identity("gw1", 1), "quantity": 1}
    fill(engine, row(1), row(2, data=discard), row(3, data={"repeats": identity("gw1", 1)}))
    done = once(engine, http.url)
    assert (done.progress.confirmed, done.progress.left_out) == (2, 1)
    (entry,) = http.taken[1][1]["entry"]
    assert entry["resource"]["identifier"][0]["value"] == f"urn:uuid:{identity('gw1', 1)}"
    assert entry["resource"]["status"] == "entered-in-error"
    assert entry["resource"]["suppliedItem"]["itemReference"]["reference"].startswith("Device?identifier=")
