"""Which symbol of an article's label completes it: learned from what was scanned, for the screen to ask for.

Makers print the same label on every piece of an article: where the last ones were completed by the square code, the
next one will be. Counted by article and kind of symbol, bounded, and kept in the station registry.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from gateway.events import cloudevent
from gateway.outbox.entry import NewEvent, Write

SymbolKind = Literal["square", "linear"]
MAX_ARTICLES: Final = 1000
"""Of which counts are kept, some 60 KB in the registry; beyond, the one that was not scanned for longest goes."""
MAX_COUNT: Final = 50
"""Then both counts are halved: a maker's new label is learned after as many pieces."""
LEAST: Final = 2
"""Labels before anything is suggested."""
_SQUARE: Final = ("]d", "]Q", "]z", "]J")
"""AIM identifiers of Data Matrix, QR Code, Aztec and DotCode (ISO/IEC 15424)."""
Counts = dict[str, int]
"""SymbolKind -> labels."""


def kind_of(symbology: str | None) -> SymbolKind | None:
    """Return what a symbol looks like; None where the scanner does not say which symbology it read."""
    if symbology is None:
        return None
    return "square" if symbology.startswith(_SQUARE) else "linear"


class CompletingSymbols:
    """Counts by article. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counts] = {}
        self._changed = False

    def restore(self, kept: Mapping[str, Mapping[str, int]]) -> None:
        """Begin with what an earlier life has learned."""
        with self._lock:
            for identifier, counts in list(kept.items())[-MAX_ARTICLES:]:
                self._counts[identifier] = {
                    "square": int(counts.get("square", 0)),
                    "linear": int(counts.get("linear", 0)),
                }

    def learn(self, writes: Iterable[Write]) -> None:
        """Learn from what came of a scan, once it is on disk."""
        for write in writes:
            if isinstance(write, NewEvent) and write.data.action != "undo":
                self.count(write.data)

    def count(self, data: cloudevent.ScanData) -> None:
        """Learn from the event of a whole label."""
        udi = data.udi
        kind = kind_of(data.symbols[-1].symbology) if data.symbols else None
        incomplete = any(found.code == "INCOMPLETE_LABEL" for found in data.verdict.findings)
        if udi is None or udi.device_identifier is None or kind is None or incomplete:
            return
        with self._lock:
            counts = self._counts.pop(udi.device_identifier, None) or {"square": 0, "linear": 0}
            counts[kind] += 1
            if counts[kind] > MAX_COUNT:
                counts = {"square": counts["square"] // 2, "linear": counts["linear"] // 2}
            self._counts[udi.device_identifier] = counts
            if len(self._counts) > MAX_ARTICLES:
                del self._counts[next(iter(self._counts))]
            self._changed = True

    def suggested(self, identifier: str | None) -> SymbolKind | None:
        """Return the kind of symbol that completes most labels of an article; None while too little is known."""
        with self._lock:
            counts = self._counts.get(identifier or "")
            if counts is None or counts["square"] == counts["linear"]:
                return None
            kind: SymbolKind = "square" if counts["square"] > counts["linear"] else "linear"
            return kind if counts[kind] >= LEAST else None

    def to_keep(self) -> dict[str, Counts] | None:
        """Return a copy of all counts where they have changed since the last call, else None."""
        with self._lock:
            if not self._changed:
                return None
            self._changed = False
            return {identifier: dict(counts) for identifier, counts in self._counts.items()}
