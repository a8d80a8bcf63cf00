"""`scangate config` and `scangate init`."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.loader import load
from gateway.config.template import Answers, compose, serial_devices
from tests.cli.conftest import Run, configuration

NEEDED = ("--tenant", "vgr", "--site", "su", "--id", "gw01", "--scanner-device", "/dev/ttyACM0")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small, valid configuration."""
    file = tmp_path / "scangate.toml"
    file.write_text(configuration(tmp_path))
    return file


def test_check(run: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    ran = run("config", "check", "-c", config)
    assert (ran.code, ran.out) == (0, f"{config}: ok\n")
    own = [
        line for line in ran.err.splitlines() if "ReadWritePaths" not in line
    ]  # the state lies in a test's folder
    assert "\n".join(own) == "! no [broker]: this box stands alone; hand its scans on with `scangate outbox export`"


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        ("", "state.directory"),
        (
            '[[scanner]]\nname = "back"\ndevice = "/dev/serial/by-id/none"',
            "scanner back: /dev/serial/by-id/none is",
        ),
        (
            '[broker]\nurls = ["mqtt://a"]\nusername = "x"\npassword_file = "/dev/null"',
            "sends the password in clear",
        ),
        (
            '[broker]\nurls = ["mqtt://a"]',
            "mqtt://a sends the password in clear: every scan can be read on the way",
        ),
        ('[broker]\nurls = ["mqtts://a"]', "a broker that takes this box without a login takes everybody"),
        ('[broker]\nurls = ["mqtts://a"]', "articles.delta_key_file: no key of the central system"),
        ('[display]\nlisten = "0.0.0.0:8080"', "whoever reaches that network sees the station's scans"),
        (f"[outbox]\nmin_free_bytes = {2**60}", "are to stay free: every scan is refused"),
        ('[broker]\nurls = ["mqtts://a"]\nca_file = "/missing.pem"', "broker.ca_file: /missing.pem is not there"),
    ],
)
def test_check_warns(run: Run, config: Path, tmp_path: Path, more: str, warning: str) -> None:
    config.write_text(configuration(tmp_path, more))
    ran = run("config", "check", "-c", config)
    assert ran.code == 0
    assert warning in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, ["scangate init"]),
        ("[gateway", ["not valid TOML"]),
        ("\udc80", ["not valid TOML"]),
        ('[gateway]\ntenant = "a"\nsite = "b"\nids = "c"', ["gateway.ids", "did you mean 'id'"]),
    ],
    ids=["no file", "no TOML", "no UTF-8", "unknown key"],
)
def test_check_of_a_wrong_file(run: Run, tmp_path: Path, text: str | None, said: list[str]) -> None:
    file = tmp_path / "wrong.toml"
    if text is not None:
        file.write_bytes(text.encode(errors="surrogateescape"))
    ran = run("config", "check", "-c", file)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith((f"scangate: {file}:", f"scangate: {file}: "))
    for words in said:
        assert words in ran.err


def test_show(run: Run, config: Path) -> None:
    rows = json.loads(run("config", "show", "-c", config, "--json").out)
    shown = {row["key"]: (row["value"], row["origin"]) for row in rows}
    assert shown["gateway.tenant"] == ("vgr", f"{config}:3")
    assert shown["scanner[0].baud"] == (9600, "default")
    assert shown["broker"] == (None, "default")
    out = run("config", "show", "-c", config).out
    assert re.search(r'scanner\[0\]\.name +"front" +scangate\.toml:\d+', out)


def test_schema(run: Run) -> None:
    schema = json.loads(run("config", "schema").out)
    gateway = schema["$defs"]["GatewaySettings"]["properties"]
    assert gateway["tenant"]["description"] == "The organisation, such as a region."
    terminator = schema["$defs"]["ScannerSettings"]["properties"]["terminator"]
    assert terminator["description"] == "What the scanner sends behind each code."


def test_init_writes_what_check_takes(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "etc" / "scangate.toml"
    ran = run("init", *NEEDED, "--broker-url", "mqtts://a.example", "--broker-url", "mqtt://b", "--output", file)
    assert ran.code == 0
    assert f"Next: scangate config check -c {file}, then" in ran.out
    assert file.stat().st_mode & 0o777 == 0o640
    config = load(file)
    assert (config.gateway.tenant, config.gateway.site, config.gateway.id) == ("vgr", "su", "gw01")
    assert [one.device for one in config.scanner] == ["/dev/ttyACM0"]
    assert config.broker is not None
    assert config.broker.urls == ("mqtts://a.example", "mqtt://b")


def test_every_commented_setting_is_a_setting(run: Run, tmp_path: Path) -> None:
    """What a technician uncomments must be valid."""
    text = run("init", *NEEDED, "--output", "-").out
    lines = text.splitlines()
    settings = [
        line.removeprefix("#") if line[:1] == "#" and line[1:2] not in {" ", ""} else line for line in lines
    ]
    file = tmp_path / "all.toml"
    file.write_text("\n".join(settings))
    config = load(file)
    assert config.broker is not None
    assert config.articles.source[0].columns["articleNumber"] == "ITEM_NO"


def test_init_does_not_replace_a_file_by_itself(run: Run, config: Path) -> None:
    before = config.read_text()
    ran = run("init", *NEEDED, "--output", config)
    assert ran.code == 2
    assert "--force" in ran.err
    assert config.read_text() == before
    assert run("init", *NEEDED, "--output", config, "--force").code == 0
    assert load(config).scanner[0].name == "scanner1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], ["--tenant --site --id\n"]),
        ([*NEEDED[:6], "--driver", "hid-keyboard"], ["scanner[0].device: missing, and there is no `match`"]),
        ([*NEEDED[:6], "--usb", "0c2e"], ["expected VENDOR:PRODUCT"]),
        (NEEDED[2:], ["give --tenant\n"]),
        ([*NEEDED, "--tenant", "a b"], ["gateway.tenant = 'a b'"]),
        ([*NEEDED, "--broker-url", "http://x"], ["broker.urls", "mqtts://host"]),
        ([*NEEDED, "--broker-url", "mqtts://x", "--password-file", "p"], ["needs broker.username"]),
        ([*NEEDED, "--terminator", "LFCR"], ["invalid choice"]),
        ([*NEEDED, "--baud", "0"], ["scanner[0].baud = 0"]),
    ],
    ids=ascii,
)
def test_init_with_wrong_answers(run: Run, tmp_path: Path, arguments: list[str], said: list[str]) -> None:
    file = tmp_path / "new.toml"
    ran = run("init", *arguments, "--output", file)
    assert (ran.code, ran.out) == (2, "")
    for words in said:
        assert words in ran.err
    assert not file.exists()


def test_init_where_nothing_may_be_written(run: Run) -> None:
    ran = run("init", *NEEDED, "--output", "/proc/scangate/new.toml")
    assert ran.code == 2
    assert "cannot write /proc/scangate/new.toml" in ran.err


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_answer_is_quoted(device: str, username: str, password_file: str) -> None:
    answers = Answers(
        tenant="a",
        site="b",
        id="c",
        profile="clinic",
        scanner_name="front",
        driver="serial",
        scanner_device=f"/{device}",
        baud=9600,
        terminator="CR",
        broker_urls=("mqtts://x",),
        username=f"u{username}",
        password_file=f"/p{password_file}",
    )
    compose(answers, "test")


def test_serial_devices(tmp_path: Path) -> None:
    (tmp_path / "by-id").mkdir()
    for name in ("usb-b", "usb-a"):
        (tmp_path / "by-id" / name).touch()
    found = serial_devices((tmp_path / "by-id", tmp_path / "by-path"))
    assert [path.name for path in found] == ["usb-a", "usb-b"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((), []),
        (("--driver", "none"), []),
        (("--driver", "hid-pos", "--usb", "0C2E:0b61"), [("hid-pos", "0c2e", "0b61")]),
        (("--usb", "05e0:1200"), [("hid-keyboard", "05e0", "1200")]),
    ],
)
def test_init_on_a_bench_knows_every_driver_and_none(
    run: Run, tmp_path: Path, more: tuple[str, ...], expected: list[tuple[str, str, str]]
) -> None:
    file = tmp_path / "new.toml"
    assert run("init", *NEEDED[:6], *more, "--output", file).code == 0
    found = [(one.driver, one.match.vendor, one.match.product) for one in load(file).scanner if one.match]
    assert found == expected


def test_init_prints_utf_8_whatever_the_terminal_is(tmp_path: Path) -> None:
    """A minimal Debian has no locale but C, and a pipe may be ASCII."""
    command = [
        sys.executable,
        "-m",
        "gateway",
        "init",
        *NEEDED[:6],
        "--scanner-device",
        "/dev/ttyÅ",
        "--output",
        "-",
    ]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run(command, env=ascii_only, capture_output=True, check=True, timeout=60)
    (tmp_path / "made.toml").write_bytes(done.stdout)
    assert load(tmp_path / "made.toml").scanner[0].device == "/dev/ttyÅ"


def test_the_examples_of_init_stand_on_one_line_each(run: Run) -> None:
    """A line to copy is not broken by argparse's filling."""
    examples = run("init", "--help").out.partition("examples:\n")[2].splitlines()
    assert len(examples) > 2
    assert all(line.startswith("  scangate init") for line in examples)


def test_init_asks_on_a_terminal(tmp_path: Path) -> None:
    """The first answer is no name, so it asks again; an empty answer takes what is offered."""
    file = tmp_path / "asked.toml"
    terminal, side = pty.openpty()
    command = [sys.executable, "-m", "gateway", "init", "--output", str(file), "--scanner-device", "/dev/ttyACM0"]
    with subprocess.Popen(command, stdin=side, stdout=subprocess.PIPE, text=True) as process:
        os.close(side)
        os.write(terminal, b"not good\nvgr\nsu\ngw01\n3\nmqtts://b\ngw01-user\n")
        out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0
    assert "letters, digits, _ and - only" in out
    config = load(file)
    assert (config.gateway.tenant, config.station.profile) == ("vgr", "clinic")
    assert config.broker is not None
    assert (config.broker.username, config.broker.password_file) == ("gw01-user", "mqtt-password")
