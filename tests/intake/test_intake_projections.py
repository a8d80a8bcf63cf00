"""Every kind of event through the intake, as a receiver gets it, judged by code that is not ours."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from intake.database import open_database
from intake.event import EventRow, read_event
from intake.forward.dead_letters import DeadLetters
from intake.forward.folder import FolderReceiver
from intake.forward.forwarder import Forwarder
from intake.forward.projection import SUFFIXES, Form
from intake.store import ReceivedBatch, Store
from tests.events.forty import JOURNAL, judge_epcis, judge_fhir, judge_hl7v2

NOW = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
TOPIC = "udi/v1/vgr/su/su-op3-gw01/scan"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The sample journal, committed."""
    url = f"sqlite:///{tmp_path_factory.mktemp('forty') / 'events.db'}"
    engine = open_database(url)
    rows = [read_event(TOPIC, body, NOW) for body in JOURNAL]
    events = tuple(one for one in rows if isinstance(one, EventRow))
    assert len(events) == len(JOURNAL), [one for one in rows if not isinstance(one, EventRow)]
    (frontier,) = Store(engine, lambda: NOW).commit(ReceivedBatch(events=events)).frontiers.values()
    assert frontier == len(JOURNAL)
    engine.dispose()
    return url


def forwarded(database: str, folder: Path, form: Form) -> list[str]:
    """Hand everything on into a folder; return what came there."""
    engine = open_database(database)
    name = f"{form} {folder}"
    made = Forwarder(engine, FolderReceiver(folder, SUFFIXES[form]), name, form, None, lambda: NOW)
    made.run(threading.Event(), once=True)
    assert DeadLetters(engine).all(name) == []
    with engine.connect() as connection:
        confirmed = connection.scalar(
            sa.text("SELECT sequence FROM forward_cursor WHERE receiver = :name"), {"name": name}
        )
    assert confirmed == len(JOURNAL), "the line goes on to its end"
    engine.dispose()
    return [path.read_bytes().decode() for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_fhir(database: str, tmp_path: Path, release: str) -> None:
    bundles = forwarded(database, tmp_path, "fhir-r4" if release == "R4" else "fhir-r5")
    assert len(bundles) >= 40
    for bundle in bundles:
        judge_fhir(json.loads(bundle), release)


def test_hl7v2(database: str, tmp_path: Path) -> None:
    messages = forwarded(database, tmp_path, "hl7v2")
    assert len(messages) >= 40
    for message in messages:
        judge_hl7v2(message)


def test_epcis(database: str, tmp_path: Path) -> None:
    documents = [json.loads(one) for one in forwarded(database, tmp_path, "epcis")]
    assert len(documents) >= 40
    for document in documents:
        judge_epcis(document)
    events = [one for document in documents for one in document["epcisBody"]["eventList"]]
    named = {name for one in events for name in one.get("errorDeclaration", {}).get("correctiveEventIDs", ())}
    assert named, "a use of which a part was thrown away is declared an error"
    assert named <= {one["eventID"] for one in events}
