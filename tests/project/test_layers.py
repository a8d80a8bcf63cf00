"""Imports run one way: a package imports from the layers below it, and no modules import each other in a circle.

Both hold for every module of the product, for imports inside functions and for those of types alone.
"""

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS: tuple[tuple[str, ...], ...] = (
    ("gateway",),  # the package itself: the version and the day of its release
    ("drivers", "gateway.languages"),
    ("gateway.model", "gateway.system"),
    ("firmware_config", "gateway.udi"),
    ("gateway.articles",),
    ("gateway.station",),
    ("gateway.events",),
    ("gateway.outbox",),
    ("gateway.mqtt",),
    ("gateway.recalls", "gateway.display", "gateway.samples"),
    ("gateway.config",),
    ("gateway.devices",),
    ("gateway.printing",),
    ("gateway.scanning",),
    ("gateway.monitoring",),
    ("gateway.archive",),
    ("gateway.app",),
    ("gateway.demo",),
    ("gateway.cli",),
    ("gateway.__main__",),
)
"""From below. A part may import itself and what stands in an earlier row, not its neighbours in the same one."""
ONLY: Mapping[str, tuple[str, ...]] = {
    "drivers": (),
    "firmware_config": ("drivers",),
    "gateway.system": ("gateway",),
    "intake": ("gateway", "gateway.model", "gateway.events"),
}
"""Parts that may import less than the layers below them."""
OURS = ("drivers", "firmware_config", "gateway", "intake")

Sources = Mapping[str, str]
"""Module name -> its text. A package is named as such, without `__init__`."""


@functools.cache
def nodes(text: str) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]


def product() -> dict[str, str]:
    sources = {}
    for top in OURS:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return sources


def imported(module: str, sources: Sources) -> Iterator[tuple[int, str]]:
    """Every module of ours that a module imports anywhere in its text, with the line."""
    is_package = any(name.startswith(module + ".") for name in sources)
    package = module if is_package else module.rpartition(".")[0]
    for node in nodes(sources[module]):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            names = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in sources else base for alias in node.names]
        yield from ((node.lineno, name) for name in names if name in sources)


def part_of(module: str) -> str:
    """Name the part a module belongs to: the longest that holds it."""
    parts = [*ONLY, *(part for row in LAYERS for part in row)]
    return max((part for part in parts if module == part or module.startswith(part + ".")), key=len, default="")


def may_import(importer: str, target: str) -> bool:
    own, other = part_of(importer), part_of(target)
    if own == other != "gateway":
        return True
    if own in ONLY:
        return other in ONLY[own]
    levels = {part: level for level, row in enumerate(LAYERS) for part in row}
    return own in levels and other in levels and levels[other] < levels[own]


def upward(sources: Sources) -> list[str]:
    return [
        f"{module}:{line} imports {target}"
        for module in sources
        for line, target in imported(module, sources)
        if module != target and not may_import(module, target)
    ]


def circles(sources: Sources) -> list[list[str]]:
    """The groups of modules that import each other, by Tarjan's strongly connected components."""
    graph = {module: {target for _, target in imported(module, sources)} - {module} for module in sources}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for target in sorted(graph[module]):
            if target not in index:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], index[target])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in graph:
        if module not in index:
            visit(module)
    return found


def test_a_package_imports_from_the_layers_below_it() -> None:
    assert upward(product()) == []


def test_no_modules_import_each_other() -> None:
    assert circles(product()) == []


def test_nothing_lies_loose_in_the_gateway() -> None:
    loose = {path.stem for path in (ROOT / "gateway").glob("*.py")}
    assert loose == {"__init__", "__main__", "app", "demo", "model"}


def test_every_package_says_what_it_is_for() -> None:
    sources = product()
    packages = {name.rpartition(".")[0] for name in sources} - {""}
    assert [
        name for name in packages if name not in sources or not ast.get_docstring(ast.parse(sources[name]))
    ] == []


@pytest.mark.parametrize(
    ("importer", "line", "circle"),
    [
        ("gateway.scanning.outcome", "from gateway.scanning.worker import Worker", True),
        ("gateway.outbox.schema", "import gateway.outbox.writer", True),
        ("gateway.devices.lease", "def late() -> None:\n    from gateway.devices import lease_port", True),
        ("gateway.udi.gs1", "from gateway.mqtt.session import Session", False),
        ("gateway.station.verdict", "from gateway.events import cloudevent", False),
        ("gateway.mqtt.session", "from gateway.config.loader import Config", False),
        ("gateway.outbox.writer", "if TYPE_CHECKING:\n    from gateway.mqtt.publisher import Publisher", False),
        ("gateway.monitoring.alarms", "from gateway.app import run", False),
        ("gateway.model", "from gateway.udi import decode", False),
        ("gateway.system.clock", "from gateway.model import Decoded", False),
        ("gateway.devices.inventory", "from gateway.printing.sheet import Sheet", False),
        ("drivers.framing", "from gateway.model import Decoded", False),
        ("firmware_config.apply", "from gateway.model import Decoded", False),
    ],
)
def test_a_planted_import_is_found(importer: str, line: str, circle: bool) -> None:  # noqa: FBT001 - a column
    sources = product()
    planted = {**sources, importer: f"{sources[importer]}\n{line}\n"}
    if circle:
        assert any(importer in group for group in circles(planted))
    else:
        assert any(found.startswith(f"{importer}:") for found in upward(planted))
