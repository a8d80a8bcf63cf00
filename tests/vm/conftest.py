"""The test bench with a real kernel: opt-in, because it needs QEMU, root and many minutes.

`make vm-test` sets it up and runs it. The environment steers it:

    SCANGATE_VM=1            run it; else every test here but the bench's own self-test is skipped
    SCANGATE_VM_SUITE        bookworm (default) or trixie
    SCANGATE_VM_SCANS=1000   scans of each of two twins that type at the same time
    SCANGATE_VM_CUTS=30      power cuts
    SCANGATE_VM_SEED         of the cuts' random moments; printed
    SCANGATE_VM_ACCEL        QEMU's accelerator, such as kvm
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker, Subscriber
from tests.vm.box import Box
from tests.vm.install import prepare, say
from tests.vm.machine import Machine

PROGRAMS = (
    "qemu-system-x86_64",
    "qemu-img",
    "mmdebstrap",
    "mke2fs",
    "depmod",
    "cpio",
    "nbdkit",
    "mosquitto",
    "setpriv",
)
TOPIC = "udi/v1/vgr/su/gw01/scan"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the machine, unless it was asked for."""
    here = Path(__file__).parent
    reason = _why_not()
    for item in items:
        if here in item.path.parents and item.path.name != "test_vm_bench.py":
            item.add_marker(pytest.mark.timeout(1800))
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


def _why_not() -> str | None:
    """Say why the bench is not run; None when it is."""
    if os.environ.get("SCANGATE_VM", "") in {"", "0"}:
        return "needs an emulated machine and many minutes: make vm-test"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        pytest.exit(f"the test bench needs {', '.join(missing)}: make vm-test installs it", returncode=3)
    if os.geteuid() != 0:
        pytest.exit("the test bench makes a root file system: run it as root", returncode=3)
    return None


@pytest.fixture(scope="session")
def installed() -> tuple[Machine, str]:
    """The machine, off, and its saved state with scangate on it."""
    return prepare(os.environ.get("SCANGATE_VM_SUITE", "bookworm"))


@pytest.fixture
def machine(installed: tuple[Machine, str]) -> Iterator[Machine]:
    """The machine, resumed: scangate installed and not running, nothing plugged in."""
    one, state = installed
    try:
        one.start(state)
        yield one
    finally:
        one.power_cut()


@pytest.fixture
def box(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Box]:
    """Scangate in the resumed machine."""
    began = time.monotonic()
    one = Box(machine)
    yield one
    one.cut_power()
    say(f"{request.node.name}: {time.monotonic() - began:.1f} s")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A mosquitto on the host, which the guest reaches at its port."""
    one = Broker(tmp_path / "broker")
    one.start()
    yield one
    one.kill()


@pytest.fixture
def consumer(broker: Broker) -> Iterator[Subscriber]:
    """A separate MQTT client that writes down what arrives."""
    one = Subscriber(broker.port, TOPIC)
    one.subscribed()
    yield one
    one.close()
