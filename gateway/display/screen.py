"""What stands on the page: a value that messages of the daemon, and time, change. Pure.

Times are seconds of a monotonic clock.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.display.daemon_messages import Case, Event, LinkChange, Status, View, Waiting
from gateway.display.next_actions import NextAction, next_actions
from gateway.display.panel import Panel, article_name, case_panel, clean, missing_of, panel_of, question_of
from gateway.display.stages import of_all, stage_of
from gateway.display.state import State
from gateway.languages import LANGUAGES, vocabulary
from gateway.languages.form import Vocabulary

MAX_RECENT: Final = 10
"""Scans in the list."""
HEARD_SECONDS: Final = 5.0
"""A daemon that has not answered for so long is taken to be gone: it is asked every second."""
READ_OUT_SECONDS: Final = 300.0
"""How long a closed case is shown, unless something is scanned: it is read out before the team parts."""
MAX_COUNTDOWN_MS: Final = 60_000
"""Of an open label: a display whose clock differs from the daemon's must not count for hours."""
_LISTED: Final = frozenset(
    {State.ACCEPTED, State.WARNING, State.DEVIATING, State.REFUSED, State.INVALID, State.TROUBLE, State.UNDONE}
)
"""Results that stand in the list of the last scans. A first symbol is no result yet."""


class Recent(Struct, frozen=True, kw_only=True):
    """One of the last scans."""

    state: State
    word: str
    """The state, for whoever cannot see its shape and colour."""
    article: str
    lot: str
    time: str
    stored: int | None = None
    """Highest sequence number on disk when it was announced; None for what is no event."""
    stage: str = ""
    """How far it has come, in a word; empty for what is no event."""


class Page(Struct, frozen=True, kw_only=True, rename="camel"):
    """All that the page shows, as it is sent to it."""

    language: str
    number: int
    """Counts the results, so that two alike are seen to be two."""
    now: Panel | None
    """The newest result while it is new."""
    left_ms: int
    """How long it still is."""
    idle: Panel
    """What is shown then."""
    recent: tuple[Recent, ...]
    """The newest first."""
    recent_title: str
    actions: tuple[NextAction, ...]
    """What the next scan of each scanner means."""
    context: str
    delivery: str
    """How far all scans have come."""
    waiting: bool
    """Scans wait for delivery. Never on a box that stands alone: there it is no fault."""
    alarm: str
    lost: Panel
    """What the page shows when no message comes any more."""


class Screen(Struct, frozen=True, kw_only=True):
    """What is known; each message makes a new one."""

    language: str
    """Of the configuration; the daemon's own outranks it."""
    result_seconds: float
    watching: bool = False
    """The stream of scans is open."""
    heard_at: float | None = None
    """When the daemon last answered."""
    number: int = 0
    now: Panel | None = None
    now_until: float = 0.0
    recent: tuple[Recent, ...] = ()
    view: View | None = None
    case: Case | None = None
    """What the open case comes to so far."""
    status: Status | None = None

    @property
    def speaks(self) -> str:
        """The language in force: the daemon's, unless it is one that this display does not have."""
        spoken = None if self.view is None else self.view.language
        return spoken if spoken in LANGUAGES else self.language

    @property
    def has_case(self) -> bool:
        """Whether a case, or a patient without one, is set."""
        return self.view is not None and not {"case", "patient"}.isdisjoint(self.view.context_kinds)


def after_event(screen: Screen, event: Event, time: str, now: float) -> Screen:
    """Take a message of the stream; `time` is the display's wall clock, `HH:MM:SS`."""
    screen = replace(screen, view=event.station or screen.view)
    if event.link is not None:
        return _after_link(screen, event.link)
    words = vocabulary(screen.speaks)
    panel = panel_of(event, time, words)
    if panel is None:
        return screen
    seconds = max(screen.result_seconds, READ_OUT_SECONDS) if panel.state is State.CLOSED else screen.result_seconds
    screen = replace(screen, number=screen.number + 1, now=panel, now_until=now + seconds)
    if event.data is not None and screen.status is not None:  # stored, and until the next answer not sent
        sequence = screen.status.sequence
        stored = max(sequence.stored, event.stored if event.stored is not None else sequence.stored + 1)
        screen = replace(screen, status=replace(screen.status, sequence=replace(sequence, stored=stored)))
    if panel.state not in _LISTED or event.training:
        return screen
    data = event.data
    lot = (data.udi.lot_number or data.udi.serial_number or "") if data and data.udi else ""
    entry = Recent(
        state=panel.state,
        word=panel.headline,
        article=article_name(data, words) if data else panel.headline,
        lot=clean(lot),
        time=time,
        stored=(event.stored or 0) if data else None,
    )
    return replace(screen, recent=(entry, *screen.recent)[:MAX_RECENT])


def _after_link(screen: Screen, change: LinkChange) -> Screen:
    """A scanner came or went. What one that is gone has brought is no longer what the next scan looks like."""
    status = screen.status
    if status is not None:
        scanners = tuple(
            replace(one, link=change.link) if one.name == change.scanner else one for one in status.scanners
        )
        screen = replace(screen, status=replace(status, scanners=scanners))
    gone = change.link != "connected" and screen.now is not None and screen.now.scanner == clean(change.scanner)
    return replace(screen, now=None) if gone else screen


def after_answer(screen: Screen, status: Status, view: View | None, now: float) -> Screen:
    """Take the daemon's answer to `status`; `view` where it was asked for. What came before a silence is old."""
    if screen.heard_at is not None and now - screen.heard_at > HEARD_SECONDS:
        screen = replace(screen, now=None)
    return replace(screen, status=status, view=view or screen.view, heard_at=now)


def after_case(screen: Screen, case: Case | None) -> Screen:
    """Take what the open case comes to so far."""
    return replace(screen, case=case)


def after_loss(screen: Screen) -> Screen:
    """The daemon is gone: nothing of it is new any more. The list of what was scanned stays."""
    return replace(screen, watching=False, heard_at=None, now=None, view=None, case=None, status=None)


def after_unreadable(screen: Screen) -> Screen:
    """A message could not be understood: whatever it was, the result on the page is no longer the newest."""
    return replace(screen, now=None)


def page(screen: Screen, now: float, wall: float = 0.0) -> Page:
    """Return what is to be shown at a moment; `wall`: seconds since 1970, for the end of an open label."""
    words, view, status = vocabulary(screen.speaks), screen.view, screen.status
    lost = not screen.watching or screen.heard_at is None or now - screen.heard_at > HEARD_SECONDS
    left = 0.0 if lost or screen.now is None else max(0.0, screen.now_until - now)
    shown = view if not lost else None
    newest = screen.now.scanner if left and screen.now is not None else ""
    return Page(
        language=screen.speaks,
        number=screen.number,
        now=_counting_down(screen, wall) if left else None,
        left_ms=round(left * 1000),
        idle=_lost(words.lost_daemon, words) if lost else _idle(screen, words, wall),
        recent=tuple(_staged(one, None if lost else status, words) for one in screen.recent),
        recent_title=words.recent,
        actions=next_actions(shown, _names(status), newest, words) if shown is not None else (),
        context=" · ".join(_context(shown, words)),
        delivery=of_all(None if lost else status, words),
        waiting=lost or status is None or (status.broker is not None and status.sequence.behind > 0),
        alarm=words.alarms if not lost and status and status.alarms else "",
        lost=_lost(words.lost_page, words),
    )


def _lost(why: str, words: Vocabulary) -> Panel:
    return Panel(state=State.LOST, headline=words.headlines[State.LOST], reason=why)


def _names(status: Status | None) -> tuple[str, ...]:
    return tuple(one.name for one in status.scanners) if status is not None else ()


def _staged(entry: Recent, status: Status | None, words: Vocabulary) -> Recent:
    """Return an entry of the list with how far it has come; a daemon that is gone cannot say."""
    if entry.stored is None or status is None:
        return entry
    return replace(entry, stage=words.stages[stage_of(entry.stored or None, status)])


def _counting_down(screen: Screen, wall: float) -> Panel | None:
    """Return the newest result; of a first symbol, how long its label stays open."""
    panel = screen.now
    if panel is None or panel.state is not State.MORE or screen.view is None:
        return panel
    waiting = next((one for one in screen.view.waiting if clean(one.scanner) == panel.scanner), None)
    return panel if waiting is None else replace(panel, until_ms=_until(waiting, wall))


def _until(waiting: Waiting, wall: float) -> int | None:
    try:
        left = datetime.fromisoformat(waiting.expires_at).timestamp() - wall
    except ValueError:
        return None
    return min(max(0, round(left * 1000)), MAX_COUNTDOWN_MS)


def _idle(screen: Screen, words: Vocabulary, wall: float) -> Panel:
    """Return what the station is ready for: the rest of a label, the next scan, or nothing and why."""
    view, status = screen.view, screen.status
    unread = [one for one in (status.scanners if status else ()) if one.link != "connected" or one.failure]
    state, reason, names = State.READY, "", ""
    until = None
    if status is not None and status.disk.room == "full":
        state, reason = State.UNABLE, words.problems["storage-full"]
    elif unread:
        state, names = State.ATTENTION, clean(", ".join(one.name for one in unread))
        reason = words.problems["busy" if any(one.link == "busy" for one in unread) else "missing"]
    elif view is not None and view.waiting:
        state, until = State.MORE, _until(view.waiting[0], wall)
        reason = missing_of(view, view.waiting[0].scanner, words)
    elif view is not None and view.asks:
        state, reason = State.QUESTION, question_of(view, words)
    elif status is not None and not status.clock.synchronised:
        state, reason = State.LIMITED, words.problems["clock"]
    elif status is not None and status.master is not None and status.master.version is None:
        state, reason = State.LIMITED, words.problems["master"]
    elif screen.case is not None and screen.has_case:
        return case_panel(screen.case, state, words)
    elif view is not None and view.ended_kinds:
        reason = words.problems["ended"]
    return Panel(state=state, headline=words.headlines[state], reason=reason, article=names, until_ms=until)


def _context(view: View | None, words: Vocabulary) -> Iterator[str]:
    """Yield a question that waits for its answer; that a patient is set, never who; the case's begin; the place."""
    if view is None:
        return
    if view.asks:
        yield words.headlines[State.QUESTION]
    if "case" in view.context_kinds:
        since = clean((view.case_since or "")[11:16])
        yield words.case_since.format(since) if since else words.contexts["case"]
    if "patient" in view.context_kinds:
        yield words.patient_chosen
    if "location" in view.context_kinds:
        place = clean(view.location or "").rpartition("/414/")[2]
        yield words.place.format(place) if place else words.contexts["location"]
