"""A station against a plain model of "one label, one event", over labels, orders and pauses made at random.

The model knows nothing of moves or windows: a label is what its symbols say together, it is one event however its
symbols come, and labels are told apart by a pause longer than the window or, where every symbol names its article,
by that name.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from gateway.udi.checks import gs1_check_digit, hibc_check_character
from tests.station.label_corpus import in_force, said, scanned

WINDOW = 5.0
GTINS = [
    f"0952000{number:06d}" + str(gs1_check_digit(f"0952000{number:06d}")) for number in range(900_000, 900_012)
]
"""Of articles that no master knows."""


class Facts(Struct, frozen=True):
    """What a label says."""

    identifier: str
    lot: str
    serial: str | None

    def expected(self) -> dict[str, str]:
        """In the names of an event."""
        says = {"deviceIdentifier": self.identifier, "lotNumber": self.lot, "expirationDate": "2045-12-31"}
        return says if self.serial is None else {**says, "serialNumber": self.serial}


def gs1_linear(facts: Facts) -> list[str]:
    serial = [] if facts.serial is None else [f"]C121{facts.serial}"]
    return [f"]C101{facts.identifier}", "]C117451231" + f"10{facts.lot}", *serial]


def gs1_matrix(facts: Facts) -> str:
    serial = "" if facts.serial is None else f"\x1d21{facts.serial}"
    return f"]d201{facts.identifier}17451231" + f"10{facts.lot}{serial}"


def gs1_named(facts: Facts) -> list[str]:
    """Symbols that all name the article."""
    link = f"]Q1https://id.gs1.org/01/{facts.identifier}/10/{facts.lot}?17=451231"
    return [gs1_matrix(facts), f"]E0{facts.identifier[1:]}", f"]C101{facts.identifier}", link]


def checked(text: str) -> str:
    return f"]A0{text}{hibc_check_character(text)}"


def hibc(facts: Facts) -> list[str]:
    """Symbols that a link joins."""
    primary = f"+{facts.identifier}"
    link = hibc_check_character(primary)
    serial = "" if facts.serial is None else f"/S{facts.serial}"
    return [checked(primary), checked(f"+$$3451231{facts.lot}{serial}{link}")]


texts = st.text("ABCDEFGH0123456789", min_size=1, max_size=6)


@st.composite
def labels(draw: st.DrawFn, *, named: bool) -> tuple[Facts, list[str]]:
    """A label and the order in which its symbols are scanned, some of the first ones dropped, never all."""
    lot, serial = draw(texts), draw(st.none() | texts)
    if draw(st.booleans()):
        identifier = "A999" + draw(st.text("BCDEFGH", min_size=3, max_size=3)) + "0"
        facts = Facts(identifier, lot, serial)
        return facts, draw(st.permutations(hibc(facts)))
    facts = Facts(draw(st.sampled_from(GTINS)), lot, serial)
    if named:
        whole = gs1_matrix(facts)
        others = draw(st.lists(st.sampled_from(gs1_named(facts)[1:]), unique=True))
        return facts, draw(st.permutations([whole, *others]))
    symbols = gs1_linear(facts)
    if draw(st.booleans()):
        symbols.append(draw(st.sampled_from((gs1_matrix(facts), f"]E0{facts.identifier[1:]}"))))
    return facts, draw(st.permutations(symbols))


def differ(made: Sequence[tuple[Facts, list[str]]]) -> bool:
    """Whether no two labels have an article, or a HIBC link, in common."""
    identifiers = [facts.identifier for facts, _ in made]
    links = [hibc_check_character(f"+{one}") for one in identifiers if one.startswith("A999")]
    return len(set(identifiers)) == len(identifiers) and len(set(links)) == len(links)


profiles = st.sampled_from(("operating-room", "supply-room", "clinic"))


@settings(max_examples=200, deadline=None)
@given(st.lists(labels(named=False), min_size=1, max_size=4).filter(differ), profiles, st.data())
def test_labels_one_after_the_other(made: list[tuple[Facts, list[str]]], profile: str, data: st.DataObject) -> None:
    now = 0.0
    scans: list[tuple[float, str]] = []
    for _, order in made:
        now += WINDOW + 1
        for code in order:
            scans.append((now, code))
            now += data.draw(st.sampled_from((0.2, 1.0, 4.0)))
    check(made, profile, scans)


@settings(max_examples=200, deadline=None)
@given(st.lists(labels(named=True), min_size=1, max_size=4).filter(differ), profiles, st.data())
def test_labels_that_name_their_article_in_any_mixture(
    made: list[tuple[Facts, list[str]]], profile: str, data: st.DataObject
) -> None:
    """Symbols that name their article, or are linked to it, are told apart however they are mixed."""
    queues = [list(order) for _, order in made]
    scans: list[tuple[float, str]] = []
    while any(queues):
        queue = data.draw(st.sampled_from([one for one in queues if one]))
        scans.append((len(scans) * 0.2, queue.pop(0)))
    check(made, profile, scans)


def check(made: list[tuple[Facts, list[str]]], profile: str, scans: list[tuple[float, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = scanned(Path(folder), profile, scans)
        events = in_force(stage)
        stage.close()
    found = sorted((said(event) for event in events), key=str)
    assert found == sorted((facts.expected() for facts, _ in made), key=str)
    assert all(event.data.repeats is None for event in events)
    assert len({event.id for event in stage.drafts}) == len(stage.drafts)
