"""What the article tests share: an articles directory and a short way to import rows into it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.articles.build.import_job import import_file
from gateway.articles.errors import MasterError
from gateway.articles.lookup.master import ArticleMaster
from gateway.articles.overlay.applier import DeltaApplier
from gateway.articles.overlay.statements import DeltaOutcome
from gateway.articles.precedence import STRICTNESS
from gateway.articles.reports import ImportReport
from gateway.articles.settings import SourceSettings
from gateway.model import Decoded

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
        max_shrink: float = 1.0,
        as_of: datetime | None = None,
        name: str = "miv",
        **settings: object,
    ) -> ImportReport:
        file = tmp_path / "rows.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        source = msgspec.convert({"name": name, **settings}, SourceSettings)
        return import_file(
            directory, source, file, now=now, max_rejected=max_rejected, max_shrink=max_shrink, as_of=as_of
        )

    return run


class Box:
    """The articles directory of a box, as its daemon uses it: deltas come in, scans are looked up."""

    def __init__(self, directory: Path, *sources: str) -> None:
        self.directory = directory
        self.master = ArticleMaster(directory)
        self._applier = DeltaApplier(directory, sources or ("miv", "gudid", "konsignation", "other"))

    def apply(self, payload: bytes, key: bytes | None = None, today: date | None = None) -> DeltaOutcome:
        outcome = self._applier.apply(payload, key, today=today)
        self.master.overlay._look_at = 0.0  # as after FOLLOW_SECONDS
        return outcome

    def announce(self, source: str, number: int) -> bool:
        return self._applier.announced(source, number)

    def settle(self, source: str, number: int) -> None:
        self._applier.settle(source, number)

    def shows(self, text: str) -> tuple[str | None, str, str | None, int]:
        """Name, status, article number and count of recalls, after a look-up."""
        found = self.master.look_up(text, text if text.isdigit() else None)
        article = found.article
        if article is None:
            return None, "none", None, len(found.recalls)
        return article.trade_name, article.status.value, article.article_number, len(found.recalls)

    def refuses(self, text: str, lot: str | None = None, serial: str | None = None, day: str = "2026-11-28") -> str:
        """Return what a scan says: free, blocked, recalled or possible."""
        identifier = text if text.isdigit() else None
        try:
            found = self.master.look_up(text, identifier)
        except MasterError:
            found = self.master.look_up_deltas(text, identifier)
        article = found.article
        if article is not None and STRICTNESS[article.status]:
            return article.status.value
        label = Decoded(ok=True, lot_number=lot, serial_number=serial)
        answers = {recall.means(label) for recall in found.recalls if recall.in_force(day)}
        return "recalled" if True in answers else "possible" if None in answers else "free"

    def restart(self) -> None:
        self.close()

    def close(self) -> None:
        self._applier.close()
        self.master.close()


def delta(
    number: int, *changes: dict[str, Any], source: str = "miv", issued: str = "2026-11-21T10:00:00Z"
) -> bytes:
    whole = {"source": source, "number": number, "issuedAt": issued, "changes": changes}
    return json.dumps(whole).encode()


@pytest.fixture
def box(directory: Path) -> Iterator[Box]:
    one = Box(directory)
    yield one
    one.close()
