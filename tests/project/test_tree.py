"""What holds for every file of the project."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (
    *("drivers", "firmware_config", "gateway", "intake", "tests"),
    *("deploy", "docs", "requirements", "scripts", "systemd", ".ci"),
)
MAX_LINES = 650
"""A longer file does more than one thing."""
OUTSIDE = re.compile(r"\.\./shared|/work/|/home/\w+/|/root/\.")
"""Paths of the machine someone worked on."""


def texts() -> Iterator[Path]:
    """Every text file of the project, seen without git: an unpacked archive has none."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.name != ".git")  # a file in a work tree
    for folder in FOLDERS:
        yield from (p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def test_source_files_stay_short() -> None:
    lengths = {p.relative_to(ROOT): len(p.read_text().splitlines()) for p in texts() if p.suffix == ".py"}
    assert {path: n for path, n in lengths.items() if n > MAX_LINES} == {}


def test_nothing_depends_on_the_machine_it_was_written_on() -> None:
    """Tests may look outside the project when they skip where nothing is there."""
    found = []
    for path in texts():
        if path == Path(__file__):
            continue
        text = path.read_text(errors="replace")
        may_skip = path.is_relative_to(ROOT / "tests") and "skip" in text
        if not may_skip and OUTSIDE.search(text):
            found.append(path.relative_to(ROOT))
    assert found == []


def test_no_download_host_is_named() -> None:
    """Where packages come from is each machine's own affair: apt, pip and mmdebstrap know it."""
    hosts = re.compile(r"deb\.debian\.org|debian\.org/debian|pypi\.org|pythonhosted\.org|download\.docker\.com")
    found = [
        path.relative_to(ROOT)
        for path in texts()
        if path != Path(__file__) and hosts.search(path.read_text(errors="replace"))
    ]
    assert found == []


def test_test_files_have_unique_names() -> None:
    """The tests are no package, so that two files of one name would hide each other."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_changelog_has_a_place_for_the_next_change() -> None:
    sections = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[0] == "[Unreleased]"


def test_licence_is_the_one_declared() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    "script",
    [
        "scripts/environment.sh",
        "scripts/wheelhouse.sh",
        "scripts/install.sh",
        "scripts/install_check.sh",
        ".ci/run",
    ],
)
def test_scripts_can_be_started(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    assert path.read_text().startswith("#!")
