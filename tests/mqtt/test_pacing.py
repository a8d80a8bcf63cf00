"""How many events may be under way: as many as the broker answers soon."""

from collections import deque

import pytest

from gateway.mqtt.pacing import EASY_SECONDS, HARD_SECONDS, Pace

CUT_OFF_SECONDS = 5.0
"""NATS ends a client's connection when its storage does not confirm a publish within this (docs.nats.io, MQTT)."""


def test_it_begins_with_one_and_doubles_in_a_round_trip() -> None:
    pace = Pace(100)
    sizes = []
    for number in range(9):
        sizes.append(pace.size)
        pace.answered(pace.size, 0.01, number * 0.01)
    assert sizes == [1, 2, 4, 8, 16, 32, 64, 100, 100]


@pytest.mark.parametrize("delay", [EASY_SECONDS, HARD_SECONDS])
def test_between_soon_and_late_it_stays(delay: float) -> None:
    pace = Pace(100)
    pace.answered(20, 0.01, 0.0)
    pace.answered(20, delay, 10.0)
    assert pace.size == 21


def test_late_answers_halve_it_once_for_what_was_under_way() -> None:
    pace = Pace(100)
    pace.answered(63, 0.01, 0.0)
    for moment in (10.0, 10.1, 12.9):
        pace.answered(1, 3.0, moment)
    assert pace.size == 32
    for moment in range(20, 60, 4):
        pace.answered(1, 3.0, float(moment))
    assert pace.size == 1


@pytest.mark.parametrize("boxes", [1, 20, 200, 1000])
def test_boxes_that_come_back_together_are_not_cut_off(boxes: int) -> None:
    """One queue at a broker that stores 700 events a second, as three NATS nodes do that sync each one."""
    rate, step = 700.0, 0.05
    paces = [Pace(50) for _ in range(boxes)]
    under_way = [0] * boxes
    queue: deque[tuple[int, float]] = deque()
    room = longest = served = now = 0.0
    while now < 60.0:
        for box, pace in enumerate(paces):
            for _ in range(pace.size - under_way[box]):
                queue.append((box, now))
                under_way[box] += 1
        room += rate * step
        now += step
        while room >= 1.0 and queue:
            box, sent = queue.popleft()
            under_way[box] -= 1
            paces[box].answered(1, now - sent, now)
            longest = max(longest, now - sent)
            room -= 1.0
            served += 1
        room = min(room, rate * step)
    assert longest < CUT_OFF_SECONDS
    assert served > (0.9 * rate * 60 if boxes > 1 else 50 * 60 / (2 * step)), "and the broker is kept at work"
