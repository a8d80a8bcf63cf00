"""What goes over the wire, byte by byte, and what never does."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.dialects.datalogic import service_command
from drivers.dialects.honeywell import menu_command
from drivers.dialects.ssi_packet import Op, decode, set_parameters
from firmware_config import profiles
from firmware_config.apply import apply, check
from firmware_config.errors import NoAnswerError, NotConfigurableError, RefusedError
from firmware_config.model import Identity
from firmware_config.vendors import VENDORS, vendor_of
from firmware_config.vendors.base import ASK_TRIES, MAX_TALK_BYTES, VendorProtocol
from firmware_config.vendors.cognex import Cognex, question
from firmware_config.vendors.datalogic import Datalogic
from firmware_config.vendors.honeywell import Honeywell
from firmware_config.vendors.newland import Newland, command
from firmware_config.vendors.zebra import Zebra, parse_parameters

WRITERS: Final[tuple[VendorProtocol, ...]] = (Honeywell(), Zebra(), Datalogic(), Newland())


class Speaker:
    """A port at which every message gets the answer of a table, or the same answer always."""

    def __init__(self, answers: dict[bytes, bytes] | bytes) -> None:
        self.answers = answers
        self.sent: list[bytes] = []
        self._waiting = b""

    def write(self, data: bytes) -> None:
        self.sent.append(data)
        self._waiting += self.answers if isinstance(self.answers, bytes) else self.answers.get(data, b"")

    def read(self, timeout: float) -> bytes:
        more, self._waiting = self._waiting, b""
        return more if timeout else b""

    def reopen(self, timeout: float, baud: int | None) -> None:
        assert timeout
        assert baud in {None, 115_200}


@pytest.mark.parametrize(
    ("vendor", "values", "kept"),
    [
        # Xenon 1900 User's Guide, Menu Commands: 232BAD9 in flash
        (Honeywell(), {"232BAD": "9"}, ["16 4D 0D 32 33 32 42 41 44 39 2E"]),
        # Xenon 1900 User's Guide: USB serial; suffix CR, behind a clear
        (Honeywell(), {"TERMID": "130"}, [b"\x16M\rTERMID130.".hex()]),
        (Honeywell(), {"SUFBK2": "990D"}, [b"\x16M\rSUFCA2;SUFBK2990D.".hex()]),
        (Honeywell(), {"PREBK2": ""}, [b"\x16M\rPRECA2.".hex()]),
        # SE-923 Integration Guide, PARAM_SEND: parameter 45 to 1, for good, without a beep
        (Zebra(), {"45": "1"}, ["07 C6 04 08 FF 2D 01 FD FA"]),
        # public source of a UE988 host sets EE to 1 with a beep code of 00; without a beep it is this
        (Zebra(), {"238": "1"}, ["07 C6 04 08 FF EE 01 FD 39"]),
        # service mode description: chained commands
        (Datalogic(), {"GDTM": "02"}, [b"$S,CGDTM02,Ar\r".hex()]),
        (Datalogic(), {"AIEN": "01", "R2BB": "01"}, [b"$S,CAIEN01,CR2BB01,Ar\r".hex()]),
        # NLS-HR42 User Guide, p. 16, example 1, cut to its first setting
        (Newland(), {"C11ENA": "1"}, ["7E 01 30 30 30 30 40 43 31 31 45 4E 41 31 3B 03"]),
    ],
)
def test_what_is_sent_to_keep(vendor: VendorProtocol, values: dict[str, str], kept: list[str]) -> None:
    assert vendor.keep_messages(values) == tuple(map(bytes.fromhex, kept))


@pytest.mark.parametrize(
    ("vendor", "values", "sent"),
    [
        (Honeywell(), {"232BAD": "9"}, [b"\x16M\r232BAD9!"]),
        (Honeywell(), {"SUFBK2": "990D", "BEPBEP": "0"}, [b"\x16M\rSUFCA2;SUFBK2990D!", b"\x16M\rBEPBEP0!"]),
        (Zebra(), {"45": "1"}, [bytes.fromhex("07 C6 04 00 FF 2D 01 FE 02")]),
        (Datalogic(), {"GDTM": "02"}, [b"$S,CGDTM02,r01\r"]),
        (Newland(), {"C11ENA": "1"}, [b"~\x010000#C11ENA1;\x03"]),
    ],
)
def test_what_is_sent_to_ram(vendor: VendorProtocol, values: dict[str, str], sent: list[bytes]) -> None:
    assert vendor.ram_messages(values) == tuple(sent)


@pytest.mark.parametrize(
    ("vendor", "names", "answers", "values", "unknown"),
    [
        # Xenon 1900 User's Guide, p. 11-3: cbrena?. is answered CBRENA1[ACK]
        (
            Honeywell(),
            ("CBRENA", "XYZABC"),
            {
                b"\x16M\rCBRENA?!": b"CBRENA1\x06!",
                b"\x16M\rCBRENA?.": b"CBRENA1\x06.",
                b"\x16M\rXYZABC?!": b"XYZABC?\x05!",
                b"\x16M\rXYZABC?.": b"XYZABC?\x05.",
            },
            {"CBRENA": "1"},
            ("XYZABC",),
        ),
        # SE-923 Integration Guide, p. 6-25: no value is sent for a number that is not supported
        (
            Zebra(),
            ("45", "292"),
            {bytes.fromhex("07 C7 04 00 2D F0 24 FD ED"): bytes.fromhex("07 C6 00 00 FF 2D 01 FE 06")},
            {"45": "1"},
            ("292",),
        ),
        # answers of Gryphon readers to $cAIEN,cIDCO
        (
            Datalogic(),
            ("AIEN", "IDCO"),
            {b"$S,cAIEN,cIDCO,s\r": b"$>,>01,>01,>\r"},
            {"AIEN": "01", "IDCO": "01"},
            (),
        ),
        (
            Datalogic(),
            ("AIEN", "ZZZZ"),
            {b"$S,cAIEN,cZZZZ,s\r": b"$>,>01,@,>\r", b"$S,cAIEN,s\r": b"$>,>01,>\r", b"$S,cZZZZ,s\r": b"$>,@,>\r"},
            {"AIEN": "01"},
            ("ZZZZ",),
        ),
        # NLS-HR42 User Guide, p. 16, example 2
        (
            Newland(),
            ("C11MIN", "C11ZZZ"),
            {
                b"~\x010000#C11MIN*;\x03": b"\x02\x010000#C11MIN12\x06;\x03",
                b"~\x010000#C11ZZZ*;\x03": b"\x02\x010000#C11ZZZ*\x05;\x03",
            },
            {"C11MIN": "12"},
            ("C11ZZZ",),
        ),
        # DataMan Control Commands Overview
        (
            Cognex(),
            ("SYMBOL.DATAMATRIX", "SYMBOL.NONE"),
            {
                b"||0:1>GET SYMBOL.DATAMATRIX\r\n": b"||0:1[0]ON\r\n",
                b"||0:2>GET SYMBOL.NONE\r\n": b"||0:2[102]\r\n",
            },
            {"SYMBOL.DATAMATRIX": "ON"},
            ("SYMBOL.NONE",),
        ),
    ],
    ids=["honeywell", "zebra", "datalogic", "datalogic fails one", "newland", "cognex"],
)
def test_what_is_asked_and_understood(
    vendor: VendorProtocol,
    names: tuple[str, ...],
    answers: dict[bytes, bytes],
    values: dict[str, str],
    unknown: tuple[str, ...],
) -> None:
    reading = vendor.query(Speaker(answers), names)
    assert (reading.values, reading.unknown) == (values, unknown)


def test_the_flash_of_a_honeywell_is_read_apart() -> None:
    port = Speaker({b"\x16M\rCBRENA?!": b"CBRENA1\x06!", b"\x16M\rCBRENA?.": b"CBRENA0\x06."})
    assert Honeywell().query(port, ("CBRENA",)).kept == {"CBRENA": "0"}


@pytest.mark.parametrize(
    ("vendor", "message", "answer"),
    [
        (Honeywell(), b"\x16M\rCBRENA9!", b"CBRENA9\x15!"),
        (Honeywell(), b"\x16M\rXYZABC9!", b"XYZABC9\x05!"),
        (Honeywell(), b"\x16M\rSUFCA2;SUFBK2990D!", b"SUFCA2\x06;SUFBK2990D\x15!"),
        (Zebra(), set_parameters({45: 9}, permanent=False), bytes.fromhex("05 D1 00 00 06 FF 24")),
        (Zebra(), set_parameters({45: 1}, permanent=False), bytes.fromhex("05 D1 00 00 01 FF 29")),  # for ever
        (Datalogic(), b"$S,CGDTM99,r01\r", b"$>,@,>\r"),
        (Newland(), b"~\x010000#C11ENA9;\x03", b"\x02\x010000#C11ENA9\x15;\x03"),
    ],
)
def test_a_refusal_is_an_error(vendor: VendorProtocol, message: bytes, answer: bytes) -> None:
    with pytest.raises(RefusedError):
        vendor.tell(Speaker(answer), message)


@pytest.mark.parametrize(("in_force", "in_flash"), [("\x06", "\x05"), ("\x05", "\x06")])
def test_a_honeywell_that_tells_one_table_is_taken_at_that(in_force: str, in_flash: str) -> None:
    answers = {
        b"\x16M\rCBRENA?!": f"CBRENA1{in_force}!".encode(),
        b"\x16M\rCBRENA?.": f"CBRENA1{in_flash}.".encode(),
    }
    reading = Honeywell().query(Speaker(answers), ("CBRENA",))
    assert (reading.values, reading.kept) == ({"CBRENA": "1"}, {"CBRENA": "1"})


def test_a_garbled_packet_is_sent_again_and_marked() -> None:
    message = set_parameters({45: 1}, permanent=True)
    again = bytes.fromhex("07 C6 04 09 FF 2D 01 FD F9")
    ack, nak = bytes.fromhex("04 D0 00 00 FF 2C"), bytes.fromhex("05 D1 00 00 01 FF 29")
    port = Speaker({message: nak, again: ack})
    Zebra().tell(port, message)
    assert port.sent == [message, again]


@pytest.mark.parametrize("vendor", [*WRITERS, Cognex()], ids=lambda vendor: vendor.name)
@pytest.mark.parametrize(
    "said", [b"", b"\r", b"$", b"SUFBK2", b"\x04\xd0\x00", b"\xff" * 64, b"x" * MAX_TALK_BYTES]
)
def test_silence_halves_and_noise_are_no_answer(vendor: VendorProtocol, said: bytes) -> None:
    port = Speaker(said)
    names = {"zebra": ("45",), "cognex": ("SYMBOL.DATAMATRIX",)}.get(vendor.name, ("CBRENA",))
    with pytest.raises(NoAnswerError):
        vendor.query(port, names)
    assert len(port.sent) <= 2 * ASK_TRIES + 2


@given(said=st.binary(max_size=80))
@settings(max_examples=60, deadline=None)
def test_no_answer_breaks_a_vendor(said: bytes) -> None:
    for vendor in (*WRITERS, Cognex()):
        names = {"zebra": ("45",), "cognex": ("SYMBOL.DATAMATRIX",)}.get(vendor.name, ("CBRENA",))
        for talk in (vendor.identify, lambda port, v=vendor, n=names: v.query(port, n)):
            try:
                talk(Speaker(said))
            except (NoAnswerError, RefusedError):
                continue


@pytest.mark.parametrize(
    ("vendor", "answers", "identity"),
    [
        (
            Honeywell(),
            b"Product Name: Xenon 1900\r\nSoftware Revision: BF1\r\nSerial Number: 1234\r\nREVINF\x06!",
            Identity(model="Xenon 1900", firmware="BF1", serial="1234"),
        ),
        (Honeywell(), b"REVINF\x05!", Identity()),
        (Honeywell(), b"", Identity()),
        (Zebra(), bytes.fromhex("09 A4 00 00 4E 42 00 41 30 FE 52"), Identity(firmware="NB A0")),
        (Datalogic(), b"$>,>GD4430 5678,>\r", Identity(model="GD4430 5678")),
        (Datalogic(), b"$>,@,>\r", Identity()),
        (Newland(), b"", Identity()),
        (Cognex(), b"", Identity()),
    ],
)
def test_who_answers(vendor: VendorProtocol, answers: bytes, identity: Identity) -> None:
    assert vendor.identify(Speaker(answers)) == identity


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("FF", {}),
        ("FF 2D 01", {45: 1}),
        ("FF F0 24 01 EE 00", {292: 1, 238: 0}),
        ("FF F2 FF 07", {1023: 7}),
        ("FF F8 04 E6 01", {1254: 1}),
        ("FF 2D", None),
        ("FF F0 24", None),
        ("FF F4 01 02 03", None),
    ],
)
def test_parameters_are_read(data: str, found: dict[int, int] | None) -> None:
    assert parse_parameters(bytes.fromhex(data)) == found


def test_a_question_to_a_dataman_carries_its_number() -> None:
    assert question("SYMBOL.DATAMATRIX", 123) == b"||0:123>GET SYMBOL.DATAMATRIX\r\n"


SET_BACK: Final = ["DEFALT", "DEFOVR", "RESET_", "IDMDFT", "PDFDFT", "defalt"]


@pytest.mark.parametrize("name", SET_BACK)
@pytest.mark.parametrize("build", [menu_command, lambda name: menu_command("BEPLVL1", name, permanent=True)])
def test_no_honeywell_command_sets_everything_back(build: Callable[[str], bytes], name: str) -> None:
    with pytest.raises(ValueError, match=r"sets back|expected"):
        build(name)


@pytest.mark.parametrize("command_", ["AE", "Ae", "P", "01,AE", "AE\r", ""])
def test_no_datalogic_command_sets_everything_back(command_: str) -> None:
    with pytest.raises(ValueError, match=r"wipe|expected"):
        service_command("S", command_, "Ar")


@pytest.mark.parametrize("setting", ["FACDEF", "C11DEF", "FACDEF1", "C11ENA1;FACDEF", "C11ENA1\x03", "C11ENA1@"])
def test_no_newland_command_sets_everything_back(setting: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        command(setting, b"@")


PIECES: Final = st.sampled_from(
    [
        *SET_BACK,
        "FACDEF",
        "AE",
        "Ae",
        "P",
        "$",
        ",",
        ";",
        ".",
        "!",
        "\r",
        "\x03",
        "\x16M\r",
        "1",
        "01",
        "AIEN",
        "200",
    ]
)
WORDS: Final = st.lists(PIECES, max_size=4).map("".join) | st.text(max_size=8)
WIPES: Final = re.compile(
    rb"^\x16M\r(?:.*;)?(?i:DEFALT|DEFOVR|RESET_|\w{3}DFT)"
    rb"|^\$(?:.*,)?(?:AE|Ae|P)[,\r]"
    rb"|^~\x010000[@#](?:.*;)?(?:FACDEF|\w{3}DEF)",
    re.DOTALL,
)
"""User guides: default commands (Honeywell), Label ID pre-loaded sets (Datalogic), factory defaults (Newland)."""


@given(names=st.lists(WORDS, min_size=1, max_size=3), values=st.lists(WORDS, min_size=3, max_size=3))
@settings(max_examples=300, deadline=None)
def test_whatever_is_asked_for_no_message_sets_everything_back(names: list[str], values: list[str]) -> None:
    wanted = dict(zip(names, values, strict=False))
    for vendor in WRITERS:
        for build in (vendor.ram_messages, vendor.keep_messages):
            try:
                messages = build(wanted)
            except ValueError:
                continue
            for message in messages:
                assert not WIPES.search(message), message
                if isinstance(vendor, Zebra):
                    packet = decode(message)
                    assert packet is not None
                    assert packet.op == Op.PARAM_SEND


@pytest.mark.parametrize("name", ["cipherlab", "opticon"])
def test_vendors_of_whom_too_little_is_known_are_refused_plainly(name: str, tmp_path: Path) -> None:
    port = Speaker(b"")
    with pytest.raises(NotConfigurableError, match=r"not confirmed; set them by hand"):
        check(port, profiles.load(name))
    with pytest.raises(NotConfigurableError):
        apply(port, profiles.load(name), journal=tmp_path / "journal.json")
    assert port.sent == []


def test_a_dataman_is_compared_and_never_written(tmp_path: Path) -> None:
    answers = {
        b"||0:1>GET DEVICE.TYPE\r\n": b"||0:1[0]DM8072\r\n",
        b"||0:2>GET DEVICE.FIRMWARE-VER\r\n": b"||0:2[0]6.1\r\n",
        b"||0:3>GET DEVICE.SERIAL-NUMBER\r\n": b"||0:3[101]\r\n",
        b"||0:1>GET SYMBOL.DATAMATRIX\r\n": b"||0:1[0]OFF\r\n",
    }
    report = check(Speaker(answers), profiles.load("cognex"))
    assert report.identity == Identity(model="DM8072", firmware="6.1")
    assert [(one.setting.name, one.present, one.bytes) for one in report.differences] == [
        ("SYMBOL.DATAMATRIX", "OFF", ())
    ]
    port = Speaker(answers)
    with pytest.raises(NotConfigurableError, match="keep settings is not confirmed"):
        apply(port, profiles.load("cognex"), journal=tmp_path / "journal.json")
    assert port.sent == []


@pytest.mark.parametrize("name", [name for name in profiles.names() if not profiles.load(name).refused])
def test_every_other_profile_has_its_vendor(name: str) -> None:
    profile = profiles.load(name)
    assert vendor_of(profile).name == profile.vendor
    assert profile.vendor in VENDORS
