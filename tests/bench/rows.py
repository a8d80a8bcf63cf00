"""The figures: one Row each, in the shape of build/bench.json."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from msgspec import Struct

Better = Literal["lower", "higher"]


class Row(Struct, frozen=True, kw_only=True):
    """One figure beside its aim."""

    name: str
    value: float
    unit: str
    aim: float | None
    """The bound that counts as good, itself included; None where the figure only informs."""
    better: Better
    ok: bool


class Benchmark(Struct, frozen=True, kw_only=True):
    """One benchmark and the names of the rows it gives."""

    names: tuple[str, ...]
    run: Callable[[], Iterable[Row]]


def row(name: str, value: float, unit: str, *, aim: float | None = None, better: Better = "lower") -> Row:
    """Judge one figure."""
    good = aim is None or (value <= aim if better == "lower" else value >= aim)
    return Row(name=name, value=round(value, 3), unit=unit, aim=aim, better=better, ok=good)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values (0 to 1) do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
