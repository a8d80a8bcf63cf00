"""Two scanners of one kind, even with one serial number: they never mix, and they keep their names."""

import os
from functools import partial

from tests.drivers.typist import Typist
from tests.vm.box import Box, port_of
from tests.vm.install import say
from tests.vm.keys import reports
from tests.vm.labels import text

SCANS = int(os.environ.get("SCANGATE_VM_SCANS", "1000"))
TYPING_SECONDS = 900.0
"""1,000 labels of some 60 key movements each, at up to 1,000 movements a second, in an emulated machine."""
IDLE_MS = 2000
"""A busy emulated machine can make a scanner pause within a label."""
WARM_UP = 999_999
"""Scanned until it counts: after the start a scanner has to be silent once before it is believed."""
TWINS = {"left": 0, "right": 1}
"""Name -> port."""


def settings(name: str, port: int) -> str:
    return (
        f'name = "{name}"\ndriver = "hid-keyboard"\nmatch = {{ port = "{port_of(port)}" }}\nidle_ms = {IDLE_MS}\n'
    )


def plug(box: Box, names: list[str]) -> None:
    for name in names:
        box.plug(name, "0c2e", "0b61", "SAME", "keyboard", TWINS[name])


def test_both_type_at_the_same_time(box: Box) -> None:
    """At the pace of a fast scanner, a key movement every few milliseconds: every scan is right."""
    expected = _both_type(box, SCANS, gap=0.002)
    say(f"twins: {box.counters()}")
    for name in TWINS:
        assert _texts(box, name) == expected[name]


def test_both_type_faster_than_an_emulated_machine_reads(box: Box) -> None:
    """As fast as the bus carries: what the kernel dropped is thrown away whole, and everything else is right."""
    expected = _both_type(box, SCANS // 10, gap=0.0)
    counters = box.counters()
    say(f"twins at full speed: {counters}")
    for name in TWINS:
        texts = _texts(box, name)
        assert [text for text in expected[name] if text in set(texts)] == texts
        assert len(texts) == SCANS // 10 or counters["discarded.dropped"]
    assert set(counters) <= {"accepted", "repeat", "discarded.dropped", "discarded.unreadable"}


def _both_type(box: Box, scans: int, *, gap: float) -> dict[str, list[str]]:
    """Let the twins type; return the texts of each."""
    plug(box, list(TWINS))
    box.run(*(settings(*one) for one in TWINS.items()))
    _warm_up(box)
    numbers = {name: range(port * scans, (port + 1) * scans) for name, port in TWINS.items()}
    typing = [box.send(name, "keyboard", reports(Typist(), *numbers[name]), gap=gap) for name in TWINS]
    for one in typing:
        assert box.agent.result(one, seconds=TYPING_SECONDS).code == 0
    last = {name: text(numbers[name][-1]) for name in TWINS}
    box.wait_for(lambda: all(box.texts(name)[-1:] == [last[name]] for name in TWINS), "the last ones are stored")
    return {name: [text(number) for number in numbers[name]] for name in TWINS}


def test_they_keep_their_names_when_the_box_starts_again(box: Box) -> None:
    """After the reboot they come in the other order, so that the kernel numbers them the other way round."""
    box.configure(*(settings(*one) for one in TWINS.items()))
    box.agent.run("systemctl enable scangate")
    plug(box, list(TWINS))
    box.start()
    _each_scans(box, first=1)
    nodes = {one["name"]: one["identity"]["device"] for one in box.ask("scanners")}
    box.shut_down()
    box.boot()
    plug(box, list(reversed(TWINS)))
    box.start()
    _each_scans(box, first=3)
    assert {one["name"]: one["identity"]["device"] for one in box.ask("scanners")} == {
        "left": nodes["right"],
        "right": nodes["left"],
    }
    assert _texts(box, "left") == [text(1), text(3)]
    assert _texts(box, "right") == [text(2), text(4)]


def _warm_up(box: Box) -> None:
    for name in TWINS:
        box.wait_link(name, "connected")
        box.wait_for(partial(_counts, box, name), f"{name} is believed")


def _counts(box: Box, name: str) -> bool:
    box.sent(name, "keyboard", reports(Typist(), WARM_UP))
    return text(WARM_UP) in box.texts(name)


def _texts(box: Box, name: str) -> list[str]:
    return [one for one in box.texts(name) if one != text(WARM_UP)]


def _each_scans(box: Box, *, first: int) -> None:
    _warm_up(box)
    before = len(box.signalled())
    for number, name in enumerate(TWINS, first):
        box.sent(name, "keyboard", reports(Typist(), number))
    box.wait_scans(before + len(TWINS))
