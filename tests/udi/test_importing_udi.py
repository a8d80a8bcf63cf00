"""What importing the decoder may load: the daemon, the command line and scripts all pay for it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALLOWED = {"gateway", "gateway.model"}
HEAVY = {"sqlite3", "urllib.parse", "json", "logging", "drivers", "evdev", "serial", "paho", "rich", "calendar"}
PROGRAM = """
import sys
import msgspec
before = set(sys.modules)
import gateway.udi
print(*sorted(set(sys.modules) - before))
"""


def test_importing_the_decoder_loads_nothing_but_itself() -> None:
    done = subprocess.run((sys.executable, "-c", PROGRAM), cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("gateway") and not name.startswith("gateway.udi")} == ALLOWED
