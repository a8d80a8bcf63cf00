"""Nothing that a command prints drives a terminal, whoever wrote it.

CWE-150 (escape sequences of ECMA-48), CVE-2021-42574 (characters that turn the writing round).
"""

import io
import json
import sys
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from gateway.cli.output import print_json, show
from gateway.events.exports import csv
from gateway.events.visible_text import guarded
from tests.brokers import Broker
from tests.cli.conftest import Run

HOSTILE = {
    "clear screen": "\x1b[2J",
    "title": "\x1b]0;owned\x07",
    "C1 CSI": "\x9b31m",
    "conceal": "\x1b[8m",
    "red": "\x1b[31m",
    "right to left": "\u202e",
    "isolate": "\u2066",
    "zero width": "\u200b",
    "line separator": "\u2028",
    "back": "12\b\b34",
    "delete": "\x7f",
    "beyond the BMP": "\U000e0041",
    "half a pair": "\ud800",
}


def harmless(text: str) -> bool:
    return all(one.isprintable() or one in "\n\xa0" for one in text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_whatever_is_printed(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with guarded(sys.stdout, sys.stderr):
        sys.stdout.write(f"a {text}\xa0b\n")
        sys.stderr.write(text)
        sys.stdout.writelines([text, "\n"])
        show([{"x": text}], {"x": "text"}, as_json=False)
    said = capsys.readouterr()
    assert harmless(said.out), repr(said.out)
    assert harmless(said.err), repr(said.err)
    assert "a " in said.out
    assert "\xa0b\n" in said.out


@pytest.mark.parametrize("text", [one for one in HOSTILE.values() if "\ud800" not in one])
def test_json_means_the_same(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": text, "å": "Höft"})
    said = capsys.readouterr().out
    assert harmless(said), repr(said)
    assert json.loads(said) == {"text": text, "å": "Höft"}
    assert "Höft" in said


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_cell_of_a_spreadsheet(text: str) -> None:
    assert harmless(csv.cell(f"L\xa0{text}"))


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colours_and_nothing_else() -> None:
    out = Screen()
    with guarded(out, out):
        sys.stdout.write("\x1b[1;32mok\x1b[0m \x1b[8mhidden \x1b[38;5;1m \x1b[2K\n")
    assert out.getvalue() == "\x1b[1;32mok\x1b[0m <1B>[8mhidden <1B>[38;5;1m <1B>[2K\n"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_tail_shows_what_somebody_has_put_there(tmp_path: Path, run: Run, options: list[str]) -> None:
    """A retained message of whoever may publish on the box's topic."""
    broker = Broker(tmp_path / "broker")
    broker.start()
    try:
        body = '{"a": "\x1b[2J\u202e",\n "b": 1}'
        publisher = Client(CallbackAPIVersion.VERSION2)
        publisher.connect("127.0.0.1", broker.port)
        publisher.loop_start()
        publisher.publish("udi/v1/vgr/su/gw01/status", body, qos=1, retain=True).wait_for_publish(20)
        publisher.disconnect()
        publisher.loop_stop()
        config = tmp_path / "scangate.toml"
        config.write_text(f"""
[gateway]
tenant = "vgr"
site = "su"
id = "gw01"
[broker]
urls = ["{broker.url}"]
""")
        ran = run("tail", "-c", config, "--count", "1", *options)
    finally:
        broker.stop()
    assert ran.code == 0, ran.err
    assert harmless(ran.out), repr(ran.out)
    (line,) = ran.out.splitlines()
    if options:
        assert json.loads(line) == {"a": "\x1b[2J\u202e", "b": 1}
    else:
        assert "<1B>[2J<202E>" in line
