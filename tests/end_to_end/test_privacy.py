"""Nothing about a person is written to disk, logged or published: everything the daemon left is searched."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from nacl.public import PrivateKey, SealedBox

from gateway.station.control_codes import ControlCodes
from gateway.system.control_socket import ask
from tests.end_to_end.plant import Consumer, Gateway, Plant, label, plant, wait_for

PATIENT = b"]d28018952000000000000019"
PERFORMER = b"]C18017952000000000000026"
"""GSRN of a patient (AI 8018) and of a performer (AI 8017), GS1's example prefix."""
CASE = b"orbit:OP-20261121-0317"
BADGE = b"SE2321000131-E0001"
SWEDISH = (
    # personnummer that Skatteverket publishes for tests, a made samordningsnummer, a reserve number of Inera's page
    b"191212121212",
    b"19121212-1212",
    b"]C019121212+1212",
    b"197010632391",
    b"19810829M071",
)
IDENTITIES = (PATIENT, PERFORMER, CASE, BADGE, *SWEDISH)
"""Context codes of persons and of a case."""
OTHERS = (
    b"121212-1212",
    b"1212121212",
    b"991981000010",
    b"]d28018952000000000000017",
    b"]d2(8018)952000000000000017",
    b"]d28018952000000000000019\x1d72531912",
    b"hunter2-correct-horse",
    b"10hunter2",
    b"Anna Andersson",
    b"]Q1https://example.org/patient?name=Berit",
)
"""What no station takes: wrong check digits, person numbers without a century, other people's numbers, words."""
MIXED = b"]d20109520001000102" + b"10LOT7\x1d" + b"8018952000000000000033"
"""A label that also carries a GSRN: the label is an event, the GSRN is not part of it."""
FRAGMENTS = (
    b"1212121212",
    b"1212-1212",
    b"1212+1212",
    b"7010632391",
    b"10829M071",
    b"81000010",
    b"95200000000000001",
    b"95200000000000002",
    b"95200000000000003",
    b"20261121-0317",
    b"2321000131",
    b"hunter2",
    b"correct-horse",
    b"Andersson",
    b"Berit",
)
LOCATION = b"]d24149520001000003254OP3"
PRIVATE = PrivateKey(bytes(range(32)))
CONTROL_KEY = bytes(range(32, 64))


def scanned(one: Plant, codes: Sequence[bytes]) -> None:
    """Scan codes one after the other, each when the one before has been answered."""
    for code in codes:
        before = answered(one.gateway)
        one.gateway.wire.write(code + b"\r")
        _wait_for_more(one.gateway, before)


def _wait_for_more(gateway: Gateway, before: int) -> None:
    wait_for(lambda: answered(gateway) > before, "an answer")


def answered(gateway: Gateway) -> int:
    """How many codes have been counted as anything."""
    counters: dict[str, int] = gateway.status()["counters"]
    return sum(counters.values())


def search(one: Plant, directory: Path, consumer: Consumer, more: bytes) -> None:
    """Look for the fragments in everything that was written, sent or told; the keys' own files aside."""
    everything = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert any(path.name.startswith("outbox.db") for path in everything)
    everything |= {Path(f"message {index}"): body for index, body in enumerate(consumer.bodies)}
    everything[Path("topics")] = repr(sorted(consumer.topics)).encode()
    everything[Path("told")] = repr(one.gateway.told).encode()
    everything[Path("asked")] = more
    wanted = [form for fragment in FRAGMENTS for form in (fragment, *_base64_cores(fragment))]
    found = [(path, form) for path, content in everything.items() for form in wanted if form in content]
    assert not found


@pytest.fixture
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Plant, Consumer]]:
    """A plant with a consumer of everything; the parameter is what stands in the configuration beside."""
    with plant(tmp_path, getattr(request, "param", "").format(folder=tmp_path)) as one:
        (tmp_path / "seal-key").write_text(bytes(PRIVATE.public_key).hex())
        (tmp_path / "control-key").write_text(CONTROL_KEY.hex())
        one.broker.start()
        one.consumer = consumer = Consumer(one.broker.port, "#")
        assert consumer.subscribed.wait(30)
        one.gateway.import_samples()
        yield one, consumer


def test_a_box_without_keys_takes_nothing_of_a_person(running: tuple[Plant, Consumer], tmp_path: Path) -> None:
    one, consumer = running
    gateway = one.gateway
    gateway.start()
    scanned(one, [*IDENTITIES, *OTHERS])
    gateway.wire.write(MIXED + b"\r")
    gateway.wire.write(label(7))
    wait_for(lambda: gateway.stored() == 2, "the two labels are stored")
    wait_for(lambda: any(b"S000007" in body for body in consumer.bodies), "and published")
    counters = gateway.status()["counters"]
    turned_away = sum(n for name, n in counters.items() if name.startswith(("withheld.", "context-refused.")))
    assert turned_away == len(IDENTITIES) + len(OTHERS)
    asked = repr([gateway.status(), ask(gateway.socket, "scanners")]).encode()
    gateway.stop()
    search(one, tmp_path, consumer, asked)
    assert b"seal_key_file" in gateway.log.read_bytes(), "the log says what to configure"
    assert any(b"LOT7" in body for body in consumer.bodies), "the label itself must arrive"
    contexts = {repr(msgspec.json.decode(body)["data"]["context"]) for body in gateway.journal()}
    assert contexts == {repr(dict.fromkeys(("case", "location", "patient", "performer")))}


SEALING = """
[context]
case_mode = "sealed"
seal_key_file = "{folder}/seal-key"
performer = [{{ scheme = "hsa-id", pattern = "SE[0-9]{{10}}-[A-Z0-9]{{4,10}}" }}]
"""


@pytest.mark.parametrize("running", [SEALING], indirect=True)
def test_a_box_that_seals_keeps_nothing_in_clear(running: tuple[Plant, Consumer], tmp_path: Path) -> None:
    one, consumer = running
    gateway = one.gateway
    text = gateway.config.read_text()
    gateway.config.write_text(text.replace("[station]", f'[station]\ncode_key_file = "{tmp_path}/control-key"'))
    gateway.start()
    codes = ControlCodes("su", CONTROL_KEY)
    foreign = ControlCodes("ks", CONTROL_KEY)
    scanned(one, [*OTHERS, *IDENTITIES, LOCATION, PATIENT, foreign.write("CONSUME").encode()])
    scanned(one, [codes.write("DISCARDDAMAGED").encode(), codes.write("QTY2").encode()])
    gateway.wire.write(label(7))
    wait_for(lambda: gateway.stored() == 1, "the label is stored")
    scanned(one, [codes.write("CLEARCONTEXT").encode()])
    gateway.wire.write(MIXED + b"\r")
    wait_for(lambda: gateway.stored() == 2, "the other label is stored")
    wait_for(lambda: any(b"LOT7" in body for body in consumer.bodies), "and published")
    asked = repr([gateway.status(), ask(gateway.socket, "scanners")]).encode()
    gateway.stop()
    search(one, tmp_path, consumer, asked)

    first, second = (msgspec.json.decode(body)["data"] for body in gateway.journal())
    assert (first["action"], first["reason"], first["quantity"]) == ("discard", "damaged", 2)
    context = first["context"]
    assert context["location"] == "https://id.gs1.org/414/9520001000003/254/OP3"
    opened = {
        kind: (ref["scheme"], SealedBox(PRIVATE).decrypt(b64decode(ref["value"])).decode())
        for kind in ("case", "patient", "performer")
        if (ref := context[kind])
    }
    assert opened == {
        "case": ("orbit", "OP-20261121-0317"),
        "patient": ("gsrn", "952000000000000019"),
        "performer": ("hsa-id", "SE2321000131-E0001"),
    }
    assert second["context"] == dict.fromkeys(("case", "location", "patient", "performer"))


def _base64_cores(fragment: bytes) -> list[bytes]:
    """What the fragment looks like inside base64, at each of the three alignments."""
    cores = []
    for shift in range(3):
        whole = b64encode(b"\0" * shift + fragment)
        start = -(-shift * 8 // 6)
        end = (shift + len(fragment)) * 8 // 6
        cores.append(whole[start:end])
    return cores
