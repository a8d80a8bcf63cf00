"""What the next scan of each scanner means: action, quantity, what they apply to, and until when. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from gateway.display.daemon_messages import OfScanner, View
from gateway.display.panel import action_words, clean
from gateway.languages.form import Vocabulary

MAX_ROWS: Final = 4
"""Scanners with a row of their own: more cannot be read at two metres; the rest share the last row."""

MAX_PLACE: Final = 20
"""Characters of a place's name: a GLN has 13, its extension up to 20 (GS1 General Specifications, AI 254)."""


class NextAction(Struct, frozen=True, kw_only=True):
    """One row: what holds on one scanner, or on all others."""

    text: str
    own: bool
    """Of the scanner whose result is shown: the last row that gives way."""


def next_actions(view: View, scanners: Sequence[str], newest: str, words: Vocabulary) -> tuple[NextAction, ...]:
    """Return the rows, those of scanners on which something was chosen first.

    `scanners`: all that are configured. `newest`: the scanner whose result is shown; empty for none.
    """
    chosen = [one for one in view.scanners if _meaning(one, words) != _default(view, words)]
    if len(scanners) < 2 or not chosen:  # noqa: PLR2004 - one scanner need not be named
        text = _meaning(chosen[0], words) if chosen else _of_station(view, words)
        return (NextAction(text=words.next.format(text), own=True),)
    rows = [
        NextAction(text=f"{clean(one.scanner)}: {_meaning(one, words)}", own=one.scanner == newest)
        for one in chosen
    ]
    if {*scanners} - {one.scanner for one in chosen}:
        named = any(one.scanner == newest for one in chosen)
        rows.append(NextAction(text=f"{words.others}: {_default(view, words)}", own=not named))
    if len(rows) > MAX_ROWS:
        rows.sort(key=lambda row: not row.own)  # that of the scanner whose result is shown is never a shared one
        last = rows[MAX_ROWS - 1 :]
        shared = NextAction(text=" · ".join(one.text for one in last), own=any(one.own for one in last))
        rows = [*rows[: MAX_ROWS - 1], shared]
    return tuple(rows)


def _default(view: View, words: Vocabulary) -> str:
    return action_words(view.default_action or view.action, None, 1, words)


def _of_station(view: View, words: Vocabulary) -> str:
    """Return what holds everywhere; from a daemon that says nothing of single scanners, what was chosen last."""
    if view.scanners or view.default_action:
        return _default(view, words)
    what = action_words(view.action, view.reason, view.quantity, words)
    until = _clock(view.action_expires_at)
    return f"{what} ({words.until.format(until)})" if until else what


def _meaning(one: OfScanner, words: Vocabulary) -> str:
    """Return `Discard: expired, 3 pcs (one article, until 22:41)`."""
    what = action_words(one.action, one.reason, 1 if one.quantity is None else one.quantity, words)
    holds = ", ".join(_holds(one, words))
    return f"{what} ({holds})" if holds else what


def _holds(one: OfScanner, words: Vocabulary) -> Iterator[str]:
    """Yield what an action applies to, and until when."""
    if one.destination:
        yield words.destination.format(_end(clean(one.destination.rpartition("/414/")[2])))
    if one.count:
        yield words.count.get(one.count, clean(one.count))
    if one.locked:
        yield words.locked
    elif one.one_item or (one.quantity or 1) > 1:
        yield words.one_article
    until = _clock(one.expires_at)
    if until and not one.locked:
        yield words.until.format(until)


def _end(place: str) -> str:
    """Return a place's name, of a long one its end: there it differs from its neighbours."""
    return place if len(place) <= MAX_PLACE else f"…{place[-MAX_PLACE + 1 :]}"


def _clock(moment: str | None) -> str:
    """Return the `HH:MM` of an RFC 3339 time; empty for none."""
    return clean((moment or "")[11:16])
