"""The page has words for everything the daemon can tell, in every language."""

import re
from collections.abc import Mapping
from typing import get_args

import msgspec
import pytest

from drivers.model import Signal
from gateway.display.panel import _SIGNALS, local_date, sentence
from gateway.display.state import State
from gateway.languages import LANGUAGES, vocabulary
from gateway.station.control_codes import COMMANDS, REASONS, Foreign
from gateway.station.pairing import Missing
from gateway.station.rules import RULES
from gateway.station.settings import Action, StationSettings
from gateway.udi.findings import FINDINGS

MAX_SENTENCE = 40
"""Characters: two lines at 16 minutes of arc on 7 inches at 2 m."""
KEYS: dict[str, set[str]] = {
    "headlines": set(State),
    "actions": {*get_args(Action), "undo"},
    "reasons": set(REASONS),
    "missing": set(Missing),
    "foreign": set(Foreign),
    "findings": {*RULES, *FINDINGS},
    "signals": set(Signal),
    "captions": {one for one in COMMANDS if not one.startswith(("DIGIT", "CHAR"))} | {"CHARSPACE"},
    "stages": {"stored", "sent", "booked"},
}
"""Field of a vocabulary -> what there is to say."""
SHOWN_AS_REASON = ("withheld", "context_refused", "discarded", "nothing_to_undo", "trouble", "repeat", "asked")
MORE_REASONS = ("asked_ended", "asked_restored", "cancelled", "used_despite", "overridden", "not_found", "corrects")


def texts(value: object) -> list[str]:
    """Every text within a field."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, msgspec.Struct):
        return [text for one in msgspec.structs.asdict(value).values() for text in texts(one)]
    return [text for one in value for text in texts(one)] if isinstance(value, tuple) else []


def placeholders(text: str) -> int:
    return text.count("{}")


def test_there_are_swedish_and_english() -> None:
    assert {"sv", "en"} <= set(LANGUAGES)


def test_there_is_no_other() -> None:
    with pytest.raises(ValueError, match="no language 'xx': there is en, sv"):
        vocabulary("xx")
    with pytest.raises(msgspec.ValidationError, match="one of en, sv"):
        msgspec.convert({"language": "xx"}, StationSettings)


@pytest.mark.parametrize("language", LANGUAGES)
class TestEveryLanguage:
    def test_says_all_there_is_and_nothing_else(self, language: str) -> None:
        words = vocabulary(language)
        assert {name: set(getattr(words, name)) for name in KEYS} == KEYS

    def test_has_the_keys_of_every_other(self, language: str) -> None:
        own, other = (msgspec.structs.asdict(vocabulary(one)) for one in (language, "en"))
        keys = [
            {name: set(value) for name, value in one.items() if isinstance(value, Mapping)} for one in (own, other)
        ]
        assert keys[0] == keys[1]

    def test_leaves_nothing_empty_and_has_the_same_places_to_fill(self, language: str) -> None:
        own, other = (msgspec.structs.asdict(vocabulary(one)) for one in (language, "en"))
        for name, value in own.items():
            written = texts(value)
            assert all(text.strip() == text != "" for text in written), name
            if name != "months":
                assert [*map(placeholders, written)] == [*map(placeholders, texts(other[name]))], name

    def test_says_a_finding_in_a_sentence_that_fits(self, language: str) -> None:
        for code, text in vocabulary(language).findings.items():
            assert text.endswith("."), code
            assert len(text) <= MAX_SENTENCE, code
            assert sentence(code, vocabulary(language)) == text

    def test_says_every_other_reason_in_one_that_fits(self, language: str) -> None:
        words = vocabulary(language)
        told = [getattr(words, name) for name in (*SHOWN_AS_REASON, *MORE_REASONS)]
        told += [*words.problems.values(), *words.foreign.values(), words.lost_daemon, words.lost_page]
        told += [one.meaning for one in words.signals.values()]
        assert [text for text in told if len(text) > MAX_SENTENCE or text[-1] not in ".?"] == []

    def test_has_no_two_states_with_the_same_word(self, language: str) -> None:
        assert len({*vocabulary(language).headlines.values()}) == len(State)

    def test_writes_with_letters_that_a_pdf_reader_has(self, language: str) -> None:
        """Sheets use the fonts that every reader has (PDF 32000-1, Annex D: WinAnsiEncoding)."""
        for text in texts(vocabulary(language)):
            assert text.encode("cp1252")


def test_a_finding_of_a_newer_daemon_is_said_by_its_code() -> None:
    assert sentence("NEW_RULE", vocabulary("sv")) == "Läs etiketten (NEW_RULE)."


def test_every_signal_has_a_state() -> None:
    assert set(_SIGNALS) == set(Signal)


# One thing has one term: words that were once used beside the one that is.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "sv": ("varan", "varor", "levererat", "lagrad", "produkten", "batch"),
    "en": ("item", "items", "product", "saved", "delivered", "barcode", "batch"),
}


@pytest.mark.parametrize(("language", "word"), [(one, word) for one, found in SYNONYMS.items() for word in found])
def test_one_thing_has_one_term(language: str, word: str) -> None:
    said = [text for text in texts(vocabulary(language)) if re.search(rf"\b{word}\b", text.lower())]
    assert said == []


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
    assert local_date(moment, precision, vocabulary("sv")) == swedish
    assert local_date(moment, precision, vocabulary("en")) == english
