"""The page has words for everything the daemon can tell, in both languages."""

from typing import get_args

import pytest

from drivers.model import Signal
from gateway.display import words
from gateway.display.finding_words import SENTENCES, sentence
from gateway.display.panel import _SIGNALS
from gateway.display.words import State, local_date
from gateway.station.control_codes import REASONS, Foreign
from gateway.station.pairing import Missing
from gateway.station.rules import RULES
from gateway.station.settings import Action, StationSettings
from gateway.udi.findings import FINDINGS

MAX_SENTENCE = 40
"""Characters: two lines at 16 minutes of arc on 7 inches at 2 m."""


@pytest.mark.parametrize("code", [*RULES, *FINDINGS])
def test_every_finding_is_said_in_both_languages(code: str) -> None:
    swedish, english = SENTENCES[code]
    assert swedish != english
    for one in (swedish, english):
        assert one.endswith(".")
        assert len(one) <= MAX_SENTENCE
    assert (sentence(code, "sv"), sentence(code, "en")) == (swedish, english)


def test_there_is_no_sentence_without_a_finding() -> None:
    assert set(SENTENCES) == {*RULES, *FINDINGS}


def test_a_finding_of_a_newer_daemon_is_said_by_its_code() -> None:
    assert sentence("NEW_RULE", "sv") == "Läs etiketten (NEW_RULE)."


def test_everything_else_has_words() -> None:
    assert set(words.HEADLINES) == set(State)
    assert set(_SIGNALS) == set(Signal)
    assert set(words.ACTIONS) == {*get_args(Action), "undo"}
    assert set(words.REASONS) == set(REASONS)
    assert set(words.MISSING) == set(Missing)
    assert set(words.FOREIGN) == set(Foreign)
    assert get_args(StationSettings.__annotations__["language"]) == get_args(words.Language)


def test_no_two_states_have_the_same_word() -> None:
    for language in range(2):
        assert len({headline[language] for headline in words.HEADLINES.values()}) == len(State)


@pytest.mark.parametrize(
    ("moment", "precision", "swedish", "english"),
    [
        ("2028-06-30", "day", "2028-06-30", "30 Jun 2028"),
        ("2028-06-03", None, "2028-06-03", "3 Jun 2028"),
        ("2028-06-30", "month", "2028-06", "Jun 2028"),
        ("2028-06-30T14:30", "minute", "2028-06-30 14:30", "30 Jun 2028 14:30"),
        ("2028-06-30T14:00", "hour", "2028-06-30 14:00", "30 Jun 2028 14:00"),
        ("soon", "day", "soon", "soon"),
    ],
)
def test_dates_as_people_write_them(moment: str, precision: str | None, swedish: str, english: str) -> None:
    assert local_date(moment, precision, "sv") == swedish
    assert local_date(moment, precision, "en") == english
