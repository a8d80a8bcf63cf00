"""Labels as people scan them, typed into a pty with pauses, and what a subscriber makes of the events.

One daemon, one real broker, one scene after the other. A scene is over when its last label's time has run out.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.end_to_end.plant import Consumer, Gateway, everything_arrived, plant, wait_for

WINDOW = 3
"""Seconds; `pairing_seconds` of the daemon."""
PAUSE = 0.3
"""Seconds between two symbols."""
AFTER = WINDOW + 0.7
"""Seconds until nothing more is taken for a symbol of the scene."""
G = "\x1d"
STEM = f"]d201095200010001021745123110L2A0417{G}21NS700312"
PLATE, PLATE_LOT = "]C10109520001000508", "]C11745123110K7"
SCREW, SCREW_LOT = "]C10109520001000409", "]C11745123110S1"
PRICE = "]E02012345678903"
"""A number of the range for use within a company (GenSpecs 1.4)."""
NAIL, NAIL_LOT, WIRE_LOT = "]A0+A123BJC5D6E71G", "]A0+$$34512317K3GC", "]A0+$$34512318L9Z$"

Scene = tuple[str, Sequence[str], list[str]]
"""Name, symbols, and the events in force in words: device identifier, lot, serial number, marks."""
PLATE_IS, STEM_IS = "09520001000508 K7", "09520001000102 L2A0417 NS700312"
SCENES: list[Scene] = [
    ("a label in two symbols", (PLATE, PLATE_LOT), [PLATE_IS]),
    ("the lot first", (PLATE_LOT, PLATE), [PLATE_IS]),
    ("the first symbol twice", (PLATE, PLATE, PLATE_LOT), [PLATE_IS]),
    ("REF between the two", (PLATE, "]C0PL-0006", PLATE_LOT), [PLATE_IS]),
    ("the article number first", ("VGR-104310", PLATE, PLATE_LOT), [PLATE_IS]),
    ("a price code between the two", (PLATE, PRICE, PLATE_LOT), [PLATE_IS]),
    ("an information page between the two", (PLATE, "]Q1https://example.com/eifu", PLATE_LOT), [PLATE_IS]),
    ("a national number beside the lot", (PLATE, f"{PLATE_LOT}{G}715123"), [PLATE_IS]),
    ("an unknown field beside the lot", (PLATE, f"{PLATE_LOT}{G}05123"), [f"{PLATE_IS} GS1_UNKNOWN_AI"]),
    ("Data Matrix, and then the linear pair", ("]d20109520001000508" + "10K7", PLATE, PLATE_LOT), [PLATE_IS]),
    ("Data Matrix, linear GTIN", (STEM, "]C10109520001000102"), [STEM_IS]),
    ("linear GTIN, Data Matrix", ("]C10109520001000102", f"{STEM}D"), [f"{STEM_IS}D"]),
    ("Data Matrix, REF", (f"{STEM}A", "]A0NS-2012"), [f"{STEM_IS}A"]),
    ("tape: EAN-13, and then its Data Matrix", ("]E09520007000304", "]d20109520007000304" + "10X1"),
     ["09520007000304 X1"]),
    ("tape: Data Matrix, and then its EAN-13", ("]d20109520007000304" + "10X2", "]E09520007000304"),
     ["09520007000304 X2"]),
    ("half a label, and then another implant", (PLATE, f"{STEM}B"),
     ["09520001000508 INCOMPLETE_LABEL", f"{STEM_IS}B"]),
    ("half a label, another implant, and the rest", (PLATE, f"{STEM}C", "]C11745123110K8"),
     ["09520001000508 K8", f"{STEM_IS}C"]),
    ("two labels at once", (PLATE, SCREW, "]C11745123110K9", SCREW_LOT),
     ["09520001000409 K9 LABELS_INTERLEAVED", "09520001000508 S1 LABELS_INTERLEAVED"]),
    ("half a label", ("]C10109520001000508",), ["09520001000508 INCOMPLETE_LABEL"]),
    ("HIBC: primary and secondary", (NAIL, NAIL_LOT), ["A123BJC5D6E71 7K3"]),
    ("HIBC: another label's secondary between them", (NAIL, WIRE_LOT, "]A0+$$34512317K4GD"),
     ["- 8L9 HIBC_LINK INCOMPLETE_LABEL", "A123BJC5D6E71 7K4"]),
    ("HIBC: concatenated, and then the primary", ("]A0+A123BJC5D6E71/$$345123117K5E", NAIL),
     ["A123BJC5D6E71 17K5"]),
    ("an SSCC while a label waits", (PLATE, "]C100106141412345678908", "]C11745123110K10"),
     ["-", "09520001000508 K10"]),
    ("a word typed in between", (PLATE, "hunter2", "]C11745123110K11"), ["09520001000508 K11"]),
    ("a damaged symbol in between", (PLATE, "]C117459999", "]C11745123110K12"),
     ["- GS1_DATE INCOMPLETE_LABEL", "09520001000508 K12"]),
    ("one piece by its serial number", (f"]d201095200010001021745123110L9{G}21X1", f"]d20109520001000102{G}21X1"),
     ["09520001000102 L9 X1"]),
    ("brackets in the symbol", ("]C1(01)09520001000508(17)451231(10)K13", PLATE),
     ["09520001000508 K13 GS1_BRACKETS"]),
    ("an electronics label", ("]d1[)>\x1e06\x1dPAZ1117\x1d1TH510592.U1\x1dQ1\x1e\x04",), []),
    ("a graft in three symbols", ("]C0=>045032", "]C0=/A9999XYZ100T0944", "]C0=,000025"),
     ["A9999XYZ100T0944 000025"]),
    ("a Digital Link, and then the linear GTIN",
     ("]Q1https://id.gs1.org/01/09520001000508/10/K14/?17=451231", PLATE), ["09520001000508 K14"]),
]  # fmt: skip
TOLD = {"INCOMPLETE_LABEL", "LABELS_INTERLEAVED", "HIBC_LINK", "GS1_UNKNOWN_AI", "GS1_BRACKETS", "GS1_DATE"}


def words(event: dict[str, Any]) -> str:
    udi = event["data"]["udi"] or {}
    known = [udi.get("deviceIdentifier") or "-", udi.get("lotNumber"), udi.get("serialNumber")]
    known += [finding["code"] for finding in event["data"]["verdict"]["findings"] if finding["code"] in TOLD]
    known += ["repeats"] if event["data"]["repeats"] else []
    return " ".join(part for part in known if part)


def in_force(events: list[dict[str, Any]]) -> list[str]:
    """What a consumer that applies undo has."""
    undone = {event["data"]["undoes"] for event in events}
    return sorted(
        words(event) for event in events if event["id"] not in undone and event["data"]["action"] != "undo"
    )


def later(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


def play(gateway: Gateway, consumer: Consumer, symbols: Sequence[str]) -> list[str]:
    """Scan the symbols of a scene; return the events in force of it, as the subscriber has them."""
    before = gateway.stored()
    for code in symbols:
        gateway.wire.write(code.encode() + b"\r")
        wait_for(later(PAUSE), "a pause between two symbols")
    wait_for(later(AFTER), "the scene is over")
    wait_for(lambda: len(consumer.events()) == gateway.stored(), "what is stored arrives")
    return in_force(consumer.events()[before:])


def test_labels_as_people_scan_them(tmp_path: Path) -> None:
    assert len(SCENES) >= 30
    with plant(tmp_path) as one:
        gateway = one.gateway
        config = gateway.config.read_text().replace(
            'id = "op3"', f'id = "op3"\npairing_seconds = {WINDOW}\nrepeat_seconds = 0'
        )
        gateway.config.write_text(config)
        gateway.import_samples()
        one.broker.start()
        consumer = one.listen()
        gateway.start()
        played = [(name, play(gateway, consumer, symbols)) for name, symbols, _ in SCENES]
        everything_arrived(gateway, consumer)
        gateway.stop()
    assert played == [(name, sorted(expected)) for name, _, expected in SCENES]
