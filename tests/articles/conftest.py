"""What the article tests share: an articles directory and a short way to import rows into it."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gateway.articles.build.import_job import import_file
from gateway.articles.overlay.merge import FileState
from gateway.articles.overlay.statements import DeltaOutcome
from gateway.articles.overlay.store import Overlay
from gateway.articles.reports import ImportReport
from gateway.articles.settings import SourceSettings

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)

Importing = Callable[..., ImportReport]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "articles"


@pytest.fixture
def importing(tmp_path: Path, directory: Path) -> Importing:
    """`importing(text_or_bytes, name="miv", priority=10, now=..., max_rejected=..., **source_settings)`."""

    def run(
        content: str | bytes,
        *,
        now: datetime = NOW,
        max_rejected: float = 0.05,
        as_of: datetime | None = None,
        name: str = "miv",
        **settings: object,
    ) -> ImportReport:
        file = tmp_path / "rows.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        source = msgspec.convert({"name": name, **settings}, SourceSettings)
        return import_file(directory, source, file, now=now, max_rejected=max_rejected, as_of=as_of)

    return run


def applied(directory: Path, payload: bytes, files: FileState | None = None) -> DeltaOutcome:
    """What another process does that takes one message."""
    with closing(Overlay(directory)) as overlay:
        return overlay.apply(payload, files=files)
