"""`scangate station`: the sheet of control codes, and the keys of a site."""

from pathlib import Path

import pytest

from drivers.model import Signal
from gateway.languages import vocabulary
from gateway.printing.station_sheet import GROUPS, KEYED_GROUPS
from gateway.station.control_codes import COMMANDS, ControlCodes
from tests.cli.conftest import Run
from tests.printing.printed import symbols_of_pdf, symbols_of_svg, text_of_pdf

KEY = bytes(range(32))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(KEY.hex())
    file = tmp_path / "scangate.toml"
    file.write_text(f"""
[gateway]
tenant = "vgr"
site = "su"
id = "gw01"
[station]
code_key_file = "{tmp_path / "key"}"
language = "sv"
[[scanner]]
name = "front"
device = "/dev/null"
""")
    return file


def printed(texts: list[bytes]) -> list[str]:
    """What the codes of a page ask for, by the station that reads them."""
    codes = ControlCodes("su", KEY)
    return sorted(str(codes.read(text.decode())) for text in texts)


EXPECTED = sorted(
    str(ControlCodes("su", KEY).read(ControlCodes("su", KEY).write(command)))
    for group in GROUPS["supply-room"].values()
    for command in group
)


def test_the_sheet_as_pdf(run: Run, config: Path, tmp_path: Path) -> None:
    output = tmp_path / "codes.pdf"
    ran = run("station", "sheet", "-c", config, "-o", output)
    assert ran.code == 0, ran.err
    assert printed([one.data for one in symbols_of_pdf(output.read_bytes())]) == EXPECTED


def test_the_sheet_as_svg(run: Run, config: Path) -> None:
    ran = run("station", "sheet", "-c", config, "--format", "svg")
    assert ran.code == 0, ran.err
    assert printed([one.data for one in symbols_of_svg(ran.out)]) == EXPECTED


@pytest.mark.parametrize(
    ("options", "there", "not_there"),
    [
        ((), "Förbruka", "förlorad"),
        ((), "Consume", "förlorad"),
        (("--language", "sv"), "Förbruka", "Consume"),
        (("--language", "en"), "Consume", "Förbruka"),
        (("--language", "both"), "Consume", "förlorad"),
        (("--language", "both"), "Förbruka", "förlorad"),
    ],
)
def test_the_captions_language(
    run: Run, config: Path, tmp_path: Path, options: tuple[str, ...], there: str, not_there: str
) -> None:
    output = tmp_path / "codes.pdf"
    assert run("station", "sheet", "-c", config, "-o", output, *options).code == 0
    text = text_of_pdf(output.read_bytes())
    assert there in text
    assert not_there not in text


def test_every_command_is_on_the_sheet() -> None:
    assert {
        one for groups in (*GROUPS.values(), KEYED_GROUPS) for group in groups.values() for one in group
    } == set(COMMANDS)


def test_without_a_key_it_says_how_to_make_one(run: Run, config: Path) -> None:
    config.write_text("\n".join(line for line in config.read_text().splitlines() if "code_key_file" not in line))
    ran = run("station", "sheet", "-c", config)
    assert ran.code == 2
    assert "scangate station key control" in ran.err
    assert "code_key_file" in ran.err


def test_a_missing_key_file_is_named(run: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "key").unlink()
    ran = run("station", "sheet", "-c", config)
    assert ran.code == 2
    assert str(tmp_path / "key") in ran.err
    assert "No such file" in run("config", "check", "-c", config).err


@pytest.mark.parametrize("name", ["codes.png", "codes", "missing/codes.pdf"])
def test_names_that_cannot_be(run: Run, config: Path, tmp_path: Path, name: str) -> None:
    ran = run("station", "sheet", "-c", config, "-o", tmp_path / name)
    assert ran.code == 2
    assert name in ran.err


def test_a_new_key_makes_a_sheet(run: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "key").unlink()
    ran = run("station", "key", "control", "-o", tmp_path / "key")
    assert ran.code == 0
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "key").read_text().strip() not in ran.out
    assert run("station", "sheet", "-c", config, "--format", "svg").code == 0
    assert run("station", "key", "control", "-o", tmp_path / "key").code == 2, "a key is never overwritten"


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (("seal",), {"new": 0o600, "new.pub": 0o644}),
        (("hmac", "--id", "2026-11"), {"new": 0o600}),
    ],
)
def test_other_keys(run: Run, tmp_path: Path, arguments: tuple[str, ...], files: dict[str, int]) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    ran = run("station", "key", *arguments, "-o", folder / "new")
    assert ran.code == 0, ran.err
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == files


@pytest.mark.parametrize("arguments", [("hmac",), ("control", "--id", "1"), ("other",)])
def test_wrong_usage(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run("station", "key", *arguments, "-o", tmp_path / "key").code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("present", ["new", "new.pub"])
def test_no_half_pair_of_keys(run: Run, tmp_path: Path, present: str) -> None:
    """Beside an old private key a new public one would seal identities for nobody."""
    (tmp_path / present).write_text("old")
    assert run("station", "key", "seal", "-o", tmp_path / "new").code == 2
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {present: "old"}


def test_the_signals_are_listed_without_a_daemon(run: Run, config: Path, tmp_path: Path) -> None:
    ran = run("station", "signals", "-c", config, "--list", "--socket", tmp_path / "none")
    assert ran.code == 0, ran.err
    assert len(ran.out.splitlines()) == 2 * len(Signal)
    assert max(map(len, ran.out.splitlines())) <= 80
    words = vocabulary("sv")
    for signal in Signal:
        assert words.headlines[signal] in ran.out
        assert words.signals[signal].deed in ran.out


def test_signals_that_no_daemon_plays(run: Run, config: Path, tmp_path: Path) -> None:
    ran = run("station", "signals", "-c", config, "--socket", tmp_path / "none")
    assert ran.code == 3
    assert ran.out == ""


@pytest.mark.parametrize("arguments", [("--pause", "-1"), ("--pause", "nan"), ("--only", "loud")])
def test_wrong_usage_of_signals(run: Run, config: Path, arguments: tuple[str, ...]) -> None:
    assert run("station", "signals", "-c", config, *arguments).code == 2
