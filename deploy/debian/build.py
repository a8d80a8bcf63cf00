"""Builds a Debian package: `build.py --suite bookworm --arch arm64 --out build/deb [--package scangate-intake]`.

A package brings its own libraries in the versions of its lock file in requirements/, checked against the hashes there.
Nothing is emulated: wheels are taken for the package's architecture. The same sources give the same bytes: times,
owners, order and names come from SOURCE_DATE_EPOCH and from the lists below, never from the machine or the clock.

    /usr/lib/scangate/VERSION/{bin,lib}   one version of a box's program, whole
    /usr/lib/scangate/trial.sh            switches versions (systemd/trial.sh); `current` is the switch
    /usr/bin/scangate                     -> /usr/lib/scangate/current/bin/scangate

    /usr/lib/scangate-intake/{bin,lib}    the central side: a server has its own ways to go back
    /usr/bin/scangate-intake              -> /usr/lib/scangate-intake/bin/scangate-intake
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
from typing import Final, NamedTuple

import extension

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
PYTHONS: Final = {"bookworm": "3.11", "trixie": "3.13"}
"""Each Debian's own Python: the package depends on it."""
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBCS: Final = ("2_34", "2_28", "2_17", "2_12", "2_5")
"""manylinux tags that both Debians (glibc 2.36, 2.41) run."""
PROGRAM: Final = "/opt/scangate/bin/scangate"
"""Where the units look for the program of a wheelhouse."""
UNITS: Final = ("*.service", "*.timer", "*.path")
APP: Final = Path("usr/lib/scangate")
INTAKE_APP: Final = Path("usr/lib/scangate-intake")
SOURCE_ONLY: Final = "evdev=="
"""The one library without wheels: extension.py compiles it."""
SYSROOTS: Final = ROOT / "build" / "sysroots"
UNREPRODUCIBLE: Final = ("RECORD", "REQUESTED", "direct_url.json", "INSTALLER")
"""What pip writes of an installation, beside the distribution's own metadata."""


class Kind(NamedTuple):
    """A package that is built here."""

    lock: str
    """Its file in requirements/."""
    sources: tuple[str, ...]
    """Our own packages in it."""
    depends: str
    """Beside Debian's own Python and libc."""
    scripts: str
    """The folder of its maintainer scripts, below this file's."""
    description: str
    """As Debian's control file has it: a line, then lines that begin with a space."""


KINDS: Final = {
    "scangate": Kind(
        lock="run.txt",
        sources=("gateway", "drivers", "firmware_config"),
        depends="libstdc++6, systemd (>= 252), udev, openssl",
        scripts=".",
        description="""\
edge gateway for barcode scanners in hospitals
 Reads barcode scanners, understands the UDI on the label, checks it against a
 local copy of the article master, answers the operator at once, stores the
 scan durably and delivers it over MQTT as soon as the network allows.
 .
 For logistics and traceability; not a medical device.""",
    ),
    "scangate-intake": Kind(
        lock="intake.txt",
        sources=("intake", "gateway"),
        depends="systemd (>= 252), ca-certificates",
        scripts="intake",
        description="""\
takes the events of scangate boxes into a database
 Takes what all scangate boxes of a tenant deliver over MQTT or NATS, commits
 it to SQLite or PostgreSQL, acknowledges it, and hands it on as FHIR, HL7 v2
 or EPCIS.
 .
 For logistics and traceability; not a medical device.""",
    ),
}


def main() -> int:
    """Build one package; return the exit code."""
    parser = argparse.ArgumentParser(description="Builds a Debian package of scangate.")
    parser.add_argument("--suite", choices=tuple(PYTHONS), required=True)
    parser.add_argument("--arch", choices=tuple(MACHINES), required=True)
    parser.add_argument("--package", choices=tuple(KINDS), default="scangate")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--wheels", type=Path, default=ROOT / "build" / "wheels", help="where wheels are kept")
    chosen = parser.parse_args()
    os.umask(0o022)
    name, kind, python = chosen.package, KINDS[chosen.package], PYTHONS[chosen.suite]
    stage = ROOT / "build" / "stage" / f"{name}-{chosen.suite}-{chosen.arch}"
    shutil.rmtree(stage, ignore_errors=True)
    version = f"{project_version()}~{chosen.suite}"
    lib = stage / (APP / version if name == "scangate" else INTAKE_APP) / "lib"
    install_libraries(lib, kind, chosen.suite, chosen.arch, chosen.wheels)
    if name == "scangate":
        lay_out_box(stage, version, python)
    else:
        lay_out_intake(stage, python)
    doc = stage / "usr/share/doc" / name
    write(doc / "copyright", filled(HERE / "copyright", NAME=name))
    write_gzip(doc / "changelog.gz", changelog(name, version))
    write(stage / "usr/share/lintian/overrides" / name, filled(HERE / "lintian-overrides", NAME=name))
    write_control(stage, name, version, chosen.suite, chosen.arch)
    clamp_times(stage)
    chosen.out.mkdir(parents=True, exist_ok=True)
    package = chosen.out / f"{name}_{version}_{chosen.arch}.deb"
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


def install_libraries(lib: Path, kind: Kind, suite: str, arch: str, wheels: Path) -> None:
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
        wheel_list, source_list = split_lock(ROOT / "requirements" / kind.lock, Path(work))
        locked = ["--require-hashes", "--no-deps", "-r", str(wheel_list)]
        subprocess.run(
            [*pip, "download", *target, *locked, "--find-links", str(kept), "--dest", str(kept)], check=True
        )
        offline = ["--no-index", "--find-links", str(kept), "--no-compile"]
        subprocess.run([*pip, "install", *target, *locked, *offline, "--target", str(lib)], check=True)
        if source_list.read_text():
            compile_extension(source_list, lib, suite, arch, Path(work))
    for name in kind.sources:
        shutil.copytree(ROOT / name, lib / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(lib / "bin", ignore_errors=True)  # programs of the libraries
    for path in [path for name in UNREPRODUCIBLE for path in lib.glob(f"*.dist-info/{name}")]:
        path.unlink()


def compile_extension(source_list: Path, lib: Path, suite: str, arch: str, work: Path) -> None:
    """Put the library that comes as source, compiled, into the folder of libraries."""
    python, sources, unpacked = PYTHONS[suite], work / "sources", work / "unpacked"
    unbuilt = ["--no-binary", ":all:", "--no-build-isolation", "--require-hashes", "--no-deps"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "download", *unbuilt, "-r", str(source_list), "--dest", str(sources)], check=True)
    (source,) = sources.glob("evdev-*.tar.gz")
    unpacked.mkdir()
    extension.install(source, lib, extension.sysroot(suite, arch, python, SYSROOTS), arch, python, unpacked)


def split_lock(lock: Path, work: Path) -> tuple[Path, Path]:
    """Write the locked requirements as two files: those that come as wheels, and the one that comes as source."""
    text = lock.read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^ *#.*\n", "", text))
    wheel_list, source_list = work / "wheels.txt", work / "source.txt"
    wheel_list.write_text("\n".join(one for one in entries if not one.startswith(SOURCE_ONLY)))
    source_list.write_text("\n".join(one for one in entries if one.startswith(SOURCE_ONLY)))
    return wheel_list, source_list


def lay_out_box(stage: Path, version: str, python: str) -> None:
    """Put everything of a box beside the libraries in its place."""
    app = stage / APP
    write_launcher(app / version / "bin" / "scangate", python, "gateway.cli")
    for script in ("trial.sh", "firstboot.sh"):
        shutil.copyfile(ROOT / "systemd" / script, app / script)
        (app / script).chmod(0o755)
    link(stage / "usr/bin/scangate", "../lib/scangate/current/bin/scangate")
    for unit in sorted(path for kind in UNITS for path in (ROOT / "systemd").glob(kind)):
        text = unit.read_text().replace(PROGRAM, f"/{APP}/current/bin/scangate").replace("/opt/scangate", f"/{APP}")
        write(stage / SYSTEM_UNITS / unit.name, text)
    for source, place in (
        ("60-scangate.rules", "usr/lib/udev/rules.d/60-scangate.rules"),
        ("sysusers.d/scangate.conf", "usr/lib/sysusers.d/scangate.conf"),
        ("tmpfiles.d/scangate.conf", "usr/lib/tmpfiles.d/scangate.conf"),
    ):
        write(stage / place, (ROOT / "systemd" / source).read_text())
    for kind, place in COMPLETIONS.items():
        write(stage / place, printed("-m", "gateway", "completion", kind))
    write_gzip(stage / "usr/share/man/man1/scangate.1.gz", printed("-m", "gateway", "man"))


def lay_out_intake(stage: Path, python: str) -> None:
    """Put everything of the central side beside the libraries in its place."""
    write_launcher(stage / INTAKE_APP / "bin" / "scangate-intake", python, "intake.cli")
    link(stage / "usr/bin/scangate-intake", "../lib/scangate-intake/bin/scangate-intake")
    for unit in sorted((ROOT / "deploy/systemd").glob("scangate-intake*.service")):
        text = unit.read_text().replace("/opt/scangate-intake/bin", f"/{INTAKE_APP}/bin")
        write(stage / SYSTEM_UNITS / unit.name, text)
    write(stage / "usr/lib/tmpfiles.d/scangate-intake.conf", (HERE / "intake/tmpfiles.conf").read_text())
    for name in ("intake.toml", "prometheus/scangate.rules.yml", "grafana/scangate.json"):
        example = stage / "usr/share/doc/scangate-intake/examples" / Path(name).name
        write(example, (ROOT / "deploy" / name).read_text())
    write_gzip(stage / "usr/share/man/man1/scangate-intake.1.gz", printed("-c", INTAKE_MANUAL))


SYSTEM_UNITS: Final = "usr/lib/systemd/system"
INTAKE_MANUAL: Final = """\
from gateway.cli.documentation import manual
from intake.cli import parser
print(manual(parser(), "/etc/scangate-intake/intake.toml, /var/lib/scangate-intake"), end="")
"""


def write_launcher(path: Path, python: str, module: str) -> None:
    """Write the program: it runs a module with the libraries beside it and nothing else's."""
    write(path, filled(HERE / "launcher", PYTHON=f"/usr/bin/python{python}", MODULE=module))
    path.chmod(0o755)


def link(path: Path, target: str) -> None:
    """Make a symbolic link, and the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


COMPLETIONS: Final = {
    "bash": "usr/share/bash-completion/completions/scangate",
    "zsh": "usr/share/zsh/vendor-completions/_scangate",
    "fish": "usr/share/fish/vendor_completions.d/scangate.fish",
}


def printed(*arguments: str) -> str:
    """Return what Python prints with these sources."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def changelog(name: str, version: str) -> str:
    """Return the Debian changelog: where the changes are described."""
    stamp = subprocess.run(
        ["date", "--utc", "--rfc-email", f"--date=@{source_date()}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return (
        f"{name} ({version}) stable; urgency=medium\n\n  * See CHANGELOG.md of the sources.\n\n"
        f" -- {MAINTAINER}  {stamp}\n"
    )


MAINTAINER: Final = "scangate maintainers <scangate@example.org>"


def write_control(stage: Path, name: str, version: str, suite: str, arch: str) -> None:
    """Write what dpkg reads."""
    debian, kind = stage / "DEBIAN", KINDS[name]
    debian.mkdir()
    size = sum(path.lstat().st_size for path in stage.rglob("*") if path.is_file()) // 1024
    python = PYTHONS[suite]
    (debian / "control").write_text(
        f"""\
Package: {name}
Version: {version}
Architecture: {arch}
Maintainer: {MAINTAINER}
Installed-Size: {size}
Depends: python{python}, libc6 (>= 2.36), {kind.depends}
Recommends: systemd-timesyncd | time-daemon
Section: misc
Priority: optional
Description: {kind.description}
"""
    )
    for script in ("preinst", "postinst", "prerm", "postrm"):
        template = HERE / kind.scripts / script
        if template.exists():
            (debian / script).write_text(filled(template, VERSION=version, PYTHON=f"/usr/bin/python{python}"))
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
