"""Context codes: what sets a case, a place, a patient, a member of staff; and that no identity is left in clear."""

import hashlib
import hmac
from base64 import b64decode
from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox

from gateway.model import Decoded
from gateway.station.context import (
    WHAT_TO_DO,
    ContextItem,
    ContextReader,
    ContextRefused,
    PersonRef,
    RefusedWhy,
    problems,
)
from gateway.station.context_settings import CodePattern, ContextSettings
from gateway.station.persons import person_number
from gateway.station.protect import Protector
from gateway.udi import decode
from gateway.udi.checks import gs1_check_digit

PRIVATE = PrivateKey(bytes(range(32)))
PUBLIC = bytes(PRIVATE.public_key)
KID = "sealed-" + hashlib.sha256(PUBLIC).hexdigest()[:16]
HMAC_KEY = bytes(range(100, 132))
KEYS = Protector(PUBLIC, ("2026-11", HMAC_KEY))

BADGE = CodePattern(scheme="hsa-id", pattern="SE[0-9]{10}-[A-Z0-9]{4,10}")
RESERVE = CodePattern(scheme="reserve", pattern="[0-9]{8}[A-Z]{2}[0-9]{2}")
CARD = CodePattern(scheme="card", pattern="K([0-9]{6,16})", check="luhn")
NUMBER = CodePattern(scheme="number", pattern="[0-9]{13}", check="gs1")
WARD = CodePattern(scheme="ward", pattern="CASE-([0-9]{4,8})")
FULL = ContextSettings(
    case=(*ContextSettings().case, WARD),
    patient=(*ContextSettings().patient, RESERVE, NUMBER),
    performer=(BADGE, CARD),
)


def read(
    text: str,
    symbology: str | None = None,
    section: ContextSettings = FULL,
    keys: Protector = KEYS,
    *,
    known: bool = False,
) -> ContextItem | ContextRefused | None:
    return ContextReader(section, keys).read(text, symbology, decoded(text, symbology), known=known)


def decoded(text: str, symbology: str | None) -> Decoded:
    return decode(text, symbology, today=date(2026, 11, 21))


@pytest.mark.parametrize(
    ("text", "symbology", "kind", "scheme", "identity"),
    [
        # GS1 General Specifications, section 3: AI 8018 recipient, 8017 provider; GS1's example prefix 952
        ("8018952000000000000019", "]C1", "patient", "gsrn", "952000000000000019"),
        ("8018952000000000000019\x1d801907", "]d2", "patient", "gsrn", "952000000000000019"),
        ("8017952000000000000026", "]d2", "performer", "gsrn", "952000000000000026"),
        ("(8018)952000000000000019", None, "patient", "gsrn", "952000000000000019"),
        # SKV 704: the Swedish Tax Agency's test number, in its forms
        ("191212121212", None, "patient", "personnummer", "191212121212"),
        ("191212121212", "]C0", "patient", "personnummer", "191212121212"),
        ("19121212-1212", None, "patient", "personnummer", "191212121212"),
        ("19121212+1212", "]A0", "patient", "personnummer", "191212121212"),
        ("197010632391", None, "patient", "personnummer", "197010632391"),  # samordningsnummer
        ("19810829M071", "]C0", "patient", "vgr-reservnummer", "19810829M071"),
        # what a site configures
        ("19121212AB12", None, "patient", "reserve", "19121212AB12"),
        ("SE2321000131-E0001", "]C0", "performer", "hsa-id", "SE2321000131-E0001"),
        ("K79927398713", None, "performer", "card", "79927398713"),
        ("orbit:OP-20261121-0317", "]Q1", "case", "orbit", "OP-20261121-0317"),
        ("CASE-0317", None, "case", "ward", "0317"),
    ],
)
def test_identities_are_sealed(text: str, symbology: str | None, kind: str, scheme: str, identity: str) -> None:
    item = read(text, symbology)
    assert isinstance(item, ContextItem)
    assert item.kind == kind
    assert isinstance(item.value, PersonRef)
    assert (item.value.scheme, item.value.kid) == (scheme, KID)
    assert identity not in repr(item.value)
    assert SealedBox(PRIVATE).decrypt(b64decode(item.value.value)).decode() == identity
    again = read(text, symbology)
    assert isinstance(again, ContextItem)
    assert again.value != item.value, "sealed anew, it looks different: scans cannot be linked by it"
    assert again.is_same(item), "as long as the process lives"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4149520001000003", "https://id.gs1.org/414/9520001000003"),
        ("4149520001000003254OP3", "https://id.gs1.org/414/9520001000003/254/OP3"),
        ("4149520001000003254A/B", "https://id.gs1.org/414/9520001000003/254/A%2FB"),
    ],
)
def test_a_place_is_no_secret(text: str, value: str) -> None:
    assert read(text, "]d2", keys=Protector()) == ContextItem(kind="location", value=value)


def test_a_case_in_clear() -> None:
    clear = ContextSettings(case_mode="clear")
    assert read("orbit:OP-1", section=clear, keys=Protector()) == ContextItem(kind="case", value="orbit:OP-1")
    assert read("orbit:OP-1/2.a", section=clear) == ContextItem(kind="case", value="orbit:OP-1/2.a")


def test_pseudonyms_link_and_name_their_key() -> None:
    section = ContextSettings(case_mode="hmac", person_mode="hmac")
    forms = {read(text, section=section) for text in ("191212121212", "19121212-1212")}
    (item,) = forms
    assert isinstance(item, ContextItem)
    expected = hmac.new(HMAC_KEY, b"personnummer\x00191212121212", hashlib.sha256).digest()
    assert isinstance(item.value, PersonRef)
    assert b64decode(item.value.value) == expected
    assert item.value.kid == "hmac-2026-11"
    case = read("orbit:OP-1", section=section)
    assert isinstance(case, ContextItem)
    assert isinstance(case.value, PersonRef)
    newer = read("191212121212", section=section, keys=Protector(hmac_key=("2026-12", bytes(32))))
    assert newer not in (item, None)


PERSONS_AND_CASES = [
    ("8018952000000000000019", "patient"),
    ("8017952000000000000026", "performer"),
    ("191212121212", "patient"),
    ("SE2321000131-E0001", "performer"),
    ("orbit:OP-1", "case"),
]


@pytest.mark.parametrize(("text", "kind"), PERSONS_AND_CASES)
@pytest.mark.parametrize(
    ("mode", "keys", "why"),
    [
        ("sealed", Protector(), RefusedWhy.NO_SEAL_KEY),
        ("sealed", Protector(hmac_key=("1", HMAC_KEY)), RefusedWhy.NO_SEAL_KEY),
        ("hmac", Protector(PUBLIC), RefusedWhy.NO_HMAC_KEY),
    ],
)
def test_without_its_key_nothing_is_taken(text: str, kind: str, mode: str, keys: Protector, why: str) -> None:
    section = msgspec.structs.replace(FULL, case_mode=mode, person_mode=mode)
    refused = read(text, section=section, keys=keys)
    assert refused == msgspec.convert({"kind": kind, "why": why}, ContextRefused)


def test_every_refusal_says_what_to_do() -> None:
    assert set(WHAT_TO_DO) == set(RefusedWhy)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("8018952000000000000017", "patient"),
        ("8017952000000000000017", "performer"),
        ("8018952", "patient"),  # cut off
        ("4149520001000004", "location"),
        ("414952000100004", "location"),
    ],
)
def test_a_wrong_check_digit_is_refused(text: str, kind: str) -> None:
    refused = read(text, "]C1")
    assert isinstance(refused, ContextRefused)
    assert (refused.kind, refused.why) == (kind, RefusedWhy.CHECK_DIGIT)


@pytest.mark.parametrize(
    ("text", "symbology"),
    [
        # labels of articles, with and without something of a person
        ("0109520001000102", "]d2"),
        ("01095200010001028018952000000000000019", "]d2"),
        ("8018952000000000000019\x1d10ABC", "]d2"),
        ("8018952000000000000019\x1d8017952000000000000026", "]d2"),
        ("4149520001000003\x1d10ABC", "]d2"),
        ("10ABC", "]C1"),
        # a GTIN, and an EAN symbol, are an article's even where a pattern fits the digits
        ("9520001000102", None),
        ("191212121212", "]E0"),
        # no person number, and nothing else that is configured
        ("191212121213", None),
        ("1212121212", None),
        ("K79927398710", None),
        ("orbit:", None),
        ("orbit:OP 1", None),
        ("Orbit:OP-1", None),
        ("orbit:OP-1\n", None),
        ("orbit:" + "A" * 65, None),
        ("hunter2", None),
        ("", None),
        ("9" * 100_000, None),
    ],
)
def test_no_context_codes(text: str, symbology: str | None) -> None:
    assert read(text, symbology) is None


def test_a_person_number_that_is_a_gtin() -> None:
    """Found by search: one person number in ten is such."""
    both = next(
        number
        for birth in range(100, 1000)
        if person_number(number := f"19560229{birth}{gs1_check_digit(f'19560229{birth}')}")
    )
    assert decoded(both, None).device_identifier == both.zfill(14)
    assert read(both) == ContextRefused(kind="patient", why=RefusedWhy.AMBIGUOUS)
    assert read(both, "]E0") is None, "an EAN symbol holds an article number"
    assert read(both, known=True) is None, "the master knows the article"
    item = read(both, "]C0")
    assert isinstance(item, ContextItem), "a Code 128 symbol of bare digits is no article's"
    assert item.kind == "patient"


def test_what_the_master_knows_is_an_article() -> None:
    assert read("191212121212", known=True) is None


@pytest.mark.parametrize(
    ("section", "key"),
    [
        (ContextSettings(case=(CodePattern(scheme="x", pattern="(a+)+"),)), "context.case[0].pattern"),
        (ContextSettings(patient=(BADGE, CodePattern(scheme="x", pattern="("))), "context.patient[1].pattern"),
        (ContextSettings(performer=(CodePattern(scheme="x", pattern="(?=a)"),)), "context.performer[0].pattern"),
    ],
)
def test_expressions_are_checked(section: ContextSettings, key: str) -> None:
    assert [found for found, _ in problems(section)] == [key]
    with pytest.raises(ValueError, match=r"pattern|regular|repetition|only characters"):
        ContextReader(section, KEYS)


def test_the_defaults_are_sound() -> None:
    assert list(problems(ContextSettings())) == []


SEALING = ContextReader(FULL, KEYS)


@settings(max_examples=60)
@given(st.text(max_size=30) | st.from_regex("(orbit:|CASE-|80(17|18)|414)[0-9A-Z]{0,20}", fullmatch=True))
def test_an_identity_is_never_in_clear(text: str) -> None:
    item = SEALING.read(text, None, decoded(text, None))
    if isinstance(item, ContextItem) and item.kind != "location":
        assert isinstance(item.value, PersonRef)
