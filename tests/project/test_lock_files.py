"""The lock files are in step with pyproject.toml and with each other; `make lock` mends what fails here."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DECLARED: dict[str, list[str]] = {
    "run": PROJECT["project"]["dependencies"],
    "demo": PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["demo"],
    "dev": PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["dev"],
    "intake": PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["intake"],
    "build": PROJECT["dependency-groups"]["build"],
    "release": PROJECT["dependency-groups"]["release"],
}
LEFT_OUT = {
    "demo": frozenset({"evdev"}),
    "intake": frozenset({"evdev", "pydyf", "pyserial", "tinydb", "xlsxwriter", "zxing-cpp"}),
}
"""evdev needs a compiler, and the demo reads no keyboard; the central side has neither scanners nor pages."""


def lines(name: str) -> list[str]:
    """Logical lines of a lock file without comments: one requirement and its hashes each."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / f"requirements/{name}.txt").read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", " ").splitlines()


def pins(name: str) -> dict[str, str]:
    """Normalised package name -> pinned version."""
    found = {}
    for line in lines(name):
        requirement = Requirement(line.split(" --hash=")[0])
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", line
        found[normalised(requirement.name)] = specifier.version
    return found


def normalised(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", DECLARED)
def test_what_is_declared_is_locked(name: str) -> None:
    locked = pins(name)
    for declared in map(Requirement, DECLARED[name]):
        if declared.name in LEFT_OUT.get(name, ()):
            continue
        assert declared.specifier.contains(locked[normalised(declared.name)]), declared


@pytest.mark.parametrize("name", DECLARED)
def test_every_pin_has_hashes_and_names_no_index(name: str) -> None:
    for line in lines(name):
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^\\]+?)?\s+(--hash=sha256:[0-9a-f]{64}\s*)+", line), line
    assert not re.search(
        r"https?://|file:|--(extra-)?index|--find-links", (ROOT / f"requirements/{name}.txt").read_text()
    )


@pytest.mark.parametrize(("smaller", "larger"), [("run", "demo"), ("demo", "dev"), ("intake", "dev")])
def test_a_larger_set_holds_the_smaller_one(smaller: str, larger: str) -> None:
    """One environment serves the demo and the tests: what one installs the other must not change."""
    held = pins(larger) | {name: pins(smaller)[name] for name in LEFT_OUT.get(larger, ())}
    assert pins(smaller).items() <= held.items()


def test_build_tools_agree_with_the_environment_they_are_installed_into() -> None:
    build, dev = pins("build"), pins("dev")
    assert {name: build[name] for name in build.keys() & dev.keys()} == {
        name: dev[name] for name in build.keys() & dev.keys()
    }


def test_no_index_needs_to_be_asked_for_the_build_backend() -> None:
    assert {Requirement(r).name for r in PROJECT["build-system"]["requires"]} <= set(pins("build"))
