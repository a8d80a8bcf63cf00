"""Packages to install: the built one, and copies of it with something changed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.install.guest import ROOT

PYTHONS: Final = {"bookworm": "3.11", "trixie": "3.13"}


def package_of(suite: str, folder: Path, arch: str = "amd64", name: str = "scangate") -> Path:
    """Return a built package of a suite."""
    found = sorted(folder.glob(f"{name}_*~{suite}_{arch}.deb"))
    assert found, f"no {name} of {suite} in {folder}: make deb"
    return found[-1]


def version_of(package: Path) -> str:
    """Return a package's version."""
    return subprocess.run(
        ["dpkg-deb", "--field", str(package), "Version"], capture_output=True, text=True, check=True
    ).stdout.strip()


def changed(package: Path, version: str, folder: Path, change: Callable[[Path], None] | None = None) -> Path:
    """Return a copy of a package with another version; `change` gets the folder of its Python packages."""
    stage = folder / f"stage-{version}"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(stage)], check=True)
    old = version_of(package)
    app = stage / "usr/lib/scangate"
    (app / old).rename(app / version)
    for name in ("control", "preinst", "postinst", "prerm", "postrm"):
        file = stage / "DEBIAN" / name
        file.write_text(file.read_text().replace(old, version))
    (stage / "DEBIAN/md5sums").unlink(missing_ok=True)
    lib = app / version / "lib"
    replace(lib / "gateway/__init__.py", r'VERSION: Final = "[^"]+"', f'VERSION: Final = "{version}"')
    if change is not None:
        change(lib)
    arch = re.search(r"_(\w+)\.deb$", package.name)
    assert arch is not None
    made = folder / f"scangate_{version}_{arch[1]}.deb"
    build = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(stage), str(made)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(stage)
    return made


def replace(file: Path, pattern: str, by: str) -> None:
    """Replace what an expression finds in a file, which must be there."""
    text, count = re.subn(pattern, lambda _: by, file.read_text(), count=1)
    assert count == 1, f"{pattern} is not in {file}"
    file.write_text(text)


__all__ = ["PYTHONS", "ROOT", "changed", "package_of", "replace", "version_of"]
