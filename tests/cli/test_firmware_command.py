"""`scangate firmware`: what it answers without a scanner, and how it says no."""

import json
from pathlib import Path

import pytest

from firmware_config.profiles import load, names
from tests.cli.conftest import Run


def config(directory: Path, *scanners: str) -> Path:
    file = directory / "scangate.toml"
    box = '[gateway]\ntenant = "vgr"\nsite = "su"\nid = "gw01"\n'
    state = f'[state]\ndirectory = "{directory}/state"\n'
    file.write_text("\n".join([box, state, *(f"[[scanner]]\n{one}\n" for one in scanners)]))
    return file


def test_profiles(run: Run) -> None:
    ran = run("firmware", "profiles", "--json")
    assert ran.code == 0
    assert [one["name"] for one in json.loads(ran.out)] == list(names())
    table = run("firmware", "profiles").out
    assert all(name in table for name in names())


@pytest.mark.parametrize("name", names())
def test_one_profile(run: Run, name: str) -> None:
    told = json.loads(run("firmware", "profiles", name, "--json").out)
    profile = load(name)
    assert [one["setting"] for one in told["settings"]] == [one.name for one in profile.settings]
    assert all(one["source"] for one in told["settings"])
    assert all((one["whyUnverified"] is None) is one["verified"] for one in told["settings"])
    assert run("firmware", "profiles", name).code == 0


@pytest.mark.parametrize("form", ["pdf", "svg"])
def test_page(run: Run, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"page.{form}"
    ran = run("firmware", "page", "opticon", "-o", file)
    assert (ran.code, ran.out) == (0, f"2 codes in {file}\n")
    assert file.stat().st_size > 1000


@pytest.mark.parametrize(
    ("scanners", "arguments", "code", "words"),
    [
        ((), (), 2, "scanner"),
        (('name = "a"\ndevice = "/dev/null0"', 'name = "b"\ndevice = "/dev/null1"'), (), 2, "say which scanner"),
        (('name = "a"\ndevice = "/dev/null0"',), ("b",), 2, "there is no scanner 'b': this station has a"),
        (('name = "a"\ndevice = "/dev/null0"',), (), 2, "neither --profile nor its firmware_profile names one"),
        (('name = "a"\ndevice = "/dev/null0"',), ("--profile", "noname"), 2, "choose of cipherlab"),
        (('name = "a"\ndevice = "/dev/null0"',), ("--profile", "opticon"), 1, "is not confirmed"),
        (('name = "a"\ndevice = "/dev/null0"\nfirmware_profile = "noname"',), (), 2, "firmware_profile = 'noname'"),
        (('name = "a"\ndevice = "{}/gone"\nfirmware_profile = "honeywell"',), (), 3, "cannot reach scanner a"),
    ],
)
def test_refusals(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scanners: tuple[str, ...],
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.setattr("gateway.cli.lent.CONNECT_SECONDS", 0.3)
    file = config(tmp_path, *(one.replace("{}", str(tmp_path)) for one in scanners))
    for command in ("show", "check", "apply"):
        ran = run("firmware", command, *arguments, "-c", file, "--socket", tmp_path / "none")
        assert ran.code == code, ran.err
        assert words in ran.err
