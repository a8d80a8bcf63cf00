"""The one queue: nothing lost, order kept, bounded; the daemon's own words always get in."""

import threading
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from drivers.model import ConnectionChange, ConnectionState, Frame, RawScan
from gateway.scanning.inbox import MAX_BATCH, MAX_JOBS, MAX_SCANS, Inbox, Notice


def item(number: int, scanner: str = "front") -> RawScan:
    frame = Frame(data=b"%d" % number, started_ns=number)
    return RawScan(scanner=scanner, frame=frame, symbology=None, text=str(number))


Step = int | Notice | None


@given(st.lists(st.one_of(st.integers(1, 300), st.sampled_from(Notice), st.none()), max_size=30))
def test_any_history(steps: list[Step]) -> None:
    """A number offers so many, a notice is posted, None takes; what was taken in comes out, once and in order."""
    inbox = Inbox()
    waiting: list[RawScan] = []
    posted: set[Notice] = set()
    offered = 0
    for step in [*steps, *[None] * (MAX_SCANS // MAX_BATCH + 1)]:
        if isinstance(step, Notice):
            inbox.post(step)
            posted.add(step)
        elif step is not None:
            for _ in range(step):
                offered += 1
                taken = inbox.offer(item(offered))
                assert taken is (len(waiting) < MAX_SCANS)
                if taken:
                    waiting.append(item(offered))
        else:
            batch, notices = inbox.take(0.0)
            assert batch == waiting[:MAX_BATCH]
            del waiting[: len(batch)]
            assert len(notices) == len(set(notices))
            assert set(notices) <= posted
            assert Notice.STOP not in notices or not waiting, "a stop comes after the last scan"
            assert posted - set(notices) <= ({Notice.STOP} if waiting else set())
            posted -= set(notices)
    assert waiting == []
    assert posted == set()


def test_taking_waits_for_what_comes() -> None:
    inbox = Inbox()
    threading.Timer(0.02, inbox.offer, [item(1)]).start()
    assert inbox.take(10.0) == ([item(1)], [])
    threading.Timer(0.02, inbox.post, [Notice.UNSETTLED]).start()
    assert inbox.take(10.0) == ([], [Notice.UNSETTLED])


def test_four_readers_at_once() -> None:
    """Each reader's scans keep their order; none is lost, none comes twice."""
    inbox = Inbox()
    count = 200

    def read(reader: int) -> None:
        for number in range(count):
            while not inbox.offer(item(number, str(reader))):
                pass

    threads = [threading.Thread(target=read, args=(reader,)) for reader in range(4)]
    for thread in threads:
        thread.start()
    seen: dict[str, list[int]] = {str(reader): [] for reader in range(4)}
    while sum(map(len, seen.values())) < 4 * count:
        batch, _ = inbox.take(10.0)
        assert batch
        for one in batch:
            assert isinstance(one, RawScan)
            seen[one.scanner].append(int(one.text))
    for thread in threads:
        thread.join()
    assert all(numbers == list(range(count)) for numbers in seen.values())


def test_that_a_scanner_came_or_went_is_always_taken() -> None:
    """A full queue of scans must not hide that a scanner is gone: of several changes the newest counts."""
    inbox = Inbox()
    for number in range(MAX_SCANS):
        assert inbox.offer(item(number))
    gone = ConnectionChange(scanner="front", connection=ConnectionState.MISSING)
    for change in (ConnectionChange(scanner="front", connection=ConnectionState.CONNECTED), gone):
        assert inbox.offer(change)
    assert not inbox.offer(item(-1))
    batch, _ = inbox.take(0.0)
    assert batch[0] == gone
    assert len(batch) == MAX_BATCH + 1


def test_jobs_wait_in_their_order_and_are_bounded() -> None:
    inbox = Inbox()
    done: list[int] = []
    for number in range(MAX_JOBS):
        assert inbox.submit(partial(done.append, number))
    assert not inbox.submit(partial(done.append, -1))
    assert inbox.take(10.0) == ([], []), "a job ends the wait"
    while (job := inbox.next_job()) is not None:
        job()
    assert done == list(range(MAX_JOBS))
    threading.Timer(0.02, inbox.submit, [partial(done.append, 99)]).start()
    assert inbox.take(10.0) == ([], [])
    assert inbox.next_job() is not None
