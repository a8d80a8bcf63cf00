"""A station without keys does not pay for them: libsodium, OpenSSL and what draws sheets are loaded when needed."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from gateway.station.context_settings import ContextSettings
from gateway.station.control_codes import ControlCodes
from gateway.station.keys import read_keys
import gateway.station.verdict, gateway.station.privacy, gateway.cli.station
keys = read_keys(None, ContextSettings())
ControlCodes("su", keys.control).read("QZSG1")
print(*sorted(set(sys.modules) & {"nacl", "hashlib", "hmac", "zxingcpp", "pydyf"}))
"""


def test_a_station_without_keys_loads_none_of_it() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


@pytest.mark.parametrize(("mode", "words"), [("seal", "no seal key"), ("pseudonym", "no HMAC key")])
def test_no_identity_without_its_key(mode: str, words: str) -> None:
    from gateway.station.protect import Protector

    with pytest.raises(ValueError, match=words) as raised:
        getattr(Protector(), mode)("personnummer", "191212121212")
    assert "1912" not in str(raised.value)
