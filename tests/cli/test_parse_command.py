"""`scangate parse`: for people, and for scripts."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.udi.ndjson import MAX_LINE_BYTES, MAX_SYMBOLS, answer, split_lines
from tests.cli.conftest import Run

TODAY = date(2026, 11, 21)
KEYS = (
    *("ok", "issuer", "deviceIdentifier", "lotNumber", "serialNumber", "expirationDate", "expirationPrecision"),
    *("manufactureDate", "manufacturePrecision", "donationIdentificationNumber", "softwareVersion", "quantity"),
    *("packageLevel", "complete", "elements", "hri", "findings"),
)
"""All keys of the answer, in their order."""


def read(line: bytes) -> dict[str, Any]:
    assert b"\n" not in line
    answered: dict[str, Any] = json.loads(line)
    assert tuple(answered) == KEYS
    return answered


@pytest.mark.parametrize(
    ("line", "ok", "issuer", "identifier", "lot", "finding"),
    [
        # GS1 General Specifications 3; ANSI/HIBC 2.6, appendix
        ('"010871764820027417280630101234567A"', True, "GS1", "08717648200274", "1234567A", None),
        ('"]d2010871764820027417280630101234567A"', True, "GS1", "08717648200274", "1234567A", None),
        ('{"symbology":"]d2","text":"010871764820027410A\\u001d217"}', True, "GS1", "08717648200274", "A", None),
        ('{"symbology":null,"text":"0108717648200274"}', True, "GS1", "08717648200274", None, None),
        ('{"symbology":"","text":"0108717648200274"}', True, "GS1", "08717648200274", None, None),
        ('{"text":"0108717648200274","today":null,"note":1}', True, "GS1", "08717648200274", None, None),
        (
            '{"symbols":[{"text":"+A123BJC5D6E71G"},{"text":"+$$52001510X3GD"}]}',
            True,
            "HIBCC",
            "A123BJC5D6E71",
            "10X3",
            None,
        ),
        ('"010871764820027517280630"', False, "GS1", None, None, "GS1_CHECK_DIGIT"),
        ('""', False, None, None, None, "EMPTY"),
        ('{"symbols":[]}', False, None, None, None, "EMPTY"),
        ('"' + "1" * 1_000_000 + '"', False, None, None, None, "TEXT_TOO_LONG"),
        ('"\\ud800"', False, None, None, None, "UNRECOGNISED"),
        ("", False, None, None, None, "INPUT_NOT_JSON"),
        ("   ", False, None, None, None, "INPUT_NOT_JSON"),
        ("010871764820027417", False, None, None, None, "INPUT_NOT_JSON"),  # JSON has no leading zeros
        ('{"text":"', False, None, None, None, "INPUT_NOT_JSON"),
        ('"a" "b"', False, None, None, None, "INPUT_NOT_JSON"),
        ('"a\x1db"', False, None, None, None, "INPUT_NOT_JSON"),
        ("[" * 100_000, False, None, None, None, "INPUT_NOT_JSON"),
        ("NaN", False, None, None, None, "INPUT_FORM"),
        ("17", False, None, None, None, "INPUT_FORM"),
        ("null", False, None, None, None, "INPUT_FORM"),
        ('["01"]', False, None, None, None, "INPUT_FORM"),
        ("{}", False, None, None, None, "INPUT_FORM"),
        ('{"text":17}', False, None, None, None, "INPUT_FORM"),
        ('{"text":"01","symbols":[]}', False, None, None, None, "INPUT_FORM"),
        ('{"text":"01","today":"2026-02-30"}', False, None, None, None, "INPUT_FORM"),
        (json.dumps({"symbols": [{"text": "1"}] * (MAX_SYMBOLS + 1)}), False, None, None, None, "INPUT_FORM"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_one_line(
    line: str,
    ok: bool,  # noqa: FBT001 - a column of the table
    issuer: str | None,
    identifier: str | None,
    lot: str | None,
    finding: str | None,
) -> None:
    answered = read(answer(line.encode(), TODAY))
    assert answered["ok"] is ok
    assert answered["issuer"] == issuer
    if identifier is not None:
        assert answered["deviceIdentifier"] == identifier
        assert answered["complete"] is True
    assert answered["lotNumber"] == lot
    if finding is None:
        assert answered["findings"] == []
    else:
        assert finding in [one["code"] for one in answered["findings"]]


def test_today_of_the_line_sets_the_century() -> None:
    """GS1 General Specifications 7.12: 77 is 1977 in 2026, and 2077 in 2040."""
    for today, expected in (("2026-11-21", "1977-01-31"), ("2040-01-01", "2077-01-31")):
        line = json.dumps({"text": "010871764820027417770131", "today": today}).encode()
        assert read(answer(line, TODAY))["expirationDate"] == expected


def test_what_is_no_unicode_comes_back_replaced() -> None:
    answered = read(answer(b'"(01)08717648200274(10)A\\udc80"', TODAY))
    assert ["10", "A\ufffd"] in answered["elements"]


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: json.dumps(text).encode()), st.dates())
def test_any_line_is_answered_by_one(line: bytes, today: date) -> None:
    read(answer(line, today))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "symbology", "symbols", "today", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_json_is_answered_by_one_line(value: object) -> None:
    read(answer(json.dumps(value).encode(), TODAY))


@given(st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line), max_size=8), st.data())
def test_lines_do_not_depend_on_how_they_arrive(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = [line for batch in split_lines(chunk for chunk in chunks if chunk) for line in batch]
    assert found == [line.removesuffix(b"\r") for line in lines]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"a\r\nb"], [b"a", b"b"]),
        ([b"\n\n"], [b"", b""]),
        ([b"x" * MAX_LINE_BYTES, b"\nb\n"], [b"x" * MAX_LINE_BYTES, b"b"]),
        ([b"x" * MAX_LINE_BYTES, b"x", b"x\nb\n"], [None, b"b"]),
        ([b"a\n", b"x" * (MAX_LINE_BYTES + 1)], [b"a", None]),
        ([], []),
    ],
    ids=["crlf and no end", "empty", "longest", "too long", "too long at the end", "nothing"],
)
def test_lines(chunks: list[bytes], expected: list[bytes | None]) -> None:
    assert [line for batch in split_lines(chunks) for line in batch] == expected


def test_too_long_a_line_is_a_finding() -> None:
    assert read(answer(None, TODAY))["findings"][0]["code"] == "INPUT_TOO_LONG"


def test_ndjson_command(run: Run) -> None:
    ran = run("parse", "--ndjson", stdin=b'"0108717648200274"\nrubbish\n\n\xff\xfe\n"last"')
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert ran.err == ""
    assert [line["ok"] for line in lines] == [True, False, False, False, False]
    assert [one["findings"][0]["code"] for one in lines[1:4]] == ["INPUT_NOT_JSON"] * 3


def test_a_script_may_wait_for_each_answer() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "parse", "--ndjson"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            process.stdin.write(b'"0108717648200274"\n')
            process.stdin.flush()
            assert read(process.stdout.readline().rstrip(b"\n"))["complete"] is True
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["010871764820027417280630"], 0, ["ok", "08717648200274", "expires 30 June 2028, in 19 months"]),
        (["]d201087176482002741724053110A{GS}217"], 0, ["expired 31 May 2024, 29 months ago", "serial number"]),
        (["01087176482002741726112210A\\x1d217"], 0, ["expires 22 November 2026, tomorrow", "serial number"]),
        (
            ["010871764820027417260200"],
            0,
            ["expired 28 February 2026 (the label gives the month only), 8 months ago"],
        ),
        (["010871764820027517280630"], 1, ["not ok", "GS1_CHECK_DIGIT", "expires 30 June 2028"]),
        (["0108717648200274", "password"], 1, ["not the label of an article", "UNRECOGNISED"]),
        (["--item", "+A123BJC5D6E71G", "+$$52001510X3GD"], 0, ["HIBCC label of article A123BJC5D6E71", "lot"]),
        (["010871764820027410\udc80"], 1, ["\ufffd"]),
        (["0108717648200274" + "10\x1b[31m"], 1, ["<1B>"]),
    ],
    ids=lambda value: ascii(value) if isinstance(value, list) else None,
)
def test_for_people(run: Run, arguments: list[str], code: int, said: list[str]) -> None:
    ran = run("parse", "--today", "2026-11-21", *arguments)
    assert ran.code == code
    for words in said:
        assert words in ran.out
    assert "\x1b" not in ran.out


def test_codes_are_read_from_standard_input(run: Run) -> None:
    ran = run("parse", "--json", stdin=b"010871764820027410A{GS}217\r\n+A123BJC5D6E71G\n\xe5\n")
    answers = list(_values(ran.out))
    assert ran.code == 1
    assert [one["issuer"] for one in answers] == ["GS1", "HIBCC", None]
    assert answers[0]["serialNumber"] == "7"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ndjson", "0108717648200274"], "--ndjson reads standard input"),
        (["--today", "21.11.2026", "01"], "expected YYYY-MM-DD"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], said: str) -> None:
    ran = run("parse", *arguments)
    assert ran.code == 2
    assert said in ran.err


def _values(text: str) -> Iterator[dict[str, Any]]:
    """Read JSON values that follow one another."""
    decoder = json.JSONDecoder()
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        yield value
        text = text[end:]
