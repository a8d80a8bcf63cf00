"""Builds the Debian package of scangate: `build.py --suite bookworm --arch arm64 --out build/deb`.

The package brings its own libraries in the versions of requirements/run.txt, checked against the hashes there.
Nothing is emulated: wheels are taken for the package's architecture. The same sources give the same bytes: times,
owners, order and names come from SOURCE_DATE_EPOCH and from the lists below, never from the machine or the clock.

    /usr/lib/scangate/VERSION/{bin,lib}   one version, whole
    /usr/lib/scangate/trial.sh            switches versions (systemd/trial.sh); `current` is the switch
    /usr/bin/scangate                     -> /usr/lib/scangate/current/bin/scangate
"""

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import extension

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
PYTHONS: Final = {"bookworm": "3.11", "trixie": "3.13"}
"""Each Debian's own Python: the package depends on it."""
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBCS: Final = ("2_34", "2_28", "2_17", "2_12", "2_5")
"""manylinux tags that both Debians (glibc 2.36, 2.41) run."""
PACKAGES: Final = ("gateway", "drivers", "firmware_config")
PROGRAM: Final = "/opt/scangate/bin/scangate"
"""Where the units look for the program of a wheelhouse."""
UNITS: Final = ("*.service", "*.timer", "*.path")
APP: Final = Path("usr/lib/scangate")
SOURCE_ONLY: Final = "evdev=="
"""The one library without wheels: extension.py compiles it."""
SYSROOTS: Final = ROOT / "build" / "sysroots"
UNREPRODUCIBLE: Final = ("RECORD", "REQUESTED", "direct_url.json", "INSTALLER")
"""What pip writes of an installation, beside the distribution's own metadata."""


def main() -> int:
    """Build one package; return the exit code."""
    parser = argparse.ArgumentParser(description="Builds the Debian package of scangate.")
    parser.add_argument("--suite", choices=tuple(PYTHONS), required=True)
    parser.add_argument("--arch", choices=tuple(MACHINES), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--wheels", type=Path, default=ROOT / "build" / "wheels", help="where wheels are kept")
    chosen = parser.parse_args()
    os.umask(0o022)
    stage = ROOT / "build" / "stage" / f"{chosen.suite}-{chosen.arch}"
    shutil.rmtree(stage, ignore_errors=True)
    version = f"{project_version()}~{chosen.suite}"
    install_libraries(stage / APP / version / "lib", chosen.suite, chosen.arch, chosen.wheels)
    lay_out(stage, version, PYTHONS[chosen.suite])
    write_control(stage, version, chosen.suite, chosen.arch)
    clamp_times(stage)
    chosen.out.mkdir(parents=True, exist_ok=True)
    package = chosen.out / f"scangate_{version}_{chosen.arch}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zxz", "-z6", "--build", stage, package],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(source_date())},
    )
    print(package)
    return 0


def project_version() -> str:
    """Return the version in gateway/__init__.py, the only place that has it."""
    found = re.search(r'^VERSION: Final = "([^"]+)"', (ROOT / "gateway/__init__.py").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("gateway/__init__.py has no VERSION")
    return found[1]


def source_date() -> int:
    """Return the moment that stands for the build's time: SOURCE_DATE_EPOCH, else the last commit's."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    shown = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return int(subprocess.run(shown, capture_output=True, text=True, check=True).stdout)


def install_libraries(lib: Path, suite: str, arch: str, wheels: Path) -> None:
    """Put the locked libraries and our own packages into a folder."""
    python = PYTHONS[suite]
    target = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    for glibc in GLIBCS:
        target += ["--platform", f"manylinux_{glibc}_{MACHINES[arch]}"]
    target += ["--platform", f"manylinux2014_{MACHINES[arch]}"]
    kept = wheels / f"{suite}-{arch}"
    kept.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    with tempfile.TemporaryDirectory() as work:
        wheel_list, source_list = split_lock(Path(work))
        locked = ["--require-hashes", "--no-deps", "-r", str(wheel_list)]
        subprocess.run(
            [*pip, "download", *target, *locked, "--find-links", str(kept), "--dest", str(kept)], check=True
        )
        offline = ["--no-index", "--find-links", str(kept), "--no-compile"]
        subprocess.run([*pip, "install", *target, *locked, *offline, "--target", str(lib)], check=True)
        sources = Path(work) / "sources"
        unbuilt = ["--no-binary", ":all:", "--no-build-isolation", "--require-hashes", "--no-deps"]
        subprocess.run([*pip, "download", *unbuilt, "-r", str(source_list), "--dest", str(sources)], check=True)
        (source,) = sources.glob("evdev-*.tar.gz")
        root = extension.sysroot(suite, arch, python, SYSROOTS)
        (Path(work) / "unpacked").mkdir()
        extension.install(source, lib, root, arch, python, Path(work) / "unpacked")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, lib / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(lib / "bin", ignore_errors=True)  # programs of the libraries
    for path in [path for name in UNREPRODUCIBLE for path in lib.glob(f"*.dist-info/{name}")]:
        path.unlink()


def split_lock(work: Path) -> tuple[Path, Path]:
    """Write the locked requirements as two files: those that come as wheels, and the one that comes as source."""
    text = (ROOT / "requirements/run.txt").read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^ *#.*\n", "", text))
    wheel_list, source_list = work / "wheels.txt", work / "source.txt"
    wheel_list.write_text("\n".join(one for one in entries if not one.startswith(SOURCE_ONLY)))
    source_list.write_text("\n".join(one for one in entries if one.startswith(SOURCE_ONLY)))
    return wheel_list, source_list


def lay_out(stage: Path, version: str, python: str) -> None:
    """Put everything beside the libraries in its place."""
    app = stage / APP
    launcher = app / version / "bin" / "scangate"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(filled(HERE / "launcher", PYTHON=f"/usr/bin/python{python}", MODULE="gateway.cli"))
    launcher.chmod(0o755)
    for script in ("trial.sh", "firstboot.sh"):
        shutil.copyfile(ROOT / "systemd" / script, app / script)
        (app / script).chmod(0o755)
    (stage / "usr/bin").mkdir(parents=True)
    (stage / "usr/bin/scangate").symlink_to("../lib/scangate/current/bin/scangate")
    for unit in sorted(path for kind in UNITS for path in (ROOT / "systemd").glob(kind)):
        text = unit.read_text().replace(PROGRAM, f"/{APP}/current/bin/scangate").replace("/opt/scangate", f"/{APP}")
        write(stage / "usr/lib/systemd/system" / unit.name, text)
    for source, place in (
        ("60-scangate.rules", "usr/lib/udev/rules.d/60-scangate.rules"),
        ("sysusers.d/scangate.conf", "usr/lib/sysusers.d/scangate.conf"),
        ("tmpfiles.d/scangate.conf", "usr/lib/tmpfiles.d/scangate.conf"),
    ):
        write(stage / place, (ROOT / "systemd" / source).read_text())
    doc = stage / "usr/share/doc/scangate"
    write(doc / "copyright", filled(HERE / "copyright"))
    write_gzip(doc / "changelog.gz", changelog(version))
    write(stage / "usr/share/lintian/overrides/scangate", (HERE / "lintian-overrides").read_text())
    for kind, place in COMPLETIONS.items():
        write(stage / place, scangate("completion", kind))
    write_gzip(stage / "usr/share/man/man1/scangate.1.gz", scangate("man"))


COMPLETIONS: Final = {
    "bash": "usr/share/bash-completion/completions/scangate",
    "zsh": "usr/share/zsh/vendor-completions/_scangate",
    "fish": "usr/share/fish/vendor_completions.d/scangate.fish",
}


def scangate(*arguments: str) -> str:
    """Return what a command of these sources prints."""
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def changelog(version: str) -> str:
    """Return the Debian changelog: where the changes are told."""
    stamp = subprocess.run(
        ["date", "--utc", "--rfc-email", f"--date=@{source_date()}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return (
        f"scangate ({version}) stable; urgency=medium\n\n  * See CHANGELOG.md of the sources.\n\n"
        f" -- {MAINTAINER}  {stamp}\n"
    )


MAINTAINER: Final = "scangate maintainers <scangate@example.org>"


def write_control(stage: Path, version: str, suite: str, arch: str) -> None:
    """Write what dpkg reads."""
    debian = stage / "DEBIAN"
    debian.mkdir()
    size = sum(path.lstat().st_size for path in stage.rglob("*") if path.is_file()) // 1024
    python = PYTHONS[suite]
    (debian / "control").write_text(
        f"""\
Package: scangate
Version: {version}
Architecture: {arch}
Maintainer: {MAINTAINER}
Installed-Size: {size}
Depends: python{python}, libc6 (>= 2.36), libstdc++6, systemd (>= 252), udev, openssl
Recommends: systemd-timesyncd | time-daemon
Section: misc
Priority: optional
Description: edge gateway for barcode scanners in hospitals
 Reads barcode scanners, understands the UDI on the label, checks it against a
 local copy of the article master, answers the operator at once, stores the
 scan durably and delivers it over MQTT as soon as the network allows.
 .
 For logistics and traceability; not a medical device.
"""
    )
    for script in ("preinst", "postinst", "prerm", "postrm"):
        (debian / script).write_text(filled(HERE / script, VERSION=version, PYTHON=f"/usr/bin/python{python}"))
        (debian / script).chmod(0o755)


def filled(template: Path, **values: str) -> str:
    """Return a template with its @NAMES@ filled in."""
    text = template.read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def write(path: Path, text: str) -> None:
    """Write a file, and the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_gzip(path: Path, text: str) -> None:
    """Write a compressed file without name or time in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def clamp_times(stage: Path) -> None:
    """Give everything the same time and the modes of a package."""
    moment = source_date()
    for path in everything(stage):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (moment, moment), follow_symlinks=False)


def everything(stage: Path) -> Iterator[Path]:
    """Yield all paths, the innermost first: writing into a folder would change its time."""
    yield from sorted(stage.rglob("*"), key=lambda path: len(path.parts), reverse=True)
    yield stage


if __name__ == "__main__":
    sys.exit(main())
