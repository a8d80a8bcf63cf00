"""Control codes: what is obeyed, what is refused and why, and that nothing else is taken for one."""

import re
from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import samples
from gateway.station.control_codes import (
    COMMANDS,
    MAX_CODE,
    MAX_QUANTITY,
    PREFIX,
    REASONS,
    WHAT_TO_DO,
    ControlCode,
    ControlCodes,
    Foreign,
    ForeignCode,
)
from gateway.station.settings import Action
from gateway.udi import decode

KEY = bytes(range(32))
CODES = ControlCodes("su", KEY)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_read(command: str) -> None:
    assert CODES.read(CODES.write(command)) == COMMANDS[command]


@pytest.mark.parametrize("number", [1, 2, 50, 100, MAX_QUANTITY])
def test_quantities(number: int) -> None:
    assert CODES.read(CODES.write(f"QTY{number}")) == ControlCode(kind="quantity", quantity=number)


@pytest.mark.parametrize("command", ["QTY0", "QTY05", "QTY1000", "QTY", "QTY-1", "CONSUME1", "consume", "", "X"])
def test_no_commands(command: str) -> None:
    with pytest.raises(ValueError, match="is no command"):
        CODES.write(command)


def test_the_form_is_frozen() -> None:
    """A sheet that was printed once must stay good: made with the formula of the module's page, by hand."""
    import hashlib
    import hmac
    from base64 import b32encode

    tag = b32encode(hashlib.sha256(b"su").digest())[:5]
    signature = b32encode(hmac.new(KEY, b"QZSG1\0su\0UNDO", hashlib.sha256).digest()[:10])
    assert CODES.write("UNDO") == "QZSG1" + tag.decode() + "UNDO" + signature.decode()


def test_reasons_are_those_of_the_actions() -> None:
    told = {code.reason for code in COMMANDS.values() if code.action == "discard"}
    assert told == set(REASONS)
    assert {code.action for code in COMMANDS.values()} == {
        *get_args(Action),
        "undo",
        None,
    }


GOOD = CODES.write("CONSUME")
OTHER_COMMAND = CODES.write("RECEIVE")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (ControlCodes("ks", KEY).write("CONSUME"), Foreign.OTHER_SITE),
        (ControlCodes("su", KEY[::-1]).write("CONSUME"), Foreign.BAD_SIGNATURE),
        (GOOD.replace("CONSUME", "RECEIVE"), Foreign.BAD_SIGNATURE),
        (CODES.write("QTY2").replace("QTY2", "QTY20"), Foreign.BAD_SIGNATURE),
        (GOOD[:-1] + ("A" if GOOD[-1] != "A" else "B"), Foreign.BAD_SIGNATURE),
        (GOOD[:-1], Foreign.BAD_SIGNATURE),  # the cut off code reads as a shorter command
        (GOOD[:10], Foreign.MALFORMED),
        (PREFIX, Foreign.MALFORMED),
        (GOOD + "\x1d", Foreign.MALFORMED),
        (GOOD + "\n", Foreign.MALFORMED),
        (GOOD.replace("O", "Ö"), Foreign.MALFORMED),
        (PREFIX + "A" * MAX_CODE, Foreign.MALFORMED),
        (PREFIX + "A" * 1_000_000, Foreign.MALFORMED),
    ],
)
def test_foreign_codes(text: str, why: Foreign) -> None:
    assert CODES.read(text) == ForeignCode(why=why)


def test_a_command_of_a_later_version_is_refused_whole() -> None:
    """Rightly signed, and unknown here."""
    unknown = f"{GOOD[:10]}DANCE{CODES._signature('DANCE', KEY)}"
    assert CODES.read(unknown) == ForeignCode(why=Foreign.MALFORMED)


def test_caps_lock_swaps_the_case() -> None:
    assert CODES.read(GOOD.lower()) == COMMANDS["CONSUME"]


@pytest.mark.parametrize("text", [GOOD, PREFIX, PREFIX + "x"])
def test_without_a_key_nothing_is_obeyed(text: str) -> None:
    keyless = ControlCodes("su", None)
    assert keyless.read(text) == ForeignCode(why=Foreign.NO_KEY)
    with pytest.raises(ValueError, match="code_key_file"):
        keyless.write("CONSUME")


def test_a_weak_key_is_refused() -> None:
    with pytest.raises(ValueError, match="15 bytes, at least 16"):
        ControlCodes("su", KEY[:15])


def test_every_refusal_says_what_to_do() -> None:
    assert set(WHAT_TO_DO) == set(Foreign)


@pytest.mark.parametrize("command", [*COMMANDS, "QTY999"])
def test_a_code_is_keys_that_all_layouts_share(command: str) -> None:
    """A keyboard scanner whose layout is set wrongly still types digits and letters right."""
    text = CODES.write(command)
    assert re.fullmatch("[A-Z0-9]+", text)
    assert len(text) <= MAX_CODE


@pytest.mark.parametrize("command", COMMANDS)
def test_a_code_is_no_udi(command: str) -> None:
    for symbology in (None, "]d1", "]C0", "]Q1"):
        assert decode(CODES.write(command), symbology, today=date(2026, 11, 21)).device_identifier is None


@pytest.mark.parametrize(
    "text",
    ["", "Q", "QZ", "0109520001000102", "+A99912345B", "=/A9999XYZ100T0944", "https://id.gs1.org/01/09520001000102",
     "9N110375286414", "hunter2", "orbit:OP-1", "191212121212", " " + GOOD],
)  # fmt: skip
def test_other_texts_are_no_control_codes(text: str) -> None:
    assert CODES.read(text) is None
    assert ControlCodes("su", None).read(text) is None


def test_no_article_of_the_samples_looks_like_one() -> None:
    assert PREFIX not in samples.articles_csv().read_text().upper()


@given(st.text(max_size=MAX_CODE + 5))
def test_nothing_but_the_sites_own_codes_is_obeyed(text: str) -> None:
    for given_text in (text, PREFIX + text, GOOD[:10] + text):
        assert not isinstance(CODES.read(given_text), ControlCode)
