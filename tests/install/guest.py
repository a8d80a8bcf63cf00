"""A booted Debian without emulation: a root by mmdebstrap, an overlay above it, systemd-nspawn, and no network.

A root is made once for each suite (a minute) and lies in build/roots; what a test changes lies in a layer of its
own, so that a guest starts as fresh as the root, in two seconds. There are no udev events and no USB: tests/vm has
those.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).parents[2]
ROOTS: Final = ROOT / "build" / "roots"
GUESTS: Final = ROOT / "build" / "guests"
DEBS: Final = ROOT / "build" / "deb"
INCLUDE: Final = "systemd-sysv,dbus,python3,openssh-server,iproute2,udev,ca-certificates"
"""What every Debian or Raspberry Pi OS with a technician's SSH has; the package depends on no more."""
PATIENCE: Final = 180.0
"""Seconds for anything in a guest, on a machine that is busy with other things."""
POLL: Final = 0.1
POWER_OFF: Final = signal.SIGRTMIN + 4
"""What tells a systemd that is process 1 to shut down (systemd(1), SIGNALS)."""


class GuestError(RuntimeError):
    """A command in a guest failed: the command, its exit code and what it said."""


def prepared(suite: str) -> Path:
    """Return a suite's root, made if need be."""
    root = ROOTS / suite
    if not (root / "etc/debian_version").exists():
        ROOTS.mkdir(parents=True, exist_ok=True)
        archive = ROOTS / f"{suite}.tar"
        if not archive.exists():
            fresh = ROOTS / f"{suite}.fresh.tar"
            make = ["mmdebstrap", "--variant=minbase", f"--include={INCLUDE}", suite, str(fresh)]
            subprocess.run(make, check=True, capture_output=True)
            fresh.replace(archive)
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        subprocess.run(["tar", "-C", str(root), "-xf", str(archive)], check=True)
    return root


class Guest:
    """One booted Debian; a context manager that leaves nothing behind."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        # Not below pytest's own temporary folders: a later run of it removes what it takes for an old one's.
        GUESTS.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=f"{suite}-", dir=GUESTS))
        self.root = self._work / "merged"
        """Its file system, as seen from outside."""
        self._process: subprocess.Popen[bytes] | None = None
        self.pid = 0
        """Of its process 1, as seen from outside."""

    def __enter__(self) -> Self:
        lower = prepared(self.suite)
        for name in ("upper", "work", "merged"):
            (self._work / name).mkdir(parents=True)
        layers = f"lowerdir={lower},upperdir={self._work / 'upper'},workdir={self._work / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(self.root)], check=True)
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        self.power_off()
        subprocess.run(["umount", str(self.root)], check=True)
        shutil.rmtree(self._work)

    def boot(self) -> None:
        """Boot it; its systemd has finished starting when this returns."""
        log = (self._work / "console.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    *("systemd-nspawn", "-q", "-D", str(self.root), "--boot", "--register=no", "--keep-unit"),
                    *("--private-network", f"--machine=guest-{os.getpid()}-{id(self) % 10_000}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait(self._booted, "the guest has booted")

    def _booted(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise GuestError((self._work / "console.log").read_text(errors="replace")[-2000:])
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not children:
            return False
        self.pid = int(children[0])
        return self.try_run("systemctl is-system-running").stdout.strip() in {"running", "degraded"}

    def power_off(self) -> None:
        """Shut it down in order."""
        if self._process is None:
            return
        os.kill(self.pid, POWER_OFF)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.pull_the_plug()
        self._process = None

    def pull_the_plug(self) -> None:
        """End everything in it at once. What it has written stays: only a real power cut loses a page cache."""
        assert self._process is not None
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def command(self, *words: str) -> list[str]:
        """Return a command that does this in the guest."""
        return ["nsenter", "-t", str(self.pid), "-a", *words]

    def try_run(
        self, script: str, *, stdin: str = "", seconds: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root to its end, however it ends."""
        clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"]
        return subprocess.run(
            self.command(*clean, "sh", "-c", f"cd /root; {script}"),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def run(self, script: str, *, stdin: str = "", seconds: float = PATIENCE) -> str:
        """Run a shell script as root; return what it printed, stripped. Raises GuestError when it fails."""
        done = self.try_run(script, stdin=stdin, seconds=seconds)
        if done.returncode:
            raise GuestError(f"{script!r} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def put(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file of the guest."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        place.chmod(mode)

    def hand_over(self, file: Path, folder: str = "/root") -> str:
        """Copy a file of this machine into the guest; return its path there."""
        place = self.root / folder.lstrip("/") / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
        return f"{folder}/{file.name}"

    def wait(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Wait until something holds; where it does not, say what the service says."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"{what}: not within {seconds:.0f} s\n{self.journal()[-3000:]}")
            select.select([], [], [], POLL)

    def journal(self, unit: str = "scangate") -> str:
        """Return what a service wrote to the journal."""
        return self.try_run(f"journalctl -u {unit} --no-pager -o cat").stdout

    def running_version(self) -> str:
        """Return the version that answers, as its package names it: the folder that `current` leads to."""
        answered = self.try_run("scangate status --json").returncode in {0, 1}
        return (self.root / "usr/lib/scangate/current").readlink().name if answered else "none answers"

    def first(self) -> str:
        """Return the id of the first event: after whatever happened, it is the same as before."""
        found = re.search(r'"id": "([-0-9a-f]+)"', self.run("scangate outbox show 1"))
        assert found is not None
        return found[1]

    def events(self) -> set[str]:
        """Return the ids of all events that the outbox holds."""
        return {one["id"] for one in json.loads(self.run("scangate outbox list --limit 1000 --json"))}

    def stored(self) -> int:
        """Return how many events the outbox holds."""
        found = re.search(r'"stored": (\d+)', self.run("scangate outbox status --json"))
        assert found is not None
        return int(found[1])


if __name__ == "__main__":
    # Whether this machine can boot a guest at all: for scripts/install_check.sh.
    with Guest(sys.argv[1]) as booted:
        booted.run("true")
