"""Every label of the corpus, in every order and with every part of it scanned again: one event, the right one."""

from itertools import combinations, permutations
from pathlib import Path

import pytest

from gateway.station.label import statements
from tests.station.label_corpus import PROFILES, CorpusLabel, corpus, in_force, orders, said, scanned

LABELS = corpus()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


def test_the_corpus_is_what_it_should_be() -> None:
    assert len(LABELS) >= 100
    assert len({label["name"] for label in LABELS}) == len(LABELS)
    assert all(label["source"].strip() for label in LABELS)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("label", LABELS, ids=lambda label: label["name"])
def test_any_order_makes_one_event_of_the_same_content(directory: Path, profile: str, label: CorpusLabel) -> None:
    contents = set()
    for order in orders(label):
        stage = scanned(directory, profile, list(enumerate(order)))
        events = in_force(stage)
        stage.close()
        assert [said(event) for event in events] == [label["expect"]], order
        (event,) = events
        assert event.data.repeats is None
        udi = event.data.udi
        assert udi is not None
        findings = tuple(sorted(finding.code for finding in event.data.verdict.findings))
        contents.add((frozenset(statements(udi).items()), udi.expiration_precision, findings))
    assert len(contents) == 1


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label["name"])
def test_any_part_scanned_again_is_no_other_piece(directory: Path, label: CorpusLabel) -> None:
    """Where counting is not scanning: what is scanned again says nothing new, or repeats the label's event."""
    first = orders(label)[0]
    for size in range(1, len(first) + 1):
        for again in combinations(first, size):
            stage = scanned(directory, "operating-room", list(enumerate((*first, *again))))
            events = in_force(stage)
            stage.close()
            pieces = [event for event in events if event.data.repeats is None]
            assert [said(event) for event in pieces] == [label["expect"]], again
            assert {event.data.repeats for event in events} <= {None, pieces[0].id}
            for event in events:
                assert said(event).items() <= label["expect"].items()


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label["name"])
def test_where_counting_is_scanning_a_part_gets_no_other_lot(directory: Path, label: CorpusLabel) -> None:
    first = orders(label)[-1]
    stage = scanned(directory, "supply-room", list(enumerate((*first, *first))))
    events = in_force(stage)
    stage.close()
    for event in events:
        assert said(event).items() <= label["expect"].items()
    assert said(events[0]) == label["expect"]


PAIRS = [
    (("]C10109520001000508", "]C11745123110K7"), ("]C10109520001000409", "]C11745123110S1")),
    (("]E04042809112382", "]C1171501001010A2082028"), ("]C10104022495101266", "]C117130100" + "1008A16")),
    (("]C0=/A9999XYZ100T0944", "]C0=,000025"), ("]C0=/A99991234AT04321", "]C0=,000026")),
]
"""Two labels whose symbols nothing links."""


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("pair", PAIRS)
def test_two_labels_at_once_are_never_joined_wrongly_without_a_warning(
    directory: Path, profile: str, pair: tuple[tuple[str, str], tuple[str, str]]
) -> None:
    """GenSpecs 4.14, ST-017: a symbol with production identifiers does not name the article."""
    alone = []
    for one in pair:
        stage = scanned(directory, profile, list(enumerate(one)))
        alone.append(said(in_force(stage)[0]))
        stage.close()
    for order in permutations((*pair[0], *pair[1])):
        stage = scanned(directory, profile, list(enumerate(order)))
        events = in_force(stage)
        stage.close()
        wrong = [event for event in events if not any(said(event).items() <= right.items() for right in alone)]
        codes = {finding.code for event in events for finding in event.data.verdict.findings}
        assert not wrong or "LABELS_INTERLEAVED" in codes, order
        assert len(events) == len(pair), order


def test_hibc_labels_at_once_are_told_apart_by_their_links(directory: Path) -> None:
    """ANSI/HIBC 2.6, 2.3: the secondary names the check character of its primary."""
    labels = [label for label in LABELS if label["name"].endswith(": primary and secondary")][:2]
    for order in permutations((*labels[0]["symbols"], *labels[1]["symbols"])):
        stage = scanned(directory, "operating-room", list(enumerate(order)))
        for event in in_force(stage):
            assert any(said(event).items() <= label["expect"].items() for label in labels), order
        stage.close()
