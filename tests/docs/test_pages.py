"""The pages for people: what they link to, name and have somebody type is there."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import _parser
from intake.cli import parser as _intake_parser
from tests.project.test_layers import LAYERS

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
PATHS = re.compile(
    r"`((?:drivers|firmware_config|gateway|intake|tests|systemd|scripts|deploy|docs|requirements)/[\w./*-]+)`"
)
PROGRAMS = {"scangate": _parser(), "scangate-intake": _intake_parser()}
README_LINES = 80
"""A screen and a half."""

LIVING = [path for path in PAGES if path.name != "CHANGELOG.md"]
"""Those that speak of today."""

page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def shown(text: str) -> Iterator[str]:
    """Yield what stands in code: indented lines, with those they go on in, and what is between backticks."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("    "):
            yield line.split("  #")[0].strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)


def commands(text: str, program: str = "scangate") -> list[str]:
    """Return a program's commands of a page, one each."""
    parts = [part.strip() for one in shown(text) for part in re.split(r"&&|;", one)]
    return [part for part in parts if part.startswith(f"{program} ")]


def unknown(parser: argparse.ArgumentParser, words: list[str]) -> str | None:
    """Return the first word of a command that the parser does not know, None where it knows them all."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            if not words:
                return None
            if words[0] in action.choices:
                return unknown(action.choices[words[0]], words[1:])
            return None if words[0].startswith("-") and words[0] in parser._option_string_actions else words[0]
    return next(
        (word for word in words if re.match(r"--?[a-z]", word) and word not in parser._option_string_actions), None
    )


@page
def test_every_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text())
    local = [link.partition("#")[0] for link in links if not re.match(r"https?://|mailto:|#", link)]
    assert [link for link in local if not (path.parent / link).exists()] == []


@page
def test_every_heading_that_is_linked_is_there(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]*#[^)\s]+)\)", path.read_text()):
        name, _, anchor = link.partition("#")
        if not name.startswith("http"):
            there = (path.parent / name if name else path).read_text()
            headings = re.findall(r"^#+ (.+)$", there, re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}, link


@pytest.mark.parametrize("path", LIVING, ids=lambda path: path.name)
def test_every_path_that_is_named_is_there(path: Path) -> None:
    assert [one for one in PATHS.findall(path.read_text()) if not list(ROOT.glob(one.rstrip("/")))] == []


@pytest.mark.parametrize("path", LIVING, ids=lambda path: path.name)
def test_every_command_is_one(path: Path) -> None:
    wrong = []
    for program, parser in PROGRAMS.items():
        for command in commands(path.read_text(), program):
            word = unknown(parser, shlex.split(command, comments=True)[1:])
            if word is not None:
                wrong.append(f"{command}: {word}")
    assert wrong == []


@pytest.mark.parametrize("path", LIVING, ids=lambda path: path.name)
def test_every_target_of_make_is_one(path: Path) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = [one.split()[1] for one in shown(path.read_text()) if re.match(r"make [a-z]", one)]
    assert [one for one in named if one not in targets] == []


@page
def test_every_unit_is_one(path: Path) -> None:
    units = re.findall(r"\bscangate[\w-]*\.(?:service|timer|path|socket)\b", path.read_text())
    assert [one for one in units if not list(ROOT.glob(f"**/systemd/**/{one}"))] == []


def test_an_unknown_command_is_noticed() -> None:
    text = "    scangate outbox list --since 2h  # yes\n\nand `scangate outbox lst`, `scangate doctor --loud`\n"
    found = [unknown(_parser(), shlex.split(one)[1:]) for one in commands(text)]
    assert found == [None, "lst", "--loud"]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES


def test_every_page_is_reached_from_the_readme() -> None:
    reached, left = set[Path](), [ROOT / "README.md"]
    while left:
        path = left.pop()
        reached.add(path)
        links = re.findall(r"\]\(([\w./-]+\.md)\)", path.read_text())
        left += [
            one for one in {(path.parent / link).resolve() for link in links} if one not in reached and one.exists()
        ]
    assert [one.name for one in PAGES if one not in reached] == []


def test_the_architecture_page_lists_the_layers() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    listed = [tuple(re.findall(r"`([\w.]+)`", row)) for row in re.findall(r"^\d+\. (`.*)$", text, re.MULTILINE)]
    assert [set(row) for row in listed[: len(LAYERS)]] == [
        set(row) for row in LAYERS if not {"gateway", "gateway.__main__"} & set(row)
    ]


def test_every_package_has_a_row() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    packages = [
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("drivers", "firmware_config", "gateway/*", "intake")
        for path in ROOT.glob(f"{top}/__init__.py")
    ]
    assert [one for one in packages if f"| `{one}` |" not in text] == []


def test_every_threat_has_a_test_that_is_there() -> None:
    """IEC 62443-4-1, SVV-3: each mitigation of the threat model is tested."""
    rows = re.findall(r"^\| (?:\[\d\]|log).*$", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    cited = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert len(rows) > 20
    assert all(cited), "a row without a test"
    assert [name for names in cited for name in names if name not in written] == []
