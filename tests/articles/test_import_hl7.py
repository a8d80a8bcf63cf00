"""HL7 v2 MFN^M16: separators, escapes, packages, and messages that are wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.articles.errors import SourceFileError
from gateway.articles.importers.hl7_mfn import MAX_ITEM_SEGMENTS, MAX_SEGMENT_BYTES
from tests.articles.reading import SAMPLES, judged, rows, sample

SAMPLE = (SAMPLES / "item_master.hl7").read_bytes()
HEAD = "MSH|^~\\&|MM|SU|GW|SU|20261101||MFN^M16^MFN_M16|1|P|2.9\rMFI|INV||UPD|||NE\r"
CUP, BOX, CASE = "09520001001000", "19520001001007", "59520001001005"


def message(*segments: str, head: str = HEAD) -> bytes:
    return (head + "\r".join(segments) + "\r").encode()


def item(*segments: str, event: str = "MAD", number: str = "N-1") -> tuple[str, ...]:
    return (f"MFE|{event}|1|20261101|{number}|CWE", f"ITM|{number}|Text", *segments)


@pytest.mark.parametrize(
    "change",
    [
        (b"\r", b"\n"),
        (b"\r", b"\r\n"),
        (b"\r", b"\r\r"),
        (b"MSH|", b"\x0bMSH|"),
        (b"FTS|1\r", b"FTS|1"),
        (b"FTS|1\r", b"FTS|1\r\x1c\r"),
    ],
    ids=["LF", "CRLF", "empty lines", "MLLP", "no end", "MLLP's end"],
)
def test_the_same_items_however_they_are_framed(change: tuple[bytes, bytes]) -> None:
    assert judged(rows("hl7-mfn", SAMPLE.replace(*change))) == (sample("hl7-mfn", "item_master.hl7"), [])


def test_other_separators() -> None:
    content = SAMPLE.decode().replace("\\T\\", "\0").translate(str.maketrans("|^~\\&", "#@*!%"))
    articles, rejected = judged(rows("hl7-mfn", content.replace("\0", "!T!").encode()))
    assert rejected == []
    assert articles[CUP].description == "Höftskål 44 mm%liner"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a\\F\\b", "a|b"),
        ("a\\S\\b", "a^b"),
        ("a\\R\\b", "a~b"),
        ("a\\E\\b", "a\\b"),
        ("a\\.br\\b", "a b"),
        ("\\H\\a\\N\\ b", "a b"),
        ("a^b", "a"),
        ("a~b", "a"),
        ('""', None),
        ("", None),
    ],
)
def test_a_field(written: str, read: str | None) -> None:
    """HL7 v2.9, 2.7 (escapes) and 2.5.3 (`""` deletes)."""
    articles, _ = judged(rows("hl7-mfn", message("MFE|MAD|1||N-1|CWE", f"ITM|N-1|{written}")))
    assert articles["N-1"].description == read


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("8859/15", "iso8859-15"), ("", "utf-8"), ("", "cp1252")],
)
def test_character_sets(charset: str, codec: str) -> None:
    head = HEAD.replace("|P|2.9", f"|P|2.9||||||{charset}")
    content = message("MFE|MAD|1||N-1|CWE", "ITM|N-1|Höft", head=head).decode().encode(codec)
    encoding = {"encoding": "cp1252"} if codec == "cp1252" else {}
    articles, _ = judged(rows("hl7-mfn", content, **encoding))
    assert articles["N-1"].description == "Höft"


def pkg(*packages: tuple[str, str, str]) -> list[str]:
    return [f"PKG|{n}|XX|N|{inside}||||{gtin}||{pieces}" for n, (gtin, inside, pieces) in enumerate(packages, 1)]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (pkg((CUP, "1", "")), {CUP: (None, 1)}),
        (pkg((CUP, "", "")), {"N-1": (None, 1)}),
        (pkg((BOX, "5", ""), (CUP, "1", "")), {CUP: (None, 1), BOX: ("package", 5)}),
        (pkg((CASE, "4", ""), (BOX, "5", "")), {"N-1": (None, 1), BOX: ("package", 5), CASE: ("package", 20)}),
        (pkg((CASE, "4", "18"), (CUP, "1", "")), {CUP: (None, 1), CASE: ("package", 18)}),
        (
            ["VND|1|V1|One", *pkg((CUP, "1", "")), "VND|2|V2|Two", *pkg((BOX, "6", ""), (CUP, "1", ""))],
            {CUP: (None, 1), BOX: ("package", 6)},
        ),
    ],
)
def test_packages(segments: list[str], expected: dict[str, tuple[str | None, int]]) -> None:
    articles, _ = judged(rows("hl7-mfn", message(*item(*segments))))
    assert {key: (one.package_level, one.base_quantity) for key, one in articles.items()} == expected


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        (item(event="MXX"), "MFE-1 'MXX' is unknown"),
        (item("QQQ|1"), "segment 'QQQ' does not belong"),
        (item(*pkg(("09520001001001", "1", ""))), "check digit"),
        (item(*pkg((BOX, "", ""), (CUP, "1", ""))), "needs its quantity"),
        (item(*pkg((BOX, "999999999", ""), (CUP, "1", ""))), "out of range"),
        (item(number=""), "nothing could find"),
        (item(*["VND|1"] * (MAX_ITEM_SEGMENTS + 1)), "segments for one item"),
    ],
)
def test_a_bad_item_costs_itself_only(segments: tuple[str, ...], words: str) -> None:
    articles, rejected = judged(rows("hl7-mfn", message(*segments, *item(number="N-2"))))
    assert [words in one.reason for one in rejected] == [True], rejected
    assert "N-2" in articles


def test_a_wrong_byte_costs_its_item() -> None:
    content = message(*item(), *item(number="N-2")).replace(b"N-1|Text", b"N-1|T\xe4xt")
    articles, rejected = judged(rows("hl7-mfn", content))
    assert (set(articles), [(one.line, one.reason) for one in rejected]) == ({"N-2"}, [(4, "it is not utf-8")])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no MSH segment"),
        (b"FHS|^~\\&\rFTS|0\r", "no MSH segment"),
        (b"articleNumber;tradeName\r\n1;x\r\n", "expected MSH, got 'art'"),
        (b"MSH|\r", "no encoding characters"),
        (b"MSH|^~\\&|a\r", "expected a message MFN^M16, got ''"),
        (message(head=HEAD.replace("MFN^M16^MFN_M16", "ADT^A01^ADT_A01")), "got 'ADT^A01^ADT_A01'"),
        (message(head=HEAD.replace("|P|2.9", "|P|2.9||||||JAS2020")), "character set 'JAS2020'"),
        (HEAD.encode() + b"ITM|" + b"x" * 3 * MAX_SEGMENT_BYTES, "longer than"),
    ],
)
def test_what_is_no_item_master(content: bytes, words: str) -> None:
    with pytest.raises(SourceFileError) as raised:
        rows("hl7-mfn", content)
    assert words in str(raised.value)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=40), st.integers(0, len(SAMPLE)))
def test_any_bytes_anywhere(content: bytes, place: int) -> None:
    try:
        rows("hl7-mfn", SAMPLE[:place] + content + SAMPLE[place:])
    except SourceFileError as error:
        assert "miv" in str(error)  # noqa: PT017 - most bytes only cost their item
