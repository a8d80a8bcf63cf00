"""Imports run one way: every module belongs to one part, and a part imports itself and what is listed for it.

`gateway.config` gathers the settings of all stages, so no stage may import it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("drivers", "firmware_config", "gateway")
VALUES = {"gateway", "gateway.model", "gateway.clock", "gateway.credentials", "gateway.whole_file"}
"""What every stage of the gateway may know; `gateway` itself holds the version."""
STAGES = {"gateway.udi", "gateway.udi.checks", "gateway.articles", "gateway.station", "gateway.delivery"}
SERVICES = "gateway.*"
"""Whatever else lies directly in gateway/, such as the control socket: app and cli use it."""

MAY_IMPORT: dict[str, set[str]] = {
    "drivers": set(),
    "firmware_config": {"drivers"},
    "gateway": set(),
    "gateway.model": {"drivers"},
    "gateway.clock": {"gateway"},
    "gateway.credentials": set(),
    "gateway.whole_file": set(),
    "gateway.udi.checks": set(),
    "gateway.udi": VALUES | {"gateway.udi.checks"},
    "gateway.articles": VALUES | {"gateway.udi.checks"},
    "gateway.station": VALUES | {"gateway.udi", "gateway.udi.checks", "gateway.articles", "drivers"},
    "gateway.delivery": VALUES | {"drivers"},
    "gateway.display.settings": set(),
    "gateway.display": VALUES | {SERVICES, "gateway.display.settings"},
    "gateway.config": VALUES | STAGES | {"drivers", "firmware_config", "gateway.display.settings"},
    SERVICES: VALUES | STAGES | {"drivers", "firmware_config", "gateway.config"},
    "gateway.app": VALUES | STAGES | {"drivers", "firmware_config", "gateway.config", SERVICES},
    "gateway.demo": VALUES | STAGES | {"gateway.config", SERVICES, "gateway.app"},
    "gateway.__main__": {"gateway.cli"},
    "gateway.cli": {"gateway.demo"}
    | VALUES
    | STAGES
    | {"drivers", "firmware_config", "gateway.config", "gateway.display", SERVICES, "gateway.app"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for top in OURS for path in sorted((ROOT / top).rglob("*.py"))}


def is_within(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def part_of(module: str) -> str:
    """Name the part a module belongs to: the longest that holds it."""
    part = max((part for part in MAY_IMPORT if is_within(module, part)), key=len)
    return SERVICES if part == "gateway" != module else part


def imported(module: str) -> Iterator[tuple[int, str]]:
    """Every module of ours that a module imports anywhere in its text, with the line."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            inside = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else base for name in inside]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] in OURS)


def is_allowed(importer: str, target: str) -> bool:
    return part_of(target) in MAY_IMPORT[part_of(importer)] | {part_of(importer)}


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_run_one_way(part: str) -> None:
    wrong = [
        f"{MODULES[module].relative_to(ROOT)}:{line} imports {target}"
        for module in MODULES
        if part_of(module) == part
        for line, target in imported(module)
        if not is_allowed(module, target)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("importer", "target", "allowed"),
    [
        ("drivers.base", "drivers.model", True),
        ("drivers.base", "gateway.model", False),
        ("firmware_config", "drivers.base", True),
        ("firmware_config", "gateway.model", False),
        ("gateway.udi", "gateway.model", True),
        ("gateway.udi", "gateway.articles", False),
        ("gateway.articles", "gateway.udi.checks", True),
        ("gateway.articles", "gateway.udi.gs1", False),
        ("gateway.station", "gateway.udi", True),
        ("gateway.station", "gateway.articles.lookup.master", True),
        ("gateway.station", "gateway.delivery", False),
        ("gateway.delivery", "gateway.model", True),
        ("gateway.delivery", "gateway.udi", False),
        ("gateway.delivery", "gateway.station", False),
        ("gateway.delivery", "gateway.config", False),
        ("gateway.config", "gateway.delivery.settings", True),
        ("gateway.config", "gateway.app", False),
        ("gateway.control", "gateway.config", True),
        ("gateway.control", "gateway.app", False),
        ("gateway.control", "gateway.cli", False),
        ("gateway.app", "gateway.control", True),
        ("gateway.app", "firmware_config", True),
        ("gateway.app", "gateway.cli", False),
        ("gateway.cli", "gateway.app", True),
        ("gateway.cli", "gateway.control", True),
        ("gateway.display", "gateway.delivery.outbox", False),
    ],
)
def test_the_rule_itself(importer: str, target: str, allowed: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_allowed(importer, target) is allowed
