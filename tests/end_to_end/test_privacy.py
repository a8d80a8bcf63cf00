"""Nothing about a person is written to disk, logged or published: everything the daemon left is searched."""

from pathlib import Path

from tests.end_to_end.plant import Consumer, label, plant, wait_for

SECRETS = (
    # personnummer that Skatteverket publishes for tests; the second also passes as a GTIN-12
    b"191212121212",
    b"19121212-1212",
    b"19121212+1212",
    b"121212-1212",
    # GSRN of a patient (AI 8018) and of a performer (AI 8017), GS1's example prefix; one with a wrong check digit
    b"]d28018952000000000000019",
    b"]C18017952000000000000026",
    b"]d28018952000000000000017",
    b"]d2(8018)952000000000000017",
    b"hunter2-correct-horse",
    b"Anna Andersson",
    b"]Q1https://example.org/patient?name=Berit",
)
MIXED = b"]d20109520001000102" + b"10LOT7\x1d" + b"8018952000000000000033"
"""A label that also carries a GSRN: the label is an event, the GSRN is not part of it."""
FRAGMENTS = (
    b"1212121212",
    b"1212-1212",
    b"1212+1212",
    b"95200000000000001",
    b"95200000000000002",
    b"95200000000000003",
    b"hunter2",
    b"correct-horse",
    b"Andersson",
    b"Berit",
)


def test_nothing_about_a_person_is_left_anywhere(tmp_path: Path) -> None:
    with plant(tmp_path) as one:
        gateway = one.gateway
        one.broker.start()
        one.consumer = consumer = Consumer(one.broker.port, "#")
        assert consumer.subscribed.wait(30)
        gateway.import_samples()
        gateway.start()
        for secret in SECRETS:
            gateway.wire.write(secret + b"\r")
        gateway.wire.write(MIXED + b"\r")
        gateway.wire.write(label(7))
        wait_for(lambda: gateway.stored() == 2, "the two labels are stored")
        wait_for(lambda: any(b"S000007" in body for body in consumer.bodies), "and published")
        counters = gateway.status()["counters"]
        assert sum(count for name, count in counters.items() if name.startswith("withheld.")) == len(SECRETS)
        gateway.stop()
        everything = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        everything |= {Path(f"message {index}"): body for index, body in enumerate(consumer.bodies)}
        everything[Path("told")] = repr(gateway.told).encode()
        encoded = [_base64_core(fragment) for fragment in FRAGMENTS]
        found = [
            (path, fragment)
            for path, content in everything.items()
            for fragment in (*FRAGMENTS, *(core for cores in encoded for core in cores))
            if fragment in content
        ]
        assert not found
        assert any(b"LOT7" in body for body in consumer.bodies), "the label itself must arrive"


def _base64_core(fragment: bytes) -> list[bytes]:
    """What the fragment looks like inside base64, at each of the three alignments."""
    from base64 import b64encode

    cores = []
    for shift in range(3):
        whole = b64encode(b"\0" * shift + fragment)
        start = -(-shift * 8 // 6)
        end = (shift + len(fragment)) * 8 // 6
        cores.append(whole[start:end])
    return cores
