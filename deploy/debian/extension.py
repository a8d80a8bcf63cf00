"""python-evdev for a package's architecture: it comes as source only, and its three C modules are compiled here.

The compiler is Debian's own, for arm64 the cross compiler (gcc-aarch64-linux-gnu); the headers of Python and of the
kernel are those of the package's Debian, in a root that is unpacked and never run (mmdebstrap --variant=extract).
The table of codes is made by python-evdev's own generator from these headers.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

COMPILERS: Final = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""The triplet of each architecture: of its compiler, and in the names of modules."""
MODULES: Final = {"_input": "input.c", "_uinput": "uinput.c", "_ecodes": "ecodes.c"}
KERNEL_HEADERS: Final = ("input.h", "input-event-codes.h", "uinput.h")


def sysroot(suite: str, arch: str, python: str, folder: Path) -> Path:
    """Return an unpacked Debian with the headers, made if need be (half a minute)."""
    root = folder / f"{suite}-{arch}"
    if not root.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f"{suite}-{arch}.new"
        subprocess.run(["rm", "-rf", str(fresh)], check=True)
        wanted = f"python{python},libpython{python}-dev,libc6-dev,linux-libc-dev"
        options = ["--variant=extract", f"--architectures={arch}", f"--include={wanted}", "--quiet"]
        subprocess.run(["mmdebstrap", *options, suite, str(fresh)], check=True)
        for name in ("lib", "lib64"):  # a Debian that is only unpacked lacks what usrmerge links
            if not (fresh / name).exists():
                (fresh / name).symlink_to(f"usr/{name}")
        fresh.rename(root)
    return root


def install(source: Path, lib: Path, root: Path, arch: str, python: str, work: Path) -> None:
    """Put python-evdev, compiled, into a folder of libraries. `source` is its sdist."""
    subprocess.run(["tar", "-C", str(work), "-xf", str(source)], check=True)
    (unpacked,) = (path for path in work.iterdir() if path.is_dir())
    package = unpacked / "src" / "evdev"
    triplet = COMPILERS[arch]
    include = root / "usr/include"
    headers = [str(include / "linux" / name) for name in KERNEL_HEADERS]
    generated = subprocess.run(
        [sys.executable, str(package / "genecodes_c.py"), "--reproducible", "--ecodes", *headers],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # Which files it was made from is written into it: this machine's paths are nobody's business.
    (package / "ecodes.c").write_text(generated.replace(str(root), ""))
    (lib / "evdev").mkdir()
    for name, file in MODULES.items():
        made = lib / "evdev" / f"{name}.cpython-{python.replace('.', '')}-{triplet}.so"
        subprocess.run(
            [
                *(f"{triplet}-gcc", "-shared", "-fPIC", "-O2", "-std=c99", "-DNDEBUG", "-s", "-Wl,--build-id=none"),
                *(f"-ffile-prefix-map={work}=.", f"--sysroot={root}", f"-I{include}/python{python}"),
                *(f"-isystem{include}/{triplet}", str(package / file), "-o", str(made)),
            ],
            check=True,
            cwd=work,
        )
    for path in sorted(package.glob("*.py")):
        if not path.name.startswith("genecodes"):
            (lib / "evdev" / path.name).write_bytes(path.read_bytes())
    metadata = lib / f"{unpacked.name}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_bytes((unpacked / "PKG-INFO").read_bytes())
    (metadata / "LICENSE").write_bytes((unpacked / "LICENSE").read_bytes())
