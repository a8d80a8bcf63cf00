"""Real processes to measure: the daemon with a pseudo-terminal as its scanner, and mosquitto on 127.0.0.1."""

import contextlib
import os
import pty
import pwd
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.system.control_socket import DaemonUnreachableError, ask
from tests.bench import samples
from tests.ports import free_port

ROOT: Final = Path(__file__).parents[2]
READY_SECONDS: Final = 30.0
"""A daemon or broker that is not ready by then will never be."""
STOP_SECONDS: Final = 10.0
"""Twice what an ordered stop may take."""
LOG_CHARACTERS: Final = 4000
"""Of the daemon's log, shown with an error."""
POLL_SECONDS: Final = 0.005
OUTBOX: Final = ("[outbox]", "min_free_bytes = 0")


class BenchError(RuntimeError):
    """Something that is to be measured does not work: what, and where to look."""


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Yield an empty folder on the disk of the checkout: /tmp may be memory, where a flush costs nothing."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
        yield Path(folder)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> None:
    """Wait for something to become true. Raises BenchError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def ended(process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGTERM) -> Iterator[None]:
    """End the process at the end, in order if it can."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Certificates(Struct, frozen=True, kw_only=True):
    """A test authority and what it signed for 127.0.0.1."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and a broker's certificate with openssl."""
    made = Certificates(authority=folder / "ca.pem", certificate=folder / "broker.pem", key=folder / "broker.key")
    new = (
        "openssl",
        "req",
        "-x509",
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-days",
        "2",
    )
    authority_key = folder / "ca.key"
    for command in (
        (*new, "-subj", "/CN=bench authority", "-keyout", authority_key, "-out", made.authority),
        (
            *(*new, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-CA", made.authority, "-CAkey", authority_key, "-keyout", made.key, "-out", made.certificate),
        ),
    ):
        subprocess.run(command, check=True, capture_output=True)
    return made


class Broker(Struct, frozen=True, kw_only=True):
    """A running mosquitto."""

    port: int
    """Without TLS, for whoever only looks on."""
    url: str
    """For the one that is measured; with TLS when there are certificates."""


@contextlib.contextmanager
def broker(folder: Path, tls: Certificates | None = None) -> Iterator[Broker]:
    """Run mosquitto."""
    port = free_port()
    url = f"mqtt://127.0.0.1:{port}"
    user = pwd.getpwuid(os.geteuid()).pw_name
    lines = [f"user {user}", "log_dest none", "allow_anonymous true", "set_tcp_nodelay true"]
    lines.append("max_inflight_messages 0")  # by default 20 is its Receive Maximum, which paho would ignore
    lines.append(f"listener {port} 127.0.0.1")
    if tls is not None:
        tls_port = free_port()
        url = f"mqtts://127.0.0.1:{tls_port}"
        lines += [f"listener {tls_port} 127.0.0.1", f"certfile {tls.certificate}", f"keyfile {tls.key}"]
    settings = folder / "mosquitto.conf"
    settings.write_text("\n".join(lines) + "\n")
    with (folder / "mosquitto.log").open("ab") as log:
        process = subprocess.Popen(("mosquitto", "-c", settings), env=mosquitto_environment(), stderr=log)
    with ended(process):
        wait_until(lambda: answers(port), "mosquitto answers")
        yield Broker(port=port, url=url)


def mosquitto_environment() -> dict[str, str]:
    """Return an environment in which mosquitto is found: Debian keeps it in /usr/sbin."""
    return {**os.environ, "PATH": os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))}


def answers(port: int) -> bool:
    """Return whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def sink(port: int) -> Iterator[None]:
    """Subscribe in a process of its own and throw away what comes."""
    command = (sys.executable, "-m", "tests.bench.subscriber", str(port))
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    with ended(process), process.stdout or contextlib.nullcontext():
        if process.stdout is None or process.stdout.readline() != b"subscribed\n":
            raise BenchError("the subscriber did not start")
        yield


class Daemon:
    """The daemon as a process of its own. Make it with `daemon`."""

    def __init__(self, process: "subprocess.Popen[bytes]", control: Path, scanner: int, started: float) -> None:
        self.pid = process.pid
        self.start_seconds = started
        """From exec to READY=1."""
        self._control = control
        self._scanner = scanner

    def scan(self, label: bytes) -> None:
        """Let the scanner send a label."""
        os.write(self._scanner, label)

    def hear(self, seconds: float) -> bytes:
        """Wait for what the daemon sends to the scanner next; nothing when it says nothing for so long."""
        readable, _, _ = select.select([self._scanner], [], [], seconds)
        return os.read(self._scanner, 4096) if readable else b""

    def status(self) -> dict[str, Any]:
        """Return what it says of itself."""
        answer: dict[str, Any] = ask(self._control, "status")
        return answer

    def wait_connected(self) -> None:
        """Wait until its scanner and, if it has one, its broker are there."""
        wait_until(self._connected, "the daemon has its scanner and its broker")

    def _connected(self) -> bool:
        try:
            status = self.status()
        except DaemonUnreachableError:
            return False
        broker_fine = status["broker"] is None or bool(status["broker"]["url"])
        return broker_fine and all(one["link"] == "connected" for one in status["scanners"])

    def memory(self, field: str) -> float | None:
        """Return a figure of /proc/PID/status or smaps_rollup in MiB; None where it may not be read."""
        for name in ("status", "smaps_rollup"):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{self.pid}/{name}").read_text().splitlines():
                    if line.startswith(f"{field}:"):
                        return int(line.split()[1]) / 1024
        return None


@contextlib.contextmanager
def traced(box: Daemon, trace: Path, calls: str) -> Iterator[None]:
    """Trace these system calls of all threads of the daemon with strace. At the end the trace is complete."""
    command = ("strace", "-f", "-y", "-s", "0", "-e", f"trace={calls}", "-o", trace, "-p", str(box.pid))
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    with ended(process, signal.SIGINT), process.stderr or contextlib.nullcontext():
        if process.stderr is None or b"attached" not in process.stderr.readline():
            raise BenchError("strace may not look at the daemon: is ptrace allowed here?")
        yield


def as_installed() -> dict[str, str]:
    """Return the environment of the unit, where byte code is made when scangate is installed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for line in (ROOT / "systemd" / "scangate.service").read_text().splitlines():
        name, _, settings = line.partition("=")
        if name == "Environment":
            fixed = (one.split("=", 1) for one in settings.split() if "%" not in one)
            environment |= dict(fixed)
    return {**environment, "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode")}


@contextlib.contextmanager
def daemon(
    folder: Path,
    *,
    url: str | None = None,
    ca_file: Path | None = None,
    scanner_lines: Sequence[str] = (),
    outbox_lines: Sequence[str] = (),
) -> Iterator[Daemon]:
    """Run the daemon on `folder`/state, with a pseudo-terminal as its scanner, until it is ready.

    The lines are further ones of the configuration's sections.
    """
    with contextlib.ExitStack() as stack:
        scanner, terminal = pty.openpty()
        stack.callback(os.close, scanner)
        stack.callback(os.close, terminal)
        tty.setraw(terminal)
        device = os.ttyname(terminal)
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scangate-bench-")))
        config = folder / "scangate.toml"
        broker_lines = [] if url is None else ["[broker]", f'urls = ["{url}"]']
        if ca_file is not None:
            broker_lines.append(f'ca_file = "{ca_file}"')
        lines = (*_configuration(folder, device), *scanner_lines, *OUTBOX, *outbox_lines, *broker_lines)
        config.write_text("\n".join(lines) + "\n")
        notify = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notify.bind(str(sockets / "notify"))
        notify.settimeout(READY_SECONDS)
        log = stack.enter_context((folder / "daemon.log").open("ab"))
        control = sockets / "control.sock"
        command = (sys.executable, "-m", "gateway", "run", "-c", config, "--socket", control)
        environment = {**as_installed(), "NOTIFY_SOCKET": str(sockets / "notify")}
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        stack.enter_context(ended(process))
        try:
            while b"READY=1" not in notify.recv(4096).split(b"\n"):
                pass
            started = time.monotonic() - began
            notify.close()  # nobody reads on: a queue that is full would hold the daemon up
            yield Daemon(process, control, scanner, started)
        except (OSError, BenchError) as error:
            said = (folder / "daemon.log").read_text(errors="replace")[-LOG_CHARACTERS:]
            error.add_note(f"the daemon ended with {process.poll()} (None: it runs) and said:\n{said}")
            raise


def _configuration(folder: Path, device: str) -> list[str]:
    """Return the sections up to the scanner's."""
    return [
        "[gateway]",
        f'tenant = "{samples.TENANT}"',
        f'site = "{samples.SITE}"',
        f'id = "{samples.BOX}"',
        "[state]",
        f'directory = "{folder / "state"}"',
        "[[scanner]]",
        'name = "pty"',
        f'device = "{device}"',
    ]
