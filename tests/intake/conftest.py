"""Real databases and brokers for the intake's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.nats import NatsNode
from tests.postgresql import PostgreSql


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSql]:
    server = PostgreSql()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def fresh_postgresql(postgresql_server: PostgreSql) -> Iterator[str]:
    """URL of an empty database on the shared server."""
    with postgresql_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'events.db'}"
    url: str = request.getfixturevalue("fresh_postgresql")
    return url


@pytest.fixture
def nats_node(tmp_path: Path) -> Iterator[NatsNode]:
    node = NatsNode(tmp_path / "nats", "alone")
    try:
        node.start()
        yield node
    finally:
        node.kill()


@pytest.fixture
def closing() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Return a function that takes what is to be called when the test is over, last first."""
    undo: list[Callable[[], None]] = []
    yield undo.append
    for each in reversed(undo):
        each()
