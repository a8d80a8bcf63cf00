"""The way of one scan with what must never be kept: neither the event nor its journal holds it."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from drivers.model import Frame, RawScan, Signal
from gateway.articles.lookup.master import ArticleMaster
from gateway.config.loader import parse
from gateway.outbox.entry import NewEvent, NewLabelProblem
from gateway.outbox.writer import Outbox
from gateway.scanning.pipeline import Pipeline
from tests.outbox.events import BOX, ROOMY, reading

CONFIG = {
    "gateway": {"tenant": "vgr", "site": "su", "id": "gw01"},
    "scanner": [{"name": "front", "device": "/dev/null"}],
}
GSRN = "123456789012345675"
LABEL = f"010952000100010221S18018{GSRN}"


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(parse(CONFIG, "test"), ArticleMaster(tmp_path / "articles"))
    yield made
    made.close()


def scan(text: str, symbology: str | None = None) -> RawScan:
    data = (symbology or "").encode() + text.encode()
    return RawScan(scanner="front", frame=Frame(data=data, started_ns=1), symbology=symbology, text=text)


@pytest.mark.parametrize(
    ("text", "symbology", "secret"),
    [
        (f"01095200010001028018{GSRN}", "]d2", GSRN),
        (f"0109520001000102\x1d8018{GSRN}", "]d2", GSRN),
        (f"8017{GSRN}010952000100010221S1", "]C1", GSRN),
        (f"(01)09520001000102(8018){GSRN}", None, GSRN),
        (f"https://id.gs1.org/01/09520001000102?8018={GSRN}", "]Q1", GSRN),
        (f"8018{GSRN}", "]C1", GSRN),
        # a person's number in an element of the label (SKV 704), a name behind a separator, a parameter of a link
        ("010952000100010221" + "19121212-1212", "]d2", "1212-1212"),
        ("010952000100010290" + "121212-1212", "]d2", "1212-1212"),
        ("010952000100010291" + "191212121212", "]d2", "191212121212"),
        ("010952000100010291PNR:19121212-1212", "]d2", "1212-1212"),
        ("0109520001000102\x1dAndersson, Anna 19121212-1212", "]d2", "Andersson"),
        ("https://id.gs1.org/01/09520001000102?191212121212", "]Q1", "191212121212"),
        ("https://id.gs1.org/01/09520001000102?12345=Andersson", "]Q1", "Andersson"),
        ("[)>\x1e06\x1d9N111234567842\x1dHAndersson\x1d1TA\x1e\x04", "]d1", "Andersson"),
        ("[)>\x1e06\x1d9N111234567842\x1dS19121212-1212\x1e\x04", "]d1", "1212-1212"),
        ("+A99912345/$19121212-1212L", None, "1212-1212"),
        ("191212121212", None, "191212121212"),
        ("19121212-1212", None, "1212-1212"),
        ("hunter2", None, "hunter2"),
    ],
)
def test_nothing_of_a_person_is_on_disk(
    pipeline: Pipeline, tmp_path: Path, text: str, symbology: str | None, secret: str
) -> None:
    outcome = pipeline.consider(scan(text, symbology), reading(), "id-1")
    assert secret not in repr(outcome)
    assert secret not in repr(pipeline.memory)
    if not outcome.writes:
        assert outcome.signal is Signal.REFUSED
        return
    result, *reports = outcome.writes  # of a typed label, that it could not be read
    assert all(isinstance(one, NewLabelProblem) for one in reports)
    assert isinstance(result, NewEvent)
    assert "PERSON_DATA_REMOVED" in [finding.code for finding in result.data.verdict.findings]
    assert secret.encode() not in b64decode(result.data.symbols[0].raw)
    outbox = Outbox(tmp_path / "outbox.db", ROOMY, BOX)
    outbox.append(outcome.writes, reading(), seal=True)
    outbox.close(reading())
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.glob("outbox.db*"))


def test_what_could_not_be_read_is_told_though_it_is_not_kept(pipeline: Pipeline) -> None:
    """A name has no AI: it goes, and the label is refused as any other that cannot be read to its end."""
    one = scan("0109520001000102\x1dAndersson, Anna", "]d2")
    (result,) = pipeline.consider(one, reading(), "id-1").writes
    assert isinstance(result, NewEvent)
    codes = {finding.code for finding in result.data.verdict.findings}
    assert {"GS1_UNKNOWN_AI", "PERSON_DATA_REMOVED"} <= codes
    assert "Andersson" not in repr(result)


def test_a_label_is_kept_as_it_was_read(pipeline: Pipeline) -> None:
    one = scan("010952000100010221S1", "]d2")
    (result,) = pipeline.consider(one, reading(), "id-1").writes
    assert isinstance(result, NewEvent)
    assert result.raw == (one.frame.data,)
    assert b64decode(result.data.symbols[0].raw) == one.frame.data
    assert msgspec.json.encode(result.data)
