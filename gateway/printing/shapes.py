"""The shapes of the signals, as lines on a square of 100 by 100: those of the station's screen. Pure."""

import math
from collections.abc import Mapping
from typing import Final

Stroke = tuple[tuple[float, float], ...]
"""Points that one line joins."""


def _circle(x: float, y: float, radius: float) -> Stroke:
    """Return a circle as a line of 32 pieces: on paper no corner is seen."""
    turns = [2 * math.pi * one / 32 for one in range(33)]
    return tuple((x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns)


def _closed(*points: tuple[float, float]) -> Stroke:
    return (*points, points[0])


SHAPES: Final[Mapping[str, tuple[Stroke, ...]]] = {
    "accepted": (_circle(50, 50, 44), ((27, 52), (43, 68), (74, 33))),
    "more": (_closed((6, 24), (94, 24), (94, 76), (6, 76)), *(_circle(x, 50, 4) for x in (29, 50, 71))),
    "warning": (_closed((50, 9), (95, 90), (5, 90)), ((50, 37), (50, 63)), _circle(50, 76, 3)),
    "refused": (
        _closed((32, 6), (68, 6), (94, 32), (94, 68), (68, 94), (32, 94), (6, 68), (6, 32)),
        ((33, 33), (67, 67)),
        ((67, 33), (33, 67)),
    ),
    "trouble": (
        _closed((42, 6), (16, 6), (16, 94), (36, 94), (46, 70), (30, 52), (48, 32)),
        _closed((58, 6), (70, 6), (84, 20), (84, 94), (54, 94), (64, 68), (48, 50), (66, 30)),
    ),
    "deviating": (((44, 12), (12, 12), (12, 88), (44, 88)), ((36, 50), (88, 50)), ((66, 28), (88, 50), (66, 72))),
    "question": (
        _circle(50, 50, 44),
        ((36, 38), (40, 28), (50, 24), (60, 28), (64, 38), (57, 50), (50, 56), (50, 61)),
        _circle(50, 74, 3),
    ),
}
"""Signal -> strokes."""
