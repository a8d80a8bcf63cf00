"""The table of findings is complete, and messages keep what they should."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gateway.udi
from gateway.model import Severity
from gateway.udi import decode
from gateway.udi.findings import FINDINGS, finding

TODAY = date(2026, 11, 21)
FOLDER = Path(gateway.udi.__file__).parent
CODE = re.compile(r'"((?:GS1|HIBC|ISBT|IFA|ITEM|TEXT|FINDINGS)_[A-Z_]+|EMPTY|UNRECOGNISED|NOT_UDI|AMBIGUOUS)"')


def test_every_code_used_is_in_the_table_and_every_code_in_the_table_is_used() -> None:
    used = {
        code
        for path in FOLDER.glob("*.py")
        if path.name != "findings.py"
        for code in CODE.findall(path.read_text("utf-8"))
    }
    assert used == FINDINGS.keys()


@pytest.mark.parametrize("code", sorted(FINDINGS))
def test_meaning_is_one_sentence(code: str) -> None:
    kind = FINDINGS[code]
    assert kind.severity in Severity
    assert kind.meaning.endswith(".")
    assert finding(code, "x").severity is kind.severity


FRAMES = """
{0}
(10){0} {0}
0108717648200274{0}
+{0}
+$$3{0}
+A123{0}1X
=/{0}
9N{0}
.9N{0}^S{0}
https://{0}.de/{0}
https://a/{0}?{0}={0}
https://a/01/{0}/10/{0}
]d1{0}
]E0{0}
10{0}{0}{0}\x1d17{0}
(7256){0}(17){0}
[)>\x1e06\x1dS{0}{0}{0}\x1dD{0}
""".strip().split("\n")


@given(name=st.text("abcdefghijklmnopqrstuvwxyz", min_size=6, max_size=12), frame=st.sampled_from(FRAMES))
def test_no_message_quotes_the_label(name: str, frame: str) -> None:
    words = re.compile("[a-z]+")
    ours = {word for kind in FINDINGS.values() for word in words.findall(kind.meaning.lower())}
    decoded = decode(frame.format(name), today=TODAY)
    for found in decoded.findings:
        assert name in ours or name not in found.message
