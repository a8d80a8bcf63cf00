"""`make mutants`: a wrong line must turn a test red.

Each mutant of `table.py` is one wrong line in the code that keeps the promise. It is put into a copy of the
project, the tests of its area run there, and whatever they do not notice is printed. Exit code: 0 when every mutant
was noticed, 1 when one survived, 2 when a line of the table is no longer in its file or an area's tests are red
anyway.

    .venv/bin/python -m tests.mutants.run [AREA ...] [--jobs N]
"""

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from tests.mutants.table import AREAS, Mutant

ROOT: Final = Path(__file__).parents[2]
MADE: Final = (".git", ".venv", ".hypothesis", ".mypy_cache", ".ruff_cache", "build", "dist", "wheelhouse")
"""Of the project's folder: what is made, and not part of it."""
HANGS_SECONDS: Final = 300
"""A mutant whose tests have not ended by then waits for ever: it was noticed."""
ALL_PASSED: Final = 0
A_TEST_FAILED: Final = 1


class Fate(StrEnum):
    """What became of a mutant."""

    NOTICED = "noticed"
    SURVIVED = "survived"
    UNREADABLE = "the tests could not be collected: it is no mutant, but a file that cannot be imported"


class Copy:
    """A copy of the project that may be changed; one mutant is in it at a time."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "scangate"
        shutil.copytree(ROOT, self._root, ignore=_made, symlinks=True)

    def fate(self, mutant: Mutant, tests: Sequence[str]) -> Fate:
        """Try one mutant; the copy is as before afterwards."""
        path = self._root / mutant.path
        before = path.read_text()
        path.write_text(before.replace(mutant.line, mutant.instead))
        try:
            code = self.test(tests)
        finally:
            path.write_text(before)
        if code == ALL_PASSED:
            return Fate.SURVIVED
        return Fate.NOTICED if code == A_TEST_FAILED else Fate.UNREADABLE

    def test(self, tests: Sequence[str]) -> int:
        """Run tests until the first fails; return pytest's exit code."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *tests]
        # No bytecode: a mutant of the same length, in the same second, would not be read again.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self._root)}
        with (self._root / "tests.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self._root, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                return process.wait(HANGS_SECONDS)
            except subprocess.TimeoutExpired:
                return A_TEST_FAILED
            finally:
                end(process)

    @property
    def log(self) -> str:
        """What the last tests said."""
        return (self._root / "tests.log").read_text(errors="replace")


def _made(folder: str, names: Sequence[str]) -> set[str]:
    """Return what of a folder is not copied."""
    return {name for name in names if name == "__pycache__" or (Path(folder) == ROOT and name in MADE)}


def end(process: subprocess.Popen[bytes]) -> None:
    """End a test run, and the servers that it started, in whatever state."""
    if process.poll() is None:
        os.killpg(process.pid, 9)
        process.wait()


@contextmanager
def copies(number: int) -> Iterator["queue.Queue[Copy]"]:
    """Make so many copies."""
    with ExitStack() as stack:
        free: queue.Queue[Copy] = queue.Queue()
        for _ in range(number):
            free.put(Copy(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")))))
        yield free


def misplaced(areas: Sequence[str]) -> list[str]:
    """Name the mutants whose line is not in its file, or in it more than once."""
    found = []
    for area in areas:
        for mutant in AREAS[area].mutants:
            path = ROOT / mutant.path
            times = path.read_text().count(mutant.line) if path.exists() else 0
            if times != 1:
                what = "the line is no longer there" if not times else f"the line is there {times} times"
                found.append(f"{mutant.path}: {what}: {mutant.line}")
    return found


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def shown(area: str, mutant: Mutant) -> str:
    return f"{area}: {mutant.path}\n    - {mutant.line.strip()}\n    + {mutant.instead.strip() or '(nothing)'}"


def work(areas: Sequence[str], jobs: int) -> int:
    """Try every mutant of the areas; return the exit code."""
    wrong = misplaced(areas)
    if wrong:
        say("\n".join(wrong))
        return 2
    began = time.monotonic()
    with copies(jobs) as free, ThreadPoolExecutor(jobs) as pool:

        def is_green(area: str) -> tuple[bool, str]:
            one = free.get()
            try:
                return one.test(AREAS[area].tests) == ALL_PASSED, one.log
            finally:
                free.put(one)

        red = [
            (area, log) for area, (green, log) in zip(areas, pool.map(is_green, areas), strict=True) if not green
        ]
        if red:
            say("\n".join(f"{area}: its tests are red without a mutant\n{log[-3000:]}" for area, log in red))
            return 2

        def fate(at: tuple[str, Mutant]) -> tuple[str, Mutant, Fate]:
            area, mutant = at
            one = free.get()
            try:
                result = one.fate(mutant, mutant.tests or AREAS[area].tests)
            finally:
                free.put(one)
            if result is not Fate.NOTICED:
                say(f"{result}  {shown(area, mutant)}")
            return area, mutant, result

        tried = list(pool.map(fate, [(area, mutant) for area in areas for mutant in AREAS[area].mutants]))
    say(f"\n{'area':<14}{'mutants':>9}{'noticed':>9}{'survived':>10}")
    for area in areas:
        fates = [result for at, _, result in tried if at == area]
        say(f"{area:<14}{len(fates):>9}{fates.count(Fate.NOTICED):>9}{len(fates) - fates.count(Fate.NOTICED):>10}")
    alive = sum(result is not Fate.NOTICED for _, _, result in tried)
    say(f"{len(tried)} mutants, {alive} not noticed, {time.monotonic() - began:.0f} s")
    return 1 if alive else 0


def main() -> int:
    """Parse the arguments and try the mutants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"some of: {', '.join(AREAS)} (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once (default: one a core)")
    options = parser.parse_args()
    unknown = sorted(set(options.areas) - set(AREAS))
    if unknown:
        parser.error(f"no such area: {', '.join(unknown)}")
    return work(options.areas or list(AREAS), options.jobs)


if __name__ == "__main__":
    sys.exit(main())
