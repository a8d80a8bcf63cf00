"""Caps Lock and Num Lock: what each event makes of what is known, against a plain model."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.locks import Lock


class Model:
    """What is known of a lock, in flags."""

    def __init__(self, *, at_rest: bool | None, settled: bool) -> None:
        self.on = at_rest if settled else None
        self.at_rest = at_rest
        self.used = self.loss = self.wanders = self.misled = False

    def press(self) -> None:
        self.used = True
        self.on = None if self.on is None or self.loss else not self.on

    def missed(self) -> None:
        self.loss = True
        self.on = None if self.used else self.on

    def light(self, *, right: bool) -> None:
        self.misled = not right
        self.on = None

    def silence(self) -> None:
        self.loss = False
        if self.misled:
            self.on = None
        elif self.on is None:
            self.on = None if self.wanders else self.at_rest
        elif self.on is not self.at_rest:
            self.wanders, self.at_rest = True, self.on


EVENTS = st.sampled_from(["press", "missed", "right", "wrong", "silence"])


@given(at_rest=st.sampled_from([None, True, False]), settled=st.booleans(), events=st.lists(EVENTS, max_size=12))
def test_a_lock_is_as_its_model_says(at_rest: bool | None, settled: bool, events: list[str]) -> None:  # noqa: FBT001
    lock, model = Lock(at_rest=at_rest, settled=settled), Model(at_rest=at_rest, settled=settled)
    for event in events:
        for one in (lock, model):
            if event in {"right", "wrong"}:
                one.light(right=event == "right")
            else:
                getattr(one, event)()
        assert (lock.on, lock.misled) == (model.on, model.misled), events


def test_nothing_says_where_a_lock_is_that_was_once_left_elsewhere() -> None:
    """After lost events a silence makes certain only what the scanner has always put back."""
    lock = Lock(at_rest=False, settled=True)
    lock.press()
    lock.silence()
    assert lock.on is True
    lock.missed()
    lock.silence()
    assert lock.on is None


def test_a_light_that_misleads_is_no_habit_of_the_scanner() -> None:
    """What was pressed before another program switched the light says nothing of where the lock comes to rest."""
    lock = Lock(at_rest=False, settled=True)
    lock.press()
    lock.light(right=False)
    lock.silence()
    lock.light(right=True)
    lock.silence()
    assert lock.on is False
