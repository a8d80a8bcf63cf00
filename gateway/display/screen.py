"""What stands on the page: a value that messages of the daemon, and time, change. Pure.

Times are seconds of a monotonic clock.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.display import words
from gateway.display.daemon_messages import Event, LinkChange, Sequence, Status, View, Waiting
from gateway.display.panel import Panel, action_words, article_name, clean, missing_of, panel_of, question_of
from gateway.display.words import Language, State, translated

MAX_RECENT: Final = 10
"""Scans in the list."""
HEARD_SECONDS: Final = 5.0
"""A daemon that has not answered for so long is taken to be gone: it is asked every second."""
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


class Page(Struct, frozen=True, kw_only=True, rename="camel"):
    """All that the page shows, as it is sent to it."""

    language: Language
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
    action: str
    context: str
    delivery: str
    waiting: bool
    """Scans wait for delivery. Never on a box that stands alone: there it is no fault."""
    alarm: str
    lost: Panel
    """What the page shows when no message comes any more."""


class Screen(Struct, frozen=True, kw_only=True):
    """What is known; each message makes a new one."""

    language: Language
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
    status: Status | None = None

    @property
    def speaks(self) -> Language:
        """The language in force."""
        if self.view is None:
            return self.language
        return "en" if self.view.language == "en" else "sv"


def after_event(screen: Screen, event: Event, time: str, now: float) -> Screen:
    """Take a message of the stream; `time` is the display's wall clock, `HH:MM:SS`."""
    screen = replace(screen, view=event.station or screen.view)
    if event.link is not None:
        return _after_link(screen, event.link)
    language = screen.speaks
    panel = panel_of(event, time, language)
    if panel is None:
        return screen
    screen = replace(screen, number=screen.number + 1, now=panel, now_until=now + screen.result_seconds)
    if event.data is not None and screen.status is not None:  # stored, and until the next answer not delivered
        waiting = screen.status.sequence.waiting + 1
        screen = replace(screen, status=replace(screen.status, sequence=Sequence(waiting=waiting)))
    if panel.state not in _LISTED:
        return screen
    data = event.data
    lot = (data.udi.lot_number or data.udi.serial_number or "") if data and data.udi else ""
    entry = Recent(
        state=panel.state,
        word=panel.headline,
        article=article_name(data, language) if data else panel.headline,
        lot=clean(lot),
        time=time,
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


def after_loss(screen: Screen) -> Screen:
    """The daemon is gone: nothing of it is new any more. The list of what was scanned stays."""
    return replace(screen, watching=False, heard_at=None, now=None, view=None, status=None)


def after_unreadable(screen: Screen) -> Screen:
    """A message could not be understood: whatever it was, the result on the page is no longer the newest."""
    return replace(screen, now=None)


def page(screen: Screen, now: float, wall: float = 0.0) -> Page:
    """Return what is to be shown at a moment; `wall`: seconds since 1970, for the end of an open label."""
    language, view, status = screen.speaks, screen.view, screen.status
    lost = not screen.watching or screen.heard_at is None or now - screen.heard_at > HEARD_SECONDS
    left = 0.0 if lost or screen.now is None else max(0.0, screen.now_until - now)
    shown = view if not lost else None
    return Page(
        language=language,
        number=screen.number,
        now=_counting_down(screen, wall) if left else None,
        left_ms=round(left * 1000),
        idle=_lost(words.LOST_DAEMON, language) if lost else _idle(screen, language, wall),
        recent=screen.recent,
        recent_title=translated(words.RECENT, language),
        action=_action(shown, language),
        context=" · ".join(_context(shown, language)),
        delivery=_delivery(status, language) if not lost else translated(words.UNKNOWN, language),
        waiting=lost or status is None or (status.broker is not None and status.sequence.waiting > 0),
        alarm=translated(words.ALARMS, language) if not lost and status and status.alarms else "",
        lost=_lost(words.LOST_PAGE, language),
    )


def _lost(why: words.Words, language: Language) -> Panel:
    return Panel(
        state=State.LOST,
        headline=translated(words.HEADLINES[State.LOST], language),
        reason=translated(why, language),
    )


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


def _idle(screen: Screen, language: Language, wall: float) -> Panel:
    """Return what the station is ready for: the rest of a label, the next scan, or nothing and why."""
    view, status = screen.view, screen.status
    unread = [one for one in (status.scanners if status else ()) if one.link != "connected" or one.failure]
    state, reason, names = State.READY, "", ""
    until = None
    if status is not None and status.disk.room == "full":
        state, reason = State.UNABLE, "storage-full"
    elif unread:
        state, names = State.ATTENTION, clean(", ".join(one.name for one in unread))
        reason = "busy" if any(one.link == "busy" for one in unread) else "missing"
    elif view is not None and view.waiting:
        state, until = State.MORE, _until(view.waiting[0], wall)
    elif view is not None and view.asks:
        state = State.QUESTION
    elif status is not None and not status.clock.synchronised:
        state, reason = State.LIMITED, "clock"
    elif status is not None and status.master is not None and status.master.version is None:
        state, reason = State.LIMITED, "master"
    words_of_it = translated(words.PROBLEMS[reason], language) if reason else ""
    if state is State.MORE and view is not None:
        words_of_it = missing_of(view, view.waiting[0].scanner, language)
    if state is State.QUESTION:
        words_of_it = question_of(view, language)
    return Panel(
        state=state,
        headline=translated(words.HEADLINES[state], language),
        reason=words_of_it,
        article=names,
        until_ms=until,
    )


def _context(view: View | None, language: Language) -> Iterator[str]:
    """Yield that a patient is set, never who; how old the case is; the place."""
    if view is None:
        return
    if "case" in view.context_kinds:
        since = (view.case_since or "")[11:16]
        yield (
            translated(words.CASE_SINCE, language).format(since)
            if since
            else translated(words.CONTEXTS["case"], language)
        )
    if "patient" in view.context_kinds:
        yield translated(words.PATIENT_SET, language)
    if "location" in view.context_kinds:
        place = clean(view.location or "").rpartition("/414/")[2]
        yield (
            translated(words.PLACE, language).format(place)
            if place
            else translated(words.CONTEXTS["location"], language)
        )


def _action(view: View | None, language: Language) -> str:
    if view is None:
        return ""
    meaning = action_words(view.action, view.reason, view.quantity, language)
    what = translated(words.NEXT, language).format(meaning)
    until = (view.action_expires_at or "")[11:16]
    return f"{what} {translated(words.UNTIL, language).format(until)}" if until else what


def _delivery(status: Status | None, language: Language) -> str:
    if status is None:
        return translated(words.UNKNOWN, language)
    alone = status.broker is None
    if not status.sequence.waiting:
        return translated(words.EXPORTED if alone else words.DELIVERED, language)
    return translated(words.TO_EXPORT if alone else words.WAITING, language).format(status.sequence.waiting)
