"""What is under way: whatever the order of the answers, delivered is an unbroken row."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.inflight_window import InflightWindow


def sent(count: int, delivered: int = 0) -> InflightWindow:
    window = InflightWindow(delivered, 100)
    for number in range(delivered + 1, delivered + count + 1):
        window.sent(1000 + number, number, float(number))
    return window


@given(st.permutations(range(1, 9)), st.integers(0, 8))
def test_delivered_is_an_unbroken_row(answers: list[int], upto: int) -> None:
    window = sent(8)
    answered: set[int] = set()
    for number in answers[:upto]:
        assert window.answered(1000 + number) == number
        window.settle(number)
        answered.add(number)
        assert set(range(1, window.delivered + 1)) <= answered
        assert window.delivered + 1 not in answered
    assert len(window) == 8 - upto


@given(st.permutations(range(1, 9)), st.integers(0, 8))
def test_after_a_break_what_has_arrived_is_passed_over(answers: list[int], upto: int) -> None:
    window = sent(8)
    for number in answers[:upto]:
        window.answered(1000 + number)
        window.settle(number)
    window.restart()
    assert len(window) == 0
    again = []
    for number in range(window.delivered + 1, 9):
        if window.settled(number):
            window.pass_over(number)
        else:
            again.append(number)
            window.sent(2000 + number, number, 0.0)
    assert set(again) == set(range(1, 9)) - set(answers[:upto])
    for number in again:
        window.settle(number)
    assert window.delivered == 8


def test_gaps_in_the_numbers_are_no_gaps_in_the_row() -> None:
    """Dead letters and what another epoch took are not in the backlog."""
    window = InflightWindow(10, 100)
    for mid, number in ((1, 12), (2, 17)):
        window.sent(mid, number, 0.0)
    window.settle(12)
    window.settle(17)
    assert window.delivered == 17


def test_an_answer_to_something_else_is_nothing() -> None:
    assert sent(1).answered(7) is None


def test_the_oldest_is_the_one_sent_first() -> None:
    window = sent(3)
    assert window.oldest() == (1, 1.0)
    window.answered(1001)
    assert window.oldest() == (2, 2.0)
    window.restart()
    assert window.oldest() is None


def test_what_is_delivered_is_forgotten() -> None:
    """A window lives as long as its connection: what it remembers must not grow with what went through it."""
    window = InflightWindow(0, 10)
    for first in range(1, 1001, 2):
        window.sent(1, first, 0.0)
        window.sent(2, first + 1, 0.0)
        window.settle(first + 1)
        window.settle(first)
    assert window.delivered == 1000
    assert not window._settled
    window.settle(1000)
    window.restart()
    assert not window._settled
